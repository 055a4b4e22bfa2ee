"""Why a delivery did not come about: a code, and whether trying again can help.

Texts of the other side are never repeated, since they may quote what was sent; its request id is, since
its support asks for it.
"""

from __future__ import annotations

from broker.spi import Issue, Refused

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


class Undelivered(Refused):
    """Nothing is delivered, or nothing can be proven. `retry` says whether the same call may succeed."""

    def __init__(self, rule: str, message: str, *, retry: bool, where: str = "", hint: str = "") -> None:
        super().__init__(f"ncmec-{rule}", message, (Issue(where, rule, message),), hint)
        self.retry = retry


def answered(code: int, where: str, request_id: str) -> Undelivered:
    """What a response code other than 0 means."""
    rule = CODES.get(code, "unknown-code")
    message = f"the CyberTipline answered {code} ({rule.replace('-', ' ')})"
    hint = f"Request-ID {request_id}" if request_id else ""
    return Undelivered(rule, message, retry=code in _PASSING, where=where, hint=hint)
