"""The names by which things are known, and their forms."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import NewType

Ori = NewType("Ori", str)  # originating agency identifier: nine characters, e.g. WI0130000
PartyId = NewType("PartyId", str)  # an ORI, or a court's or the exchange's own name
RecordId = NewType("RecordId", str)  # 32 hex digits: HMAC of the booking number under the agency's index key
OrderId = NewType("OrderId", str)
GrantId = NewType("GrantId", str)
SearchId = NewType("SearchId", str)
PreviewId = NewType("PreviewId", str)
ExchangeId = NewType("ExchangeId", str)  # made at founding; a signature names it as its audience
KeyId = NewType("KeyId", str)
UserId = NewType("UserId", str)  # a pseudonym: never a name


@dataclass(frozen=True, slots=True, order=True)
class OrderName:
    """An order's name: who entered it, and the id that they gave it. Two courts may use one id; they never mean one order."""

    party: PartyId
    order_id: OrderId


END = 2**63 - 1  # a fact that has not ended

PARTY_FORM = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"  # of a party's id: it stands in paths and in other names
PARTY_WORDS = "1 to 64 letters, digits, dots, hyphens and underscores, a letter or digit first, such as circuit-court-14."
ORI_FORM = r"[A-Z]{2}[A-Z0-9]{7}"
ORI_WORDS = "Nine characters: two capital letters of the state, then seven capitals or digits, such as WI0130000."
_PARTY = re.compile(PARTY_FORM)
_ORI = re.compile(ORI_FORM)
_RECORD = re.compile(r"[0-9a-f]{32}")


def record_key(record: RecordId) -> str:
    """Return the vault's name for the key that a record's photographs, particulars and templates are encrypted under."""
    return f"record/{record}"


def search_key(search: SearchId) -> str:
    """Return the vault's name for the key that a search's candidates and reasons are encrypted under."""
    return f"search/{search}"


def probe_key(search: SearchId) -> str:
    """Return the vault's name for the key of a search's probe alone, which is shredded when the probe's time is up."""
    return f"probe/{search}"


def preview_key(preview: PreviewId) -> str:
    """Return the vault's name for the key that what a preview showed is encrypted under."""
    return f"preview/{preview}"


def order_key(name: OrderName) -> str:
    """Return the vault's name for the key that an order's document and typed numbers are encrypted under."""
    digest = hashlib.sha256(f"{name.party}\0{name.order_id}".encode()).hexdigest()  # either may have a slash, and 128 characters
    return f"order/{digest}"


def photo_name(record: RecordId, version: int, photo: int) -> str:
    """Return the photo store's name for one photograph's ciphertext, which is its encryption context too."""
    return f"record/{record}/{version}/{photo}"


def particulars_name(record: RecordId, version: int) -> str:
    """Return the photo store's name for the particulars' ciphertext, which is its encryption context too."""
    return f"record/{record}/{version}/particulars"


CIPHERTEXT_SLASHES = particulars_name(RecordId(""), 1).count("/")  # record/<id>/<version>/<photograph or particulars>


def kept_name(record: RecordId, what: str) -> str:
    """Return the photo store's name for a record's newest entry of a compacted topic, kept beside it without photographs."""
    return f"record/{record}/{what}"


def template_context(record: RecordId, version: int, photo: int) -> bytes:
    """Return the encryption context of one template."""
    return f"template/{record}/{version}/{photo}".encode()


def probe_name(search: SearchId) -> str:
    """Return the photo store's name for a search's probe, which is its encryption context too."""
    return f"search/{search}/probe"


def candidates_context(search: SearchId, attempt: int) -> bytes:
    """Return the encryption context of an attempt's candidates."""
    return f"candidates/{search}/{attempt}".encode()


def ori(text: str) -> Ori:
    """Read an originating agency identifier.

    Raises ValueError unless it has the nine characters of the NCIC form: two letters of the state, seven letters or digits.
    """
    if not _ORI.fullmatch(text):
        raise ValueError(f"{text!r:.40} is no ORI: two letters and seven letters or digits, such as WI0130000")
    return Ori(text)


def is_party(text: str) -> bool:
    """Say whether a text can be a party's id."""
    return _PARTY.fullmatch(text) is not None


def is_ori(text: str) -> bool:
    """Say whether a text has an ORI's form, in whatever case."""
    return _ORI.fullmatch(text.upper()) is not None


def record_id(text: str) -> RecordId:
    """Read a record id; raises ValueError unless it is 32 lower-case hex digits."""
    if not _RECORD.fullmatch(text):
        raise ValueError("a record id is 32 lower-case hex digits")
    return RecordId(text)
