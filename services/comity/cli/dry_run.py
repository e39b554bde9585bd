"""A dry run: what a command would enter or change, for whom and how many, said in one way; nothing is entered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from comity.cli.context import State
from comity.cli.output import emit, say
from comity.errors import NotFound

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would do, for whom and how many; and do nothing.")]


def tell(said: State, would: str, *, whom: str, count: int) -> None:
    """Say what would be done, and end the command with 0 before it is done."""
    answer = {"dry_run": True, "would": would, "whom": whom, "count": count}
    emit(said, answer, lambda: say(f"A dry run: nothing was entered or changed. It would {would}: {count}, for {whom}."))
    raise typer.Exit


def found(rows: Iterable[dict[str, Any]], field: str, name: object) -> dict[str, Any]:
    """Return the row of this name, which an act would be about. Raises NotFound, as the act would."""
    for row in rows:
        if row[field] == name:
            return row
    raise NotFound(f"Nothing is called {name!r:.80} here.", advice="Give the whole name, as it was printed.")
