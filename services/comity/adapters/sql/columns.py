"""How times and words lie in the ledger's columns."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Dialect, String
from sqlalchemy.types import TypeDecorator


class Moment(TypeDecorator[datetime]):
    """An aware time, kept in UTC as microseconds since the epoch; naive times are refused."""

    impl, cache_ok = BigInteger, True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Refuse naive times."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time cannot be kept")
        return round(value.timestamp() * 1_000_000)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Return an aware time in UTC."""
        del dialect
        return None if value is None else datetime.fromtimestamp(value / 1_000_000, UTC)


class Words(TypeDecorator[tuple[str, ...]]):
    """A short tuple of words, as JSON."""

    impl, cache_ok = String, True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str:
        """Write the words."""
        del dialect
        return json.dumps(list(value or ()))

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...]:
        """Read the words."""
        del dialect
        return tuple(json.loads(value or "[]"))


class Word(TypeDecorator[StrEnum]):
    """One word of a closed list."""

    impl, cache_ok = String, True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__(40)
        self.words = words

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        """Write the word."""
        del dialect
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        """Read the word."""
        del dialect
        return None if value is None else self.words(value)
