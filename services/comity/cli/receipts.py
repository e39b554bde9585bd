"""What became of a party's orders: the list, a receipt, its document, its certificates; and ending one before its time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from comity.cli import dry_run as dry
from comity.cli import files
from comity.cli.connect import INTAKE, connect, segment
from comity.cli.context import state
from comity.cli.dry_run import DryRun
from comity.cli.output import emit, fields, moment, note, say, table
from comity.domain.roles import CLERK
from comity.errors import InvalidInput

app = typer.Typer()
LISTED_MAX = 500
OPENS = "Its records can be found again, unless another order covers them."

Court = Annotated[str, typer.Option("--court", help="The court's id, or the agency's ORI, whose clerk asks.", metavar="ID")]
OrderId = Annotated[str, typer.Argument(help="The order's number.", metavar="ORDER")]
Of = Annotated[str | None, typer.Option("--of", help="The party that entered it, where it is another.", metavar="ID")]
Yes = Annotated[bool, typer.Option("--yes", help="Enter it without asking.")]


@app.command("orders", epilog="Example: comity orders --court milwaukee-circuit-court")
def list_orders(
    ctx: typer.Context,
    court: Court,
    count: Annotated[int, typer.Option(min=1, max=LISTED_MAX, help="How many at most, newest first.")] = 25,
) -> None:
    """List a party's orders as they stand now, newest first."""
    with connect(state(ctx), CLERK, party=court) as api:
        found = api.get(f"{INTAKE}/orders", limit=count)
    rows = [(o["order_id"], _for(o), o["kind"], o["statute"], o["now"], moment(o["entered_at"])) for o in found]
    columns = ("order", "for", "what", "statute", "now", "entered")
    emit(state(ctx), found, lambda: table(f"Orders of {court}", columns, rows, empty="no order."))


@app.command(epilog="Example: comity receipt 0a1b2c3d4e5f60718293a4b5 --court milwaukee-circuit-court")
def receipt(ctx: typer.Context, order: OrderId, court: Court) -> None:
    """Show an order as it stands now: what it covers, how it ended, how far its erasure is proven."""
    with connect(state(ctx), CLERK, party=court) as api:
        held = api.get(path_of(court, order))
    emit(state(ctx), held, lambda: _show(held))


@app.command(epilog="Example: comity certificate 0a1b2c3d4e5f60718293a4b5 --court milwaukee-circuit-court --json")
def certificate(ctx: typer.Context, order: OrderId, court: Court) -> None:
    """Show what was certified of an order's erasure: what was looked for, where, and what was found."""
    with connect(state(ctx), CLERK, party=court) as api:
        held = api.every(f"{path_of(court, order)}/certificates")
        destroys = bool(held) or api.get(path_of(court, order))["erasure"] is not None

    def show() -> None:
        for one in held:
            fields(f"Certificate {one['certificate_id']}", [(name.replace("_", " "), value) for name, value in one.items()])
            if one["found"]:
                note("Bytes were found: the erasure is not done.", style="bold red")
        if not held:
            say("Nothing is certified yet." if destroys else "This order destroys nothing, so nothing is certified.")

    emit(state(ctx), held, show)


@app.command(epilog="Example: comity document 0a1b2c3d4e5f60718293a4b5 --court milwaukee-circuit-court --to order.pdf")
def document(
    ctx: typer.Context,
    order: OrderId,
    court: Court,
    to: Annotated[Path, typer.Option(dir_okay=False, help="The file to write; it must not be there.", metavar="FILE")],
) -> None:
    """Read the document back that came with an order: the very bytes."""
    with connect(state(ctx), CLERK, party=court) as api:
        paper = api.content(f"{path_of(court, order)}/document")
    files.write(to, paper)
    emit(state(ctx), {"file": str(to), "bytes": len(paper)}, lambda: say(f"{len(paper)} bytes in {to}."))


@app.command(epilog="Example: comity lift 0a1b2c3d4e5f60718293a4b5 --court milwaukee-circuit-court")
def lift(
    ctx: typer.Context,
    order: OrderId,
    court: Court,
    of: Of = None,
    authority: Annotated[str, typer.Option(help="What ends another party's order; courts alone may.", metavar="TEXT")] = "",
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """End a provisional seal or a seal, from here on; an expungement has no end."""
    with connect(state(ctx), CLERK, party=court) as api:
        if dry_run:
            held = api.get(path_of(of or court, order))
            count = sum(held["covers"].values()) + sum(held["covers_kin"].values())
            dry.tell(state(ctx), f"end {held['kind']} {order}, which is now: {held['now']}", whom=held["party"], count=count)
        if not yes and not typer.confirm(f"End order {order} of {of or court}? {OPENS}", err=True):
            raise InvalidInput("Not confirmed: nothing was entered.", advice="Run it again when you are sure.")
        entered = api.post(f"{path_of(of or court, order)}/lift", {"authority": authority})
    said = f"Order {order} ended at position {entered['position']}, by {entered['event_id']}."
    emit(state(ctx), entered, lambda: say(said))


def path_of(party: str, order: str) -> str:
    """Return where an order is read, and ended, over HTTP."""
    return f"{INTAKE}/orders/{segment(party)}/{segment(order)}"


def _for(order: dict[str, Any]) -> str:
    return ", ".join(f"{kind} {number}" for kind, number in order["numbers"].items())


def _show(held: dict[str, Any]) -> None:
    rows = [
        ("now", held["now"]),
        ("for", _for(held) or "came as a signed event"),
        ("what", f"{held['kind']}, {held['mode']}"),
        ("law", held["law"]),
        ("position", held["position"]),
        ("entered", moment(held["entered_at"])),
        ("by", held["clerk"] or "a signed event"),
        ("covers by itself" if held["ended"] is None else "covered by itself", held["covered"]),
        ("hidden with them", held["hidden_with_it"] or "none"),
        ("sha256", held["sha256"]),
    ]
    if held["erasure"]:
        rows.append(("erasure", held["erasure"]))
    if held["ended"] and held["ended"]["authority"]:
        rows.append(("authority", held["ended"]["authority"]))
    fields(f"Order {held['order_id']} of {held['party']}", rows)
    for sentence in held["notes"]:
        say(sentence)
