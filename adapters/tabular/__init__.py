"""CSV and XLSX tables under a saved column mapping to canonical case drafts, all rows or none.

The operator says what each column means; nothing is guessed. See docs/adapters/tabular.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.tabular.drafts import MAX_ROWS_A_CASE, case_of
from adapters.tabular.targets import REQUIRED, TARGETS
from broker.spi import AdapterInfo, CaseDraft, Finding, Issue
from broker.spi_in import Fault, Refuse, TableRow, read_mapping, read_table, zone_or_none

OPTIONS = ("mapping", "rows", "zone", "encoding")
MAX_ISSUES = 50

_refuse = Refuse("tabular")


class Tabular:
    """Implements `spi.Ingests`."""

    info = AdapterInfo(
        name="tabular",
        title="Tables with a saved column mapping",
        speaks="CSV (RFC 4180 and its usual variants) and XLSX (ECMA-376 and ISO/IEC 29500)",
        version="broker-mapping/1",
        tried_live=False,
        media_types=("text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        options=OPTIONS,
    )

    def ingest(self, content: bytes, *, options: Mapping[str, str]) -> Sequence[CaseDraft]:
        """One draft a row, or one for all rows with the same value in the column `case_by`.

        Options: `mapping` (the JSON text, required), `rows` (`all`, the default: one refused row
        refuses the file; `accepted`: refused rows come back as findings), `zone`, `encoding`.
        Raises `Refused` with the number of each row refused.
        """
        _check(options)
        mapping = read_mapping(options["mapping"], TARGETS, zone=options.get("zone"))
        for target in REQUIRED:
            if target not in mapping.gives:
                _refuse(f"/constants/{target}", "required", "comes from no column and no constant")
        enough = None if options.get("rows") == "accepted" else MAX_ISSUES
        table = read_table(
            content, mapping, TARGETS, _refuse, encoding=options.get("encoding"), enough=enough
        )
        for row in table.rows:
            for target in REQUIRED:
                if target not in row.values and not row.issues:
                    row.refuse(target, Fault("required", "is required"))
        drafts = [_draft(rows) for rows in _cases(table.rows).values()]
        refused = [issue for row in table.rows for issue in row.issues]
        kept = [draft for draft in drafts if draft is not None]
        if refused and (options.get("rows") != "accepted" or not kept):
            _refuse.all(tuple(refused[:MAX_ISSUES]))
        return _told(kept, refused, table.unmapped)


def _check(options: Mapping[str, str]) -> None:
    for name in options:
        if name not in OPTIONS:
            _refuse("", "option", "the options are mapping, rows, zone and encoding")
    if "mapping" not in options:
        _refuse("/mapping", "required", "is required: the JSON of a saved mapping, as an option")
    if options.get("rows", "all") not in {"all", "accepted"}:
        _refuse("/rows", "option", "is all or accepted")
    if options.get("encoding", "utf-8") not in {"utf-8", "utf-16", "windows-1252"}:
        _refuse("/encoding", "option", "is utf-8, utf-16 or windows-1252")
    if "zone" in options and zone_or_none(options["zone"]) is None:
        _refuse("/zone", "option", "is no time zone known here, such as Europe/Brussels")


def _cases(rows: Sequence[TableRow]) -> dict[str, list[TableRow]]:
    cases: dict[str, list[TableRow]] = {}
    for row in rows:
        cases.setdefault(row.key, []).append(row)
    return cases


def _draft(rows: list[TableRow]) -> CaseDraft | None:
    """None when a row of the case is refused: half a case would be a wrong one."""
    if len(rows) > MAX_ROWS_A_CASE:
        rows[0].refuse("case_by", Fault("oversize", f"a case has at most {MAX_ROWS_A_CASE} rows"))
    case = case_of([row for row in rows if not row.issues])
    if any(row.issues for row in rows):
        for row in rows:
            if not row.issues:
                row.refuse("case_by", Fault("case", "another row of the same case is refused"))
        return None
    findings = []
    if "items" not in case and "locations" not in case and "persons" not in case and "events" not in case:
        findings.append(Finding("tabular-nothing-located", "warn", f"/rows/{rows[0].number}"))
    return CaseDraft(case, "tabular", tuple(findings))


def _told(drafts: list[CaseDraft], refused: Sequence[Issue], unmapped: int) -> list[CaseDraft]:
    """What concerns the whole file stands with its first draft."""
    findings = [
        Finding("tabular-row-refused", "warn", issue.field, {"rule": issue.rule}) for issue in refused
    ]
    if unmapped:
        findings.append(Finding("tabular-columns-ignored", "note", "/rows/1", {"count": unmapped}))
    first, *others = drafts
    return [CaseDraft(first.case, first.source, (*first.findings, *findings)), *others]


adapter = Tabular()
