"""Pull: read on in the feed, collect, verify, store, receipt; say in words what did not work.

What must hold after a crash anywhere: nothing is lost, nothing stands half written, no receipt was
sent for something that was not stored. So the order is: store the whole release, send its receipt,
move the cursor; each step can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from broker.client.api import ENDED, OF_ONE_RELEASE, FeedRow, PartnerApi, UnavailableError, read_row
from broker.client.auth import TokenRefusedError
from broker.client.folder import Cursor, Folder
from broker.client.keys import PartnerKeys
from broker.client.open import Sealed, make_receipt, open_sealed
from broker.errors import BrokerError, Conflict, Forbidden, Misconfigured, NotAuthentic
from broker.sealing.trust import Trust

_OTHER_RECEIPT = (
    "It is stored, but the broker already holds another receipt for it. Was this folder restored "
    "or emptied, or does another machine pull with these keys? If neither, have them revoked."
)
_URGENCIES = ("U1", "U2", "U3", "U4")


@dataclass(frozen=True, slots=True)
class Failure:
    """A release that could not be taken; it is tried again at each run, unless it is gone for good."""

    release: str
    code: str
    sentence: str


@dataclass(slots=True)
class PullReport:
    """What a run did. `ok` is false when a person has to look."""

    collected: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    stopped: str = ""

    @property
    def ok(self) -> bool:
        """Whether everything the feed offered is stored and receipted."""
        return not (self.failures or self.gaps or self.stopped)

    def lines(self) -> list[str]:
        """The report as plain text; ids only."""
        return [
            f"collected: {len(self.collected)}",
            *(f"withdrawn: {release}" for release in self.withdrawn),
            *(f"FAILED {f.release}: {f.sentence}" for f in self.failures),
            *(f"GAP: {gap}" for gap in self.gaps),
            *([f"STOPPED: {self.stopped}"] if self.stopped else []),
        ]


class Puller:
    """One partner's pull from one broker into one folder."""

    def __init__(
        self,
        api: PartnerApi,
        keys: PartnerKeys,
        root: Path,
        partner: str,
        *,
        trust: Trust | None,
        sealed: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`trust` is the pinned folder from onboarding; only `sealed` works without it."""
        if trust is None and not sealed:
            raise Misconfigured(
                "trust-missing",
                "nothing can be verified without the trust folder from onboarding",
                "Give the trust folder, or pull with --sealed and open elsewhere.",
            )
        self._api, self._keys, self._partner = api, keys, partner
        self._trust = None if sealed else trust
        self._folder = Folder(root, partner)
        self._now = now

    def run(self, urgency: str | None = None) -> PullReport:
        """Everything new. With `urgency` only those rows, under a cursor of their own."""
        if urgency is not None and urgency not in _URGENCIES:
            raise Misconfigured("urgency", "the urgency is one of U1, U2, U3, U4")
        name = "cursor.json" if urgency is None else f"cursor-{urgency}.json"
        report = PullReport()
        with self._folder.locked():
            cursor = self._folder.read_cursor(name)
            try:
                self._send_outbox(report)
                for row in list(cursor.pending.values()):
                    self._take(read_row(row), cursor, report)
                    self._folder.write_cursor(name, cursor)
                self._read_on(name, cursor, report, urgency)
            except Misconfigured:
                raise
            except BrokerError as error:  # of the feed itself, not of one release
                report.stopped = _sentence(error)
        report.gaps = list(cursor.gaps)
        return report

    def _read_on(self, name: str, cursor: Cursor, report: PullReport, urgency: str | None) -> None:
        while items := self._api.feed(cursor.after, urgency=urgency).items:
            for row in items:
                self._check_order(row, cursor, filtered=urgency is not None)
                self._take(row, cursor, report)
                cursor.after, cursor.seq = row.position, row.seq
                self._folder.write_cursor(name, cursor)

    @staticmethod
    def _check_order(row: FeedRow, cursor: Cursor, *, filtered: bool) -> None:
        if row.position <= cursor.after or row.seq <= cursor.seq:
            raise NotAuthentic(
                "feed-order",
                f"the feed went back: number {row.seq} came after number {cursor.seq}",
                "The broker may have been restored from a backup. Ask its operator before going "
                "on; compare ledger checkpoints.",
            )
        if not filtered and row.seq != cursor.seq + 1:
            first, last = cursor.seq + 1, row.seq - 1
            missing = f"number {first}" if first == last else f"numbers {first} to {last}"
            cursor.gaps.append(
                f"{missing} of the feed never came: the broker withheld something from this feed "
                "or lost it; ask its operator, and the supervisor if there is no answer"
            )

    def _take(self, row: FeedRow, cursor: Cursor, report: PullReport) -> None:
        """Do what the row asks for. A failure of this one release must not stop the others."""
        try:
            if row.event == "withdrawn":
                self._folder.note_withdrawal(row.release, row.raw)
                report.withdrawn.append(row.release)
            else:
                self._collect(row, report)
                report.collected.append(row.release)
        except (UnavailableError, TokenRefusedError):
            raise
        except BrokerError as error:
            if isinstance(error, Forbidden) and error.code != OF_ONE_RELEASE:
                raise
            if isinstance(error, Conflict) and error.code == "gone":
                self._folder.note_withdrawal(row.release, row.raw)
                report.withdrawn.append(row.release)
            else:
                report.failures.append(Failure(row.release, error.code, _sentence(error)))
                if error.code not in ENDED:  # that is final: it is told once and not asked for again
                    cursor.pending[row.release] = row.raw
                    return
        cursor.pending.pop(row.release, None)

    def _collect(self, row: FeedRow, report: PullReport) -> None:
        if not self._folder.release(row.release).is_dir():
            self._store(row)
        self._send_receipt(row.release, report)

    def _store(self, row: FeedRow) -> None:
        sealed = Sealed(
            referral=self._api.collect(row.release),
            documents={name: self._api.document(row.release, name) for name in row.documents},
            proof=self._api.proof(row.release),
            apart=self._api.apart(row.release) if row.has_apart else None,
        )
        files, seal_jws = sealed.files(), None
        if self._trust is not None:
            opened = open_sealed(sealed, self._keys, self._trust, release=row.release, partner=self._partner)
            kept = {name: data for name, data in files.items() if "/" not in name}
            files, seal_jws = {**kept, **opened.files}, opened.seal_jws
        receipt = make_receipt(
            self._keys.get("receipt"),
            sealed,
            release=row.release,
            partner=self._partner,
            received_at=self._now(),
            seal_jws=seal_jws,
        )
        self._folder.add(row.release, {**files, "receipt.jws": receipt.encode("ascii")})

    def _send_outbox(self, report: PullReport) -> None:
        for release in self._folder.unsent():
            try:
                self._send_receipt(release, report)
            except (UnavailableError, TokenRefusedError, Forbidden):
                raise
            except BrokerError as error:
                report.failures.append(Failure(release, error.code, _sentence(error)))

    def _send_receipt(self, release: str, report: PullReport) -> None:
        receipt = (self._folder.release(release) / "receipt.jws").read_text("ascii")
        try:
            self._api.send_receipt(release, receipt)
        except Conflict as error:
            if error.code == "gone":
                raise
            # Final, so it is told once and not repeated; a person has to know it.
            report.failures.append(Failure(release, "receipt-present", _OTHER_RECEIPT))
        self._folder.mark_sent(release)


def _sentence(error: BrokerError) -> str:
    words = error.message[:1].upper() + error.message[1:] + "."
    return f"{words} {error.hint}".strip()
