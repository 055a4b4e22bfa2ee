"""What members and codes of a case are called on pages; the catalogue of fields has the words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from broker.core.fields import COLLECTIONS
from broker.core.form import Input
from broker.desk.case_form import FormField, Missing
from broker.desk.context import Desk
from broker.errors import Issue
from broker.web.report_form import FormView
from broker.web.words import Words


@dataclass(frozen=True, slots=True)
class CaseWords:
    """Labels in one language."""

    desk: Desk
    words: Words

    def field(self, field: FormField) -> str:
        """A field by its id, structure by its own name; parts of links and contacts by theirs."""
        if not field.field or field.field in ("F73", "F74"):
            return self._member(field.name)
        return self.words.field(field.field)

    def part(self, slot: Input) -> str:
        """What an input of a group is called inside it, such as *first, at*."""
        return ", ".join(self._member(part) for part in slot.path.split(".")[1:]) or self._member(slot.path)

    def code(self, slot: Input, code: str) -> str:
        """A code of this field; codes that several fields share have one name."""
        last = slot.path.rpartition(".")[2]
        for kind in (f"value:{slot.field}", f"value:{last}", f"{last}"):
            found = self.words.code(kind, code)
            if found != code:
                return found
        return code.replace("_", " ")

    def heading(self, name: str) -> str:
        """A section or a collection."""
        return self.words.code("collection" if name in COLLECTIONS else "section", name)

    def entity(self, collection: str, local_id: str) -> str:
        """One entity, such as *Item 2*."""
        return f"{self.words.code('one', collection)} {local_id.lstrip('abcdefghijklmnopqrstuvwxyz')}"

    def missing(self, missing: Missing) -> str:
        """What is missing, in words."""
        if missing.level != "refused":
            texts = self.desk.pack.gap_texts.get(missing.code, {})
            return texts.get(self.words.language, missing.code)
        place = self.words.field(missing.field) if missing.field else missing.input.rpartition(".")[2]
        rule = self.words.code("rule", missing.code)
        return f"{place}: {rule.replace('-', ' ')}"

    def moment(self, text: str) -> str:
        """A time of the case, local and in UTC (ruling 12)."""
        return self.words.when(datetime.fromisoformat(text))

    def place(self, view: FormView, name: str) -> str:
        """What the input of that name is called, such as *Item 1, Hashes*; empty for none."""
        for part in (part for block in view.every for part in block.parts):
            for group in part.groups:
                if name == group.name or name.startswith(group.name + "."):
                    label = self.field(group.field)
                    return f"{self.entity(part.name, part.entity)}, {label}" if part.entity else label
        return ""

    def issue(self, issue: Issue) -> str:
        """What is wrong with an input."""
        return self.words.rule(issue)

    def _member(self, name: str) -> str:
        found = self.words.code("member", name)
        return name.replace("_", " ") if found == name else found
