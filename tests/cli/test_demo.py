"""The demo begins from nothing: what it empties is its own, unused, and only once it can run."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest

from broker.demo.run import MARK, run
from broker.errors import BrokerError, Misconfigured
from broker.settings import Settings
from tests.cases import minimal_case


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a demo that ran before: its state holds somebody's work."""
    state = tmp_path / "state"
    state.mkdir()
    for name in (MARK, "work", "pg.users"):
        (state / name).touch()
    return Settings(state=state, keys=state / "keys")


def refused(settings: Settings, own_case: Path | None = None) -> str:
    """The code of the refusal; what lay there must lie there still, and nothing else."""
    with pytest.raises((BrokerError, OSError)) as error:
        run(settings, settings.state.parent / "out", own_case, quiet=True)
    assert {path.name for path in settings.state.iterdir()} == {MARK, "work", "pg.users"}
    assert not (settings.state.parent / "out").exists()
    return error.value.code if isinstance(error.value, BrokerError) else type(error.value).__name__


def test_a_case_that_is_not_taken_costs_nothing(settings: Settings, tmp_path: Path) -> None:
    own = tmp_path / "own.json"
    assert refused(settings, own) == "FileNotFoundError"
    own.write_text('{"half')
    assert refused(settings, own) == "canonical-syntax"
    own.write_text('{"schema": "broker-case/1"}')
    assert refused(settings, own) == "case-refused"
    own.write_text(json.dumps({**minimal_case(), "synthetic": False}))
    assert refused(settings, own) == "synthetic-only"


def test_data_that_something_serves_is_not_pulled_from_under_it(settings: Settings) -> None:
    with (settings.state / "pg.users").open("w") as serving:
        fcntl.flock(serving, fcntl.LOCK_SH)
        assert refused(settings) == "state-in-use"


@pytest.mark.parametrize(
    "elsewhere", [{"database_url": "postgresql://db.example/broker"}, {"environment": "production"}]
)
def test_its_people_with_a_known_password_get_into_no_other_database(
    settings: Settings, elsewhere: dict[str, str]
) -> None:
    assert refused(settings.model_copy(update=elsewhere)) == "demo-elsewhere"


def test_a_state_that_is_not_the_demos_is_left_alone(settings: Settings) -> None:
    (settings.state / MARK).unlink()
    with pytest.raises(Misconfigured) as error:
        run(settings, settings.state.parent / "out", None, quiet=True)
    assert error.value.code == "not-the-demos-state"
    assert (settings.state / "work").exists()
