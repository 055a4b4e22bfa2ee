"""Software of others that a test talks to: skipped with a reason where it is missing, never in CI.

    @needs("jose")                       an executable
    @needs("node", "npm:jose")           a package that `npm ci` in tests/interop installs
    @needs("go", "gosrc:golang.org/x/mod/sumdb")

`.ci/packages.txt` lists the Debian packages that bring all of it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

INTEROP = Path(__file__).parent / "interop"
GOPATH = Path("/usr/share/gocode")
_BRINGS = {
    "node": "install Node.js 20 or newer",
    "go": "install the Debian package golang-go",
    "jose": "install the Debian package jose",
    "pdfsig": "install the Debian package poppler-utils",
    "certutil": "install the Debian package libnss3-tools",
    "openssl": "install the Debian package openssl",
    "curl": "install the Debian package curl",
    "bash": "install bash",
    "chromium": "install the Debian package chromium",
}


def needs(*wanted: str) -> pytest.MarkDecorator:
    """A mark that skips the test with a reason; with CI=true a missing tool stops the whole module."""
    missing = [_hint(name) for name in wanted if not _there(name)]
    reason = "; ".join(missing)
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"in CI nothing may be skipped: {reason}", pytrace=False)
    return pytest.mark.skipif(bool(missing), reason=reason)


def _there(name: str) -> bool:
    kind, _, rest = name.partition(":")
    if kind == "npm":
        return (INTEROP / "node_modules" / rest / "package.json").is_file()
    if kind == "gosrc":
        return (GOPATH / "src" / rest).is_dir()
    return shutil.which(name) is not None


def _hint(name: str) -> str:
    kind, _, rest = name.partition(":")
    if kind == "npm":
        return f"{rest} for Node.js is missing: run `npm ci` in tests/interop"
    if kind == "gosrc":
        return f"{rest} for Go is missing: install the Debian package golang-golang-x-mod-dev"
    return f"{name} is missing: {_BRINGS[name]}"
