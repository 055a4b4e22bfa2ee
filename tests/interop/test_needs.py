"""The tests against other people's software can be trusted to run: nothing skips in CI, nothing drifts."""

from __future__ import annotations

import json
import re

import pytest

from tests.needs import INTEROP, needs

ROOT = INTEROP.parents[1]


def test_a_missing_tool_skips_here_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    mark = needs("python3", "npm:no-such-package")
    assert mark.args == (True,)
    assert "npm ci" in mark.kwargs["reason"]
    assert needs("python3").args == (False,)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-package"):
        needs("npm:no-such-package")


def test_npm_packages_are_pinned_by_digest_and_without_addresses() -> None:
    lock = json.loads((INTEROP / "package-lock.json").read_bytes())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert {"node_modules/jose", "node_modules/oauth4webapi"} <= packages.keys()
    for name, entry in packages.items():
        assert entry["integrity"].startswith("sha512-"), name
        assert "resolved" not in entry, name


def test_every_tool_has_its_debian_package() -> None:
    listed = re.findall(
        r"^([a-z][a-z0-9.+-]+)(?: \S+)?$", (ROOT / ".ci" / "packages.txt").read_text(), re.MULTILINE
    )
    assert {"golang-golang-x-mod-dev", "golang-go", "jose", "libnss3-tools", "poppler-utils"} <= set(listed)
    assert listed == sorted(listed)
