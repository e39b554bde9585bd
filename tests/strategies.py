"""Hypothesis strategies of every event type, built from the domain's own hints and the wire's own limits."""

from __future__ import annotations

import dataclasses
import types
import typing
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, cast

from hypothesis import strategies as st

from comity.domain import entries, ids
from comity.wire import codec, limits

ITEMS_MAX = 4  # lists stay short: length itself is tested apart
BYTES_MAX = 64

_MILLISECONDS = int((limits.LATEST - limits.EARLIEST) / timedelta(milliseconds=1)) - 1
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
_IDENTIFIER = st.from_regex(r"[!-~]{1,40}", fullmatch=True)
_FORMED: dict[Any, st.SearchStrategy[str]] = {
    ids.RecordId: st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    ids.Ori: st.from_regex(r"[A-Z]{2}[A-Z0-9]{7}", fullmatch=True),
}


def times() -> st.SearchStrategy[datetime]:
    """Return times in whole milliseconds, as the wire keeps them."""
    return st.integers(0, _MILLISECONDS).map(lambda count: limits.EARLIEST + timedelta(milliseconds=count))


@cache
def events_of(kind: type) -> st.SearchStrategy[Any]:
    """Return a strategy of one dataclass."""
    hints = typing.get_type_hints(kind)
    fields = {field.name: _of(f"{kind.__name__}.{field.name}", hints[field.name]) for field in dataclasses.fields(kind)}
    return st.builds(kind, **fields)


def events() -> st.SearchStrategy[entries.Event]:
    """Return a strategy of any event."""
    return st.one_of([events_of(cast("type", kind)) for kind in codec.EVENT_TYPES])


def _of(where: str, hint: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - a type hint has no type
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return st.none() | _of(where, typing.get_args(hint)[0])
    if typing.get_origin(hint) is tuple:
        bound = limits.span(where, tuple)
        item = _of(f"{where}[]", typing.get_args(hint)[0])
        return st.lists(item, min_size=int(bound.least), max_size=min(int(bound.most), ITEMS_MAX)).map(tuple)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(list(hint))
    return events_of(cast("type", hint)) if dataclasses.is_dataclass(hint) else _scalar(where, hint)


def _scalar(where: str, hint: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - a type hint has no type
    if isinstance(hint, typing.NewType):
        return _FORMED.get(hint, _IDENTIFIER)
    if where == "BlindIndex.tag":
        return st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
    if hint is datetime:
        return times()
    if hint is str:
        return _TEXT
    bound = limits.span(where, hint)
    if hint is bytes:
        return st.binary(min_size=int(bound.least), max_size=min(int(bound.most), BYTES_MAX))
    return st.integers(int(bound.least), int(bound.most)) if hint is int else st.floats(bound.least, bound.most)


NOW = datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)
RECORD = ids.RecordId("0123456789abcdef0123456789abcdef")
OWNER = ids.Ori("WI0130000")
