"""The log: allow-listed members, and never the reason why work stops."""

from __future__ import annotations

import io
import sys

import pytest

from broker.observe import configure, log


def test_who_closed_standard_error_stops_nobody_who_logs_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that ran under another stream must not take the signer's log away with it."""
    gone, now = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", gone)
    configure()
    gone.close()
    monkeypatch.setattr(sys, "stderr", now)
    log.warning("release-not-signed", code="draft-changed", value="never on the list")
    assert '"code": "draft-changed"' in now.getvalue()
    assert "never on the list" not in now.getvalue()
