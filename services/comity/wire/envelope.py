"""Entries as CloudEvents 1.0 in Kafka's binary mode (CloudEvents Kafka protocol binding 1.0.2), signed by their publisher.

The headers are read by our own few lines and not by ``cloudevents``: its reader invents a missing id and time, takes any ISO
8601 spelling, and is given a dict, in which a doubled header has already vanished. A test keeps both in agreement.

The signature covers the value alone. Headers and key are therefore hints of whoever appended the entry: nothing may be decided
by them that the value does not say. What can be checked against the value is checked here: the type, and the key of what is
compacted, since an entry under another record's key would make the log forget that record.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from comity.domain.entries import EnrolmentRejected, Event, RecordEnrolled, TemplatesExtracted
from comity.domain.ids import KeyId
from comity.domain.log import Entry
from comity.wire import codec, signing
from comity.wire.codec import Undecodable, Unencodable
from comity.wire.signing import SigningKey

SPECVERSION = "1.0"
CONTENT_TYPE = "application/avro"
TYPE_PREFIX = "comity.v1."

HEADERS_MAX = 32  # ours are eight; a tracing agent adds two or three
HEADER_BYTES_MAX = 1_024
ID_CHARS_MAX = 128  # a UUID has 36
SOURCE_CHARS_MAX = 256  # a URI reference such as //WI0130000/records
KEY_BYTES_MAX = 128

_NAMES = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type", "jws")
_SUBJECT = "ce_subject"
# RFC 3339 §5.6 whole: any number of digits (Go and Java write nine, .NET seven), lower case, a leap second, any offset.
_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})T([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d+))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII | re.IGNORECASE,
)
_LEAP, LEAP_MINUTE = "60", (23, 59)  # UTC (RFC 3339 §5.7)
_NO_TIME = "ce_time is no RFC 3339 time such as 2026-03-04T05:06:07.089Z"
_PRINTABLE = re.compile(r"[!-~]+")  # a URI reference and an id need no more, and logs stay readable
_KEYED_BY_RECORD = (RecordEnrolled, TemplatesExtracted, EnrolmentRejected)


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event with what its headers claim; nothing is proven before ``verify``, and then of the value alone."""

    event: Event
    event_id: str
    source: str
    at: datetime  # by the publisher's clock; the log's own is Placed.appended_at_ms
    kid: KeyId
    audience: tuple[str, ...]  # the exchanges that it was signed for
    signature: str = field(repr=False)
    value: bytes = field(repr=False)

    def verify(self, public_key: bytes, audience: str) -> None:
        """Check the signature over the exact value bytes by this public key (32 bytes), for this exchange.

        Raises OtherExchange or BadSignature.
        """
        signing.verify(self.signature, self.value, public_key, audience)


def to_entry(event: Event, *, key: bytes, source: str, signer: SigningKey, audience: str, event_id: str, at: datetime) -> Entry:
    """Encode, sign and address an event; raises Unencodable.

    ``key``: the record's id for whatever is compacted, else the record, search or agency id. ``audience``: the id of the exchange
    that it is for. ``at``: an aware time.
    """
    value = codec.encode(event)
    try:
        _check_key(key, event, None)
    except Undecodable as error:
        raise Unencodable(str(error)) from None
    return addressed_entry(value, key=key, source=source, signature=signer.sign(value, audience), event_id=event_id, at=at)


def addressed_entry(value: bytes, *, key: bytes, source: str, signature: str, event_id: str, at: datetime) -> Entry:
    """Address bytes that their publisher signed, as intake does: the same bytes and signature go on.

    Raises Unencodable for headers that ``from_entry`` would refuse, Undecodable for bytes without a known frame.
    The signature is not verified here.
    """
    headers = {
        "ce_specversion": SPECVERSION,
        "ce_id": event_id,
        "ce_source": source,
        "ce_type": TYPE_PREFIX + codec.type_of(value).__name__,
        "ce_time": _stamp(at),
        _SUBJECT: _subject(key),
        "content-type": CONTENT_TYPE,
        "jws": signature,
    }
    try:
        _checked(headers)
    except Undecodable as error:
        raise Unencodable(str(error)) from None
    return Entry(key, value, tuple((name, text.encode()) for name, text in headers.items()))


def from_entry(entry: Entry) -> Envelope:
    """Read an entry's structure, its signature unverified; raises Undecodable, and nothing else, for whatever is wrong."""
    if entry.value is None:
        raise Undecodable("a tombstone holds no event")
    headers = _read(entry.headers)
    at, signed = _checked(headers)
    event = codec.decode(entry.value)
    if headers["ce_type"] != TYPE_PREFIX + type(event).__name__:
        raise Undecodable("ce_type and the schema id disagree")
    _check_key(entry.key, event, headers.get(_SUBJECT))
    return Envelope(event, headers["ce_id"], headers["ce_source"], at, signed.kid, signed.audience, headers["jws"], entry.value)


def _read(headers: tuple[tuple[str, bytes], ...]) -> dict[str, str]:
    """Return our headers as text. Another's may stand beside them, but none may stand twice or almost."""
    if len(headers) > HEADERS_MAX:
        raise Undecodable(f"more than {HEADERS_MAX} headers")
    found: dict[str, str] = {}
    for name, octets in headers:
        known = name.lower()
        if known not in _NAMES and known != _SUBJECT:
            continue
        if known != name or known in found:
            raise Undecodable(f"the header {known} is doubled, or not in lower case")
        found[name] = _text(known, octets, signing.TOKEN_CHARS_MAX if known == "jws" else HEADER_BYTES_MAX)
    for name in _NAMES:
        if name not in found:
            raise Undecodable(f"the header {name} is missing")
    return found


def _text(name: str, octets: bytes | None, most: int) -> str:
    # A Kafka header may be null, whatever the type says.
    if octets is None or not 1 <= len(octets) <= most:
        raise Undecodable(f"the header {name} has 1 to {most} bytes")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise Undecodable(f"the header {name} is not UTF-8") from None


def _checked(headers: dict[str, str]) -> tuple[datetime, signing.Header]:
    """Check the headers' forms, one by one and not against the event; return the time and what the signature says."""
    if headers["ce_specversion"] != SPECVERSION:
        raise Undecodable(f"ce_specversion is not {SPECVERSION}")
    if not is_avro(headers["content-type"]):
        raise Undecodable(f"content-type is not {CONTENT_TYPE}")
    for name, most in (("ce_id", ID_CHARS_MAX), ("ce_source", SOURCE_CHARS_MAX)):
        if len(headers[name]) > most or not _PRINTABLE.fullmatch(headers[name]):
            raise Undecodable(f"{name} has 1 to {most} printable ASCII characters and no space")
    try:
        return _time(headers["ce_time"]), signing.header_of(headers["jws"])
    except signing.BadSignature as error:
        raise Undecodable(f"jws: {error}") from None


def is_avro(content_type: str) -> bool:
    """Say whether a content type is ours: media types know no case, and clients add parameters (RFC 9110 §8.3.1)."""
    return content_type.partition(";")[0].strip().lower() == CONTENT_TYPE


def _time(text: str) -> datetime:
    """Read a time in UTC. What is finer than a microsecond is cut off; a leap second is the last one before it."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise Undecodable(_NO_TIME)
    day, hour, minute, second, digits, zone = found.groups()
    whole = f"{day}T{hour}:{minute}:{'59' if second == _LEAP else second}{zone.upper()}"
    try:
        at = datetime.fromisoformat(whole).astimezone(UTC) + timedelta(microseconds=int((digits or "0")[:6].ljust(6, "0")))
    except (ValueError, OverflowError):  # a 30th of February; an hour before the year 1
        raise Undecodable(_NO_TIME) from None
    if second == _LEAP and (at.hour, at.minute) != LEAP_MINUTE:
        raise Undecodable(_NO_TIME)
    return at


def _stamp(at: datetime) -> str:
    if at.tzinfo is None or at.utcoffset() is None:
        raise Unencodable("at: a time with its zone")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _subject(key: bytes) -> str:
    try:
        text = key.decode("ascii")
    except UnicodeDecodeError:
        raise Unencodable("a key is an id in ASCII") from None
    if len(key) > KEY_BYTES_MAX or not _PRINTABLE.fullmatch(text):
        raise Unencodable(f"a key has 1 to {KEY_BYTES_MAX} printable ASCII characters and no space")
    return text


def _check_key(key: bytes | None, event: Event, subject: str | None) -> None:
    """Refuse an entry whose key is not what its value or its subject says it is about."""
    if key is None:
        raise Undecodable("an entry has a key")
    if subject is not None and subject.encode() != key:
        raise Undecodable("ce_subject and the key disagree")
    if isinstance(event, _KEYED_BY_RECORD) and event.record_id.encode() != key:
        raise Undecodable("the key is not the record's id")
