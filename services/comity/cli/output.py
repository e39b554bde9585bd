"""What commands print: tables for people, JSON for machines, and never both.

Stdout holds the answer alone; everything else (progress, notes, errors) goes to stderr.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from comity.cli.context import State


def clean(value: object) -> str:
    """Return a value as text that cannot steer a terminal: what came from elsewhere may hold escape sequences."""
    text = "" if value is None else str(value)
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in text)


def moment(at: object) -> str:
    """Return a time as people read it, in UTC and to the second: 2026-03-01T20:05:00Z; nothing for None."""
    if at is None:
        return ""
    known = at if isinstance(at, datetime) else datetime.fromisoformat(str(at))
    return known.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def emit(state: State, data: Any, show: Callable[[], None]) -> None:  # noqa: ANN401 - whatever JSON holds
    """Print the answer: as JSON where that was asked for, else as ``show`` does."""
    if state.json:
        as_json(data)
    else:
        show()


def as_json(data: Any) -> None:  # noqa: ANN401 - whatever JSON holds
    """Print JSON in ASCII: whatever the terminal's encoding, and with nothing raw in it that could steer one."""
    sys.stdout.write(json.dumps(data, indent=2) + "\n")
    sys.stdout.flush()


def say(*sentences: str, style: str = "") -> None:
    """Print sentences on stdout."""
    for sentence in sentences:
        Console().print(Text(clean(sentence), style=style), soft_wrap=True)


def note(*sentences: str, style: str = "") -> None:
    """Print sentences on stderr."""
    for sentence in sentences:
        errors().print(Text(clean(sentence), style=style), soft_wrap=True)


def errors() -> Console:
    """Return stderr's console, as stderr is now."""
    return Console(stderr=True)


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "None.", to_errors: bool = False
) -> None:
    """Print a table, or a sentence where it has no row."""
    console = errors() if to_errors else Console()
    drawn = Table(header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(clean(cell)) for cell in row))
    if not drawn.row_count:
        console.print(Text(f"{title}: {empty}" if title else empty), soft_wrap=True)
        return
    if title:  # not the table's own: that one is folded to its width, and numbers in it could not be copied
        console.print(Text(clean(title), style="italic"), soft_wrap=True)
    console.print(drawn)


def passages(title: str, items: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Print a heading and, for each item, its name and sentences under it, indented however narrow the terminal is."""
    console = Console()
    console.print(Text(clean(title), style="italic"))
    for name, sentences in items:
        console.print(Padding(Text(clean(name), style="bold"), (0, 0, 0, 2), expand=False))
        for sentence in filter(None, sentences):
            console.print(Padding(Text(clean(sentence)), (0, 0, 0, 6), expand=False))


def fields(title: str, pairs: Iterable[tuple[str, object]]) -> None:
    """Print a small table of names and values."""
    drawn = Table(show_header=False)
    drawn.add_column(style="bold", no_wrap=True)
    drawn.add_column(overflow="fold")
    for name, value in pairs:
        drawn.add_row(name, Text(clean(value)))
    if title:
        say(title, style="italic")
    Console().print(drawn)
