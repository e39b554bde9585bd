"""Grants: what an owner lets another agency do, and taking it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from comity.cli import dry_run as dry
from comity.cli.connect import INTAKE, connect, segment
from comity.cli.context import state
from comity.cli.dry_run import DryRun
from comity.cli.output import emit, passages, say
from comity.domain.roles import AGENCY_ADMINISTRATOR
from comity.errors import InvalidInput

app = typer.Typer()
DAYS_MAX = 5 * 366


@app.command(epilog="Example: comity grant WI0130100 WI0130000 --purpose serious-crime --right search --right view --days 365")
def grant(
    ctx: typer.Context,
    owner: Annotated[str, typer.Argument(help="The ORI of the agency whose records they are.", metavar="OWNER")],
    grantee: Annotated[str, typer.Argument(help="The ORI of the agency that may.", metavar="GRANTEE")],
    purpose: Annotated[list[str], typer.Option(help="For what; `comity policy` lists the purposes.")],
    days: Annotated[int, typer.Option(min=1, max=DAYS_MAX, help="For how long: nothing is shared for ever by being forgotten.")],
    record_class: Annotated[list[str] | None, typer.Option("--class", help="Which records. [booking]")] = None,
    right: Annotated[list[str] | None, typer.Option(help="search, view or reveal. [search]")] = None,
    in_return: Annotated[str, typer.Option(help="What is given in return; the register shows it.", metavar="TEXT")] = "",
) -> None:
    """Let another agency search, view or reveal your records."""
    body = {
        "grantee": grantee,
        "classes": record_class or ["booking"],
        "purposes": purpose,
        "rights": right or ["search"],
        "expires_at": (datetime.now(UTC) + timedelta(days=days)).isoformat(),
        "in_return": in_return,
    }
    with connect(state(ctx), AGENCY_ADMINISTRATOR, party=owner) as api:
        receipt = api.post(f"{INTAKE}/grants", body)
    answer = {"grant_id": receipt["event_id"], "receipt": receipt}
    sentence = f"Grant {receipt['event_id']} stands in the journal at position {receipt['position']}."
    emit(state(ctx), answer, lambda: say(sentence, f"Take it back: comity revoke {receipt['event_id']}"))


@app.command(epilog="Example: comity revoke g-0a1b2c3d4e5f60718293a4b5")
def revoke(
    ctx: typer.Context,
    grant_id: Annotated[str, typer.Argument(help="The grant's number.", metavar="GRANT")],
    dry_run: DryRun = False,
) -> None:
    """Take a grant back, from here on."""
    owner = _owner(ctx, grant_id)
    with connect(state(ctx), AGENCY_ADMINISTRATOR, party=owner) as api:
        if dry_run:
            mine = [g for g in api.every(f"{INTAKE}/grants") if g["owner"] == api.person.party]
            held = dry.found(mine, "grant_id", grant_id)
            dry.tell(state(ctx), f"take back grant {grant_id}, which is now: {held['now']}", whom=held["grantee"], count=1)
        receipt = api.delete(f"{INTAKE}/grants/{segment(grant_id)}")
    sentence = f"Grant {grant_id} ends in the journal at position {receipt['position']}."
    emit(state(ctx), {"grant_id": grant_id, "receipt": receipt}, lambda: say(sentence))


def _owner(ctx: typer.Context, grant_id: str) -> str | None:
    """Return whose grant it is, so that the right person is found; None for one that is not there.

    A grant's number is its owner's own: raises InvalidInput where several owners have one of this number in force.
    """
    if state(ctx).who is not None:
        return None
    named = [g for g in _register(ctx) if g["grant_id"] == grant_id]
    owners = sorted({g["owner"] for g in named if g["in_force"]} or {g["owner"] for g in named})
    if len(owners) > 1:
        advice = f"Say --as whose it is: somebody of {', '.join(owners)}."
        raise InvalidInput("Several agencies have a grant of this number.", advice=advice)
    return owners[0] if owners else None


@app.command("grants", epilog="Example: comity grants --json")
def register(ctx: typer.Context) -> None:
    """Show the public register of grants, ended ones too."""
    found = _register(ctx)
    emit(state(ctx), found, lambda: _show(found))


def _show(found: list[dict[str, Any]]) -> None:
    if not found:
        say("Grants: nobody shares anything with anybody.")
        return
    passages("Grants", [(g["grant_id"], _terms(g)) for g in found])


def _terms(grant: dict[str, Any]) -> list[str]:
    rights, classes, purposes = (" ".join(grant[name]) for name in ("rights", "classes", "purposes"))
    return [
        f"{grant['owner']} lets {grant['grantee']} {rights}: {classes}, for {purposes}; {grant['now']}.",
        f"In return: {grant['in_return']}" if grant["in_return"] else "",
    ]


def _register(ctx: typer.Context) -> list[dict[str, Any]]:
    with connect(state(ctx)) as api:
        return list(api.every(f"{INTAKE}/grants"))
