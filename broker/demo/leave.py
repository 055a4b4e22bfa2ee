"""What the demo leaves behind: the case, each partner's files of it, trust, register."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from broker.demo.house import House
from broker.desk import casefile, register
from broker.sealing import verify
from broker.store.engine import unit_of_work

KEEP = "/entities/locations/*/url"
"""What the redacted form keeps when the referral has it; else its first value."""


def leave(house: House, to: Path, case_id: UUID, main: Mapping[str, str], pulled: Path) -> dict[str, Any]:
    """Write `demo-out` (README.md lists it); `main` is partner → release of the first case."""
    desk = house.desk
    with unit_of_work(desk.db) as session:
        case, _ = casefile.read_version(desk, session, case_id)
        lines = list(register.to_csv(session))
    to.mkdir(parents=True, exist_ok=True)
    (to / "case.json").write_text(json.dumps(case.data, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    (to / "register.csv").write_text("".join(lines), encoding="utf-8")
    shutil.rmtree(to / "partners", ignore_errors=True)
    for partner in house.partners.values():
        folder = _folder_of(pulled / partner, main.get(partner))
        if folder is None:
            continue
        target = to / "partners" / partner
        shutil.copytree(folder, target)
        (target / "redacted.json").write_bytes(_redacted(target))
        report = verify.verify_folder(target, to / "trust")
        if not report.ok:
            raise RuntimeError("the demo's own output does not verify")
    return {"register_rows": len(lines) - 1, "output": str(to)}


def _folder_of(root: Path, release: str | None) -> Path | None:
    """The partner's referral of the first case; without one, the first it pulled.

    A carrier pulls also for those it carries: its own folder shows what is addressed to it.
    """
    found = sorted(path.parent for path in root.rglob("referral.jws")) if root.exists() else []
    if release is not None:
        return next((path for path in found if path.name == release), None)
    return found[0] if found else None


def _redacted(folder: Path) -> bytes:
    """One field kept of the referral: what a partner may pass on, and it still verifies."""
    payload = json.loads((folder / "referral.json").read_bytes())
    has_locations = "locations" in payload["doc"]["entities"]
    return verify.redact_folder(folder, keep=[KEEP if has_locations else "/facts/case/kind"])
