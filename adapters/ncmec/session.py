"""The delivering half: submit, upload, describe, finish, and take back what is not finished.

A report counts as delivered when it is finished; an unfinished one is deleted by the other side within
a day. So an interrupted delivery may begin again, as long as `finish` was never asked for. What was
done stands in `spi.Progress`, saved before and after every step that cannot be repeated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from adapters.ncmec import files
from adapters.ncmec.errors import FINISHED, NO_SUCH_REPORT, RETRACTED, failed, sure, unsure
from adapters.ncmec.transport import TIMEOUT, Answer, Wire
from broker.spi import DeliveryReceipt, Document, Line, Progress, Undelivered


@dataclass(frozen=True, slots=True)
class NcmecSession:
    """Implements `spi.Delivers`. Without `sheets` only the report goes; it holds the hashes in words.

    Whether NCMEC wants text sheets as files must be agreed with them first.
    """

    wire: Wire
    progress: Progress
    sheets: bool = False

    @classmethod
    def on(cls, line: Line) -> Self:
        """By the operator's file: address, account, whether sheets go. Raises `Undelivered`."""
        house = line.house
        try:
            password = Path(house["password_file"]).read_text().strip()
            wire = Wire(
                str(house["base_url"]), str(house["username"]), password,
                timeout=float(house.get("timeout", TIMEOUT)),
            )  # fmt: skip
        except (OSError, KeyError, TypeError, ValueError):
            raise failed("not-configured") from None
        return cls(wire, line.progress, house.get("sheets") is True)

    def status(self) -> Answer:
        """Whether the credentials are good; raises `Undelivered`."""
        return self.wire.get("/status").good()

    def schema_sha256(self) -> str:
        """Digest of the schema the server serves, to compare with the one this adapter was made for."""
        return hashlib.sha256(self.wire.raw("/xsd")).hexdigest()

    def send(self, documents: Sequence[Document], *, key: str) -> DeliveryReceipt:
        """All steps, or what is left of them. The same delivery never finishes two reports."""
        del key  # the CyberTipline knows none; what tells a repetition is the progress of this delivery
        parcel = files.parcel(documents, with_sheets=self.sheets)
        done = _Done.load(self.progress, parcel.digest)
        if done.receipt:
            return _receipt(done)
        if not done.finishing:
            try:
                done = self._prepare(parcel, done)
            except Undelivered as stopped:
                raise sure(stopped) from None
        return self._finish(done)

    def retract(self, remote_reference: str, *, key: str) -> DeliveryReceipt:
        """Takes back an unfinished report; a finished one can only be withdrawn by a letter."""
        del key
        saved = dict(self.progress.load())
        if saved.get("retracted") == remote_reference:
            return _taken_back(saved)
        answer = self.wire.form("/retract", {"id": remote_reference})
        if answer.code != RETRACTED:
            answer.good()
        saved |= {
            "retracted": remote_reference,
            "retraction": answer.body.decode("latin-1"),
            "retraction_type": answer.media_type,
        }
        self.progress.save(saved)
        return _taken_back(saved)

    def _prepare(self, parcel: files.Parcel, done: _Done) -> _Done:
        """A report with all its files, ready to be finished. Begins anew where an answer is missing."""
        if done.report_id and not done.open_step:
            try:
                return self._upload(parcel, done)
            except Undelivered as stopped:
                if stopped.code != "ncmec-no-such-report":
                    raise
        elif done.report_id:
            self._abandon(done.report_id)
        done = done.begun()
        answer = self.wire.xml("/submit", parcel.report).good()
        return self._upload(parcel, done.with_report(_number(answer)))

    def _upload(self, parcel: files.Parcel, done: _Done) -> _Done:
        for sheet in parcel.sheets[done.uploaded :]:
            done = done.saved(open_step="upload")
            form = {"id": done.report_id}
            answer = self.wire.file("/upload", form, sheet.name, sheet.content).good()
            file_id = answer.text("fileId")
            if answer.text("hash").lower() != hashlib.md5(sheet.content, usedforsecurity=False).hexdigest():
                raise failed("file-differs", again=True)
            details = files.details(sheet, done.report_id, file_id)
            self.wire.xml("/fileinfo", details).good()
            done = done.saved(open_step="", file_ids=" ".join([*done.file_ids.split(), file_id]))
        return done

    def _finish(self, done: _Done) -> DeliveryReceipt:
        """The one step that must not happen twice; 'already finished' proves that it happened once."""
        asked_before = bool(done.finishing)
        done = done.saved(finishing="yes")
        try:
            answer = self.wire.form("/finish", {"id": done.report_id})
            if answer.code in {0, FINISHED}:
                return _receipt(done.received(answer))
            if answer.code != NO_SUCH_REPORT:
                raise answer.refusal()
        except Undelivered as stopped:
            if asked_before:
                raise unsure(stopped) from None
            if stopped.certain:
                done.saved(finishing="")
            raise
        kept = DeliveryReceipt(answer.body, answer.media_type, answer.request_id)
        if asked_before:  # deleted unfinished, or finished and no longer shown: a person asks them
            raise failed("finish-unknown", certain=False, answer=kept)
        done.begun()
        raise failed("report-expired", again=True, answer=kept)

    def _abandon(self, report_id: str) -> None:
        """A report with a doubtful file: retracted, so that nobody finishes it. Gone is as good."""
        answer = self.wire.form("/retract", {"id": report_id})
        if answer.code not in {0, RETRACTED, NO_SUCH_REPORT}:
            raise answer.refusal()


_NAMES = ("digest", "report_id", "file_ids", "open_step", "finishing", "receipt", "media_type")


@dataclass(frozen=True, slots=True)
class _Done:
    """What stands in the progress, by name; every change is saved at once."""

    progress: Progress
    digest: str
    report_id: str = ""
    file_ids: str = ""
    open_step: str = ""
    finishing: str = ""
    receipt: str = ""
    media_type: str = ""

    @classmethod
    def load(cls, progress: Progress, digest: str) -> Self:
        """Raises `Undelivered` where this delivery was begun with other documents."""
        saved = {name: value for name, value in progress.load().items() if name in _NAMES}
        if saved.pop("digest", digest) != digest:
            raise failed("other-documents")
        return cls(progress, digest, **saved)

    @property
    def uploaded(self) -> int:
        """How many sheets arrived and are described."""
        return len(self.file_ids.split())

    def begun(self) -> _Done:
        """Nothing is known to be there."""
        return self.saved(report_id="", file_ids="", open_step="", finishing="")

    def with_report(self, report_id: str) -> _Done:
        """A new report is open."""
        return self.saved(report_id=report_id)

    def saved(self, **changes: str) -> _Done:
        """The same with changes, stored."""
        new = replace(self, **changes)  # type: ignore[arg-type]
        self.progress.save({name: getattr(new, name) for name in _NAMES})
        return new

    def received(self, answer: Answer) -> _Done:
        """With the receipt, byte for byte: latin-1 gives every byte a character and back."""
        return self.saved(receipt=answer.body.decode("latin-1"), media_type=answer.media_type)


def _number(answer: Answer) -> str:
    number = answer.text("reportId")
    if not (number.isascii() and number.isdigit()):
        raise failed("unexpected-answer", again=True)
    return number


def _receipt(done: _Done) -> DeliveryReceipt:
    return DeliveryReceipt(done.receipt.encode("latin-1"), done.media_type, done.report_id)


def _taken_back(saved: Mapping[str, str]) -> DeliveryReceipt:
    body, kind = saved["retraction"].encode("latin-1"), saved["retraction_type"]
    return DeliveryReceipt(body, kind, saved["retracted"], "retraction")
