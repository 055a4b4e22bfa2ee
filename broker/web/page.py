"""What a page is: a function of a visit that gives an answer, declared with who may see it.

Default deny: a page without a declared audience does not exist. The registry is also what the menu,
the role matrix of the tests and the documentation are made from.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from anyio import from_thread

from broker.api.context import Api
from broker.auth import Actor, Role
from broker.desk.context import Desk
from broker.store.engine import UnitSession
from broker.web.forms import Form
from broker.web.words import Words

if TYPE_CHECKING:
    from broker.auth import Visitor

T = TypeVar("T")
House = Literal["desk", "inbox"]
"""Two doors: the hotline's staff, and people of a partner agency without software of its own."""
HOUSES: tuple[House, ...] = get_args(House)

MENU = (
    "My work", "Cases", "Confirm", "Import", "Release", "Late clocks", "Register", "Sampled review",
    "Figures", "Ledger", "Erasure", "Partners", "Administration", "Referrals",
)  # fmt: skip
"""The menu in the order of the work; a page that wants to be in it has its name here."""
EVERYBODY: tuple[Role, ...] = ("analyst", "releaser", "dpo", "key_custodian", "administrator")


@dataclass(frozen=True, slots=True)
class Show:
    """An HTML page. `status` other than 200 marks a refused input that is shown again, whole."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    cookies: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Go:
    """After a POST: see that page (303). `said` is a message shown there once."""

    path: str
    said: str = ""
    cookies: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class File:
    """Bytes for download, or `inline` for a reader. The name says nothing about a case."""

    name: str
    media_type: str
    content: bytes
    inline: bool = False


Answer = Show | Go | File


@dataclass(frozen=True, slots=True)
class Backstage:
    """The partner API's own queries, from the thread of a page: same pools, same row-level security."""

    api: Api

    def run(self, query: Callable[..., Coroutine[Any, Any, T]], *given: Any, **named: Any) -> T:
        """Wait for one of `store.feed`, `store.follow_up` or `store.access`."""
        return from_thread.run(partial(query, *given, **named))


@dataclass(frozen=True, slots=True)
class Visit:
    """One request to one page, inside one unit of work: what the handler returns is sent after the commit."""

    desk: Desk
    session: UnitSession
    house: House
    visitor: Visitor | None
    path: str
    params: Mapping[str, str]
    query: Form
    form: Form
    cookies: Mapping[str, str]
    words: Words
    now: datetime
    partial: bool
    """htmx asked: the answer is a fragment."""
    backstage: Backstage | None = None
    """The pools of the partner API, for the inbox: it asks what the API asks, under the same rules."""

    @property
    def actor(self) -> Actor:
        """The member of staff. Only pages with roles may ask."""
        if self.visitor is None or self.visitor.actor is None:
            raise LookupError("this page is open to people who are not staff")
        return self.visitor.actor

    @property
    def partner(self) -> str:
        """The partner whose inbox this is. Only pages of the inbox may ask."""
        if self.visitor is None or self.visitor.partner_id is None:
            raise LookupError("this page is not one of the inbox")
        return self.visitor.partner_id

    def may(self, *roles: Role) -> bool:
        """Whether the visitor has one of the roles: for what a page shows, never instead of a check."""
        actor = None if self.visitor is None else self.visitor.actor
        return actor is not None and bool(actor.roles & set(roles))


Handler = Callable[[Visit], Answer]
Declares = Callable[[Handler], Handler]


@dataclass(frozen=True, slots=True)
class Page:
    """A declared page. `roles` empty and `open` false: any person who signed in at this door."""

    path: str
    methods: tuple[str, ...]
    house: House
    roles: frozenset[Role]
    open: bool
    handler: Handler
    menu: str
    """English name in the menu; empty where the menu does not lead to it."""

    def admits(self, visitor: Visitor | None) -> bool:
        """Whether this visitor may see it."""
        if self.open:
            return True
        if visitor is None or visitor.kind != ("staff" if self.house == "desk" else "inbox"):
            return False
        if self.house == "inbox":
            return True
        return visitor.actor is not None and bool(visitor.actor.roles & self.roles)


_PAGES: list[Page] = []


def page(
    path: str,
    *roles: Role,
    methods: tuple[str, ...] = ("GET",),
    menu: str = "",
) -> Declares:
    """Declare a page of the desk for these roles. A page for nobody is refused at import."""
    if not roles:
        raise ValueError("a page of the desk names who may see it")
    if menu and menu not in MENU:
        raise ValueError("a page that wants to be in the menu has its place in MENU")

    def declare(handler: Handler) -> Handler:
        _PAGES.append(Page(path, methods, "desk", frozenset(roles), False, handler, menu))
        return handler

    return declare


def inbox_page(
    path: str, *, methods: tuple[str, ...] = ("GET",), menu: str = ""
) -> Callable[[Handler], Handler]:
    """Declare a page of the partner inbox."""

    def declare(handler: Handler) -> Handler:
        _PAGES.append(Page(path, methods, "inbox", frozenset(), False, handler, menu))
        return handler

    return declare


def open_page(
    house: House, path: str, *, methods: tuple[str, ...] = ("GET",)
) -> Callable[[Handler], Handler]:
    """Declare a page that needs no sign-in: signing in itself, choosing a language."""

    def declare(handler: Handler) -> Handler:
        _PAGES.append(Page(path, methods, house, frozenset(), True, handler, ""))
        return handler

    return declare


def menu(house: House, visitor: Visitor | None) -> list[Page]:
    """What the menu leads this visitor to, in the order of the work."""
    found = [p for p in pages(house) if p.menu and p.admits(visitor)]
    return sorted(found, key=lambda p: MENU.index(p.menu))


def pages(house: House | None = None) -> Iterator[Page]:
    """Every declared page, of one door or of both, as `every_page` declares them."""
    return (p for p in _PAGES if house is None or p.house == house)
