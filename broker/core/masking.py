"""Fill the human texts of a minimised document: masked, or as a person cleared them (action M)."""

from __future__ import annotations

from collections.abc import Mapping

from broker.core.freetext import compile_deny, mask
from broker.core.projection import Document
from broker.core.values import TEXTS, free_values
from broker.spi import Finding, Json


def mask_texts(out: Document, clearances: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Fill in the human texts, masked, or as a person cleared them. Returns pointer → before, after."""
    if not out.pending:
        return {}
    # The original of a text that goes masked is itself among the withheld: it must not hide itself.
    texts = {id(pending.value) for pending in out.pending if isinstance(pending.value, str)}
    held = (unit for unit in (*out.withheld, *out.apart) if id(unit.value) not in texts)
    hidden = [known for unit in held for known in free_values(unit.field, unit.value)]
    given = [known.value for field, value in out.values() for known in free_values(field, value)]
    deny = compile_deny(hidden, given)
    masked: dict[str, tuple[str, str]] = {}

    def one(pointer: str, text: str) -> str:
        proposal = mask(text, deny)
        cleared = clearances.get(pointer)
        if cleared is None:
            # A clean text is still a person's to look at; one with hits does not leave without it.
            count = {"spans": len(proposal.spans)}
            leak = Finding("text-leak", "block", pointer, count)
            out.findings.append(leak if proposal.spans else Finding("text-unread", "warn", pointer))
        after = proposal.text if cleared is None else cleared
        masked[pointer] = (text, after)
        return after

    for pending in out.pending:
        member = TEXTS[pending.field]
        if isinstance(pending.value, str):
            value: Json = one(pending.pointer, pending.value)
        elif isinstance(pending.value, list):
            value = [
                {"type": entry["type"], member: one(f"{pending.pointer}/{index}/{member}", entry[member])}
                for index, entry in enumerate(pending.value)
            ]
        else:  # other members of a masked struct are locators of the person: they do not go
            text = pending.value.get(member)
            value = None if text is None else {member: one(f"{pending.pointer}/{member}", text)}
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
