"""What a run leaves: a table on the screen, results.json, and the table in docs/benchmarks.md."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.measure import Line, Result

START, END = "<!-- bench:start -->", "<!-- bench:end -->"
_PACKAGES = (
    "cryptography", "fastapi", "joserfc", "orjson", "psycopg", "pybase64", "pydantic", "python-jose",
    "sqlalchemy", "uvicorn", "presidio-analyzer", "pymerkle", "pymisp", "sd-jwt", "stix2", "weasyprint",
)  # fmt: skip


def machine() -> dict[str, Any]:
    """What the numbers were taken on; nothing that names the machine or its user."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load": [round(value, 1) for value in os.getloadavg()],
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or "unknown"


def table(lines: Iterable[Line]) -> list[str]:
    """Markdown rows."""
    rows = ["| workload | measured | value | budget | |", "|---|---|---:|---:|---|"]
    for line in lines:
        budget = "" if line.budget is None else line.budget.text()
        verdict = "" if line.budget is None else line.verdict
        rows.append(f"| `{line.workload}` | {line.what} | {_shown(line)} | {budget} | {verdict} |")
    return rows


def _shown(line: Line) -> str:
    value = (
        f"{line.value:,.0f}" if line.value >= 1000 or line.value == int(line.value) else f"{line.value:.3g}"
    )
    return f"{value}{'' if line.unit in ('', 'x', '%', '/s') else ' '}{line.unit}"


def write(results: Sequence[Result], folder: Path, *, mode: str) -> Path:
    """results.json: machine, versions, medians and ratios."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    body = {
        "schema": "broker-bench/1",
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "mode": mode,
        "machine": machine(),
        "lines": [line.as_json() for result in results for line in result.lines],
        "medians": {name: value for result in results for name, value in sorted(result.medians.items())},
        "skipped": [text for result in results for text in result.skipped],
    }
    path.write_text(json.dumps(body, indent=1) + "\n")
    return path


def into_docs(results: Sequence[Result], page: Path, *, mode: str) -> None:
    """Replace what stands between the two marks of docs/benchmarks.md."""
    text = page.read_text()
    before, rest = text.split(START, 1)
    after = rest.split(END, 1)[1]
    here = machine()
    packages = ", ".join(f"{name} {found}" for name, found in here["packages"].items())
    lines = [line for result in results for line in result.lines]
    missed = [line for line in lines if line.verdict.startswith("missed")]
    block = [
        START,
        f"Run of {datetime.now(UTC):%Y-%m-%d}, `{mode}`: {here['cores']} cores of {here['cpu']},"
        f" {here['system']}, Python {here['python']}, load {here['load'][0]} at the end."
        f" {sum(line.verdict == 'met' for line in lines)} budgets met, {len(missed)} missed.",
        "",
        *table(lines),
        "",
        *(f"Not run: {text}." for result in results for text in result.skipped),
        "",
        f"Versions: {packages}.",
        END,
    ]
    page.write_text(before + "\n".join(block) + after)
