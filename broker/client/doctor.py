"""Doctor: looks at what usually goes wrong between a partner and the broker, and says it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from broker.client.api import PartnerApi
from broker.client.auth import SKEW_NOTICED, BrokerAuth, TokenRefusedError, clock_skew
from broker.client.keys import REGISTRATION, PartnerKeys
from broker.core.canonical import decode
from broker.errors import BrokerError, Refused
from broker.sealing.jose import jwk_from_public_key, thumbprint
from broker.sealing.package import Check
from broker.sealing.trust import Trust
from broker.spi import Json

_SKEW_SERIOUS = 50
_MAX = 1 << 20
_METADATA = "/.well-known/oauth-authorization-server"

_HINTS = {
    # what the broker's words contain: what it means here
    "aud of the assertion": "The audience is the broker's issuer URL, exactly, as one string.",
    "used before": "Something between here and the broker sends requests twice: a proxy that "
    "repeats, or two machines with one copied state. Each request needs a new jti.",
    "htu": "The broker is reached under another address than it believes: use exactly its issuer "
    "URL, and have the operator check its public URL setting if a proxy stands before it.",
    "htm": "Something between here and the broker changes the method of requests.",
    "clock": "Set this machine's clock (NTP); the proof may be 60 seconds off at most.",
    "future": "Set this machine's clock (NTP).",
    "not accepted": "The broker does not know this client_id with this kid, or the key is revoked "
    "or out of its time. Hand over registration.json again and compare the thumbprints aloud.",
    "scope": "The client is not registered for that scope; ask the broker's operator.",
    "another key": "The DPoP key changed while a token was in use; start again.",
    "suspended": "The broker's operator suspended this partner; call them.",
    "not OAuth": "Something else than the broker answers there, often a proxy's login page.",
}


def diagnose(
    url: str,
    client_id: str,
    key_folder: Path,
    trust_folder: Path,
    *,
    passphrase: bytes | None = None,
    http: httpx.Client | None = None,
    clock: Callable[[], float] = time.time,
) -> list[Check]:
    """All checks in the order in which to mend things; nothing is changed or collected."""
    checks: list[Check] = []
    keys = _keys(checks, key_folder, passphrase)
    trust = _trust(checks, trust_folder)
    client = http or httpx.Client(timeout=15, follow_redirects=False)
    try:
        if _reach(checks, client, url, clock):
            _broker_keys(checks, client, url, trust)
            if keys is not None:
                auth = BrokerAuth(url, client_id, keys.get("auth"), keys.get("dpop"), clock=clock)
                _token(checks, PartnerApi(url, auth, client))
    finally:
        if http is None:
            client.close()
    return checks


def _keys(checks: list[Check], folder: Path, passphrase: bytes | None) -> PartnerKeys | None:
    try:
        keys = PartnerKeys.load(folder, passphrase)
        for use in ("auth", "dpop", "receipt"):
            keys.get(use)
    except BrokerError as error:
        checks.append(_failed("keys", error))
        return None
    checks.append(Check("keys", True, "the key folder is private and has what a pull needs"))
    _registration(checks, folder, keys)
    return keys


def _registration(checks: list[Check], folder: Path, keys: PartnerKeys) -> None:
    try:
        said = decode((folder / REGISTRATION).read_bytes(), max_bytes=_MAX)
        same = all(
            entry["kid"] == keys.get(entry["use"]).kid for entry in said["keys"] if entry["use"] in keys
        )
    except (OSError, Refused, KeyError, TypeError):
        what = f"there is no readable {REGISTRATION} beside the keys, so they cannot be compared"
        checks.append(Check("registration", False, what, "Bring back the one you handed over."))
        return
    what = "the keys are those of registration.json"
    if not same:
        what = "a key is not the one in registration.json: the broker knows another kid"
    hint = "" if same else "Bring back the registered key, or register the new one."
    checks.append(Check("registration", same, what, hint))


def _trust(checks: list[Check], folder: Path) -> Trust | None:
    try:
        trust = Trust.load(folder)
    except BrokerError as error:
        checks.append(_failed("trust", error))
        return None
    checks.append(Check("trust", True, f"{len(trust.keys)} keys of the broker are pinned"))
    return trust


def _reach(checks: list[Check], client: httpx.Client, url: str, clock: Callable[[], float]) -> bool:
    try:
        answer = client.get(url + _METADATA)
    except httpx.ConnectError as error:
        checks.append(_unreached(error))
        return False
    except httpx.HTTPError:
        what = "the broker does not answer at that address"
        checks.append(Check("reach", False, what, "Check address, proxy and firewall."))
        return False
    issuer = _member(answer, "issuer")
    if answer.status_code != 200 or issuer is None:
        what = f"what answers there is not the broker: {answer.status_code} for its metadata"
        checks.append(Check("reach", False, what, "A proxy's login page? Check the address."))
        return False
    checks.append(Check("reach", True, "the broker answers"))
    same = issuer == url
    what = "the address is the broker's issuer, which is the audience of assertions"
    if not same:
        what = "the broker calls itself by another address: audience and htu will not match"
    hint = "" if same else "Use the issuer from the broker's metadata as its URL, exactly."
    checks.append(Check("audience", same, what, hint))
    checks.append(_clock(clock_skew(answer, clock())))
    return True


def _unreached(error: httpx.ConnectError) -> Check:
    text = str(error).lower()
    if "certificate" in text or "ssl" in text or "tls" in text:
        what = "the connection is not trusted: the TLS certificate does not verify"
        hint = (
            "If your network inspects TLS, give its root certificate (SSL_CERT_FILE). Never turn "
            "verification off."
        )
        return Check("tls", False, what, hint)
    return Check("reach", False, "nothing listens at the broker's address", "Check address and firewall.")


def _clock(skew: int | None) -> Check:
    if skew is None:
        return Check("clock", True, "the broker does not send its time; the clock is not compared")
    off, side = abs(skew), "behind" if skew > 0 else "ahead of"
    if off < SKEW_NOTICED:
        return Check("clock", True, "this machine's clock agrees with the broker's")
    what = f"this machine's clock is {off} seconds {side} the broker's"
    hint = "Set it by NTP; the client compensates meanwhile, other software does not."
    return Check("clock", off < _SKEW_SERIOUS, what, hint)


def _broker_keys(checks: list[Check], client: httpx.Client, url: str, trust: Trust | None) -> None:
    """Compares what the broker publishes with what is pinned; publishing proves nothing."""
    if trust is None:
        return
    try:
        published = dict(_published(client.get(f"{url}/.well-known/jwks.json")))
    except (httpx.HTTPError, BrokerError, KeyError, TypeError):
        what, hint = "the broker's published key list cannot be read", "Ask its operator."
        checks.append(Check("broker-keys", False, what, hint))
        return
    pinned = {key.kid: thumbprint(jwk_from_public_key(key.public)) for key in trust.keys}
    other = [kid for kid, mark in published.items() if kid in pinned and pinned[kid] != mark]
    new = published.keys() - pinned.keys()
    what, hint = "every key the broker signs referrals with is pinned", ""
    if other:
        what = "a published key has a pinned kid but is another key"
        hint = "Stop. Call the broker's operator on the number from onboarding."
    elif new:
        what = f"the broker publishes {len(new)} keys for referrals that are not pinned here"
        hint = "Get the new trust folder from the operator and compare the thumbprints aloud."
    checks.append(Check("broker-keys", not (other or new), what, hint))


def _published(answer: httpx.Response) -> Iterator[tuple[str, str]]:
    for jwk in decode(answer.content, max_bytes=_MAX)["keys"]:
        typs = jwk.get("typs", ())
        if not typs or "referral+jws" in typs:  # token keys are the broker's own business
            yield jwk["kid"], thumbprint(jwk)


def _token(checks: list[Check], api: PartnerApi) -> None:
    try:
        api.feed(limit=1)
    except TokenRefusedError as error:
        checks.append(Check("token", False, f"no token: {error.message}", hint_for(error.message)))
        return
    except BrokerError as error:
        checks.append(Check("token", True, "the broker gives a token to this client"))
        hint = hint_for(error.message) or error.hint
        checks.append(Check("call", False, f"the feed is not given: {error.message}", hint))
        return
    checks.append(Check("token", True, "the broker gives a token to this client"))
    checks.append(Check("call", True, "a call with token and DPoP proof is answered"))


def hint_for(words: str) -> str:
    """What the broker's own words usually mean on this side."""
    return next((hint for part, hint in _HINTS.items() if part in words), "")


def _failed(name: str, error: BrokerError) -> Check:
    return Check(name, False, error.message, error.hint)


def _member(answer: httpx.Response, name: str) -> str | None:
    try:
        value: Json = answer.json()[name]
    except (ValueError, KeyError, TypeError):
        return None
    return value if type(value) is str else None
