"""Stock JOSE software verifies and opens everything of a real pull: npm `jose` and Debian's `jose`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from broker.core.canonical import sha256_hex
from tests import house as build
from tests.interop.conftest import Pulled
from tests.interop.jwk import private_jwk
from tests.needs import INTEROP, needs

UNITS = ["/facts/reporter/identity"]


@pytest.fixture(scope="session")
def documents(pulled: Pulled, tmp_path_factory: pytest.TempPathFactory) -> dict[Path, dict[str, Path]]:
    """The documents' JWE of each release, collected again: a pull keeps them opened only."""
    served, found = pulled.served, {}
    for partner, folder in pulled.folders:
        to = tmp_path_factory.mktemp(folder.name)
        with build.partner_api(served.house, served.url, partner) as api:
            for path in sorted((folder / "documents").iterdir()):
                (to / f"{path.name}.jwe").write_bytes(api.document(folder.name, path.name))
        found[folder] = {path.name: to / f"{path.name}.jwe" for path in (folder / "documents").iterdir()}
        assert len(found[folder]) >= 2
    return found


def keys(pulled: Pulled, partner: str) -> dict[str, Any]:
    held = pulled.served.house.partner_keys(partner)
    return {use: private_jwk(held.get(use).private) for use in ("enc", "apart")}


def digests(folder: Path) -> dict[str, str]:
    return {path.name: sha256_hex(path.read_bytes()) for path in (folder / "documents").iterdir()}


@pytest.mark.node
@needs("node", "npm:jose")
def test_npm_jose(pulled: Pulled, documents: dict[Path, dict[str, Path]]) -> None:
    jwks, apart = json.loads((pulled.served.trust / "jwks.json").read_bytes()), 0
    for partner, folder in pulled.folders:
        files = {name: str(path) for name, path in documents[folder].items()}
        given = {"jwks": jwks, **keys(pulled, partner), "folder": str(folder), "documents": files}
        command = ["node", str(INTEROP / "open_with_jose.mjs")]
        text = json.dumps(given)
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert said["release"] == folder.name
        assert said["referral"] == sha256_hex((folder / "referral.jws").read_bytes())
        assert said["seal"] == sha256_hex((folder / "seal.jws").read_bytes())
        assert said["payload"] == sha256_hex((folder / "referral.json").read_bytes())
        assert said["documents"] == digests(folder)
        apart += said["apart"] is not None
    assert apart == 1


def jose(*arguments: str | Path, text: str = "") -> bytes:
    command = ["jose", *map(str, arguments)]
    done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, (arguments[:2], done.stderr)
    return done.stdout


@needs("jose")
def test_debian_jose(pulled: Pulled, documents: dict[Path, dict[str, Path]], tmp_path: Path) -> None:
    signers, apart = pulled.served.trust / "jwks.json", 0
    for partner, folder in pulled.folders:
        for use, jwk in keys(pulled, partner).items():
            (tmp_path / f"{use}.jwk").write_text(json.dumps(jwk))
        package = json.loads(
            jose("jwe", "dec", "-i", folder / "referral.jwe", "-k", tmp_path / "enc.jwk", "-O-")
        )
        for name in ("referral", "seal"):
            assert package[name].encode() == (folder / f"{name}.jws").read_bytes()
        payload = jose("jws", "ver", "-i", folder / "referral.jws", "-k", signers, "-O-")
        assert payload == (folder / "referral.json").read_bytes()
        seal = json.loads(jose("jws", "ver", "-i", folder / "seal.jws", "-k", signers, "-O-"))
        assert seal["payload_sha256"] == sha256_hex(payload)
        for name, path in documents[folder].items():
            content = jose("jwe", "dec", "-i", path, "-k", tmp_path / "enc.jwk", "-O-")
            assert content == (folder / "documents" / name).read_bytes()
        if (folder / "apart.jwe").exists():
            inner = jose("jwe", "dec", "-i", folder / "apart.jwe", "-k", tmp_path / "apart.jwk", "-O-")
            units = json.loads(jose("jws", "ver", "-i-", "-k", signers, "-O-", text=inner.decode()))["units"]
            assert [unit[1] for unit in units][-1:] == UNITS
            apart += 1
    assert apart == 1


@needs("jose")
def test_debian_jose_refuses_another_signature(pulled: Pulled, tmp_path: Path) -> None:
    """The counter-check: the command line does say no."""
    header, payload, signature = (pulled.of("police")[0] / "seal.jws").read_text().split(".")
    other = "A" if signature[9] != "A" else "B"
    path = tmp_path / "changed.jws"
    path.write_text(f"{header}.{payload}.{signature[:9]}{other}{signature[10:]}")
    command = ["jose", "jws", "ver", "-i", str(path), "-k", str(pulled.served.trust / "jwks.json")]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode != 0
