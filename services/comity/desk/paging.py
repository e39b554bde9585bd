"""Long lists, a page at a time, newest first: the cursor is the last row's own name, so nobody counts other people's rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Query

CURSOR_CHARS_MAX = 300  # a party and an order's number, the longest that is named so

Before = Annotated[str, Query(max_length=CURSOR_CHARS_MAX)]
RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class Page(Generic[RowT]):
    """Some rows, and the cursor that leads to older ones; empty where there are none."""

    rows: Sequence[RowT]
    older: str = ""


def cut(rows: Sequence[RowT], before: str, name: Callable[[RowT], str], rows_max: int) -> Page[RowT]:
    """Return the rows after the one named, or the first ones where none is; an unknown cursor leads to the first page."""
    start = next((number for number, row in enumerate(rows, 1) if name(row) == before), 0) if before else 0
    shown = rows[start : start + rows_max]
    return Page(shown, name(shown[-1]) if start + rows_max < len(rows) else "")
