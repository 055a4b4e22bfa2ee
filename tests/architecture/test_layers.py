"""One way down: the import contracts, and what an import cannot show."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import shutil
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import broker.core
import broker.desk
from broker.core.case import Case
from broker.core.schema import CaseDocument
from broker.desk.compose import Composition
from broker.desk.draft import Drafted
from broker.desk.record import Record
from broker.desk.sign import Sealed
from broker.spi import Document, MinimisedReferral
from tests.architecture.source import ROOT, modules, name, tree

LEAVES = (Composition, Document, Drafted, MinimisedReferral, Record, Sealed)
"""What may leave the house, or becomes it."""

LONG = {
    "broker/api/oauth.py": "token endpoint and caller check share one set of refusals",
    "broker/cli/referrals.py": "eight commands over one request",
    "broker/core/checks.py": "thirty checks, one function each",
    "broker/core/form.py": "the schema as a form and the way back: one grammar of names",
    "broker/core/pack_read.py": "the reader of a pack says once what a pack is",
    "broker/core/schema_entities.py": "the entities of the 84 fields, declared",
    "broker/desk/draft.py": "one verb: from a confirmed case to a stored draft",
    "broker/desk/release.py": "one verb: from an approval to a committed release",
    "broker/sealing/package.py": "what a verifier does with a package, in its order",
}
"""Modules over 300 lines, each with its reason. Take a line away when the module shrinks."""


def contracts(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache", "--config", str(folder / "pyproject.toml")],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_import_contracts_hold() -> None:
    run = contracts(ROOT)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("broker/core/seal.py", "from broker.store import tree", "Core is pure"),
        ("broker/store/tree.py", "import broker.desk.draft", "One way down"),
        ("broker/unplaced.py", "", "One way down"),
        ("broker/desk/draft.py", "import adapters.arachnid", "The broker never imports an adapter"),
        ("adapters/arachnid/shield.py", "import broker.core.case", "An adapter sees only the SPI"),
        ("adapters/arachnid/shield.py", "import adapters.police_dossier", "Adapters do not know each other"),
        ("broker/client/pull.py", "import broker.store", "The partner's side imports nothing of the server"),
        ("broker/desk/route.py", "import broker.desk.sign", "Only release signs a referral"),
        ("adapters/iccam/report.py", "import broker.spi_out", "Only what goes by mail sees the mail"),
    ],
)
def test_the_contracts_see_a_wrong_import(tmp_path: Path, module: str, line: str, contract: str) -> None:
    for package in ("broker", "adapters"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path = tmp_path / module
    path.write_text((path.read_text() if path.exists() else '"""Nowhere."""\n') + f"\n{line}\n")
    run = contracts(tmp_path)
    assert run.returncode != 0
    broken = [row for row in run.stdout.splitlines() if row.endswith("BROKEN")]
    assert any(contract in row for row in broken) or "unplaced" in run.stdout, run.stdout


def functions() -> Iterator[tuple[str, Any]]:
    """Every function and method of core and desk."""
    for package in (broker.core, broker.desk):
        for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            module = importlib.import_module(found.name)
            for _, value in inspect.getmembers(module):
                if getattr(value, "__module__", None) != module.__name__:
                    continue
                if inspect.isfunction(value):
                    yield f"{module.__name__}.{value.__qualname__}", value
                elif inspect.isclass(value):
                    yield from (
                        (f"{module.__name__}.{method.__qualname__}", method)
                        for _, method in inspect.getmembers(value, inspect.isfunction)
                        if method.__module__ == module.__name__
                    )


def parts(annotation: Any) -> Iterator[Any]:
    """The annotation and everything inside it."""
    yield annotation
    for argument in typing.get_args(annotation):
        yield from parts(argument)


def skips_minimisation(function: Any) -> bool:
    """Takes a case as it was taken in and gives something that may leave."""
    hints = dict(typing.get_type_hints(function))
    gives = set(map(id, parts(hints.pop("return", None))))
    takes = {id(part) for hint in hints.values() for part in parts(hint)}
    return bool(takes & {id(Case), id(CaseDocument)}) and bool(gives & set(map(id, LEAVES)))


def test_no_function_makes_a_package_of_a_case() -> None:
    found = dict(functions())
    assert len(found) > 400
    assert [where for where, function in found.items() if skips_minimisation(function)] == []

    def shortcut(case: Case) -> list[MinimisedReferral]:
        raise NotImplementedError

    shortcut.__annotations__ = {"case": Case, "return": list[MinimisedReferral]}
    assert skips_minimisation(shortcut)


MADE_ONLY_IN = {
    "ConfirmedCase": {"broker/core/confirmation.py"},
    "UrgentCase": {"broker/core/confirmation.py"},
    "MinimisedReferral": {"broker/core/referral.py", "broker/conformance/__init__.py"},
    "Minimised": {"broker/core/minimise.py"},
}
"""Each of these types is the proof that a step was taken; only that step makes one."""


def test_each_step_alone_makes_its_type() -> None:
    makers: dict[str, set[str]] = {kind: set() for kind in MADE_ONLY_IN}
    for path in modules("broker", "adapters"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if called in makers:
                    makers[called].add(name(path))
    assert makers == MADE_ONLY_IN


def test_long_modules_are_listed_with_a_reason() -> None:
    long = {name(p) for p in modules("broker", "adapters") if len(p.read_text().splitlines()) > 300}
    assert long == set(LONG)


def test_nobody_but_the_unit_of_work_commits() -> None:
    allowed = {"broker/store/engine.py", "broker/store/roles.py", "broker/store/embedded.py"}
    found = {
        name(path)
        for path in modules("broker/desk", "broker/api", "broker/cli", "broker/demo")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "commit"
    }
    assert found <= allowed


def test_core_asks_nobody_for_time_or_chance() -> None:
    banned = {"now", "utcnow", "today", "uuid4", "urandom", "token_bytes", "time", "monotonic"}
    found = [
        f"{name(path)}:{node.lineno}"
        for path in modules("broker/core")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in banned
        and getattr(node.func.value, "id", "") in {"datetime", "date", "time", "uuid", "os", "secrets"}
    ]
    assert found == []
