"""Entities of the canonical case: items, locations, persons, network events, victims and their links.

Each member is one field of `broker.core.fields`, or structure that says where something belongs.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from broker.core.schema_types import (
    Code,
    Confidence,
    Country,
    Date,
    Instant,
    Ip,
    Line,
    LocalId,
    Moment,
    Short,
    Strict,
    Text,
    Url,
)

HashText = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32,128}$")]
PerceptualText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/=]{16,400}$")]


class CryptoHash(Strict):
    """F17, one entry; hex, also where the source writes base32."""

    alg: Literal["sha256", "sha1", "md5"]
    value: HashText


class PerceptualHash(Strict):
    """F18, one entry."""

    alg: Literal["pdq", "photodna", "tmk"]
    value: PerceptualText


class Media(Strict):
    """F19."""

    type: Annotated[
        str, StringConstraints(pattern=r"^(image|video|audio|text|application)/[a-z0-9.+-]{1,60}$")
    ]
    size: Annotated[int, Field(ge=0, lt=2**53)] | None = None


class Exif(Strict):
    """F22."""

    device: Short | None = None
    latitude: Annotated[str, StringConstraints(pattern=r"^-?\d{1,2}(\.\d{1,7})?$")] | None = None
    longitude: Annotated[str, StringConstraints(pattern=r"^-?\d{1,3}(\.\d{1,7})?$")] | None = None
    original_at: Instant | None = None


class Known(Strict):
    """F23."""

    status: Literal["known", "new", "unknown"]
    match: Literal["exact", "near", "none"] = "none"
    lists: tuple[Code, ...] = ()


class Seen(Strict):
    """F25."""

    first: Moment
    last: Moment | None = None


class HumanViewed(Strict):
    """F26."""

    viewed: bool
    by_org: Short | None = None


class Label(Strict):
    """F58, one label; scheme and version always travel with it."""

    scheme: Literal["UCS", "INHOPE", "ORB", "INTERPOL", "ARACHNID", "NCMEC"]
    version: Code
    label: Code


class Evaluation(Strict):
    """F62, Europol 4x4."""

    source: Literal["A", "B", "C", "X"] = "X"
    info: Literal["1", "2", "3", "4"] = "4"


class SelfGenerated(Strict):
    """F79."""

    self_generated: Literal["yes", "no", "unknown"] = "unknown"
    modelling: Literal["yes", "no", "unknown"] = "unknown"


class ViewedScope(Strict):
    """F80."""

    whole_file: bool
    exif: bool
    by_org: Short | None = None


class Item(Strict):
    """Collection `items`: one piece of content, by hash and words."""

    found_at: tuple[LocalId, ...] = ()
    """The locations where it stands; travels inside F16."""
    crypto_hash: tuple[CryptoHash, ...] = ()
    perceptual_hash: tuple[PerceptualHash, ...] = ()
    media: Media | None = None
    filename: Short | None = None
    media_pointer: Short | None = None
    exif: Exif | None = None
    known_status: Known | None = None
    synthetic_flag: Literal["real", "suspected_ai", "ai", "drawn", "unknown"] | None = None
    seen: Seen | None = None
    human_viewed: HumanViewed | None = None
    publicly_available: Literal["open", "login", "paid", "onion", "private"] | None = None
    orb_ref: Code | None = None
    labels: tuple[Label, ...] = ()
    baseline: Literal["baseline", "national", "not_illegal"] | None = None
    evaluation: Evaluation | None = None
    self_generated: SelfGenerated | None = None
    viewed_scope: ViewedScope | None = None


class Site(Strict):
    """F31."""

    type: Literal[
        "website",
        "image_host",
        "forum",
        "file_host",
        "social",
        "messaging",
        "chat",
        "p2p",
        "onion",
        "other",
    ]
    domain: Short | None = None


class Host(Strict):
    """F33."""

    ip: Ip | None = None
    asn: Annotated[str, StringConstraints(pattern=r"^AS\d{1,10}$")] | None = None
    provider: Short | None = None


class Trace(Strict):
    """F35."""

    method: Literal["dns", "rdap", "whois", "manual", "imported"]
    at: Instant
    tool_version: Code | None = None


class LastCheck(Strict):
    """F36."""

    online: bool
    at: Instant


class Cdn(Strict):
    """F76."""

    is_cdn: bool
    provider: Short | None = None


class Commerce(Strict):
    """F78."""

    commerciality: Literal["commercial", "non_commercial", "unknown"]
    payment_methods: tuple[Code, ...] = ()


class Credentials(Strict):
    """F83: public test credentials that ICCAM takes; nobody else."""

    username: Short
    password: Short


class Location(Strict):
    """Collection `locations`: where content or an account stands, with its host."""

    url: Url | None = None
    page_url: Url | None = None
    site: Site | None = None
    access_note: Line | None = None
    host: Host | None = None
    country: Country | None = None
    trace: Trace | None = None
    last_check: LastCheck | None = None
    cdn: Cdn | None = None
    referrer: Url | None = None
    commerce: Commerce | None = None
    credentials: Credentials | None = None


class Account(Strict):
    """F37."""

    service: Short
    account_id: Short | None = None


class Contact(Strict):
    """F40."""

    email: Short | None = None
    phone: Short | None = None
    verified: bool = False


class Profile(Strict):
    """F42; the bio is free text."""

    url: Url | None = None
    bio: Line | None = None


class CountryEstimate(Strict):
    """F45."""

    country: Country
    confidence: Confidence


class Person(Strict):
    """Collection `persons`: a reported account or reported person."""

    account: Account | None = None
    handle: Short | None = None
    self_declared_name: Short | None = None
    contact: Contact | None = None
    payment_ref: Short | None = None
    profile: Profile | None = None
    minor_flag: Literal["adult", "minor", "unknown"] | None = None
    child_access: Literal["none", "claimed", "likely", "confirmed"] | None = None
    country_estimate: CountryEstimate | None = None
    evaluation: Evaluation | None = None


class EventKind(Strict):
    """F49; `account_of` names the person whose account made the event."""

    type: Literal["upload", "login", "registration", "message", "other"]
    isp: Short | None = None
    account_of: LocalId | None = None


class Event(Strict):
    """Collection `events`: a network event."""

    ip: Ip | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    timestamp: Moment | None = None
    event: EventKind | None = None
    ip_role: Literal["account", "upload", "host", "proxy", "vpn", "tor", "cdn", "unknown"] | None = None
    country: Country | None = None
    """Used for routing only; never disclosed on its own."""
    evaluation: Evaluation | None = None


class VictimIdentity(Strict):
    """F54: sealed apart."""

    name: Short | None = None
    dob: Date | None = None
    school: Short | None = None
    address: Line | None = None
    contact: Short | None = None


class Victim(Strict):
    """Collection `victims`."""

    age_band: Literal["0-2", "3-6", "7-9", "10-13", "14-15", "16-17"] | None = None
    sex: Literal["female", "male", "other", "unknown"] | None = None
    identification: Literal["unknown", "possibly_known", "identified", "safeguarded"] | None = None
    identity: VictimIdentity | None = None
    account_id: Short | None = None
    location_clues: Text | None = None
    series_ref: Short | None = None
    country: Country | None = None
    """Used for routing only; never disclosed on its own."""


class Link(Strict):
    """F73: who did what with which item by which event."""

    subject: LocalId
    item: LocalId | None = None
    event: LocalId | None = None
    victims: tuple[LocalId, ...] = ()
    relation: Literal["posted", "shared", "received", "advertised", "depicts", "contacted", "threatened"]
    type: Literal["fact", "assessment"]
    confidence: Confidence


class ContactHistory(Strict):
    """F74: coded context of grooming or extortion; no transcript."""

    person: LocalId
    victims: tuple[LocalId, ...] = ()
    platform: Short
    first: Moment | None = None
    last: Moment | None = None
    count: Annotated[int, Field(ge=0, le=10_000_000)] | None = None
    demands: tuple[Literal["images", "meeting", "money", "live", "silence", "other"], ...] = ()
    medium: Literal["text", "voice", "video", "mixed"] | None = None
    transcript: Literal["available", "unavailable"] = "unavailable"
