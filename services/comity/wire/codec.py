"""Events to bytes and back: Avro in Confluent's framing (0x00, schema id as four bytes big-endian, Avro binary).

Schemas and their ids come from ``schemas.json``, which ``schemas/bundle.py`` makes of ``schemas/comity.v1``. Plans are made once
per type from the dataclasses' own hints; nothing is looked up per call. Enumerations travel as strings and are checked here: an
Avro enum that grows cannot be read by older readers, not even to be quarantined. Times travel in milliseconds, floored.
"""

from __future__ import annotations

import dataclasses
import json
import struct
import types
import typing
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib import resources
from io import BytesIO
from typing import Any, NamedTuple, NewType, cast

import fastavro
from fastavro.types import Schema

from comity.domain.entries import BlindIndex, Event
from comity.wire import limits

MAGIC = 0
FRAME = struct.Struct(">BI")
EVENT_TYPES: tuple[type[Event], ...] = typing.get_args(Event)

Convert = Callable[[Any], Any]


class Undecodable(ValueError):
    """These bytes are no event: for the quarantine. The message names a field, never what stood in it."""


class Unencodable(ValueError):
    """This event breaks a limit or a form, so nobody could decode it; raised before anything is written."""


class _Two(NamedTuple):
    """One type's way out (to what fastavro takes) and in (from what it gives)."""

    out: Convert
    back: Convert


class _Plan(NamedTuple):
    """How values under one schema id are written and read."""

    event: type[Event]
    frame: bytes
    writer: Schema
    reader: Schema | None  # the newest schema, where ``writer`` is an older one
    two: _Two
    bytes_max: int


class _Registry(NamedTuple):
    by_id: dict[int, _Plan]
    by_type: dict[type, _Plan]


def encode(event: Event) -> bytes:
    """Return an event's bytes under its type's newest schema; raises Unencodable.

    Times are floored to milliseconds.
    """
    plan = _registry().by_type.get(type(event))
    if plan is None:
        raise Unencodable(f"{type(event).__name__} has no schema")
    stream = BytesIO()
    stream.write(plan.frame)
    try:
        fastavro.schemaless_writer(stream, plan.writer, plan.two.out(event), strict=True)
    except (ValueError, TypeError) as error:  # a lone surrogate is a UnicodeEncodeError
        raise Unencodable(_why(error, plan.event)) from None
    if stream.tell() > plan.bytes_max:
        raise Unencodable(f"{plan.event.__name__}: over {plan.bytes_max} bytes")
    return stream.getvalue()


def decode(value: bytes) -> Event:
    """Return the event that these bytes say; raises Undecodable for everything else, and nothing but that."""
    plan = _plan(value)
    stream = BytesIO(value)
    stream.seek(FRAME.size)
    try:
        raw = fastavro.schemaless_reader(stream, plan.writer, plan.reader)
        if stream.tell() != len(value):
            raise limits.OutOfLimits(f"{plan.event.__name__}: bytes trail it")  # noqa: TRY301 - reported as the others
        return cast("Event", plan.two.back(raw))
    except Exception as error:  # noqa: BLE001 - hostile bytes: fastavro raises whatever Python raised
        # Not chained: a UnicodeDecodeError carries the bytes, and this goes to logs.
        raise Undecodable(_why(error, plan.event)) from None


def type_of(value: bytes) -> type[Event]:
    """Return the type that a value's frame names, undecoded; raises Undecodable."""
    return _plan(value).event


def schema_id(event: type[Event]) -> int:
    """Return the schema id under which events of this type are written now; raises KeyError for a stranger."""
    return int(FRAME.unpack(_registry().by_type[event].frame)[1])


def schemas() -> dict[int, tuple[str, dict[str, Any]]]:
    """Return every schema that is read, by its id: the type's name, and Avro's own form."""
    bundle = json.loads(resources.files("comity.wire").joinpath("schemas.json").read_bytes())
    return {int(number): (str(name), schema) for number, (name, schema) in bundle.items()}


def _plan(value: bytes) -> _Plan:
    if len(value) < FRAME.size:
        raise Undecodable("shorter than a frame")
    magic, number = FRAME.unpack_from(value)
    if magic != MAGIC:
        raise Undecodable("does not start with the magic byte 0x00")
    plan = _registry().by_id.get(number)
    if plan is None:
        raise Undecodable(f"schema id {number} is unknown: perhaps the sender is newer than this reader")
    if len(value) > plan.bytes_max:
        raise Undecodable(f"{plan.event.__name__}: over {plan.bytes_max} bytes")
    return plan


def _why(error: Exception, event: type) -> str:
    """Say what was wrong without what stood there: only our own checks' messages are known to be free of it."""
    if isinstance(error, limits.OutOfLimits):
        return str(error)
    if isinstance(error, UnicodeError):
        return f"{event.__name__}: text that is not UTF-8"
    return f"{event.__name__}: not as its schema says ({type(error).__name__})"


@cache
def _registry() -> _Registry:
    bundle = json.loads(resources.files("comity.wire").joinpath("schemas.json").read_bytes())
    newest: dict[str, tuple[int, Schema]] = {}
    parsed: dict[int, tuple[str, Schema]] = {}
    for number, (name, schema) in sorted((int(key), held) for key, held in bundle.items()):
        # Each with its own names: a newer schema of a type bears the same name as the older.
        newest[name] = (number, fastavro.parse_schema(schema, named_schemas={}))
        parsed[number] = (name, newest[name][1])
    events = {event.__name__: event for event in EVENT_TYPES}
    by_id: dict[int, _Plan] = {}
    for number, (name, schema) in parsed.items():
        if name in events:
            reader = None if newest[name][0] == number else newest[name][1]
            event = events[name]
            frame = FRAME.pack(MAGIC, number)
            by_id[number] = _Plan(event, frame, schema, reader, _record(cast("type", event)), limits.value_bytes_max(event))
    return _Registry(by_id, {plan.event: plan for plan in by_id.values() if plan.reader is None})


@cache
def _record(kind: type) -> _Two:
    """Plan a dataclass; one comprehension each way, over pairs made here."""
    hints = typing.get_type_hints(kind)
    fields = [(field.name, _two(f"{kind.__name__}.{field.name}", hints[field.name])) for field in dataclasses.fields(kind)]
    outs = [(name, two.out) for name, two in fields]
    backs = [(name, two.back) for name, two in fields]

    def out(event: object) -> dict[str, Any]:
        if type(event) is not kind:
            raise limits.OutOfLimits(f"{kind.__name__}: not a {kind.__name__}")
        return {name: convert(getattr(event, name)) for name, convert in outs}

    def back(raw: dict[str, Any]) -> object:
        return kind(*[convert(raw[name]) for name, convert in backs])

    return _Two(out, back)


def _two(where: str, hint: Any) -> _Two:  # noqa: ANN401 - a type hint has no type
    """Plan one field's or item's hint; raises TypeError for a kind that no schema here can hold."""
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return _optional(where, hint)
    if origin is tuple:
        return _many(where, typing.get_args(hint)[0])
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _named(where, hint)
    if dataclasses.is_dataclass(hint):
        return _record(cast("type", hint))
    check = _scalar(where, hint)
    return _Two(check, check)


def _scalar(where: str, hint: Any) -> Convert:  # noqa: ANN401 - a type hint has no type
    if isinstance(hint, NewType):
        return cast("Convert", limits.identifier(where, hint))
    if where == f"{BlindIndex.__name__}.tag":
        return cast("Convert", limits.tag(where))
    if hint in (int, float):
        return cast("Convert", limits.number(where, hint))
    makers = {str: limits.text, bytes: limits.octets, datetime: limits.moment}
    if hint not in makers:
        raise TypeError(f"{where}: no plan for {hint}")
    return cast("Convert", makers[hint](where))


def _optional(where: str, hint: Any) -> _Two:  # noqa: ANN401 - a type hint has no type
    present = [argument for argument in typing.get_args(hint) if argument is not type(None)]
    if len(present) != 1:
        raise TypeError(f"{where}: of unions only X | None")
    inner = _two(where, present[0])
    return _Two(
        lambda value: None if value is None else inner.out(value),
        lambda raw: None if raw is None else inner.back(raw),
    )


def _many(where: str, item: Any) -> _Two:  # noqa: ANN401 - a type hint has no type
    inner = _two(f"{where}[]", item)
    bound = limits.span(where, tuple)

    def counted(items: Any) -> None:  # noqa: ANN401 - a list from fastavro, a tuple from us
        if not bound.least <= len(items) <= bound.most:
            raise limits.OutOfLimits(f"{where}: {bound.least:g} to {bound.most:g} items")

    def out(items: object) -> list[Any]:
        if not isinstance(items, tuple):
            raise limits.OutOfLimits(f"{where}: a tuple")
        counted(items)
        return [inner.out(one) for one in items]

    def back(raw: list[Any]) -> tuple[Any, ...]:
        counted(raw)
        return tuple([inner.back(one) for one in raw])

    return _Two(out, back)


def _named(where: str, kind: type[StrEnum]) -> _Two:
    members = {member.value: member for member in kind}

    def out(member: object) -> str:
        if type(member) is not kind:
            raise limits.OutOfLimits(f"{where}: a {kind.__name__}")
        return str(member.value)

    def back(raw: object) -> StrEnum:
        found = members.get(cast("str", raw))
        if found is None:
            raise limits.OutOfLimits(f"{where}: none of {', '.join(members)}")
        return found

    return _Two(out, back)
