"""What a browser sent: the fields of a form or a query, bounded, and files in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartParser
from starlette.requests import Request

from broker.errors import Issue, Refused

MAX_BODY = 32 * 1024 * 1024
"""Octets: an import of thousands of cases; everything typed by hand is far below."""
MAX_FIELDS = 5000
# Starlette puts larger files in the system's temporary folder: somebody's export would rest there in clear.
MultiPartParser.spool_max_size = MAX_BODY


@dataclass(frozen=True, slots=True)
class Upload:
    """A file somebody chose. Its name is not kept: it may say something about a case."""

    content: bytes
    suffix: str


@dataclass(frozen=True, slots=True)
class Form:
    """Fields in the order they were sent; a name may come several times."""

    pairs: Sequence[tuple[str, str]] = ()
    files: Mapping[str, Upload] = field(default_factory=dict)

    def get(self, name: str, default: str = "") -> str:
        """The last value of a field, without surrounding space."""
        found = [value for key, value in self.pairs if key == name]
        return found[-1].strip() if found else default

    def all(self, name: str) -> list[str]:
        """Every value of a field that is not empty."""
        return [value.strip() for key, value in self.pairs if key == name and value.strip()]

    def under(self, prefix: str) -> dict[str, str]:
        """Fields `prefix…` by the rest of their name, without the empty ones."""
        return {
            key[len(prefix) :]: value.strip()
            for key, value in self.pairs
            if key.startswith(prefix) and value.strip()
        }

    def __contains__(self, name: object) -> bool:
        return any(key == name for key, _ in self.pairs)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key for key, _ in self.pairs))


def text(sent: str) -> str:
    """What somebody sent, without the one character that the database has no place for."""
    return sent.replace("\x00", "")


async def read(request: Request) -> Form:
    """The body of a POST. Raises `Refused("too-large", …)` before more than the limit is in memory."""
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > MAX_BODY:
        raise too_large()
    async with request.form(max_files=4, max_fields=MAX_FIELDS, max_part_size=MAX_BODY) as sent:
        return await _taken(sent)


def too_large() -> Refused:
    """More than a page takes."""
    return Refused(
        "too-large",
        "this is larger than the desk takes at once; nothing was stored",
        (Issue("body", "size", f"at most {MAX_BODY // (1024 * 1024)} MB"),),
        hint="import large exports with `broker case import`",
    )


async def _taken(sent: FormData) -> Form:
    pairs: list[tuple[str, str]] = []
    files: dict[str, Upload] = {}
    for name, value in sent.multi_items():
        if isinstance(value, UploadFile):
            if value.size:
                suffix = (value.filename or "").rpartition(".")[2].lower()[:8]
                files[name] = Upload(await value.read(), suffix)
        else:
            pairs.append((text(name), text(value).replace("\r\n", "\n")))
    return Form(tuple(pairs), files)
