"""Sampled review: draw, ask for a release, have a second person grant it, look, give a verdict by field."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import cast
from uuid import UUID

from broker.core.values import TEXTS
from broker.desk import disclosure, drawing, review
from broker.desk.identities import Shown
from broker.desk.review import Said
from broker.errors import BrokerError, Conflict, Forbidden, Issue, NotFound, Refused
from broker.spi import Json
from broker.web import register
from broker.web.page import Answer, Go, Show, Visit, page

PATH = "/review"
QUARTER = timedelta(days=91)
ABOUT_THE_PERSON = (Conflict, Forbidden)


@page(PATH, "dpo", "releaser", menu="Sampled review")
def draws(visit: Visit) -> Answer:
    """Draws, newest first, and a new one."""
    return _draws(visit)


@page(PATH, "dpo", methods=("POST",))
def draw(visit: Visit) -> Answer:
    """A new draw; the seed is the broker's unless one is given, so that it can be drawn again."""
    try:
        chosen = register.read(visit.form, visit.words.zone)
        if chosen.since is None or chosen.until is None:
            raise Refused(
                "review-period", "a review needs a period", (Issue("since", "required", "is needed"),)
            )
        until = min(chosen.until, visit.now)
        made = review.draw(
            visit.desk, visit.session, visit.actor, chosen.since, until,
            size=_size(visit), seed=_seed(visit),
        )  # fmt: skip
    except Refused as refused:
        return _draws(visit, refused)
    return Go(f"/desk{PATH}/{made}")


@page(f"{PATH}/{{draw}}", "dpo", "releaser")
def one(visit: Visit) -> Answer:
    """What was drawn, how far it is, and the results."""
    return _one(visit)


@page(f"{PATH}/{{draw}}/ask", "dpo", methods=("POST",))
def ask(visit: Visit) -> Answer:
    """Ask to open one drawn release."""
    try:
        review.ask(visit.desk, visit.session, visit.actor, _id(visit, "draw"), visit.form.get("release"))
    except ABOUT_THE_PERSON as error:
        return _one(visit, error)
    said = visit.words("Asked. A second person has to grant it before you can open it.")
    return Go(f"/desk{PATH}/{_id(visit, 'draw')}", said=said)


@page(f"{PATH}/{{draw}}/grant", "dpo", "releaser", methods=("POST",))
def grant(visit: Visit) -> Answer:
    """The second person's yes."""
    try:
        review.grant(visit.desk, visit.session, visit.actor, _uuid(visit.form.get("ticket"), "ticket"))
    except ABOUT_THE_PERSON as error:
        return _one(visit, error)
    said = visit.words("Granted: the officer can open it for half an hour.")
    return Go(f"/desk{PATH}/{_id(visit, 'draw')}", said=said)


@page(f"{PATH}/ticket/{{ticket}}", "dpo")
def opened(visit: Visit) -> Answer:
    """A drawn release as it was sent, identities masked, while the half hour lasts."""
    return _opened(visit)


@page(f"{PATH}/ticket/{{ticket}}", "dpo", methods=("POST",))
def say(visit: Visit) -> Answer:
    """Verdicts by field. Those that were not chosen stay open."""
    ticket = _id(visit, "ticket")
    verdicts = {field: cast("Said", said) for field, said in visit.form.under("v.").items()}
    try:
        review.say(visit.desk, visit.session, visit.actor, ticket, verdicts)
    except Refused as refused:
        return _opened(visit, refused)
    except Conflict as conflict:  # over, or given already: what was chosen is not lost
        values = {"problem": visit.words.problem(conflict), "chosen": verdicts, "back": _back(visit)}
        return Show("review/not_kept.html", values, status=409)
    said = visit.words.many("%(n)s verdict kept.", "%(n)s verdicts kept.", len(verdicts))
    return Go(_back(visit), said=said)


def _draws(visit: Visit, refused: Refused | None = None) -> Show:
    found = review.draws(visit.session, visit.actor, after=visit.query.get("after") or None)
    until = visit.now.astimezone(visit.words.zone).date()
    since = until - QUARTER
    typed = {
        "since": since.isoformat(), "until": until.isoformat(),
        "size": str(visit.desk.settings.review_size), "seed": "",
    }  # fmt: skip
    if refused is not None:
        typed = {name: visit.form.get(name) for name in typed}
    issues = {} if refused is None else {i.field: visit.words.rule(i) for i in refused.issues}
    return Show(
        "review/draws.html",
        {
            "rows": found.rows,
            "after": found.next,
            "typed": typed,
            "issues": issues,
            "refused": "" if refused is None else visit.words.problem(refused),
            "people": disclosure.people(visit.session, {row.drawn_by for row in found.rows}),
            "may_draw": visit.may("dpo"),
        },
        status=200 if refused is None else 400,
    )


def _one(visit: Visit, error: BrokerError | None = None) -> Show:
    draw_id = _id(visit, "draw")
    items = review.items(visit.desk, visit.session, visit.actor, draw_id)
    found = drawing.drawing(visit.session, visit.actor, draw_id)
    people = {found.drawn_by, *(i.officer for i in items), *(i.granted_by for i in items)} - {None}
    return Show(
        "review/one.html",
        {
            "draw": found,
            "items": items,
            "results": review.results(visit.session, visit.actor, draw_id),
            "verdicts": review.VERDICTS,
            "people": disclosure.people(visit.session, people),
            "me": visit.actor.id,
            "officer": visit.may("dpo"),
            "refused": "" if error is None else visit.words.problem(error),
        },
        status=200 if error is None else 409 if isinstance(error, Conflict) else 403,
    )


def _opened(visit: Visit, refused: Refused | None = None) -> Show:
    ticket = _id(visit, "ticket")
    found = review.open_ticket(visit.desk, visit.session, visit.actor, ticket)
    by_field: dict[str, list[tuple[Shown, str, bool]]] = {}
    for each in sorted(found.shown, key=lambda shown: shown.field or "~"):
        by_field.setdefault(each.field, []).append((each, plain(each.value), _may_hurt(each)))
    language = visit.words.language
    return Show(
        "review/opened.html",
        {
            "one": found,
            "ticket": ticket,
            "by_field": by_field,
            "silent": [field for field in found.fields if field not in by_field],
            "given": drawing.verdicts(visit.session, visit.actor, ticket),
            "chosen": visit.form.under("v."),
            "verdicts": review.VERDICTS,
            "left": found.until - visit.now,
            "names": disclosure.names(visit.session, {found.partner}),
            "condition_texts": {code: t[language] for code, t in visit.desk.pack.conditions.items()},
            "refused": "" if refused is None else visit.words.problem(refused),
        },
        status=200 if refused is None else 400,
    )


def plain(value: Json) -> str:
    """A value as text: what it says, not how it is stored."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "; ".join(f"{name}: {plain(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(plain, value)) or "–"
    return json.dumps(value)


def _may_hurt(each: Shown) -> bool:
    """What a person wrote, and what is made of it, is folded until asked for."""
    return not each.field or each.field in TEXTS


def _back(visit: Visit) -> str:
    return f"/desk{PATH}/{drawing.of_ticket(visit.session, visit.actor, _id(visit, 'ticket'))}"


def _size(visit: Visit) -> int | None:
    typed = visit.form.get("size")
    if typed and not typed.isdigit():
        raise Refused("review-size", "a size is a number", (Issue("size", "format", "is not a number"),))
    return int(typed[:6]) if typed else None


def _seed(visit: Visit) -> str | None:
    typed = visit.form.get("seed").lower()
    if not typed:
        return None
    if len(typed) != 32 or set(typed) - set("0123456789abcdef"):
        raise Refused(
            "review-seed", "a seed is 32 hexadecimal digits", (Issue("seed", "format", "is not a seed"),)
        )
    return typed


def _id(visit: Visit, name: str) -> UUID:
    return _uuid(visit.params[name], name)


def _uuid(text: str, name: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(name) from None
