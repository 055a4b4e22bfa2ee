"""What a browser would read off a page and send back, without a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"input", "meta", "link", "br", "img", "hr"})


@dataclass
class Reader(HTMLParser):
    """Collects the inputs of one form and every link and text of the page."""

    form: str
    pairs: list[tuple[str, str]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    """Text that is visible without opening a fold."""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._stack: list[str] = []
        self._inside = False
        self._select = self._area = ""
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._stack.append(tag)
        if "id" in a:
            self.ids.append(a["id"])
        if tag == "a" and "href" in a:
            self.links.append(a["href"])
        if tag == "form":
            self._inside = a.get("id") == self.form
        if not self._inside:
            return
        if tag == "input" and (a.get("type") not in ("checkbox", "radio") or "checked" in a):
            self.pairs.append((a["name"], a.get("value", "")))
        elif tag == "select":
            self._select = a["name"]
            self.pairs.append((self._select, ""))
        elif tag == "option" and "selected" in a:
            self.pairs[-1] = (self._select, a["value"])
        elif tag == "textarea":
            self._area, self._text = a["name"], ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._inside:
            self.pairs.append((self._area, self._text.removeprefix("\n")))
            self._area = ""
        if tag == "form":
            self._inside = False
        while self._stack and self._stack.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._area:
            self._text += data
        if "details" not in self._stack:
            self.outside.append(data)


def read(page: str, form: str = "report") -> Reader:
    """The page as read."""
    reader = Reader(form)
    reader.feed(page)
    return reader


def sent(page: str, form: str = "report") -> dict[str, list[str]]:
    """What pressing a button of the form would send: name → values."""
    found: dict[str, list[str]] = {}
    for name, value in read(page, form).pairs:
        found.setdefault(name, []).append(value)
    return found
