"""No look-up can be led into our own network, by address, by name, by redirect or by a second answer."""

from __future__ import annotations

import http.server
import ipaddress
import ssl
import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from broker.hosting import GuardedTransport, LookUpFailed, is_public
from broker.hosting.guard import within

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - that is the test
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "192.88.99.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
        "::10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "2002:a00:1::1",
        "2001:0:a00:1::1",
        "localhost",
        "",
        "0x7f.1",
        "2130706433",
    ],
)
def test_nothing_but_public_addresses(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "193.190.0.1", "2a00::1", "2606:4700::1"])
def test_public_addresses_are_public(address):
    assert is_public(address)


def test_loopback_is_reached_only_by_injection():
    assert is_public("127.0.0.1", LOOPBACK)
    assert not is_public("10.0.0.1", LOOPBACK)


class Recorder(httpx.BaseTransport):
    def __init__(self):
        self.requests = []

    def handle_request(self, request):
        self.requests.append(request)
        return httpx.Response(200, text="ok")


def guarded(answer, **more):
    recorder = Recorder()
    transport = GuardedTransport(recorder, resolve=lambda _: answer, **more)
    return recorder, httpx.Client(transport=transport)


def test_the_checked_address_is_the_one_that_is_used():
    recorder, client = guarded(["8.8.8.8"])
    client.get("https://rdap.example/ip/8.8.8.8")
    [request] = recorder.requests
    assert request.url.host == "8.8.8.8"
    assert request.headers["host"] == "rdap.example"
    assert request.extensions["sni_hostname"] == "rdap.example"


def test_the_name_is_asked_once():
    answers = [["8.8.8.8"], ["127.0.0.1"]]
    recorder = Recorder()
    client = httpx.Client(transport=GuardedTransport(recorder, resolve=lambda _: answers.pop(0)))
    client.get("https://rdap.example/")
    assert len(answers) == 1
    with pytest.raises(LookUpFailed):
        client.get("https://rdap.example/")
    assert len(recorder.requests) == 1


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("https://rdap.example/", ["127.0.0.1"]),
        ("https://rdap.example/", ["8.8.8.8", "10.0.0.1"]),
        ("https://rdap.example/", []),
        ("https://rdap.example/", ["64:ff9b::808:808"]),
        ("http://rdap.example/", ["8.8.8.8"]),
        ("https://rdap.example:8443/", ["8.8.8.8"]),
        ("https://user@rdap.example/", ["8.8.8.8"]),
        ("https://127.0.0.1/", ["8.8.8.8"]),
        ("https://[::1]/", ["8.8.8.8"]),
        ("https://169.254.169.254/", ["8.8.8.8"]),
        ("ftp://rdap.example/", ["8.8.8.8"]),
    ],
)
def test_whatever_leads_elsewhere_is_refused_before_a_connection(url, answer):
    recorder, client = guarded(answer)
    with pytest.raises((LookUpFailed, httpx.UnsupportedProtocol)):
        client.get(url)
    assert recorder.requests == []


def certificate(name):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), secret


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.headers["Host"].encode())

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def server(tmp_path):
    cert, key = certificate("rdap.example")
    (tmp_path / "cert.pem").write_bytes(cert)
    (tmp_path / "key.pem").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as running:
        running.socket = context.wrap_socket(running.socket, server_side=True)
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running.server_address[1], ssl.create_default_context(cadata=cert.decode())
        running.shutdown()
        thread.join()


def test_a_real_connection_goes_to_the_address_and_checks_the_name(server):
    port, trust = server

    def client():
        return httpx.Client(
            transport=GuardedTransport(
                httpx.HTTPTransport(verify=trust),
                resolve=lambda _: ["127.0.0.1"],
                injected=LOOPBACK,
                ports=frozenset({port}),
            )
        )

    with client() as good:
        assert good.get(f"https://rdap.example:{port}/").text == f"rdap.example:{port}"
    with client() as other, pytest.raises(httpx.ConnectError):
        other.get(f"https://other.example:{port}/")


def test_a_call_that_takes_too_long_is_given_up():
    gate = threading.Event()
    with pytest.raises(LookUpFailed, match="look-up-timeout"):
        within(0.05, lambda: gate.wait(30))
    gate.set()
    assert within(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)
