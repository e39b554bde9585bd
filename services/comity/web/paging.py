"""Lists a page at a time: a bounded part, and where the next one is, in the header ``Link`` (RFC 8288)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request, Response

from comity.errors import InvalidInput

LIMIT_DEFAULT, LIMIT_MAX = 100, 500
CURSOR_CHARS_MAX = 1_300  # a party, a machine's name of 200 characters (four bytes each) and its id, in JSON and base64
PLACE_MAX = 2**63 - 1  # of a number in a cursor: a position, as the log and the ledger hold it

RowT = TypeVar("RowT")
Name = tuple[int | str, ...]  # what a list is ordered by; no two of its rows have the same

LISTED: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "Link": {
                "description": 'Where the next page is, as `<…>; rel="next"`; absent on the last.',
                "schema": {"type": "string"},
            }
        }
    }
}


@dataclass(frozen=True, slots=True)
class Paging:
    """One page of a list, as it was asked for."""

    request: Request
    response: Response
    cursor: Name | None
    limit: int

    def number(self) -> int | None:
        """Return the cursor of a list that is ordered by one number. Raises InvalidInput for another's."""
        if self.cursor is None:
            return None
        if len(self.cursor) != 1 or not isinstance(self.cursor[0], int):
            raise _unreadable()
        return self.cursor[0]

    def cut(self, rows: Sequence[RowT], name: Callable[[RowT], Name], *, newest: bool = False) -> Sequence[RowT]:
        """Return the page of these rows, ordered by their names; ``newest``: the highest first."""
        ordered = sorted(rows, key=name, reverse=newest)
        after = self.cursor
        if after is not None:
            try:
                ordered = [row for row in ordered if (name(row) < after if newest else name(row) > after)]
            except TypeError:
                raise _unreadable() from None
        return self.page(ordered, name)

    def page(self, rows: Sequence[RowT], name: Callable[[RowT], Name]) -> Sequence[RowT]:
        """Return the first rows of what is left, and say where the next page is if there are more than fit."""
        shown = rows[: self.limit]
        if len(rows) > self.limit:
            self.more(name(shown[-1]))
        return shown

    def more(self, name: Name) -> None:
        """Say that a page follows, after the row of this name."""
        cursor = base64.urlsafe_b64encode(json.dumps(name, ensure_ascii=False).encode()).decode().rstrip("=")
        url = self.request.url.include_query_params(cursor=cursor, limit=self.limit)
        self.response.headers["link"] = f'<{url.path}?{url.query}>; rel="next"'


def _paging(
    request: Request,
    response: Response,
    cursor: Annotated[str | None, Query(max_length=CURSOR_CHARS_MAX, description="From the header `Link`.")] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many at most.")] = LIMIT_DEFAULT,
) -> Paging:
    return Paging(request, response, None if cursor is None else _name(cursor), limit)


Page = Annotated[Paging, Depends(_paging)]


def _name(cursor: str) -> Name:
    try:
        held = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _unreadable() from None
    if not isinstance(held, list) or not all(map(_is_part, held)):
        raise _unreadable()
    return tuple(held)


def _is_part(part: object) -> bool:
    return isinstance(part, str) or (type(part) is int and 0 <= part <= PLACE_MAX)


def _unreadable() -> InvalidInput:
    return InvalidInput("The cursor cannot be read.", advice="Take it from the header `Link` as it is, or leave it out.")
