"""Open what `pull` stored: everything that lies there closed, or what is sealed apart in it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from broker.client.folder import Folder, write_files
from broker.client.keys import PartnerKeys
from broker.client.open import APART, apart_files, decrypted, is_open, open_release
from broker.errors import NotAuthentic, Refused
from broker.sealing.encrypt import MAX_PACKAGE
from broker.sealing.files import read, text
from broker.sealing.trust import Trust
from broker.sealing.verify import VerifiedReferral, verify_package


def open_stored(
    root: Path,
    keys: PartnerKeys,
    trust: Trust,
    *,
    partner: str,
    with_apart: bool = False,
    only: Collection[str] | None = None,
) -> tuple[list[str], dict[str, str]]:
    """Open what lies there closed: (releases opened, release → sentence of what did not work).

    One that is damaged must not keep the others closed.
    """
    store = Folder(root, partner)
    opened: list[str] = []
    failed: dict[str, str] = {}
    with store.locked():
        names = [place.name for place in store.releases()]
        failed.update(dict.fromkeys(set(only or ()) - set(names), "No such release lies in the folder."))
        for release in names if only is None else [name for name in names if name in only]:
            place = store.release(release)
            try:
                if not is_open(place):
                    open_release(store, release, keys, trust, partner=partner, with_apart=with_apart)
                elif with_apart and _has_closed_apart(place):
                    open_apart(store, release, keys, trust)
                else:
                    continue
                opened.append(release)
            except (NotAuthentic, Refused) as error:
                failed[release] = f"{error.message[:1].upper()}{error.message[1:]}. {error.hint}".strip()
    return opened, failed


def open_apart(folder: Folder, release: str, keys: PartnerKeys, trust: Trust) -> VerifiedReferral:
    """Open what is sealed apart in a release that is open already: later, and only when asked."""
    place = folder.release(release)
    jwe = read(place, "apart.jwe", 2 * MAX_PACKAGE)
    plain = decrypted(jwe, keys, "referral-apart+jwe", "referral-apart+jws", "apart")
    apart_jws = plain.decode("ascii", "replace")  # what is not ASCII is no JWS, and refused as such
    verified = verify_package(
        text(place, "referral.jws"),
        text(place, "seal.jws"),
        read(place, "opening.json", MAX_PACKAGE),
        trust,
        apart_jws=apart_jws,
        proof_text=text(place, "proof.tlog", "utf-8"),
    )
    write_files(place, apart_files(apart_jws, verified))
    return verified


def _has_closed_apart(place: Path) -> bool:
    """Whether something lies there sealed apart that nobody opened yet."""
    return (place / "apart.jwe").is_file() and not (place / APART).is_file()
