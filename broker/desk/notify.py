"""Tell a partner that something new waits in its feed: by mail or signed webhook, without content.

A notice says that there is something, never what: no reference, no urgency, no case. It is a courtesy;
what makes sure that nothing lies uncollected is the clock of the release, not this.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import httpx
from sqlalchemy import text

from broker.core import canonical
from broker.desk import events, outward, wayout
from broker.desk.context import Desk
from broker.errors import BrokerError, Issue, Refused
from broker.hosting.guard import within
from broker.observe import log
from broker.sealing import keyfiles, webhooks
from broker.spi import Json
from broker.spi_out import address_issues
from broker.store import tables
from broker.store.engine import unit_of_work

Send = Callable[[Desk, Mapping[str, Json], str, datetime], str]
"""(desk, endpoint, message id, now) → code; raises for what a later attempt may mend."""
ACCEPTED = "accepted"
PAUSES = (0, 60, 600, 3600, 21600)
"""Seconds since the attempt before; after the last one the notice is given up (the clock still runs)."""
WHOLE = 30.0
"""Seconds that one webhook may take altogether."""
LOOK_BACK = timedelta(days=2)

# One row for each publication and notice endpoint of its carrier that was not told yet.
_WAITING = """
select f.release_id, e.id, e.channel, e.config, coalesce(a.n, 0) as n, a.at
from feed f
join lateral (select * from delivery_endpoint d where d.partner_id = f.partner_id
  and d.purpose = 'notice' order by d.id desc limit 1) e on e.state = 'active'
left join lateral (select count(*)::int as n, max(at) as at, bool_or(code = 'accepted') as done
  from notice_attempt t where t.release_id = f.release_id and t.endpoint_id = e.id) a on true
where f.event = 'published' and f.at > :since and f.at >= e.at
  and coalesce(a.n, 0) < :most and not coalesce(a.done, false)
order by f.at limit 200
"""


def endpoint_issues(channel: str, config: Mapping[str, Json]) -> Sequence[Issue]:
    """What is wrong with an endpoint for notices."""
    if channel == "webhook":
        known, issues = {"url"}, list(outward.url_issues(config.get("url")))
    elif channel == "mail":
        known, issues = {"address"}, address_issues(config)
    else:
        return [Issue("/channel", "code", "must be mail or webhook")]
    if set(config) - known:
        issues.append(Issue("", "unknown-member", "has a member that is not known"))
    return issues


def tell(desk: Desk, send: Mapping[str, Send] | None = None) -> int:
    """Tell everybody who was not told yet and is due. Returns how many notices were accepted.

    One process at a time, or somebody is told twice. Who could not be reached is asked no more in this
    round: each of his notices would cost the others the whole time that one may take.
    """
    with desk.db.connect("app") as conn:
        conn.autocommit = True
        row = conn.execute("select pg_try_advisory_lock(hashtextextended('notices', 6))").fetchone()
        return _tell(desk, send or WAYS) if row and row[0] else 0


def _tell(desk: Desk, send: Mapping[str, Send]) -> int:
    now = desk.now()
    with unit_of_work(desk.db) as session:
        query = text(_WAITING)
        values = {"since": now - LOOK_BACK, "most": len(PAUSES)}
        waiting = session.connection().execute(query, values).all()
    done, silent = 0, set[int]()
    for release, endpoint, channel, config, attempts, at in waiting:
        if endpoint in silent or (at is not None and at + timedelta(seconds=PAUSES[attempts]) > now):
            continue
        code = _try(send[channel], desk, config, f"{endpoint}.{release}")
        with unit_of_work(desk.db) as session:
            session.add(
                tables.NoticeAttempt(
                    release_id=release, endpoint_id=endpoint, attempt=attempts + 1, at=now, code=code
                )
            )
        done += code == ACCEPTED
        if code != ACCEPTED:
            silent.add(endpoint)
    return done


def _try(send: Send, desk: Desk, config: Mapping[str, Json], name: str) -> str:
    try:
        return send(desk, config, message_id(name), desk.now())
    except BrokerError as error:
        return error.code
    except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL, smtplib.SMTPException) as error:
        log.warning("notice-not-sent", exc_info=error)
        return "not-sent"


def message_id(name: str) -> str:
    """The same for every attempt at the same notice, and silent about the release."""
    return "msg_" + canonical.sha256_hex(f"notice|{name}".encode())[:32]


def body(desk: Desk, now: datetime) -> bytes:
    """All that a webhook says."""
    return canonical.encode_trusted(
        {
            "type": "referrals.waiting",
            "timestamp": events.stamp(now),
            "data": {"issuer": desk.settings.issuer},
        }
    )


def webhook(desk: Desk, config: Mapping[str, Json], name: str, now: datetime) -> str:
    """POST the signed message to an address of the public internet."""
    payload = body(desk, now)
    signed = webhooks.headers(desk.vault().lasting("webhook"), name, int(now.timestamp()), payload)
    headers = {**signed, "content-type": "application/json"}
    # A time for the whole of it: one for each read can be stretched by a byte now and then.
    status = within(WHOLE, lambda: outward.post(config["url"], payload, headers))
    return ACCEPTED if 200 <= status < 300 else f"status-{status}"


def mail(desk: Desk, config: Mapping[str, Json], name: str, now: datetime) -> str:
    """A plain mail by the house's relay."""
    house = wayout.house_side(desk, "notice")
    message = EmailMessage()
    message["From"], message["To"] = house["from"], config["address"]
    message["Subject"] = "Something is waiting for you"
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{name}@{str(house['from']).rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        f"Something new is waiting for your service at\n\n  {desk.settings.issuer}\n\n"
        "Your software or `broker pull` collects it. This message has no content on purpose.\n"
    )
    with _relay(house) as relay:
        relay.send_message(message)
    return ACCEPTED


def _relay(house: Mapping[str, Json]) -> smtplib.SMTP:
    host, port, patience = house["host"], int(house["port"]), float(house.get("timeout", 20))
    context = ssl.create_default_context(cafile=house.get("ca_file"))
    if house.get("security") == "tls":
        relay: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=patience, context=context)
    else:
        relay = smtplib.SMTP(host, port, timeout=patience)
        if house.get("security") == "starttls":
            relay.starttls(context=context)
        elif host not in ("127.0.0.1", "::1", "localhost"):
            relay.close()
            raise Refused("relay-not-encrypted", "a relay elsewhere is reached by TLS only")
    if "user" in house:
        secret = keyfiles.read_private(Path(house["password_file"])).decode().strip()
        relay.login(house["user"], secret)
    return relay


WAYS: Mapping[str, Send] = {"webhook": webhook, "mail": mail}
