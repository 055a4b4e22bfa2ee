"""Cases at rest: one blob for each person, one for the rest, each under a data key of its own.

Data keys are wrapped by the month's epoch key, which lives outside PostgreSQL (ruling 27). Deleting
the wrapped keys closes a case; destroying the epoch key makes it unrecoverable.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlmodel import Session, col, select

from broker.core import canonical
from broker.core import case as core_case
from broker.core.case import Case
from broker.desk.context import Desk
from broker.errors import Conflict, NotFound
from broker.sealing import vault
from broker.spi import Json
from broker.store import tables

PERSON_COLLECTIONS = ("persons", "victims", "events")
REST = "rest"
RECORD = "record"
MAX_BLOB = 64 * 1024 * 1024


def write_version(desk: Desk, session: Session, case_id: UUID, case: Case, version: int, actor: str) -> None:
    """Encrypt and insert one version of a case. Keys are made once for each scope of a case."""
    rest, persons = _split(case.data)
    now = desk.now()
    key_id, key = data_key(desk, session, case_id, REST)
    session.add(
        tables.CaseVersion(
            case_id=case_id,
            version=version,
            digest=case.digest,
            blob=vault.encrypt(key, canonical.encode(rest), _aad("case_version", case_id, REST, version)),
            key_id=key_id,
            created_by=actor,
            created_at=now,
        )
    )
    for local_id, value in persons.items():
        key_id, key = data_key(desk, session, case_id, local_id)
        aad = _aad("person_blob", case_id, local_id, version)
        session.add(
            tables.PersonBlob(
                case_id=case_id,
                version=version,
                local_id=local_id,
                blob=vault.encrypt(key, canonical.encode(value), aad),
                key_id=key_id,
            )
        )
    session.flush()


def read_version(desk: Desk, session: Session, case_id: UUID, version: int | None = None) -> tuple[Case, int]:
    """Open a case (its current version by default) and check it against its digest.

    Raises `NotFound`, or `Conflict("erased", …)` when its keys are gone.
    """
    file = session.get(tables.CaseFile, case_id)
    if file is None:
        raise NotFound("case")
    version = file.current_version if version is None else version
    row = session.get(tables.CaseVersion, (case_id, version))
    if row is None:
        raise Conflict("erased", "this version of the case was erased; register and proofs remain")
    data = dict(
        _open(desk, session, case_id, row.key_id, row.blob, _aad("case_version", case_id, REST, version))
    )
    people = session.exec(
        select(tables.PersonBlob).where(
            col(tables.PersonBlob.case_id) == case_id, col(tables.PersonBlob.version) == version
        )
    )
    for person in people:
        aad = _aad("person_blob", case_id, person.local_id, version)
        collection, value = _open(desk, session, case_id, person.key_id, person.blob, aad)
        if collection == "reporter":
            data["reporter"] = value
        else:
            data.setdefault(collection, {})[person.local_id] = value
    case = core_case.trusted(data)
    if case.digest != row.digest:
        raise Conflict("case-digest", "the stored case does not match its digest; it was not opened")
    return case, version


def data_key(desk: Desk, session: Session, case_id: UUID, scope: str) -> tuple[UUID, bytes]:
    """The data key of a scope of a case; made and wrapped on first use."""
    row = session.exec(
        select(tables.WrappedKey).where(
            col(tables.WrappedKey.case_id) == case_id, col(tables.WrappedKey.scope) == scope
        )
    ).first()
    if row is not None:
        return row.id, vault.unwrap(desk.vault().get(row.epoch), row.wrapped, _key_aad(case_id, scope))
    epoch, epoch_key = desk.vault().current(desk.now())
    key = vault.new_data_key()
    row = tables.WrappedKey(
        id=desk.uuid(),
        case_id=case_id,
        scope=scope,
        epoch=epoch,
        wrapped=vault.wrap(epoch_key, key, _key_aad(case_id, scope)),
    )
    session.add(row)
    session.flush()
    return row.id, key


def seal_blob(
    desk: Desk, session: Session, case_id: UUID, table: str, name: str, plaintext: bytes
) -> tuple[UUID, bytes]:
    """Encrypt something that belongs to a case (a draft, a release record): (key id, ciphertext)."""
    key_id, key = data_key(desk, session, case_id, RECORD)
    return key_id, vault.encrypt(key, plaintext, _aad(table, case_id, name, 0))


def open_blob(
    desk: Desk, session: Session, case_id: UUID, table: str, name: str, key_id: UUID, blob: bytes
) -> bytes:
    """The inverse of `seal_blob`. Raises `Conflict("erased", …)` when the key is gone."""
    return vault.decrypt(_key(desk, session, case_id, key_id), blob, _aad(table, case_id, name, 0))


def _open(desk: Desk, session: Session, case_id: UUID, key_id: UUID, blob: bytes, aad: bytes) -> Json:
    return canonical.decode(
        vault.decrypt(_key(desk, session, case_id, key_id), blob, aad), max_bytes=MAX_BLOB
    )


def _key(desk: Desk, session: Session, case_id: UUID, key_id: UUID) -> bytes:
    row = session.get(tables.WrappedKey, key_id)
    if row is None or row.case_id != case_id:
        raise Conflict("erased", "the key was erased; register and proofs remain")
    return vault.unwrap(desk.vault().get(row.epoch), row.wrapped, _key_aad(case_id, row.scope))


def _split(data: Mapping[str, Json]) -> tuple[dict[str, Json], dict[str, Json]]:
    """(the rest, local id → [collection, entity]): every person and the reporter stand alone."""
    rest = {k: v for k, v in data.items() if k != "reporter" and k not in PERSON_COLLECTIONS}
    persons: dict[str, Json] = {
        local_id: [collection, entity]
        for collection in PERSON_COLLECTIONS
        for local_id, entity in data.get(collection, {}).items()
    }
    if "reporter" in data:
        persons["reporter"] = ["reporter", data["reporter"]]
    return rest, persons


def _aad(table: str, case_id: UUID, name: str, version: int) -> bytes:
    """Binds a ciphertext to its row, so that rows cannot be swapped."""
    return f"{table}|{case_id}|{name}|{version}".encode()


def _key_aad(case_id: UUID, scope: str) -> bytes:
    return f"wrapped_key|{case_id}|{scope}".encode()
