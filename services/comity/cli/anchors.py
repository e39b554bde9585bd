"""The anchor: how far a journal was acknowledged, and going on without what is lost."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from comity.adapters.anchor import BYTES_MAX, default_folder
from comity.adapters.home import Home
from comity.cli import dry_run as dry
from comity.cli.context import state
from comity.cli.dry_run import DryRun
from comity.cli.output import emit, moment, note, say, table
from comity.errors import Conflict, Halted, InvalidInput, NotFound

app = typer.Typer()
anchor = typer.Typer(no_args_is_help=True, help="Show how far journals were acknowledged, or accept that entries are lost.")
app.add_typer(anchor, name="anchor")
REASON_CHARS_MAX = 500


@anchor.command(epilog="Example: comity anchor show")
def show(ctx: typer.Context) -> None:
    """Show the anchors of this machine: one a journal."""
    folder = state(ctx).settings().anchor or default_folder()
    found = [held for path in sorted(folder.glob("*.json")) if (held := _read(path)) is not None]
    rows = [(a["journal"], a["next"], moment(a["at"]), a["head"], a["file"]) for a in found]
    columns = ("journal", "up to", "at", "Merkle head", "file")
    emit(state(ctx), found, lambda: table("Anchors", columns, rows, empty=f"there is none in {folder}."))


@anchor.command(epilog='Example: comity anchor accept --reason "The disk died; the backup is of last night."')
def accept(
    ctx: typer.Context,
    reason: Annotated[str, typer.Option(help="What happened, in a sentence; it is entered in the journal.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Go on without entries that were acknowledged and are lost for good. Restore the newest copy instead, if there is one."""
    from comity.bootstrap import Exchange  # noqa: PLC0415 - takes a second, which help need not

    if not reason.strip() or len(reason) > REASON_CHARS_MAX:
        raise InvalidInput(f"A reason has 1 to {REASON_CHARS_MAX} characters.", advice="Say what happened, for auditors.")
    if dry_run:
        if not Home(state(ctx).settings().home).is_made():
            raise NotFound("There is no home here.", advice="Name the home whose entries are lost with --home.")
        dry.tell(state(ctx), "accept that acknowledged entries are lost, if any are", whom="this home's journal", count=1)
    if not yes:
        note("Orders that were entered after this home's copy are gone: what they covered can be found again.")
        if not typer.confirm("Have all courts and agencies been told, and is there no newer copy?", err=True):
            raise InvalidInput("Not confirmed: nothing was changed.", advice="Put the newest home or journal back.")
    settings = state(ctx).settings()
    if not Home(settings.home).is_made():
        raise NotFound(f"There is no home at {settings.home}.", advice="Name the home whose entries are lost with --home.")
    with suppress(Halted), Exchange(settings):
        raise Conflict("Nothing is lost: this home starts as it is. Nothing was changed.", advice="Serve it: comity up.")
    exchange = Exchange(settings)
    try:
        exchange.accept_loss(reason.strip())
        exchange.settle()
    finally:
        exchange.stop()
    emit(state(ctx), {"accepted": True}, lambda: say("Accepted and entered. Every view was made anew from the journal."))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            held = json.loads(file.read(BYTES_MAX))
        return {name: held[name] for name in ("journal", "next", "at", "head")} | {"file": str(path)}
    except (OSError, ValueError, KeyError, TypeError):
        return None
