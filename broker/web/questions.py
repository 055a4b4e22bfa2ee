"""Questions a data protection officer is asked again and again: each one link, one CSV, one PDF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from urllib.parse import urlencode

from broker.desk import disclosure, questions
from broker.errors import Issue, NotFound, Refused
from broker.web import export, register
from broker.web.forms import Form
from broker.web.page import Answer, Go, Show, Visit, page

PATH = f"{register.PATH}/questions"
READS = f"{register.PATH}/reads"
GAPS = f"{register.PATH}/gaps"


@dataclass(frozen=True, slots=True)
class Question:
    """`needs` are the filters somebody has to choose, `fixed` those that make the question."""

    code: str
    title: str
    explains: str
    needs: tuple[str, ...] = ()
    fixed: Mapping[str, str] = field(default_factory=dict)


QUESTIONS = (
    Question(
        "case",
        "Who received what about a case?",
        "Every disclosure of one case, with all versions and withdrawals.",
        ("words",),
    ),
    Question(
        "partner",
        "What did a partner get in a period?",
        "Every disclosure to one partner; the last quarter stands there already.",
        ("partner", "since", "until"),
    ),
    Question(
        "field",
        "By which rule did a field go?",
        "Every disclosure that held the field, how it went and under which agreement.",
        ("field", "since", "until"),
    ),
    Question(
        "single",
        "What did one person release alone?",
        "The urgent path: domestic police only, looked at by a second person afterwards.",
        fixed={"urgent": "yes"},
    ),
    Question(
        "unanswered",
        "What has no answer yet?",
        "Disclosures of which no partner said what became of them.",
        fixed={"unanswered": "yes"},
    ),
    Question(
        "withdrawn",
        "What was withdrawn?",
        "Disclosures that were taken back, with the coded reason.",
        fixed={"withdrawn": "yes"},
    ),
)
BY_CODE: Mapping[str, Question] = {each.code: each for each in QUESTIONS}


@page(PATH, "dpo", "releaser")
def listing(visit: Visit) -> Answer:
    """All of them."""
    return _shown(visit)


@page(PATH, "dpo", "releaser", methods=("POST",))
def ask(visit: Visit) -> Answer:
    """The answer as a page of its own address, or as a file."""
    question = BY_CODE.get(visit.form.get("question"))
    if question is None:
        raise NotFound("question")
    try:
        given = _given(visit, question)
        chosen = register.read(Form(tuple(given.items())), visit.words.zone)
        wanted = visit.form.get("format")
        if wanted in export.FORMATS:
            return export.made(visit, chosen, wanted)
    except (Refused, NotFound) as error:
        issues = getattr(error, "issues", ()) or (Issue(question.needs[0], error.code, error.message),)
        return _shown(visit, question, issues, 404 if isinstance(error, NotFound) else 400)
    return Go(f"/desk{register.PATH}?{urlencode(given)}")


@page(READS, "dpo", "releaser")
def reads(visit: Visit) -> Answer:
    """Who read, on which coded ground."""
    given = {name: visit.query.get(name) for name in ("partner", "ground", "since", "until")}
    texts = {code: t[visit.words.language] for code, t in visit.desk.pack.read_grounds.items()}
    issues: tuple[Issue, ...] = ()
    found = None
    try:
        chosen = register.read(visit.query, visit.words.zone)
        found = questions.reads(
            visit.session,
            visit.actor,
            partner=chosen.partner,
            ground=given["ground"] if given["ground"] in texts else None,
            since=chosen.since,
            until=chosen.until,
            after=visit.query.get("after") or None,
        )
    except Refused as refused:
        issues = refused.issues
    names = disclosure.recipients(visit.session, visit.actor)
    return Show(
        "register/reads.html",
        {
            "found": found,
            "given": given,
            "query": urlencode({name: value for name, value in given.items() if value}),
            "issues": {issue.field: visit.words.rule(issue) for issue in issues},
            "names": names,
            "grounds": texts,
        },
        status=400 if issues else 200,
    )


@page(GAPS, "dpo", "releaser")
def gaps(visit: Visit) -> Answer:
    """Disclosures whose path has a gap: what should have followed and did not."""
    chosen = visit.query.get("gap") or next(iter(questions.GAPS))
    found = questions.open_ends(
        visit.desk, visit.session, visit.actor, chosen, after=visit.query.get("after") or None
    )
    names = disclosure.recipients(visit.session, visit.actor)
    return Show(
        "register/gaps.html",
        {"found": found, "chosen": chosen, "gaps": tuple(questions.GAPS), "names": names},
    )


def _given(visit: Visit, question: Question) -> dict[str, str]:
    """The filters of the question with what was chosen. Raises `Refused` for what was left open."""
    open_ = [name for name in question.needs if not visit.form.get(name)]
    if open_:
        missing = tuple(Issue(name, "required", "is needed") for name in open_)
        raise Refused("question-open", "something of the question was left open", missing)
    given = {**question.fixed, **{name: visit.form.get(name) for name in question.needs}}
    words = given.pop("words", None)
    if words is not None:
        found = disclosure.find(visit.session, visit.actor, words)
        case = found.case_id or disclosure.case_of(visit.session, str(found.release))
        given["case_id"] = str(case)
    return given


def _shown(
    visit: Visit, asked: Question | None = None, issues: tuple[Issue, ...] = (), status: int = 200
) -> Show:
    since, until = last_quarter(visit.now.astimezone(visit.words.zone).date())
    names = disclosure.recipients(visit.session, visit.actor)
    typed = {name: visit.form.get(name) for name in (*register.NAMES, "words")}
    return Show(
        "register/questions.html",
        {
            "questions": QUESTIONS,
            "asked": None if asked is None else asked.code,
            "typed": typed,
            "issues": {issue.field: visit.words.rule(issue) for issue in issues},
            "period": {"since": since.isoformat(), "until": until.isoformat()},
            "offers": register.offers(visit, names),
        },
        status=status,
    )


def last_quarter(today: date) -> tuple[date, date]:
    """First and last day of the quarter before this one."""
    first = date(today.year, 3 * ((today.month - 1) // 3) + 1, 1)
    last = first - timedelta(days=1)
    return date(last.year, 3 * ((last.month - 1) // 3) + 1, 1), last
