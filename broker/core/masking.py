"""Fill the human texts of a minimised document: masked, or as a person cleared them (action M)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from broker.core.freetext import Span, compile_deny, mask
from broker.core.projection import Document
from broker.core.values import TEXTS, free_values
from broker.spi import Finding, Json


class MaskedText(NamedTuple):
    """A human text as it is held and as it goes, and the parts of it that the mask would hide."""

    before: str
    after: str
    spans: tuple[Span, ...]


def mask_texts(out: Document, clearances: Mapping[str, str]) -> dict[str, MaskedText]:
    """Fill in the human texts, masked, or as a person cleared them. Keys, also of `clearances`, are
    pointers with local ids."""
    if not out.pending:
        return {}
    # The original of a text that goes masked is itself among the withheld: it must not hide itself.
    texts = {id(pending.value) for pending in out.pending if isinstance(pending.value, str)}
    held = (unit for unit in (*out.withheld, *out.apart) if id(unit.value) not in texts)
    hidden = [known for unit in held for known in free_values(unit.field, unit.value)]
    given = [known.value for field, value in out.values() for known in free_values(field, value)]
    deny = compile_deny(hidden, given)
    masked: dict[str, MaskedText] = {}

    def one(pointer: str, held: str, text: str) -> str:
        proposal = mask(text, deny)
        cleared = clearances.get(held)
        if cleared is None:
            # A clean text is still a person's to look at; one with hits does not leave without it.
            count = {"spans": len(proposal.spans)}
            leak = Finding("text-leak", "block", pointer, count)
            out.findings.append(leak if proposal.spans else Finding("text-unread", "warn", pointer))
        after = proposal.text if cleared is None else cleared
        masked[held] = MaskedText(text, after, proposal.spans)
        return after

    for pending in out.pending:
        member = TEXTS[pending.field]
        if isinstance(pending.value, str):
            value: Json = one(pending.pointer, pending.held, pending.value)
        elif isinstance(pending.value, list):
            value = []
            for index, entry in enumerate(pending.value):
                rest = f"/{index}/{member}"
                text = one(pending.pointer + rest, pending.held + rest, entry[member])
                value.append({"type": entry["type"], member: text})
        else:  # other members of a masked struct are locators of the person: they do not go
            text = pending.value.get(member)
            rest = f"/{member}"
            value = None if text is None else {member: one(pending.pointer + rest, pending.held + rest, text)}
        if value is None:
            del pending.target[pending.name]
        else:
            pending.target[pending.name] = value
    _drop_empty(out)
    return masked


def _drop_empty(out: Document) -> None:
    for collection, elements in list(out.entities.items()):
        for element in [e for e, fields in elements.items() if not fields]:
            del elements[element]
        if not elements:
            del out.entities[collection]
