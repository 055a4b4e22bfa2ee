"""Where a partner keeps what it collected: one folder for each release, there whole or not at all.

cursor.json            how far the feed was read, what is still to be repeated, gaps seen
<release>/             a referral as collected (and opened)
withdrawals/<release>.json
outbox/<release>       the receipt in that release's folder is still to be sent
.tmp-<release>/        being written; swept away by the next run
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from broker.client.api import document_name
from broker.core.canonical import decode, encode
from broker.errors import Conflict, Misconfigured, Refused
from broker.sealing.keyfiles import replace_file
from broker.spi import Json

_TEMPORARY = ".tmp-"
_MAX_STATE = 64 * 1024 * 1024


@dataclass(slots=True)
class Cursor:
    """What a run has to know of the runs before it."""

    after: int = -1
    seq: int = 0
    pending: dict[str, Json] = field(default_factory=dict)
    """release → feed row that could not be taken yet."""
    gaps: list[str] = field(default_factory=list)


class Folder:
    """The store of one partner at one broker."""

    def __init__(self, root: Path, partner: str) -> None:
        self.root = root
        self._partner = partner
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one run at a time; also sweeps away what a run that died left half written."""
        handle = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict("pull-running", "another run works in this folder") from None
            for left in self.root.glob(f"{_TEMPORARY}*"):
                shutil.rmtree(left)
            yield
        finally:
            os.close(handle)

    def read_cursor(self, name: str) -> Cursor:
        """The cursor, or a fresh one. A damaged file stops the run: guessing could lose a row."""
        path = self.root / name
        if not path.exists():
            return Cursor()
        try:
            said = decode(path.read_bytes(), max_bytes=_MAX_STATE)
            partner = said["partner"]
            cursor = Cursor(said["after"], said["seq"], said["pending"], said["gaps"])
        except (Refused, KeyError, TypeError):
            raise Misconfigured(
                "cursor-form",
                f"{name} is damaged",
                "Move it away: the next run reads the feed from the start and repeats nothing "
                "that is already in the folder.",
            ) from None
        if partner != self._partner:
            raise Misconfigured("cursor-partner", "this folder belongs to another partner id")
        return cursor

    def write_cursor(self, name: str, cursor: Cursor) -> None:
        """Durably, old or new, never half."""
        said = {
            "schema": "broker-cursor/1",
            "partner": self._partner,
            "after": cursor.after,
            "seq": cursor.seq,
            "pending": cursor.pending,
            "gaps": cursor.gaps,
        }
        replace_file(self.root / name, encode(said), 0o600)
        sync_directory(self.root)

    def release(self, release: str) -> Path:
        """The folder of a release, there or not."""
        return self.root / release

    def releases(self) -> list[Path]:
        """The folders of all releases that are there."""
        return sorted(path for path in self.root.iterdir() if (path / "referral.jwe").is_file())

    def add(self, release: str, files: Mapping[str, bytes]) -> None:
        """All files of a release at once: written aside, made durable, then renamed."""
        aside = self.root / f"{_TEMPORARY}{release}"
        aside.mkdir(mode=0o700)
        write_files(aside, files)
        aside.rename(self.release(release))
        sync_directory(self.root)

    def note_withdrawal(self, release: str, row: Json) -> None:
        """Keep the withdrawal beside whatever was collected; deleting is the partner's decision."""
        place = self.root / "withdrawals"
        place.mkdir(mode=0o700, exist_ok=True)
        replace_file(place / f"{release}.json", encode(row), 0o600)
        sync_directory(place)

    def unsent(self) -> list[str]:
        """Releases whose present receipt is still to be sent."""
        place = self.root / "outbox"
        return sorted(path.name for path in place.iterdir()) if place.is_dir() else []

    def mark_unsent(self, release: str) -> None:
        """Remember to send the receipt that lies in the release's folder."""
        place = self.root / "outbox"
        place.mkdir(mode=0o700, exist_ok=True)
        replace_file(place / release, b"", 0o600)
        sync_directory(place)

    def mark_sent(self, release: str) -> None:
        """The receipt was taken by the broker."""
        (self.root / "outbox" / release).unlink(missing_ok=True)


def write_files(place: Path, files: Mapping[str, bytes]) -> None:
    """New files, `name` or `folder/name`, durable with their folders when this returns."""
    folders = {place}
    for name, content in files.items():
        *inner, last = name.split("/")
        folder = place.joinpath(*inner)
        folder.mkdir(mode=0o700, exist_ok=True)
        folders.add(folder)
        replace_file(folder / document_name(last), content, 0o600)
    for folder in folders:
        sync_directory(folder)


def sync_directory(folder: Path) -> None:
    """Make names in a folder durable; a rename is not, until its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
