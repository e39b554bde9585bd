"""The clock: what it says, what is wrong with it, and an administrator's word on its ticks."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from comity.cli import dry_run as dry
from comity.cli.connect import OPERATIONS, connect
from comity.cli.context import state
from comity.cli.dry_run import DryRun
from comity.cli.output import emit, fields, moment, passages, say, table
from comity.domain.roles import ADMINISTRATOR, AUDITOR, OPERATOR

app = typer.Typer()
clock = typer.Typer(no_args_is_help=True, help="Show the exchange's clock; confirm a tick, or void wrong ones.")
app.add_typer(clock, name="clock")
Position = Annotated[int, typer.Argument(min=0, help="A tick's position, as `comity clock show` lists it.", metavar="POSITION")]
Last = Annotated[int, typer.Argument(min=0, help="The last wrong tick's position.", metavar="LAST")]
Reason = Annotated[str, typer.Option(help="Why; it is kept in the journal.")]


@clock.command("show", epilog="Example: comity clock show --json")
def show(ctx: typer.Context) -> None:
    """Show what time the exchange judges by, and what is wrong with it."""
    with connect(state(ctx), AUDITOR, OPERATOR, ADMINISTRATOR) as api:
        now = api.get(f"{OPERATIONS}/clock")
    emit(state(ctx), now, lambda: _show(now))


def _show(now: dict[str, Any]) -> None:
    held = f"held since {moment(now['settled_at']) or 'the beginning'}, by the tick at {now['held_by']}"
    fields(
        "",
        [
            ("This machine", moment(now["machine_at"])),
            ("Newest tick", moment(now["newest_at"]) or "none"),
            ("Grants end by", moment(now["latest_at"]) or "no tick: none holds"),
            ("Seals lapse by", moment(now["settled_at"]) or "not yet: nothing lapses"),
            ("Lapses", "as time passes" if now["held_by"] is None else held),
        ],
    )
    if now["alarms"]:
        passages("To look at", [(a["what"], [a["advice"]]) for a in now["alarms"]])
    rows = [(t["position"], moment(t["at"]), moment(t["appended_at"])) for t in now["ticks"]]
    table("The newest ticks", ("position", "says", "appended at"), rows)


@clock.command("confirm", epilog='Example: comity clock confirm 1207 --reason "The exchange was off over the weekend."')
def confirm(ctx: typer.Context, position: Position, reason: Reason, dry_run: DryRun = False) -> None:
    """Say that a tick told the right time, so that seals lapse by it again."""
    with connect(state(ctx), ADMINISTRATOR, OPERATOR) as api:
        if dry_run:
            dry.tell(state(ctx), f"confirm what the tick at position {position} says", whom="every seal that lapses", count=1)
        done = api.post(f"{OPERATIONS}/clock/confirmations", {"position": position, "reason": reason})
    emit(state(ctx), done, lambda: say(f"Confirmed, at position {done['position']}.", *_left(done)))


@clock.command("void", epilog='Example: comity clock void 1207 1219 --reason "The machine started with last year\'s clock."')
def void(ctx: typer.Context, first: Position, last: Last, reason: Reason, dry_run: DryRun = False) -> None:
    """Say that the ticks from one position to another told a wrong time, so that they count for nothing."""
    with connect(state(ctx), ADMINISTRATOR, OPERATOR) as api:
        if dry_run:
            places = max(0, last - first + 1)
            dry.tell(state(ctx), f"void the ticks from position {first} to {last}", whom="every seal and grant", count=places)
        done = api.post(f"{OPERATIONS}/clock/voidings", {"first": first, "last": last, "reason": reason})
    emit(state(ctx), done, lambda: say(f"Void, from position {done['position']} on.", *_left(done)))


def _left(done: dict[str, Any]) -> list[str]:
    return [f"{alarm['what']} {alarm['advice']}" for alarm in done["clock"]["alarms"]]
