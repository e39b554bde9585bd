"""State, repair and recall: what an operator and an auditor ask."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from comity.cli import dry_run as dry
from comity.cli.connect import OPERATIONS, REPAIR_SECONDS, connect, segment
from comity.cli.context import state
from comity.cli.dry_run import DryRun
from comity.cli.output import emit, fields, moment, say, table
from comity.domain.roles import ADMINISTRATOR, AUDITOR, OPERATOR

app = typer.Typer()
READERS = (AUDITOR, OPERATOR, ADMINISTRATOR)
ENTRIES_MAX = 500


class View(StrEnum):
    """What can be made anew from the log."""

    LEDGER = "ledger"
    GALLERY = "gallery"
    PHOTOGRAPHS = "photographs"


UNKNOWN = "?"  # while the log does not answer


@app.command(epilog="Exit code 1 where something stands still or an alarm stands. Example: comity status --json")
def status(ctx: typer.Context) -> None:
    """Show every position and lag, and what stands still."""
    with connect(state(ctx), *READERS) as api:
        now = api.get(f"{OPERATIONS}/status")
    emit(state(ctx), now, lambda: _show_status(now))
    if now["alarms"] or now["journal"]["failure"] or any(f["failure"] for f in now["followers"].values()):
        raise typer.Exit(1)


def _show_status(now: dict[str, Any]) -> None:
    journal, clock = now["journal"], now["clock_age_seconds"]
    held = ("Lapses", f"held by the tick at {now['clock_held_by']}: comity clock show")
    fields(
        "",
        [
            ("Version", now["version"]),
            ("Home", f"{now['home']}, {now['disk_free_bytes'] / 1e9:.1f} GB free"),
            ("Log", now["log"]),
            ("Journal", f"{journal['applied']} of {UNKNOWN if journal['end'] is None else journal['end']} entries applied"),
            (
                "Clock",
                "no tick yet" if clock is None else f"{clock} s old" if clock >= 0 else f"{-clock} s AHEAD of this machine's",
            ),
            *([held] if now["clock_held_by"] is not None else []),
            ("Templates", now["templates"]),
            ("Agencies", now["agencies"]),
            *([("Stopped", journal["failure"])] if journal["failure"] else []),
        ],
    )
    rows = [(name, UNKNOWN if f["lag"] is None else f["lag"], f["failure"] or "follows") for name, f in now["followers"].items()]
    table("", ("follower", "behind", "state"), rows)
    wanting = [tuple(w[c] for c in ("party", "order", "part", "state", "failure")) for w in now["erasures"]["wanting"]]
    if wanting:
        table("Erasures to look at", ("party", "order", "part", "state", "failure"), wanting)
    if now["alarms"]:
        table("Alarms", ("what", "times", "what to do"), [(a["what"], a["count"], a["advice"]) for a in now["alarms"]])


@app.command(epilog="Exit code 1 where something differs. Example: comity fsck")
def fsck(ctx: typer.Context) -> None:
    """Compare every view with the journal; nothing is changed."""
    with connect(state(ctx), OPERATOR, ADMINISTRATOR) as api:
        found = api.post(f"{OPERATIONS}/fsck", timeout=REPAIR_SECONDS)
    rows = [(f["what"], f["advice"]) for f in found]
    emit(state(ctx), found, lambda: table("Findings", ("what", "how to mend it"), rows, empty="all is as the journal says."))
    if found:
        raise typer.Exit(1)


@app.command(epilog="Exit code 1 where bytes were found. Example: comity sweep")
def sweep(ctx: typer.Context) -> None:
    """Look through every file for what erasures destroyed; by itself at night."""
    with connect(state(ctx), OPERATOR, ADMINISTRATOR) as api:
        done = api.post(f"{OPERATIONS}/sweep", timeout=REPAIR_SECONDS)
    looked = f"{done['files']} files ({done['bytes'] / 1e6:.0f} MB) for {done['jobs']} parts of orders"
    emit(
        state(ctx),
        done,
        lambda: say(f"{looked}: {done['found'] or 'none'} still found." if done["jobs"] else "Nothing waits for it."),
    )
    if done["found"]:
        raise typer.Exit(1)


@app.command(epilog="Example: comity rebuild gallery")
def rebuild(
    ctx: typer.Context,
    view: Annotated[View, typer.Argument(help="What to make anew: ledger, gallery or photographs.", metavar="VIEW")],
    dry_run: DryRun = False,
) -> None:
    """Make the ledger, the gallery or the photographs anew from the log."""
    with connect(state(ctx), OPERATOR, ADMINISTRATOR) as api:
        if dry_run:
            now = api.get(f"{OPERATIONS}/status")
            count = now["templates"] if view is View.GALLERY else now["journal"]["applied"]
            what = "templates" if view is View.GALLERY else "entries of the journal"
            dry.tell(state(ctx), f"make the {view} anew from {what}", whom="this home", count=count)
        done = api.post(f"{OPERATIONS}/rebuild/{view}", timeout=REPAIR_SECONDS)
    emit(state(ctx), done, lambda: say(f"Made anew from the log: {view}."))


@app.command(epilog="Example: comity exposures 5f0c3a1e9d7b4c2f8a6e0d1b3c5a7f92")
def exposures(
    ctx: typer.Context,
    record: Annotated[str, typer.Argument(help="A record's id, as `comity enrol` printed it.", metavar="RECORD")],
) -> None:
    """Show who was shown a record: what no order can take back."""
    with connect(state(ctx), *READERS) as api:
        found = api.every(f"{OPERATIONS}/exposures/{segment(record)}")
    columns = ("position", "what", "search_id", "requester", "user", "purpose")
    rows = [tuple(x[c] for c in columns) for x in found]
    emit(state(ctx), found, lambda: table("Exposures", columns, rows, empty="nobody was shown this record."))


@app.command(epilog="Example: comity journal --from 120 --count 20")
def journal(
    ctx: typer.Context,
    first: Annotated[int | None, typer.Option("--from", min=0, help="The first position; else the newest are shown.")] = None,
    count: Annotated[int, typer.Option(min=1, max=ENTRIES_MAX, help="How many entries at most.")] = 50,
) -> None:
    """List the journal's entries by position; what is encrypted stays so."""
    place = {} if first is None else {"first": first}
    with connect(state(ctx), *READERS) as api:
        entries = api.get(f"{OPERATIONS}/journal", limit=count, **place)
    entries.sort(key=lambda entry: entry["position"])  # the newest stand last, where a terminal ends
    rows = [
        (e["position"], moment(e["at"]), e["type"] or f"unreadable: {e['unreadable']}", e.get("key"), e.get("id"))
        for e in entries
    ]
    columns = ("position", "at", "type", "key", "id")
    emit(state(ctx), entries, lambda: table("Journal", columns, rows, empty="no entry from there on."))
