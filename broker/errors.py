"""Every error the broker raises on purpose, as one tree.

    BrokerError
    ├── Refused            input or request breaks a rule; carries the field and the rule, never the value
    ├── Conflict           the state does not allow it (already released, draft expired, …)
    ├── NotFound           absent, or not visible to this caller: the same thing
    ├── Forbidden          known caller, not allowed
    ├── NotAuthentic       a signature, digest, proof or opening does not hold
    └── Misconfigured      the deployment is not safe to run

`message` is for people, `code` for programs; neither ever holds a value out of a case.
"""

from __future__ import annotations

from dataclasses import dataclass


class BrokerError(Exception):
    """Base. `code` is stable and in kebab-case; `message` says what happened, `hint` what to do next."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Issue:
    """One broken rule. `field` is a JSON Pointer or a field id; it never contains a value."""

    field: str
    rule: str
    detail: str


class Refused(BrokerError):
    """A rule is broken. Holds the issues; the offending values are not kept anywhere."""

    def __init__(self, code: str, message: str, issues: tuple[Issue, ...] = (), hint: str = "") -> None:
        super().__init__(code, message, hint)
        self.issues = issues


class Conflict(BrokerError):
    """The request is well formed but the present state does not allow it."""


class NotFound(BrokerError):
    """Absent or foreign: callers cannot tell which."""

    def __init__(self, what: str = "resource") -> None:
        super().__init__("not-found", f"no such {what}, or it is not yours to see")


class Forbidden(BrokerError):
    """The caller is known and may not do this."""


class NotAuthentic(BrokerError):
    """Something signed, hashed or proven does not hold. Nothing of it may be used."""


class Misconfigured(BrokerError):
    """The deployment is not safe to run; start-up stops here."""
