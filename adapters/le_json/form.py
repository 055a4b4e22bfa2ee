"""The shape itself, as a table: every name a tool looks up, and what it expects there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from broker.spi import Json

TEXT, MAYBE, FLAG, NUMBER, NOTHING = "text", "text?", "flag?", "number?", "null"

_CAPTURE = {"captureType": TEXT, "value": TEXT, "dateTime": MAYBE, "eventName": MAYBE, "port": NUMBER}
_CAPTURES = {"sourceCaptures": [_CAPTURE]}
_NOTES = [{"value": TEXT}]
_REACHED = [{"value": TEXT, "verified": FLAG}]

FORM: Mapping[str, Json] = {
    "reportId": TEXT,
    "dateReceived": MAYBE,
    "reportedInformation": {
        "reportingEsp": {"espName": MAYBE, "lastName": NOTHING},
        "incidentSummary": {
            "incidentType": MAYBE,
            "incidentDateTime": MAYBE,
            "incidentDateTimeDescription": TEXT,
        },
        "incidentDetails": {
            "webpageIncident": [{"sourceInformation": _CAPTURES, "additionalInformations": _NOTES}],
            "emailIncident": NOTHING,
        },
        "reportedPeople": {
            "reportedPersons": [
                {
                    "firstName": NOTHING,
                    "middleName": NOTHING,
                    "lastName": NOTHING,
                    "screenName": {"value": MAYBE},
                    "espUserId": MAYBE,
                    "dateOfBirth": NOTHING,
                    "emails": {"emails": _REACHED},
                    "phones": {"phones": _REACHED},
                    "sourceInformation": _CAPTURES,
                }
            ]
        },
        "intendedRecipients": NOTHING,
        "uploadedFiles": {
            "uploadedFiles": [
                {
                    "filename": TEXT,
                    "originalFilename": MAYBE,
                    "submittalId": NOTHING,
                    "industryClassification": MAYBE,
                    "viewedByEsp": FLAG,
                    "verificationHash": MAYBE,
                    "ncmecTags": NOTHING,
                    "sourceInformation": NOTHING,
                    "additionalInformations": _NOTES,
                }
            ]
        },
        "additionalInformations": _NOTES,
    },
}
"""A list stands for any number of its one entry, or for null; an object may be null inside a list entry."""

_NULLABLE = frozenset({"emails", "phones", "webpageIncident"})


def misfits(value: Json, form: Json = FORM, path: str = "") -> Iterator[str]:
    """The paths where a document is not of this shape."""
    if isinstance(form, str):
        if not _leaf(value, form):
            yield path
    elif isinstance(form, list):
        if isinstance(value, list):
            for i, entry in enumerate(value):
                yield from misfits(entry, form[0], f"{path}/{i}")
        else:
            yield path
    elif not isinstance(value, Mapping) or set(value) != set(form):
        yield path
    else:
        for name, inner in form.items():
            if not (value[name] is None and name in _NULLABLE):
                yield from misfits(value[name], inner, f"{path}/{name}")


def _leaf(value: Json, form: str) -> bool:
    if value is None:
        return form != TEXT
    if form == FLAG:
        return isinstance(value, bool)
    if form == NUMBER:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str) and form != NOTHING
