"""The ledger for people: how large, signed when, whole or not, and proof that one referral is authentic."""

from __future__ import annotations

from broker.desk import authenticity, disclosure
from broker.errors import Issue, NotFound, Refused
from broker.jobs import note_checker
from broker.store.ledger_verify import Report
from broker.web.page import Answer, File, Go, Show, Visit, page

PATH = "/ledger"
TEXT = "text/plain; charset=utf-8"


@page(PATH, "dpo", "releaser", menu="Ledger")
def head(visit: Visit) -> Answer:
    """The ledger as it stands."""
    return _shown(visit)


@page(f"{PATH}/verify", "dpo", methods=("POST",))
def verify(visit: Visit) -> Answer:
    """Recompute everything now, where that takes no longer than somebody waits."""
    now = authenticity.head(visit.desk, visit.session, visit.actor)
    if now is None or now.size > authenticity.IN_A_REQUEST:
        return _shown(visit)
    report = authenticity.verify(visit.desk, visit.session, visit.actor, note_checker(visit.desk))
    return _shown(visit, report=report)


@page(f"{PATH}/find", "dpo", "releaser", methods=("POST",))
def find(visit: Visit) -> Answer:
    """A referral by its reference or release id; sent in a body, like every search."""
    typed = visit.form.get("words")
    try:
        release = disclosure.newest(visit.session, visit.actor, typed)
    except (Refused, NotFound) as error:
        status = 400 if isinstance(error, Refused) else 404
        return _shown(visit, typed=typed, issue=Issue("words", error.code, error.message), status=status)
    return Go(f"/desk{PATH}/proof/{release}")


@page(f"{PATH}/proof/{{release}}", "dpo", "releaser")
def proof(visit: Visit) -> Answer:
    """What the ledger proves of one referral, in words."""
    release = visit.params["release"]
    try:
        found = authenticity.of(visit.desk, visit.session, visit.actor, release)
    except NotFound:
        disclosure.case_of(visit.session, release)  # absent altogether is a 404; unpublished is an answer
        return Show("ledger/proof.html", {"one": None, "release": release})
    return Show("ledger/proof.html", {"one": found, "release": release})


@page(f"{PATH}/proof/{{release}}/download", "dpo", "releaser")
def proof_file(visit: Visit) -> Answer:
    """The proof as a partner gets it (C2SP tlog-proof)."""
    found = authenticity.of(visit.desk, visit.session, visit.actor, visit.params["release"])
    if not found.file:
        raise NotFound("record of this publication")
    return File("proof.tlog", TEXT, found.file.encode())


@page(f"{PATH}/download/checkpoint", "dpo", "releaser")
def checkpoint(visit: Visit) -> Answer:
    """The last checkpoint: whoever keeps it binds the broker to it."""
    found = authenticity.head(visit.desk, visit.session, visit.actor)
    if found is None:
        raise NotFound("checkpoint")
    return File(f"checkpoint-{found.size}.txt", TEXT, found.note.encode())


@page(f"{PATH}/download/keys", "dpo", "releaser")
def keys(visit: Visit) -> Answer:
    """The public keys that signed checkpoints, as partners pin them."""
    found = authenticity.head(visit.desk, visit.session, visit.actor)
    if found is None:
        raise NotFound("checkpoint")
    return File("ledger.vkey", TEXT, ("\n".join(found.keys) + "\n").encode())


def _shown(
    visit: Visit,
    *,
    report: Report | None = None,
    typed: str = "",
    issue: Issue | None = None,
    status: int = 200,
) -> Show:
    found = authenticity.head(visit.desk, visit.session, visit.actor)
    return Show(
        "ledger/head.html",
        {
            "head": found,
            "last": authenticity.last_check(visit.desk, visit.session),
            "report": report,
            "small": found is not None and found.size <= authenticity.IN_A_REQUEST,
            "may_verify": visit.may("dpo"),
            "typed": typed,
            "error": "" if issue is None else visit.words.rule(issue),
        },
        status=status,
    )
