"""Entries: CloudEvents headers, key, value and signature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.formats.base import Format
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from comity.domain.entries import ClockTicked, EnrolmentRejected, Event
from comity.domain.log import Entry
from comity.wire import codec, envelope
from comity.wire.codec import Undecodable, Unencodable
from comity.wire.signing import BadSignature, SigningKey
from strategies import NOW, OWNER, RECORD, events

SIGNER = SigningKey.from_bytes(bytes(range(32)))
TICK = ClockTicked(NOW)
HERE = "exchange-1"
SOURCE = "//exchange/clock"
REJECTED = EnrolmentRejected(RECORD, OWNER, 1, 0, "no-face", "Send one where the face is seen.")


def enter(event: Event = TICK, key: bytes = b"exchange", **changed: Any) -> Entry:  # noqa: ANN401 - any argument
    return envelope.to_entry(
        event, **{"key": key, "source": SOURCE, "signer": SIGNER, "audience": HERE, "event_id": "e-1", "at": NOW, **changed}
    )


ENTRY = enter()


def with_header(name: str, octets: bytes | None) -> Entry:
    """Return the entry with one header changed, or left out."""
    kept = tuple((known, value) for known, value in ENTRY.headers if known != name)
    return replace(ENTRY, headers=kept if octets is None else (*kept, (name, octets)))


@given(events(), st.text("abc-/:0123", min_size=1, max_size=40), st.integers(0, 10**12))
def test_what_is_entered_reads_back_and_verifies(event: Event, event_id: str, microseconds: int) -> None:
    key = getattr(event, "record_id", "some-key").encode()
    at = NOW + timedelta(microseconds=microseconds)
    found = envelope.from_entry(enter(event, key, event_id=event_id, at=at))
    assert (found.event, found.event_id, found.source, found.at, found.kid) == (event, event_id, SOURCE, at, SIGNER.kid)
    found.verify(SIGNER.public_bytes, HERE)
    assert found.audience == (HERE,)


def test_the_headers_are_the_ones_that_readers_expect() -> None:
    assert dict(ENTRY.headers) | {"jws": b""} == {
        "ce_specversion": b"1.0",
        "ce_id": b"e-1",
        "ce_source": b"//exchange/clock",
        "ce_type": b"comity.v1.ClockTicked",
        "ce_time": b"2026-03-04T05:06:07.089000Z",
        "ce_subject": b"exchange",
        "content-type": b"application/avro",
        "jws": b"",
    }


class Opaque(Format):
    """Leaves the data alone; the library's JSON format would guess."""

    def write_data(self, data: Any, datacontenttype: str | None) -> bytes:  # noqa: ANN401, ARG002 - the library's signature
        return bytes(data)

    def read_data(self, body: bytes, datacontenttype: str | None) -> bytes:  # noqa: ARG002 - the library's signature
        return body

    def write(self, event: BaseCloudEvent) -> bytes:
        raise AssertionError(event)

    def read(self, event_factory: Any, data: str | bytes) -> BaseCloudEvent:  # noqa: ANN401 - the library's signature
        raise AssertionError(event_factory, data)

    def get_content_type(self) -> str:
        raise AssertionError


def test_the_cloudevents_library_reads_and_writes_the_same_headers() -> None:
    value = ENTRY.value
    assert value is not None
    ours = {name: octets for name, octets in ENTRY.headers if name != "jws"}
    read = from_binary(KafkaMessage(ours, ENTRY.key, value), Opaque())
    assert (read.get_id(), read.get_source(), read.get_type()) == ("e-1", SOURCE, "comity.v1.ClockTicked")
    assert (read.get_time(), read.get_subject(), read.get_data()) == (NOW, "exchange", value)
    attributes = {
        "id": "e-1",
        "source": SOURCE,
        "type": "comity.v1.ClockTicked",
        "time": NOW,
        "subject": "exchange",
        "datacontenttype": "application/avro",
    }
    written = to_binary(CloudEvent(attributes, value), Opaque(), key_mapper=lambda _: ENTRY.key)
    assert (written.headers, written.key, written.value) == (ours, ENTRY.key, ENTRY.value)


@pytest.mark.parametrize("name", ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type", "jws"])
def test_a_header_that_is_missing_doubled_or_not_text_is_undecodable(name: str) -> None:
    present = dict(ENTRY.headers)[name]
    wrong = [
        with_header(name, None),
        with_header(name, b""),
        with_header(name, b"\xff"),
        with_header(name, b"x" * 4_097),
        replace(ENTRY, headers=(*ENTRY.headers, (name, present))),
        replace(ENTRY, headers=(*ENTRY.headers, (name.upper(), present))),
        replace(with_header(name, None), headers=(*with_header(name, None).headers, (name.title(), present))),
    ]
    for entry in wrong:
        with pytest.raises(Undecodable, match=name):
            envelope.from_entry(entry)


def test_a_null_header_is_undecodable() -> None:
    null: Any = None  # what a broker may hand out
    with pytest.raises(Undecodable, match="ce_id"):
        envelope.from_entry(replace(with_header("ce_id", None), headers=(*ENTRY.headers[:1], ("ce_id", null))))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-03-04",
        "2026-03-04T05:06:07",
        "2026-03-04 05:06:07Z",
        "2026-W10-3T05:06:07Z",
        "20260304T050607Z",
        "2026-02-30T05:06:07Z",
        "2026-03-04T25:06:07Z",
        "2026-03-04T05:06:07.Z",
        "2026-03-04T05:06:07,5Z",
        "2026-03-04T24:00:00Z",
        "2026-03-04T05:60:00Z",
        "2026-03-04T05:06:61Z",
        "2026-03-04T05:06:60Z",
        "2026-12-31T23:59:60+01:00",
        "9999-12-31T23:59:59-00:01",
        "2026-03-04T05:06:07+25:00",
        "2026-03-04T05:06:07+01:60",
        "2026-03-04T05:06:07+0100",
        "2026-03-04T05:06:07z z",
        "0001-01-01T00:00:00+14:00",
        "\u0662026-03-04T05:06:07Z",
        "2026-03-04T05:06:07Z\n",
    ],
)
def test_a_time_that_is_not_rfc_3339_is_undecodable(text: str) -> None:
    with pytest.raises(Undecodable, match="ce_time"):
        envelope.from_entry(with_header("ce_time", text.encode()))


@pytest.mark.parametrize(
    "text", ["2026-03-04T05:06:07Z", "2026-03-04T00:06:07-05:00", "2026-03-04t05:06:07z", "2026-03-04T05:06:07-00:00"]
)
@pytest.mark.parametrize("fraction", ["", ".0", ".089", ".0890000", ".089000000", ".0890009", "." + "0" * 700])
def test_every_rfc_3339_spelling_is_read_as_utc(text: str, fraction: str) -> None:
    written = f"{text[:19]}{fraction}{text[19:]}"
    at = NOW if fraction.startswith(".089") else NOW.replace(microsecond=0)
    assert envelope.from_entry(with_header("ce_time", written.encode())).at == at


@pytest.mark.parametrize("text", ["2016-12-31T23:59:60Z", "1990-12-31T15:59:60-08:00", "2017-01-01t00:59:60.0+01:00"])
def test_a_leap_second_is_the_last_second_of_its_day(text: str) -> None:
    at = envelope.from_entry(with_header("ce_time", text.encode())).at
    assert (at.month, at.day, at.hour, at.minute, at.second) == (12, 31, 23, 59, 59)


@given(st.datetimes(), st.timedeltas(timedelta(hours=-23), timedelta(hours=23)), st.text("0123456789", max_size=30))
def test_any_time_with_any_offset_and_any_digits_is_read(naive: datetime, offset: timedelta, digits: str) -> None:
    shift = timedelta(minutes=offset // timedelta(minutes=1))
    sign, rest = ("-", -shift) if shift < timedelta(0) else ("+", shift)
    hours, minutes = divmod(rest // timedelta(minutes=1), 60)
    stamp = naive.isoformat(timespec="seconds") + (f".{digits}" if digits else "") + f"{sign}{hours:02d}:{minutes:02d}"
    try:
        expected = naive.replace(microsecond=int(digits[:6].ljust(6, "0")), tzinfo=timezone(shift)).astimezone(UTC)
    except OverflowError:
        return
    assert envelope.from_entry(with_header("ce_time", stamp.encode())).at == expected


@pytest.mark.parametrize("text", ["application/avro", "Application/AVRO", "application/avro; charset=binary"])
def test_a_content_type_knows_no_case_and_may_have_parameters(text: str) -> None:
    assert envelope.from_entry(with_header("content-type", text.encode())).event == TICK


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_type", b"comity.v1.RecordsAdmitted"),
        ("ce_type", b"ClockTicked"),
        ("ce_type", b"comity.v2.ClockTicked"),
        ("content-type", b"application/json"),
        ("ce_id", b"x" * 129),
        ("ce_id", b"two words"),
        ("ce_source", b"line\nbreak"),
        ("ce_subject", b"another"),
        ("ce_subject", b"\xff"),
        ("jws", b"not.a.jws"),
        ("jws", b"header.payload.signature"),
    ],
)
def test_a_header_that_says_something_else_is_undecodable(name: str, octets: bytes) -> None:
    with pytest.raises(Undecodable, match="schema id" if name == "ce_type" else name):
        envelope.from_entry(with_header(name, octets))


def test_others_may_add_headers_within_reason() -> None:
    traced = replace(ENTRY, headers=(*ENTRY.headers, ("traceparent", b"\xff"), ("traceparent", b"00-1")))
    assert envelope.from_entry(traced) == envelope.from_entry(ENTRY)
    with pytest.raises(Undecodable, match="more than 32"):
        envelope.from_entry(replace(ENTRY, headers=(*ENTRY.headers, *[("x", b"")] * 40)))


def test_an_entry_without_a_subject_is_read() -> None:
    assert envelope.from_entry(with_header("ce_subject", None)) == envelope.from_entry(ENTRY)


def test_a_tombstone_or_an_entry_without_a_key_is_undecodable() -> None:
    with pytest.raises(Undecodable, match="tombstone"):
        envelope.from_entry(replace(ENTRY, value=None))
    with pytest.raises(Undecodable, match="key"):
        envelope.from_entry(replace(ENTRY, key=None))
    with pytest.raises(Undecodable):
        envelope.from_entry(replace(ENTRY, value=b""))


def test_an_event_under_another_records_key_is_refused_both_ways() -> None:
    good = enter(REJECTED, RECORD.encode())
    other = b"f" * 32
    moved = tuple((name, other if name == "ce_subject" else octets) for name, octets in good.headers)
    with pytest.raises(Undecodable, match="not the record's id"):
        envelope.from_entry(replace(good, key=other, headers=moved))
    with pytest.raises(Unencodable, match="not the record's id"):
        enter(REJECTED, other)


@given(
    st.binary(max_size=60), st.lists(st.tuples(st.sampled_from([*dict(ENTRY.headers), "x"]), st.binary(max_size=60)), max_size=12)
)
def test_an_entry_of_any_bytes_raises_only_undecodable(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    with pytest.raises(Undecodable):
        envelope.from_entry(Entry(b"key", value, tuple(headers)))


def test_other_bytes_under_the_same_headers_do_not_verify() -> None:
    swapped = replace(ENTRY, value=codec.encode(ClockTicked(NOW + timedelta(seconds=1))))
    with pytest.raises(BadSignature):
        envelope.from_entry(swapped).verify(SIGNER.public_bytes, HERE)
    with pytest.raises(BadSignature):
        envelope.from_entry(ENTRY).verify(SigningKey.generate().public_bytes, HERE)


def test_bytes_that_their_publisher_signed_go_on_unchanged() -> None:
    value = codec.encode(TICK)
    signature = SIGNER.sign(value, HERE)
    entry = envelope.addressed_entry(value, key=b"exchange", source=SOURCE, signature=signature, event_id="e-1", at=NOW)
    assert entry == ENTRY
    assert entry.value is value


@pytest.mark.parametrize(
    "call",
    [
        lambda: enter(event_id=""),
        lambda: enter(event_id="two words"),
        lambda: enter(source="x" * 257),
        lambda: enter(source="\u00e4"),
        lambda: enter(key=b""),
        lambda: enter(key=b"\xff"),
        lambda: enter(key=b"x" * 129),
        lambda: enter(at=NOW.replace(tzinfo=None)),
        lambda: envelope.addressed_entry(codec.encode(TICK), key=b"k", source="s", signature="s", event_id="e", at=NOW),
    ],
)
def test_headers_that_nobody_could_read_are_not_written(call: Callable[[], Entry]) -> None:
    with pytest.raises(Unencodable):
        call()


def test_a_local_time_is_written_in_utc() -> None:
    local = datetime(2026, 3, 4, 0, 6, 7, 89_000, tzinfo=timezone(timedelta(hours=-5)))
    assert enter(at=local) == ENTRY
