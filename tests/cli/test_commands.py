"""What the walkthroughs of the pages do not show: failures in words, accounts, keys, set-up."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import psycopg
import pyotp
import pytest
from click.testing import Result
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey
from sqlalchemy.exc import IntegrityError
from typer import Exit
from typer.testing import CliRunner

from broker.cli import app
from broker.cli.console import reported, unlinked
from broker.errors import Misconfigured
from broker.runtime import _database, open_database
from broker.sealing.trust import Trust
from broker.settings import Settings
from broker.store.embedded import EmbeddedServer
from broker.store.engine import Database, upgrade
from broker.store.roles import check_roles, setup_sql
from tests.cases import canaries, full_case

Run = Callable[..., Result]
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Not under pytest's own folder: that is closed, and as root the server has its own account."""
    made = Path(tempfile.mkdtemp(prefix="rb-cli-"))
    made.chmod(0o711)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def broker(folder: Path) -> Iterator[Run]:
    """The command line over one state folder for all tests here; its server is held open."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield from _broker(folder, monkeypatch)


def _broker(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    for name in [name for name in os.environ if name.startswith("BROKER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
    environment = {"BROKER_STATE": "state", "BROKER_KEYS": "state/keys"}

    def run(*words: str, **more: str) -> Result:
        return CliRunner().invoke(app, list(words), env={**environment, **more})

    for login in ("admin", "ann", "bob", "kim"):
        (folder / login).write_text(f"synthetic pass-phrase of {login}")
        (folder / login).chmod(0o600)
    with open_database(Settings(state=folder / "state")):
        assert run("keys", "init").exit_code == 0
        run("staff", "add", "admin", "--role", "administrator", "--password-file", "admin")
        run("staff", "sign-in", "admin", "--password-file", "admin")
        for login, role in (("ann", "analyst"), ("bob", "dpo"), ("kim", "key_custodian")):
            run("staff", "add", login, "--role", role, "--password-file", login)
        yield run


def as_(run: Run, login: str) -> None:
    assert run("staff", "sign-in", login, "--password-file", login).exit_code == 0


def test_an_account_ends_with_its_sessions(broker: Run) -> None:
    as_(broker, "bob")
    assert broker("overdue").exit_code == 0
    assert broker("staff", "sign-out").output == "Signed out.\n"
    assert "sign-in" in broker("overdue").output
    as_(broker, "bob")
    as_(broker, "admin")
    accounts = json.loads(broker("staff", "list", "--json").output)["items"]
    (bob,) = [each["id"] for each in accounts if each["roles"] == "dpo"]
    assert broker("staff", "disable", bob).output == "Disabled.\n"
    assert broker("staff", "sign-in", "bob", "--password-file", "bob").exit_code == 1
    assert "not-found" in broker("staff", "disable", "st_nobody").output


def test_a_code_stands_beside_the_password(broker: Run) -> None:
    as_(broker, "kim")
    assert "role" in broker("staff", "totp", "dan").stderr
    as_(broker, "admin")
    assert broker("staff", "add", "dan", "--role", "dpo", "--password-file", "bob").exit_code == 0
    given = json.loads(broker("staff", "totp", "dan", "--json").stdout)
    assert given["uri"].startswith("otpauth://totp/")
    alone = broker("staff", "sign-in", "dan", "--password-file", "bob")
    assert alone.exit_code == 1
    words = ["staff", "sign-in", "dan", "--password-file", "bob"]
    environment = {"BROKER_STATE": "state", "BROKER_KEYS": "state/keys"}
    code = pyotp.TOTP(given["secret"]).now()
    for proof, exit_code in (("000000", 1), (code, 0), (code, 1)):
        assert CliRunner().invoke(app, words, env=environment, input=proof + "\n").exit_code == exit_code


def test_links_and_inbox_people(broker: Run, folder: Path) -> None:
    broker("partner-keys", "new", "inbox-keys", "--name", "Synthetic Police", "--unencrypted")
    as_(broker, "kim")
    about = ["--name", "Synthetic Police", "--class", "BEP", "--country", "BE"]
    added = broker("partner", "add", "inbox-keys/registration.json", *about, "--json")
    partner = json.loads(added.stdout)["partner"]
    person = ["partner", "person", "add", partner, "inspector", "--password-file", "ann", "--json"]
    assert "role" in broker(*person).stderr
    as_(broker, "admin")
    account = json.loads(broker(*person).stdout)["id"]
    listed = json.loads(broker("partner", "person", "list", partner, "--json").stdout)["items"]
    assert listed == [{"id": account, "login": "inspector", "disabled": False}]
    assert (
        "the command line is for people of the hotline"
        in broker("staff", "sign-in", "inspector", "--password-file", "ann").stderr
    )
    link = json.loads(broker("staff", "link", "inspector", "--json").stdout)
    assert link["url"].endswith("/sign-in/link/" + link["path"].rpartition("/")[2])
    assert "not-found" in broker("staff", "link", "nobody").stderr
    about = ["--issuer", "https://idp.example", "--subject", "sub-ann"]
    assert broker("staff", "oidc", "ann", *about).exit_code == 0
    assert "linked" in broker("staff", "oidc", "bob", *about).stderr
    assert broker("staff", "disable", account).exit_code == 0
    assert "account" in broker("staff", "link", "inspector").stderr


def test_a_partners_later_keys_are_pinned_and_a_lost_one_is_revoked(broker: Run, folder: Path) -> None:
    as_(broker, "kim")
    for name in ("old", "new"):
        broker("partner-keys", "new", name, "--name", "Synthetic Police", "--unencrypted")
    added = broker(
        "partner", "add", "old/registration.json", "--name", "Synthetic Police", "--class", "BEP",
        "--country", "BE", "--json",
    )  # fmt: skip
    registered = json.loads(added.output)
    partner, kid = registered["partner"], registered["keys"]["enc"]
    assert "5 key(s) pinned" in broker("partner", "add-keys", partner, "new/registration.json").output
    assert "0 key(s) pinned" in broker("partner", "add-keys", partner, "new/registration.json").output
    assert broker("partner", "revoke-key", partner, kid).output == "Revoked.\n"
    assert "revoked" in broker("partner", "revoke-key", partner, kid).output
    keys = json.loads(broker("partner", "show", partner, "--json").output)["items"]
    assert len(keys) == 10
    assert [key["kid"] for key in keys if key["revoked"]] == [kid]
    as_(broker, "ann")
    assert "role" in broker("partner", "revoke-key", partner, keys[0]["kid"]).output


def test_an_amended_case_has_to_be_confirmed_anew(broker: Run, folder: Path) -> None:
    (folder / "case.json").write_text(json.dumps(full_case()))
    as_(broker, "ann")
    taken = json.loads(broker("case", "import", "case.json", "--json").output)["cases"][0]["case"]
    broker("case", "confirm", taken, "--claim", "content_illegal")
    assert "Version 2 stored" in broker("case", "amend", taken, "case.json").output
    assert "version 2" in broker("case", "show", taken).output
    assert "Claims: none yet" in broker("case", "show", taken).output


def test_cases_are_listed_without_what_they_hold(broker: Run, folder: Path) -> None:
    document = full_case()
    (folder / "case.json").write_text(json.dumps(document))
    as_(broker, "ann")
    taken = json.loads(broker("case", "import", "case.json", "--json").output)["cases"][0]["case"]
    listed = broker("case", "list", "--state", "draft", "--json").output
    (row,) = [row for row in json.loads(listed)["items"] if row["case"] == taken]
    assert (row["kind"], row["state"], row["version"]) == ("content_report", "draft", 1)
    assert not [value for value in canaries(document).values() if value in listed]
    assert json.loads(broker("case", "list", "--state", "closed", "--json").output) == {"items": []}
    broker("case", "confirm", taken, "--claim", "content_illegal", "--about", "item1")
    assert "content_illegal about item1 (1 yes)" in broker("case", "show", taken).output
    as_(broker, "admin")
    assert "role" in broker("case", "list").output


def test_what_waits_for_a_second_approval_can_be_read(broker: Run, folder: Path) -> None:
    as_(broker, "admin")
    for login in ("dpo-1", "dpo-2"):
        (folder / login).write_text(f"synthetic pass-phrase of {login}")
        (folder / login).chmod(0o600)
        broker("staff", "add", login, "--role", "dpo", "--password-file", login)
    assert {"dpo-1", "dpo-2"} <= {
        each["login"] for each in json.loads(broker("staff", "list", "--json").output)["items"]
    }
    as_(broker, "kim")
    broker("partner-keys", "new", "agreed", "--name", "Synthetic Police B", "--unencrypted")
    partner = json.loads(
        broker(
            "partner", "add", "agreed/registration.json", "--name", "Synthetic Police B", "--class", "BEP",
            "--country", "BE", "--json",
        ).output
    )["partner"]  # fmt: skip
    assert "Synthetic Police B" in broker("partner", "list").output
    body = json.loads((EXAMPLES / "agreement.json").read_text()) | {"partner": partner}
    (folder / "agreement.json").write_text(json.dumps(body))
    as_(broker, "dpo-1")
    first = broker("agreement", "propose", partner, "agreement.json", "--json")
    digest = json.loads(first.output)["digest"]
    again = broker("agreement", "propose", partner, "agreement.json", "--json")
    assert (again.exit_code, json.loads(again.output)["digest"]) == (0, digest)
    as_(broker, "dpo-2")
    assert "already-proposed" in broker("agreement", "propose", partner, "agreement.json").output
    (waiting,) = json.loads(broker("agreement", "list", partner, "--json").output)["items"]
    assert (waiting["state"], waiting["digest"]) == ("proposed", digest)
    assert json.loads(broker("agreement", "show", partner, "--digest", digest).output) == body
    assert broker("agreement", "show", partner).exit_code == 1
    assert broker("agreement", "approve", partner, digest).exit_code == 0
    (active,) = json.loads(broker("agreement", "list", partner, "--json").output)["items"]
    assert (active["state"], active["version"]) == ("active", 1)
    assert json.loads(broker("agreement", "show", partner, "--digest", digest).output) == body


def test_a_rule_of_the_database_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    @reported
    def refused() -> None:
        raise IntegrityError("insert", {"secret-value": 1}, psycopg.errors.CheckViolation("secret-value"))

    with pytest.raises(Exit):
        refused()
    said = capsys.readouterr().err
    assert "database-rule" in said
    assert "secret-value" not in said


def test_both_sides_see_the_same_thumbprints_of_everything_that_is_pinned(broker: Run, folder: Path) -> None:
    written = json.loads(broker("keys", "trust", "pinned", "--json").output)["thumbprints"]
    assert json.loads(broker("thumbprints", "pinned", "--json").output) == written
    trust = Trust.load(folder / "pinned")
    (key,), (ledger,), (root,) = list(trust.keys), trust.ledger, trust.pades_roots
    jwk = ECKey.import_key(key.public)
    assert written == {
        key.kid: jwk.thumbprint(),
        ledger.key_id.hex(): ledger.text(),
        "root 1": sha256(root.public_bytes(Encoding.DER)).hexdigest(),
    }
    lines = broker("thumbprints", "pinned").output.splitlines()
    assert {line.split()[-1] for line in lines} == set(written.values())


def test_what_fails_outside_is_said_in_words(broker: Run) -> None:
    as_(broker, "ann")
    missing = broker("case", "import", "nowhere.json")
    assert (missing.exit_code, "nowhere.json" in missing.output) == (1, True)
    assert "Traceback" not in missing.output
    wrong = broker("overdue", BROKER_PAGE_LIMIT="many-secret")
    assert "BROKER_PAGE_LIMIT" in wrong.output
    assert "many-secret" not in wrong.output
    unreachable = broker("overdue", BROKER_DATABASE_URL="postgresql://broker_app@127.0.0.1:1/none")
    assert "database cannot be reached" in unreachable.output
    assert unreachable.exit_code == 1


def test_markup_in_a_message_is_no_markup(broker: Run) -> None:
    as_(broker, "ann")
    refused = broker("case", "import", "[/red].json")
    assert refused.exit_code == 1
    assert "[/red].json" in refused.output


def test_no_address_is_a_link() -> None:
    assert unlinked("see https://a.example/x.jpg and http://b.example") == (
        "see hxxps://a[.]example/x.jpg and hxxp://b[.]example"
    )


def test_the_printed_sql_makes_a_database_that_start_up_accepts(folder: Path) -> None:
    server = EmbeddedServer(folder / "other", durable=False)
    server.start()
    try:
        with server.superuser() as admin:
            admin.autocommit = True
            for statement in setup_sql("own").splitlines():
                admin.execute(statement.encode())
        database = Database.from_url(server.url("own"))
        upgrade(database)
        check_roles(database)
        database.dispose()
    finally:
        server.stop()
    with pytest.raises(Misconfigured):
        setup_sql("x; drop database y")


def test_each_role_logs_in_with_its_own_password(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("broker_app:one\nbroker_feed: two\n")
    passwords.chmod(0o600)
    url = "postgresql://broker_app@db.example/broker"
    urls = _database(url, passwords).urls
    assert (urls["app"].password, urls["feed"].password, urls["owner"].password) == ("one", "two", None)
    assert (urls["app"].username, urls["feed"].username) == ("broker_app", "broker_feed")
    passwords.chmod(0o644)
    with pytest.raises(Misconfigured):
        _database(url, passwords)
    passwords.chmod(0o600)
    passwords.write_text("someone:secret-word\n")
    with pytest.raises(Misconfigured) as refused:
        _database(url, passwords)
    assert "secret-word" not in str(refused.value)
