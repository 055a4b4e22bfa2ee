"""`python -m bench [names…] [--quick|--full]`: run workloads, print the table, write bench-out/results.json."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import feed, ledger, memory, notices, others, pages, report, sealing, web
from bench.measure import Result
from bench.options import Options

Workload = Callable[[Options], Result]
WORKLOADS: dict[str, Workload] = {
    "seal-6": sealing.seal_6,
    "seal-peers": sealing.seal_peers,
    "canon-oracle": sealing.canon_oracle,
    "verify": sealing.verify,
    "release": ledger.release,
    "ledger-integrate": ledger.ledger_integrate,
    "ledger-proof": ledger.ledger_proof,
    "feed-growth": feed.feed_growth,
    "feed-gap": feed.feed_gap,
    "pull-audit": feed.pull_audit,
    "http-doc": web.http_doc,
    "http-page": web.http_page,
    "auth": memory.auth,
    "bulk": others.bulk,
    "bulk-notices": notices.bulk_notices,
    "freetext": others.freetext,
    "register": others.register,
    "pdf": others.pdf,
    "pages": pages.pages,
}
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def main() -> None:
    """Run what was asked for, all by default. `--docs` writes the table into docs/benchmarks.md."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[[], *WORKLOADS], metavar="name", help=", ".join(WORKLOADS)
    )
    parser.add_argument("--quick", action="store_true", help="a look at everything, not a measurement")
    parser.add_argument("--full", action="store_true", help="the sizes of the budgets; takes long")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/benchmarks.md")
    parser.add_argument("--out", type=Path, default=Path("bench-out"))
    asked = parser.parse_args()
    mode = "--full" if asked.full else "--quick" if asked.quick else "usual sizes"
    results = [_run(name, asked.quick, asked.full) for name in asked.names or WORKLOADS]
    print()
    print("\n".join(report.table(line for result in results for line in result.lines)))
    for result in results:
        for text in result.skipped:
            print(f"not run: {text}")
    print(f"\nwritten: {report.write(results, asked.out, mode=mode)}")
    if asked.docs:
        report.into_docs(results, PAGE, mode=mode)


def _run(name: str, quick: bool, full: bool) -> Result:
    start = time.monotonic()
    state = Path(tempfile.mkdtemp(prefix="rb-bench-"))
    try:
        result = WORKLOADS[name](Options(quick, full, state))
    finally:
        shutil.rmtree(state)
    print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
    return result


if __name__ == "__main__":
    main()
