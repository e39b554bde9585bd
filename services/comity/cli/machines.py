"""Machines: records systems that sign in by a key of their own, for an agency or a court."""

from __future__ import annotations

import base64
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from comity.acts.machines import ROLES
from comity.cli import dry_run as dry
from comity.cli.connect import INTAKE, connect, segment
from comity.cli.context import state
from comity.cli.dry_run import DryRun
from comity.cli.new_keys import kept_if_taken
from comity.cli.output import emit, say, table
from comity.domain.roles import ADMINISTRATOR, AGENCY_ADMINISTRATOR
from comity.errors import InvalidInput
from comity.wire.signing import SigningKey

app = typer.Typer()
machine = typer.Typer(no_args_is_help=True, help="Let records systems sign in by keys of their own, and list them.")
app.add_typer(machine, name="machine")


@machine.command("add", epilog="Example: comity machine add 'Records management' --party WI0130000 --key rms.pem")
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What the system is called.", metavar="NAME")],
    party: Annotated[str, typer.Option(help="The agency's ORI or the court's id that it acts for.")],
    role: Annotated[list[str] | None, typer.Option(help=f"One or more of: {', '.join(ROLES)}. [{ROLES[0]}]")] = None,
    public_key: Annotated[str | None, typer.Option(help="Its Ed25519 public key, 32 bytes in base64.", metavar="B64")] = None,
    key: Annotated[
        Path | None, typer.Option(help="A file to make its key in, for a system without one; take it there.", metavar="FILE")
    ] = None,
) -> None:
    """Let a records system sign in by its own key: no password, and no person's link."""
    with connect(state(ctx), ADMINISTRATOR, AGENCY_ADMINISTRATOR) as api:
        sent = {"name": name, "party": party, "roles": role or [ROLES[0]], "public_key": _public(public_key, key)}
        with kept_if_taken(None if key is None else partial(key.unlink, missing_ok=True)):
            done = api.post(f"{INTAKE}/machines", sent)
    where = (
        f"Its key lies in {key}: take it to the system, and leave no copy." if key else "It signs with its own key, elsewhere."
    )
    emit(
        state(ctx),
        done,
        lambda: say(f"{name} may sign in for {party}, as {done['machine_id']}, at the exchange {done['exchange_id']}.", where),
    )


@machine.command("list", epilog="Example: comity machine list")
def list_machines(ctx: typer.Context) -> None:
    """List the machines that may sign in, revoked ones too."""
    with connect(state(ctx), ADMINISTRATOR, AGENCY_ADMINISTRATOR) as api:
        found = api.every(f"{INTAKE}/machines")
    rows = [(m["machine_id"], m["name"], m["party"], " ".join(m["roles"]), "revoked" if m["revoked"] else "") for m in found]
    emit(state(ctx), found, lambda: table("Machines", ("id", "name", "party", "roles", "state"), rows))


@machine.command("revoke", epilog="Example: comity machine revoke m-0123456789ab")
def revoke(
    ctx: typer.Context,
    machine_id: Annotated[str, typer.Argument(help="Its id, as the list shows it.", metavar="ID")],
    dry_run: DryRun = False,
) -> None:
    """Shut a machine out from here on; its sessions end at once."""
    with connect(state(ctx), ADMINISTRATOR, AGENCY_ADMINISTRATOR) as api:
        if dry_run:
            held = dry.found(api.every(f"{INTAKE}/machines"), "machine_id", machine_id)
            dry.tell(state(ctx), f"shut out {held['name']} ({machine_id})", whom=held["party"], count=1)
        done = api.delete(f"{INTAKE}/machines/{segment(machine_id)}")
    emit(state(ctx), done, lambda: say(f"{done['name']} ({machine_id}) may not sign in any more."))


def _public(public_key: str | None, file: Path | None) -> str:
    """Return the public key to register; one that is made here lies in its file before its public half is sent."""
    if (public_key is None) is (file is None):
        raise InvalidInput("Say whose key it is.", advice="Give --public-key, or --key for one to be made.")
    if file is None:
        return str(public_key)
    if file.exists():
        raise InvalidInput(f"There is a file at {file} already.", advice="Name another: no key is overwritten.")
    own = SigningKey.generate()
    own.save(file)
    return base64.b64encode(own.public_bytes).decode()
