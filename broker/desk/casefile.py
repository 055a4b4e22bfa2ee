"""Cases at rest: one blob for each person, one for the rest, each under a data key of its own.

Data keys are wrapped by the month's epoch key, which lives outside PostgreSQL (ruling 27). Deleting
the wrapped keys closes a case; destroying the epoch key makes it unrecoverable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, literal
from sqlmodel import Session, SQLModel, col, select

from broker.core import canonical
from broker.core import case as core_case
from broker.core.case import Case
from broker.desk.context import Desk
from broker.errors import Conflict, NotFound
from broker.sealing import vault
from broker.spi import Json
from broker.store import rows, tables

PERSON_COLLECTIONS = ("persons", "victims", "events")
REST = "rest"
RECORD = "record"
MAX_BLOB = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DataKey:
    """An open data key. `made` is its row while that is not stored yet."""

    id: UUID
    key: bytes
    made: tables.WrappedKey | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A case as it rests: the ciphertexts of one version, and every wrapped key of the case."""

    file: tables.CaseFile
    number: int
    version: tables.CaseVersion | None
    people: tuple[tables.PersonBlob, ...]
    keys: tuple[tables.WrappedKey, ...]


def write_version(desk: Desk, session: Session, case_id: UUID, case: Case, version: int, actor: str) -> None:
    """Encrypt and insert one version of a case. Keys are made once for each scope of a case."""
    keys = session.exec(select(tables.WrappedKey).where(col(tables.WrappedKey.case_id) == case_id)).all()
    rows.insert(session, version_rows(desk, case_id, case, version, actor, keys))


def version_rows(
    desk: Desk,
    case_id: UUID,
    case: Case,
    version: int,
    actor: str,
    keys: Sequence[tables.WrappedKey] = (),
) -> Iterator[SQLModel]:
    """One version of a case as rows, encrypted; with the keys it needs that are not among `keys`."""
    rest, persons = _split(case.data)
    key = scope_key(desk, case_id, REST, keys)
    if key.made is not None:
        yield key.made
    yield tables.CaseVersion(
        case_id=case_id,
        version=version,
        digest=case.digest,
        blob=vault.encrypt(key.key, canonical.encode(rest), _aad("case_version", case_id, REST, version)),
        key_id=key.id,
        created_by=actor,
        created_at=desk.now(),
    )
    for local_id, value in persons.items():
        key = scope_key(desk, case_id, local_id, keys)
        if key.made is not None:
            yield key.made
        aad = _aad("person_blob", case_id, local_id, version)
        yield tables.PersonBlob(
            case_id=case_id,
            version=version,
            local_id=local_id,
            blob=vault.encrypt(key.key, canonical.encode(value), aad),
            key_id=key.id,
        )


def read_version(desk: Desk, session: Session, case_id: UUID, version: int | None = None) -> tuple[Case, int]:
    """Open a case (its current version by default) and check it against its digest.

    Raises `NotFound`, or `Conflict("erased", …)` when its keys are gone.
    """
    found = stored(session, [case_id], version).get(case_id)
    if found is None:
        raise NotFound("case")
    return opened(desk, found), found.number


def stored(session: Session, case_ids: Sequence[UUID], version: int | None = None) -> dict[UUID, Stored]:
    """Cases as they rest, by id, in three statements for any number; absent ones are left out.

    Everything is of the version that the first statement found: a new one may be stored in between, and the
    session may remember the file as it was before.
    """
    files, versions = tables.CaseFile, tables.CaseVersion
    chosen = col(files.current_version) if version is None else literal(version)
    people: dict[UUID, list[tables.PersonBlob]] = {case_id: [] for case_id in case_ids}
    keys: dict[UUID, list[tables.WrappedKey]] = {case_id: [] for case_id in case_ids}
    of_version = and_(col(versions.case_id) == col(files.id), col(versions.version) == chosen)
    found = session.exec(
        select(files, versions).join(versions, of_version, isouter=True).where(col(files.id).in_(case_ids))
    ).all()
    numbers = {
        file.id: row.version if row is not None else version or file.current_version for file, row in found
    }
    blobs = tables.PersonBlob
    some = col(blobs.case_id).in_(case_ids), col(blobs.version).in_(set(numbers.values()))
    for person in session.exec(select(blobs).where(*some)):
        if person.version == numbers.get(person.case_id):
            people[person.case_id].append(person)
    for key in session.exec(select(tables.WrappedKey).where(col(tables.WrappedKey.case_id).in_(case_ids))):
        keys[key.case_id].append(key)
    return {
        file.id: Stored(
            file, numbers[file.id], row, tuple(people[file.id]), tuple(keys[file.id])
        )
        for file, row in found
    }  # fmt: skip


def opened(desk: Desk, found: Stored) -> Case:
    """The case in clear, checked against its digest. Raises `Conflict("erased", …)` without its keys."""
    case_id, row = found.file.id, found.version
    if row is None:
        raise Conflict("erased", "this version of the case was erased; register and proofs remain")
    keys = {key.id: key for key in found.keys}
    aad = _aad("case_version", case_id, REST, found.number)
    data = dict(_open(desk, case_id, keys.get(row.key_id), row.blob, aad))
    for person in found.people:
        aad = _aad("person_blob", case_id, person.local_id, found.number)
        collection, value = _open(desk, case_id, keys.get(person.key_id), person.blob, aad)
        if collection == "reporter":
            data["reporter"] = value
        else:
            data.setdefault(collection, {})[person.local_id] = value
    case = core_case.trusted(data)
    if case.digest != row.digest:
        raise Conflict("case-digest", "the stored case does not match its digest; it was not opened")
    return case


def scope_key(desk: Desk, case_id: UUID, scope: str, keys: Sequence[tables.WrappedKey]) -> DataKey:
    """The data key of a scope, of these keys of the case; a new one where it is not among them."""
    for row in keys:
        if row.scope == scope:
            return DataKey(row.id, _unwrapped(desk, case_id, row))
    epoch, epoch_key = desk.vault().current(desk.now())
    key = vault.new_data_key()
    made = tables.WrappedKey(
        id=desk.uuid(),
        case_id=case_id,
        scope=scope,
        epoch=epoch,
        wrapped=vault.wrap(epoch_key, key, _key_aad(case_id, scope)),
    )
    return DataKey(made.id, key, made)


def data_key(desk: Desk, session: Session, case_id: UUID, scope: str) -> tuple[UUID, bytes]:
    """The data key of a scope of a case; made and wrapped on first use."""
    found = session.exec(
        select(tables.WrappedKey).where(
            col(tables.WrappedKey.case_id) == case_id, col(tables.WrappedKey.scope) == scope
        )
    ).all()
    key = scope_key(desk, case_id, scope, found)
    if key.made is not None:
        session.add(key.made)
        session.flush()
    return key.id, key.key


def seal_blob(
    desk: Desk, session: Session, case_id: UUID, table: str, name: str, plaintext: bytes
) -> tuple[UUID, bytes]:
    """Encrypt something that belongs to a case (a draft, a release record): (key id, ciphertext)."""
    key_id, key = data_key(desk, session, case_id, RECORD)
    return key_id, sealed(key, plaintext, case_id, table, name)


def sealed(key: bytes, plaintext: bytes, case_id: UUID, table: str, name: str) -> bytes:
    """The ciphertext alone, for who holds the case's key already."""
    return vault.encrypt(key, plaintext, _aad(table, case_id, name, 0))


def open_blob(
    desk: Desk, session: Session, case_id: UUID, table: str, name: str, key_id: UUID, blob: bytes
) -> bytes:
    """The inverse of `seal_blob`. Raises `Conflict("erased", …)` when the key is gone."""
    row = session.get(tables.WrappedKey, key_id)
    return vault.decrypt(_unwrapped(desk, case_id, row), blob, _aad(table, case_id, name, 0))


def _open(desk: Desk, case_id: UUID, row: tables.WrappedKey | None, blob: bytes, aad: bytes) -> Json:
    return canonical.decode(vault.decrypt(_unwrapped(desk, case_id, row), blob, aad), max_bytes=MAX_BLOB)


def _unwrapped(desk: Desk, case_id: UUID, row: tables.WrappedKey | None) -> bytes:
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
