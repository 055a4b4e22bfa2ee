"""Why a delivery did not come about: a code, and whether trying again can help.

Texts of the other side are never in a code, since they may quote what was sent; they are kept as evidence,
under its request id, which its support asks for.
"""

from __future__ import annotations

from broker.spi import DeliveryReceipt, Undelivered

CODES = {
    1000: "server-error",
    1100: "save-failed",
    1110: "upload-failed",
    1111: "file-upload-failed",
    1210: "resource-not-found",
    1300: "update-failed",
    2000: "authentication-required",
    3000: "not-authorised",
    3100: "no-authorisation-to-submit",
    3300: "no-authorisation-to-update",
    4000: "invalid-request",
    4100: "validation-failed",
    4110: "malformed-xml",
    4200: "malformed-file",
    5001: "no-such-report",
    5002: "no-such-file",
    5101: "already-retracted",
    5102: "already-finished",
}
"""Documented response codes; the list is said not to be complete."""
NO_SUCH_REPORT, RETRACTED, FINISHED = 5001, 5101, 5102
_PASSING = frozenset({1000, 1100, 1110, 1111, 1300})


def failed(
    rule: str, *, certain: bool = True, again: bool = False, answer: DeliveryReceipt | None = None
) -> Undelivered:
    """`certain`: this call was surely not acted on."""
    return Undelivered(f"ncmec-{rule}", certain=certain, again=again, answer=answer)


def answered(code: int, answer: DeliveryReceipt) -> Undelivered:
    """What a response code other than 0 means. After a server error nobody knows what was done."""
    passing = code in _PASSING
    return failed(CODES.get(code, "unknown-code"), certain=not passing, again=passing, answer=answer)


def sure(doubtful: Undelivered) -> Undelivered:
    """The same, before anything could be finished: an open report is not delivered."""
    return Undelivered(doubtful.code, certain=True, again=doubtful.again, answer=doubtful.answer)


def unsure(known: Undelivered) -> Undelivered:
    """The same, after `finish` was asked for once without an answer."""
    return Undelivered(known.code, certain=False, again=known.again, answer=known.answer)
