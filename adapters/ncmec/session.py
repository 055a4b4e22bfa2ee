"""The delivering half: submit, upload, describe, finish, and take back what is not finished.

A report counts as delivered when it is finished; an unfinished one is deleted by the other side within
a day. So an interrupted delivery may begin again, as long as `finish` was never asked for. What was
done stands in a `Progress` store, saved before and after every step that cannot be repeated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from adapters.ncmec import files
from adapters.ncmec.errors import FINISHED, NO_SUCH_REPORT, RETRACTED, Undelivered, answered
from adapters.ncmec.identity import INFO
from adapters.ncmec.transport import Answer, Line
from broker.spi import AdapterInfo, DeliveryReceipt, Document


class Progress(Protocol):
    """What a delivery remembers under its key; `save` returns when it is safely stored."""

    def load(self, key: str) -> Mapping[str, str] | None:
        """What was saved last, or None."""

    def save(self, key: str, values: Mapping[str, str]) -> None:
        """Replaces what is stored under the key."""


@dataclass(frozen=True, slots=True)
class NcmecSession:
    """Implements `spi.Delivers`. Without `sheets` only the report goes; it holds the hashes in words.

    Whether NCMEC wants text sheets as files must be agreed with them first.
    """

    line: Line
    progress: Progress
    sheets: bool = False
    info: AdapterInfo = INFO

    def status(self) -> Answer:
        """Whether the credentials are good; raises `Undelivered`."""
        return _good(self.line.get("/status"), "/status")

    def schema_sha256(self) -> str:
        """Digest of the schema the server serves, to compare with the one this adapter was made for."""
        return hashlib.sha256(self.line.raw("/xsd")).hexdigest()

    def send(self, documents: Sequence[Document], *, key: str) -> DeliveryReceipt:
        """All steps, or what is left of them. The same key never finishes two reports."""
        parcel = files.parcel(documents, with_sheets=self.sheets)
        done = _Done.load(self.progress, key, parcel.digest)
        if done.receipt:
            return _receipt(done)
        if not done.finishing:
            done = self._prepare(parcel, done)
        return self._finish(done)

    def retract(self, remote_reference: str, *, key: str) -> DeliveryReceipt:
        """Takes back an unfinished report; a finished one can only be withdrawn by a letter."""
        saved = self.progress.load(key) or {}
        if saved.get("retracted") == remote_reference and "receipt" in saved:
            return DeliveryReceipt(saved["receipt"].encode(), saved["media_type"], remote_reference)
        answer = self.line.form("/retract", {"id": remote_reference})
        if answer.code == FINISHED:
            raise Undelivered(
                "already-finished",
                "a finished report cannot be taken back through the interface",
                retry=False,
                where="/retract",
                hint="send withdrawal.txt to the staff of the CyberTipline",
            )
        if answer.code != RETRACTED:
            _good(answer, "/retract")
        kept = {"receipt": answer.body.decode(), "media_type": answer.media_type}
        self.progress.save(key, {"retracted": remote_reference, **kept})
        return DeliveryReceipt(answer.body, answer.media_type, remote_reference)

    def _prepare(self, parcel: files.Parcel, done: _Done) -> _Done:
        """A report with all its files, ready to be finished. Begins anew where an answer is missing."""
        if done.report_id and not done.open_step:
            try:
                return self._upload(parcel, done)
            except Undelivered as failed:
                if failed.code != "ncmec-no-such-report":
                    raise
        elif done.report_id:
            self._abandon(done.report_id)
        done = done.begun()
        answer = _good(self.line.xml("/submit", parcel.report), "/submit")
        return self._upload(parcel, done.with_report(_number(answer)))

    def _upload(self, parcel: files.Parcel, done: _Done) -> _Done:
        for sheet in parcel.sheets[done.uploaded :]:
            done = done.saved(open_step="upload")
            form = {"id": done.report_id}
            answer = _good(self.line.file("/upload", form, sheet.name, sheet.content), "/upload")
            file_id = answer.text("fileId")
            if answer.text("hash").lower() != hashlib.md5(sheet.content, usedforsecurity=False).hexdigest():
                raise Undelivered("file-differs", "another file arrived than was sent", retry=True)
            details = files.details(sheet, done.report_id, file_id)
            _good(self.line.xml("/fileinfo", details), "/fileinfo")
            done = done.saved(open_step="", file_ids=" ".join([*done.file_ids.split(), file_id]))
        return done

    def _finish(self, done: _Done) -> DeliveryReceipt:
        """The one step that must not happen twice; 'already finished' proves that it happened once."""
        asked_before = bool(done.finishing)
        done = done.saved(finishing="yes")
        answer = self.line.form("/finish", {"id": done.report_id})
        if answer.code in {0, FINISHED}:
            return _receipt(done.saved(receipt=answer.body.decode(), media_type=answer.media_type))
        if answer.code == NO_SUCH_REPORT and asked_before:
            raise Undelivered(
                "finish-unknown",
                "the report to be finished is not there; whether it was finished before is not known",
                retry=False,
                where="/finish",
                hint="ask the CyberTipline before sending it again under another key",
            )
        failed = answered(answer.code, "/finish", answer.request_id)
        if answer.code == NO_SUCH_REPORT:
            done.begun()
            raise Undelivered("report-expired", "the open report was deleted", retry=True, where="/finish")
        if not failed.retry and not asked_before:
            done.saved(finishing="")
        raise failed

    def _abandon(self, report_id: str) -> None:
        """A report with a doubtful file: retracted, so that nobody finishes it. Gone is as good."""
        answer = self.line.form("/retract", {"id": report_id})
        if answer.code not in {0, RETRACTED, NO_SUCH_REPORT}:
            raise answered(answer.code, "/retract", answer.request_id)


@dataclass(frozen=True, slots=True)
class _Done:
    """What stands in the progress store, by name; every change is saved at once."""

    progress: Progress
    key: str
    digest: str
    report_id: str = ""
    file_ids: str = ""
    open_step: str = ""
    finishing: str = ""
    receipt: str = ""
    media_type: str = ""

    @classmethod
    def load(cls, progress: Progress, key: str, digest: str) -> _Done:
        """Raises `Undelivered` where the key was used for other documents."""
        saved = dict(progress.load(key) or {})
        if saved.pop("digest", digest) != digest:
            raise Undelivered("key-reused", "this key stands for other documents", retry=False)
        return cls(progress, key, digest, **saved)

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
        names = ("digest", "report_id", "file_ids", "open_step", "finishing", "receipt", "media_type")
        self.progress.save(self.key, {name: getattr(new, name) for name in names})
        return new


def _good(answer: Answer, where: str) -> Answer:
    if answer.code != 0:
        raise answered(answer.code, where, answer.request_id)
    return answer


def _number(answer: Answer) -> str:
    number = answer.text("reportId")
    if not (number.isascii() and number.isdigit()):
        raise Undelivered("unexpected-answer", "the answer names no report", retry=True, where="/submit")
    return number


def _receipt(done: _Done) -> DeliveryReceipt:
    return DeliveryReceipt(done.receipt.encode(), done.media_type, done.report_id)
