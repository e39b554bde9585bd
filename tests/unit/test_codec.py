"""Events to bytes and back."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from io import BytesIO
from typing import Any, cast

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.domain.entries import (
    AdmittedRecord,
    BlindIndex,
    ClockTicked,
    EnrolmentRejected,
    Event,
    IndexKind,
    KeyRegistered,
    OrderRefused,
    PolicyAdopted,
    RecordClass,
    RecordEnrolled,
    RecordsAdmitted,
    RecordsUnsealed,
    Role,
    SealedTemplate,
    ShareRevoked,
    TemplatesExtracted,
)
from comity.domain.ids import GrantId, KeyId, OrderId, Ori, PartyId, RecordId
from comity.wire import codec, limits
from comity.wire.codec import Undecodable, Unencodable
from strategies import NOW, OWNER, RECORD, events, events_of

INDEX = BlindIndex(IndexKind.BOOKING, 1, "ab" * 32)
ENROLLED = RecordEnrolled(RECORD, OWNER, RecordClass.BOOKING, "statute", NOW, 1, (INDEX,), (b"sealed",), b"sealed too")
ADMITTED = AdmittedRecord(RECORD, OWNER, RecordClass.BOOKING, 1, (INDEX,), bytes(32))
TEMPLATE = SealedTemplate(0, b"sealed", 50.0)
EXTRACTED = TemplatesExtracted(RECORD, OWNER, RecordClass.BOOKING, 1, "model", (TEMPLATE,))
REJECTED = EnrolmentRejected(RECORD, OWNER, 1, None, "no-face", "Send one where the face is seen.")
REVOKED = ShareRevoked(GrantId("g-1"))
TICK = ClockTicked(NOW)


def frame(number: int, body: bytes) -> bytes:
    return codec.FRAME.pack(codec.MAGIC, number) + body


def unchecked(kind: type[Event], **changed: object) -> bytes:
    """Return what another writer would send, who knows the schema and none of our limits."""
    plan = codec._registry().by_type[kind]
    example = {RecordEnrolled: ENROLLED, KeyRegistered: KeyRegistered(KeyId("k"), PartyId("p"), Role.COURT, bytes(32))}
    raw = dataclasses.asdict(cast("Any", example | {ShareRevoked: REVOKED, ClockTicked: TICK})[kind]) | changed
    stream = BytesIO()
    fastavro.schemaless_writer(stream, plan.writer, raw)
    return plan.frame + stream.getvalue()


@pytest.mark.parametrize("kind", codec.EVENT_TYPES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=25)
def test_every_event_reads_back_as_it_was(kind: type, data: st.DataObject) -> None:
    event = data.draw(events_of(kind))
    value = codec.encode(event)
    assert codec.decode(value) == event
    assert codec.type_of(value) is kind
    assert type(codec.decode(value)) is kind


def test_a_value_starts_with_the_magic_byte_and_its_schema_id() -> None:
    value = codec.encode(TICK)
    assert value[0] == 0
    assert int.from_bytes(value[1:5], "big") == codec.schema_id(ClockTicked)


@given(st.binary(max_size=400))
def test_bytes_of_any_kind_raise_only_undecodable(value: bytes) -> None:
    with pytest.raises(Undecodable):
        codec.decode(value)


@given(st.sampled_from([codec.schema_id(kind) for kind in codec.EVENT_TYPES]), st.binary(max_size=400))
@settings(max_examples=1_000)
def test_bytes_behind_a_good_frame_raise_only_undecodable(number: int, body: bytes) -> None:
    try:
        event = codec.decode(frame(number, body))
    except Undecodable:
        return
    assert codec.decode(codec.encode(event)) == event


@given(events(), st.data())
@settings(max_examples=200)
def test_a_changed_byte_raises_only_undecodable(event: Event, data: st.DataObject) -> None:
    value = bytearray(codec.encode(event))
    value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = codec.decode(bytes(value))
    except Undecodable:
        return
    assert codec.decode(codec.encode(found)) == found


@given(events(), st.data())
@settings(max_examples=200)
def test_a_value_cut_short_or_with_more_behind_it_is_undecodable(event: Event, data: st.DataObject) -> None:
    value = codec.encode(event)
    with pytest.raises(Undecodable):
        codec.decode(value[: data.draw(st.integers(0, len(value) - 1))])
    with pytest.raises(Undecodable, match="trail"):
        codec.decode(value + data.draw(st.binary(min_size=1, max_size=9)))


@pytest.mark.parametrize("count", [2**31, 2**62, -1, -(2**62)])
def test_a_length_that_is_a_lie_is_undecodable(count: int) -> None:
    zigzag = (count << 1) ^ (count >> 63)
    varint = bytearray()
    while zigzag > 127:
        varint.append(zigzag & 127 | 128)
        zigzag >>= 7
    varint.append(zigzag)
    for kind in (ShareRevoked, RecordsAdmitted, PolicyAdopted):
        with pytest.raises(Undecodable):
            codec.decode(frame(codec.schema_id(kind), bytes(varint) + bytes(20)))


@pytest.mark.parametrize("value", [b"", b"\0", b"\0\0\0\0", b"\1" + codec.encode(TICK)[1:], frame(2**32 - 1, b"")])
def test_a_bad_frame_is_undecodable(value: bytes) -> None:
    with pytest.raises(Undecodable):
        codec.decode(value)
    with pytest.raises(Undecodable):
        codec.type_of(value)


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        (RecordEnrolled, {"record_id": "ABCDEF" * 5 + "AB"}),
        (RecordEnrolled, {"record_id": ""}),
        (RecordEnrolled, {"owner": "Milwaukee"}),
        (RecordEnrolled, {"record_class": "applicant"}),
        (RecordEnrolled, {"legal_basis": "x" * 1_001}),
        (RecordEnrolled, {"legal_basis": "a\0b"}),
        (RecordEnrolled, {"version": -1}),
        (RecordEnrolled, {"version": 2**53}),
        (RecordEnrolled, {"photographs": []}),
        (RecordEnrolled, {"photographs": [b"x"] * 9}),
        (RecordEnrolled, {"photographs": [b""]}),
        (RecordEnrolled, {"indexes": [dataclasses.asdict(INDEX)] * 65}),
        (RecordEnrolled, {"indexes": [{"kind": "name", "key_version": 1, "tag": "ab" * 32}]}),
        (RecordEnrolled, {"indexes": [{"kind": "atn", "key_version": 1, "tag": "AB" * 32}]}),
        (RecordEnrolled, {"captured_at": 2**62}),
        (RecordEnrolled, {"captured_at": -(2**62)}),
        (RecordEnrolled, {"captured_at": 0 - 3_000_000_000_000}),
        (KeyRegistered, {"public_key": bytes(31)}),
        (KeyRegistered, {"role": "Court"}),
        (KeyRegistered, {"kid": "x" * 129}),
        (ShareRevoked, {"grant_id": ""}),
        (ShareRevoked, {"grant_id": "a\0b"}),
    ],
)
def test_a_field_out_of_its_limits_is_undecodable_and_is_named(kind: type[Event], changed: dict[str, object]) -> None:
    codec.decode(unchecked(kind))
    with pytest.raises(Undecodable, match=kind.__name__ if "indexes" not in changed else "indexes|BlindIndex"):
        codec.decode(unchecked(kind, **changed))


@pytest.mark.parametrize(
    "event",
    [
        replace(ENROLLED, record_id=RecordId("short")),
        replace(ENROLLED, owner=Ori("Milwaukee")),
        replace(ENROLLED, record_class=cast("RecordClass", "booking")),
        replace(ENROLLED, legal_basis="x" * 1_001),
        replace(ENROLLED, legal_basis="\ud800"),
        replace(ENROLLED, legal_basis="a\0b"),
        replace(ENROLLED, captured_at=NOW.replace(tzinfo=None)),
        replace(ENROLLED, captured_at=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))),
        replace(ENROLLED, captured_at=limits.LATEST),
        replace(ENROLLED, version=-1),
        replace(ENROLLED, version=cast("int", True)),
        replace(ENROLLED, version=cast("int", "1")),
        replace(ENROLLED, photographs=()),
        replace(ENROLLED, photographs=(b"x",) * 9),
        replace(ENROLLED, photographs=cast("tuple[bytes, ...]", [b"x"])),
        replace(ENROLLED, photographs=cast("tuple[bytes, ...]", ("x",))),
        replace(ENROLLED, photographs=(bytes(limits.VALUE_BYTES_MAX),)),
        replace(ENROLLED, indexes=(INDEX,) * 65),
        replace(ENROLLED, indexes=cast("tuple[BlindIndex, ...]", (TEMPLATE,))),
        RecordsAdmitted((ADMITTED,) * 1_001),
        RecordsAdmitted(()),
        RecordsUnsealed(OrderId("o"), ()),
        replace(EXTRACTED, templates=(replace(TEMPLATE, quality=float("nan")),)),
        replace(EXTRACTED, templates=(replace(TEMPLATE, quality=float("inf")),)),
        replace(EXTRACTED, templates=(replace(TEMPLATE, quality=100.1),)),
        replace(REJECTED, photo=8),
        PolicyAdopted(bytes(31)),
        OrderRefused(-1, "reason", "message"),
        cast("Event", ADMITTED),
        cast("Event", "an event"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_an_event_out_of_its_limits_is_not_written(event: Event) -> None:
    with pytest.raises(Unencodable):
        codec.encode(event)


def test_a_thousand_records_fit() -> None:
    admitted = RecordsAdmitted((replace(ADMITTED, indexes=(INDEX,) * 64),) * 1_000)
    assert codec.decode(codec.encode(admitted)) == admitted


def test_a_value_over_its_limit_is_not_even_read() -> None:
    with pytest.raises(Undecodable, match="over 8388608 bytes"):
        codec.decode(codec.encode(TICK) + bytes(limits.SMALL_VALUE_BYTES_MAX))


def test_times_are_floored_to_milliseconds_and_come_back_in_utc() -> None:
    local = datetime(2026, 3, 4, 0, 6, 7, 89_999, tzinfo=timezone(timedelta(hours=-5)))
    assert codec.decode(codec.encode(ClockTicked(local))) == TICK
    early = datetime(1960, 1, 1, 0, 0, 0, 1_999, tzinfo=NOW.tzinfo)
    assert codec.decode(codec.encode(ClockTicked(early))) == ClockTicked(early.replace(microsecond=1_000))


def test_a_message_never_tells_what_stood_in_the_field() -> None:
    secret = "Erika Mustermann"  # noqa: S105 - a name, where an id should be
    with pytest.raises(Undecodable) as undecodable:
        codec.decode(unchecked(RecordEnrolled, record_id=secret))
    with pytest.raises(Unencodable) as unencodable:
        codec.encode(replace(ENROLLED, owner=Ori(secret)))
    for error in (undecodable.value, unencodable.value):
        assert secret not in str(error)
        assert error.__cause__ is None
        assert error.__suppress_context__


def test_a_field_of_a_kind_without_a_plan_is_noticed_at_once() -> None:
    with pytest.raises(TypeError, match="no plan"):
        codec._two("Somewhere.field", complex)
    with pytest.raises(TypeError, match="no plan"):
        codec._two("Somewhere.field", bool)
    with pytest.raises(TypeError, match="only X"):
        codec._two("Somewhere.field", int | str)
