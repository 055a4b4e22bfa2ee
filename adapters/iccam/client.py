"""ICCAM API v3 over mutual TLS: log in, refresh, report, assess, act, move; one call at a time, paced.

Written after what SCART does (the only public implementation); never tried against ICCAM itself.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

from adapters.iccam.codes import codes
from broker.spi import DeliveryReceipt, Json, Undelivered

LIMIT = 2 * 1024 * 1024
"""Octets of an answer, unpacked."""


@dataclass(slots=True)
class Iccam:
    """One logged-in conversation. `country` is ours: only the assigned country may act."""

    http: httpx.Client
    username: str
    password: str
    country: str
    pace: float = 1.0
    after_login: float = 2.0
    pause: Callable[[float], None] = time.sleep
    _token: dict[str, str] = field(default_factory=dict)
    _reported: bool = False

    @classmethod
    @contextmanager
    def open(cls, house: Mapping[str, Json]) -> Iterator[Self]:
        """By the operator's file: addresses, certificate files, pace. Raises `Undelivered`."""
        try:
            context = ssl.create_default_context(cafile=house.get("ca_file"))
            context.load_cert_chain(house["client_certificate"], house.get("client_key"))
            password = Path(house["password_file"]).read_text().strip()
        except (OSError, KeyError):
            raise Undelivered("iccam-not-configured", certain=True) from None
        with httpx.Client(
            base_url=house["base_url"],
            verify=context,
            trust_env=False,
            timeout=float(house.get("timeout", 30)),
        ) as http:
            yield cls(
                http,
                str(house["username"]),
                password,
                str(house["country"]),
                float(house.get("pace", 1)),
                float(house.get("after_login", 2)),
            )

    def log_in(self) -> None:
        """`POST Authentication`. Nothing was reported yet, so every failure is certain."""
        answer = self._raw(
            "POST", "Authentication", {"username": self.username, "password": self.password}, True
        )
        if answer.status_code in (400, 401, 403):
            raise Undelivered("iccam-login", certain=True)
        self._keep(answer)
        self.pause(self.after_login)

    def report(self, body: Mapping[str, Json]) -> tuple[str, bytes]:
        """`POST rest/reports`: (report id, the answer verbatim)."""
        self._reported = True
        answer = self._call("POST", "rest/reports", body)
        text = answer.text.strip()
        if not text.isdigit():
            raise Undelivered("iccam-answer", certain=False, again=True, answer=_kept(answer))
        return text, answer.content

    def read_report(self, report: str) -> bytes:
        """`GET rest/Reports/{id}`, verbatim."""
        return self._call("GET", f"rest/Reports/{int(report)}").content

    def content(self, content: int) -> dict[str, Any]:
        """`GET rest/Content/{id}`."""
        found = self._call("GET", f"rest/Content/{int(content)}").json()
        return found if isinstance(found, dict) else {}

    def assess(self, content: int, assessment: Mapping[str, Json]) -> None:
        """`PUT rest/Content/{id}/assessment`; the last one counts."""
        self._mine(content)
        self._call("PUT", f"rest/Content/{int(content)}/assessment", assessment)

    def act(
        self, content: int, action: str, analyst: str, at: str, reason: tuple[int, str] | None = None
    ) -> None:
        """`POST rest/Content/{id}/actions`, by the learnt rules: ours, no type twice, none after a final."""
        if self._reported:  # ICCAM needs time to bring a report to its monitor stage
            raise Undelivered("iccam-too-soon", certain=True, again=True)
        lists = codes()
        number = lists.lists["action"][action]
        done = {int(a["actionType"]) for a in self._mine(content).get("actions", ())}
        if number in done:
            raise Undelivered("iccam-action-repeated", certain=True)
        if done & lists.final_actions:
            raise Undelivered("iccam-action-after-final", certain=True)
        body: dict[str, Json] = {"actionType": number, "actioningAnalystName": analyst, "actionDate": at}
        if number > lists.needs_reason_above:
            if reason is None or reason[0] not in lists.reasons:
                raise Undelivered("iccam-reason-missing", certain=True)
            body |= {"reasonId": reason[0], "reasonText": reason[1]}
        self._call("POST", f"rest/Content/{int(content)}/actions", body)

    def move(self, content: int, ip: str, country: str) -> None:
        """The host moved: `PUT …/url/hosting`, then `PUT …/assigned-country`; after it we may not act."""
        self._mine(content)
        where = f"rest/Content/{int(content)}"
        self._call("PUT", f"{where}/url/hosting", None, {"newIpAddress": ip, "newCountryCode": country})
        self._call("PUT", f"{where}/assigned-country", None, {"newCountryCode": country})

    def acknowledge(self, content: int, reference: str) -> None:
        """`PUT …/hotline-reference`: the receipt for what was assigned to us."""
        self._call("PUT", f"rest/Content/{int(content)}/hotline-reference", None, {"reference": reference})

    def _mine(self, content: int) -> dict[str, Any]:
        found = self.content(content)
        if found.get("assignedCountryCode") != self.country:
            raise Undelivered("iccam-other-country", certain=True)
        return found

    def _call(
        self, method: str, path: str, body: Json = None, query: Mapping[str, str] | None = None
    ) -> httpx.Response:
        if not self._token:
            self.log_in()
        self.pause(self.pace)
        answer = self._raw(method, path, body, False, query)
        if answer.status_code == 401:
            self._refresh()
            answer = self._raw(method, path, body, False, query)
        if answer.status_code == 400 and b"hotlinereference" in answer.content[:LIMIT].lower():
            raise Undelivered("duplicate-reference", certain=True, answer=_kept(answer))
        if answer.status_code in (400, 401, 403, 404):
            raise Undelivered(f"iccam-{answer.status_code}", certain=True, answer=_kept(answer))
        if not 200 <= answer.status_code < 300:
            raise Undelivered(
                f"iccam-{answer.status_code}", certain=method == "GET", again=True, answer=_kept(answer)
            )
        return answer

    def _refresh(self) -> None:
        """`POST Authentication/refresh`; where that is refused, a new login."""
        answer = self._raw("POST", "Authentication/refresh", dict(self._token), True)
        if answer.status_code != 200:
            self._token = {}
            self.log_in()
            return
        self._keep(answer)

    def _keep(self, answer: httpx.Response) -> None:
        try:
            found = answer.json()
            self._token = {name: str(found[name]) for name in ("bearerToken", "refreshToken")}
        except (ValueError, KeyError, TypeError):
            raise Undelivered(f"iccam-{answer.status_code}", certain=True, again=True) from None

    def _raw(
        self, method: str, path: str, body: Json, harmless: bool, query: Mapping[str, str] | None = None
    ) -> httpx.Response:
        token = self._token.get("bearerToken")
        headers = {"accept-encoding": "identity"} | ({"authorization": f"Bearer {token}"} if token else {})
        certain = harmless or method == "GET"
        try:
            with self.http.stream(method, path, json=body, params=query, headers=headers) as answer:
                content = b""
                for piece in answer.iter_bytes():
                    content += piece
                    if len(content) > LIMIT:
                        raise Undelivered("iccam-answer", certain=certain, again=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise Undelivered("iccam-unreachable", certain=True, again=True) from None
        except httpx.HTTPError:
            raise Undelivered("iccam-cut-off", certain=certain, again=True) from None
        kept = {"content-type": answer.headers.get("content-type", "application/octet-stream")}
        return httpx.Response(answer.status_code, headers=kept, content=content)


def _kept(answer: httpx.Response) -> DeliveryReceipt:
    media_type = answer.headers.get("content-type", "application/octet-stream").partition(";")[0]
    return DeliveryReceipt(answer.content[:LIMIT], media_type, "")
