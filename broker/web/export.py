"""The register as a file: what the browser downloads is what the ledger has the digest of."""

from __future__ import annotations

from typing import cast

from broker.desk import export
from broker.desk.export import Format
from broker.desk.register import RegisterFilter
from broker.web import register
from broker.web.page import Answer, File, Visit, page

FORMATS = tuple(export.MEDIA_TYPES)


@page(f"{register.PATH}/export", "dpo", "releaser", methods=("POST",))
def rows(visit: Visit) -> Answer:
    """The rows of a filter."""
    return made(visit, register.read(visit.form, visit.words.zone), visit.form.get("format"))


def made(visit: Visit, chosen: RegisterFilter, fmt: str) -> File:
    """An export, with its leaf in the same transaction. Raises `Refused`."""
    done = export.export(
        visit.desk,
        visit.session,
        visit.actor,
        chosen,
        cast("Format", fmt),
        bom=visit.form.get("bom") == "yes",
        semicolon=visit.form.get("semicolon") == "yes",
    )
    with done.file as file:
        return File(done.name, done.media_type, file.read())
