"""A third party's CyberTipline client works against our fake server: it is not tuned to our own client."""

from __future__ import annotations

import hashlib
import json
import subprocess

import pytest

from tests.adapters.reference import optional
from tests.fakes import ncmec_server as server
from tests.needs import INTEROP, needs

pytestmark = [pytest.mark.node, needs("node", "npm:@civitai/cybertipline-tools")]


def run(url: str, **given: str) -> subprocess.CompletedProcess[str]:
    values = {
        "url": url,
        "username": server.USER,
        "password": server.PASSWORD,
        "email": "desk@hotline.example",
    }
    return subprocess.run(
        ["node", str(INTEROP / "cybertipline_client.mjs")],
        input=json.dumps({**values, **given}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_files_a_report_with_a_text_file() -> None:
    with server.serving(optional("ncmec/cyber_tipline.xsd")) as (url, fake):
        done = run(url)
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        [filed] = fake.finished
        assert said["status"] == said["details"] == said["finished"] == 0
        assert "ReportAlreadyFinished" in said["again"]
        assert said["hash"] == hashlib.md5(b"synthetic text sheet\n", usedforsecurity=False).hexdigest()
        assert list(filed.files.values()) == [b"synthetic text sheet\n"]
        assert len(filed.details) == 1
        assert fake.calls == [
            "/ispws/status",
            "/ispws/submit",
            "/ispws/upload",
            "/ispws/fileinfo",
            "/ispws/finish",
            "/ispws/finish",
        ]


@pytest.mark.parametrize("change", [{"password": "wrong"}, {"email": ""}])
def test_the_fake_refuses_it_what_it_refuses_us(change: dict[str, str]) -> None:
    with server.serving(optional("ncmec/cyber_tipline.xsd")) as (url, fake):
        done = run(url, **change)
        assert done.returncode != 0
        assert fake.finished == []
        assert fake.reports == {}
