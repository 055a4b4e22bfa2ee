"""XML as a small tree: written with the children in the order of the schema, read without any DTD."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from adapters.ncmec.schema import SCHEMA

MAX_BYTES = 1 << 20
MAX_DEPTH = 16
HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n'

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class NotXml(ValueError):
    """Not well-formed, too big, too deep, or with a document type; never says where or what."""


@dataclass(frozen=True, slots=True)
class Node:
    """An element with either text or children."""

    name: str
    text: str = ""
    children: tuple[Node, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)

    def all(self, *path: str) -> Iterator[Node]:
        """Every descendant along a path of names."""
        head, *rest = path
        for child in self.children:
            if child.name == head:
                if rest:
                    yield from child.all(*rest)
                else:
                    yield child

    def texts(self, *path: str) -> list[str]:
        """The texts along a path of names."""
        return [node.text for node in self.all(*path)]

    def walk(self, pointer: str = "") -> Iterator[tuple[str, Node, Node]]:
        """(pointer, parent, child) of every element below this one."""
        seen: dict[str, int] = {}
        for child in self.children:
            seen[child.name] = seen.get(child.name, 0) + 1
            here = f"{pointer}/{self.name}/{child.name}[{seen[child.name]}]"
            yield here, self, child
            yield from child.walk(f"{pointer}/{self.name}")


def leaf(name: str, text: str | None, **attributes: str) -> tuple[Node, ...]:
    """An element with text; nothing at all where there is no text."""
    return (Node(name, text, (), attributes),) if text else ()


def branch(name: str, children: Sequence[Node], **attributes: str) -> tuple[Node, ...]:
    """An element with its children in the schema's order; nothing at all where it would be empty."""
    return (whole(name, children, **attributes),) if children else ()


def whole(name: str, children: Sequence[Node], **attributes: str) -> Node:
    """As `branch`, also where it is empty."""
    order = SCHEMA.sequence[SCHEMA.type_of(name)]
    return Node(name, "", tuple(sorted(children, key=lambda c: order.index(c.name))), attributes)


def printable(text: str) -> str:
    """`text` with every character that XML cannot hold written as {U+XXXX}."""
    return _FORBIDDEN.sub(lambda m: f"{{U+{ord(m[0]):04X}}}", text)


def write(root: Node) -> bytes:
    """The document: UTF-8, one element a line, text exactly as it is."""
    return HEAD + "\n".join(_lines(root, 0)).encode() + b"\n"


def _lines(node: Node, depth: int) -> Iterator[str]:
    pad = " " * depth
    attributes = "".join(f" {name}={quoteattr(value)}" for name, value in sorted(node.attributes.items()))
    if node.children:
        yield f"{pad}<{node.name}{attributes}>"
        for child in node.children:
            yield from _lines(child, depth + 1)
        yield f"{pad}</{node.name}>"
    elif node.text:
        text = escape(printable(node.text), {"\r": "&#13;"})
        yield f"{pad}<{node.name}{attributes}>{text}</{node.name}>"
    else:
        yield f"{pad}<{node.name}{attributes}/>"


@dataclass(slots=True)
class _Open:
    name: str
    attributes: dict[str, str]
    text: list[str] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    def close(self) -> Node:
        text = "" if self.children else "".join(self.text)
        return Node(self.name, text, tuple(self.children), self.attributes)


def read(content: bytes) -> Node:
    """The tree of a document of at most 1 MiB. Raises `NotXml`; entities and DTDs are refused."""
    if len(content) > MAX_BYTES:
        raise NotXml
    stack: list[_Open] = [_Open("", {})]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(stack) > MAX_DEPTH:
            raise NotXml
        stack.append(_Open(name, attributes))

    def end(_name: str) -> None:
        closed = stack.pop().close()
        stack[-1].children.append(closed)

    def said(text: str) -> None:
        stack[-1].text.append(text)

    def refuse(*_: object) -> None:
        raise NotXml

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = said
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError):
        raise NotXml from None
    return stack[0].children[0]
