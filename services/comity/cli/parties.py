"""Agencies and courts: who takes part, each with its first signing key."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer

from comity.adapters.keyring import FolderKeyring
from comity.cli import dry_run as dry
from comity.cli.connect import INTAKE, connect, segment
from comity.cli.context import State, state
from comity.cli.dry_run import DryRun
from comity.cli.new_keys import kept_if_taken
from comity.cli.output import emit, say, table
from comity.domain.ids import ORI_WORDS, PARTY_WORDS, is_party
from comity.domain.ids import ori as read_ori
from comity.domain.roles import ADMINISTRATOR
from comity.errors import InvalidInput

app = typer.Typer()
agency = typer.Typer(no_args_is_help=True, help="Register agencies, and list them.")
court = typer.Typer(no_args_is_help=True, help="Register courts, and list them.")
app.add_typer(agency, name="agency")
app.add_typer(court, name="court")
key = typer.Typer(no_args_is_help=True, help="End a signing key that was stolen or is done with.")
app.add_typer(key, name="key")

PublicKey = Annotated[
    str | None,
    typer.Option(
        help="Its Ed25519 public key, 32 bytes in base64. Without it a key is made and kept in the home.", metavar="B64"
    ),
]

KeyName = Annotated[
    str | None,
    typer.Option("--key-id", help="The id that its signatures name; without one, its key's thumbprint.", metavar="KID"),
]


@agency.command("add", epilog="Example: comity agency add WI0130000 'Milwaukee Police Department' --class municipal")
def add_agency(
    ctx: typer.Context,
    ori: Annotated[str, typer.Argument(help="Its ORI: nine characters.", metavar="ORI")],
    name: Annotated[str, typer.Argument(help="Its name.", metavar="NAME")],
    requester_class: Annotated[
        str, typer.Option("--class", help="municipal, county, state, federal, tribal or foreign.", metavar="CLASS")
    ],
    public_key: PublicKey = None,
    key_id: KeyName = None,
) -> None:
    """Register an agency with its first public key."""
    try:
        read_ori(ori)
    except ValueError:
        raise InvalidInput(f"{ori!r:.40} is no ORI.", advice=ORI_WORDS) from None
    body = {"ori": ori, "name": name, "requester_class": requester_class, "kid": key_id}
    _register(state(ctx), "agencies", ori, body, public_key)


@agency.command("list", epilog="Example: comity agency list")
def list_agencies(ctx: typer.Context) -> None:
    """List the agencies that take part."""
    with connect(state(ctx)) as api:
        found = api.every(f"{INTAKE}/agencies")
    rows = [(a["ori"], a["name"], a["requester_class"]) for a in found]
    emit(state(ctx), found, lambda: table("Agencies", ("ORI", "name", "class"), rows))


@court.command("add", epilog="Example: comity court add milwaukee-circuit-court 'Milwaukee County Circuit Court'")
def add_court(
    ctx: typer.Context,
    court_id: Annotated[str, typer.Argument(help="Its id: letters, digits, dots and hyphens.", metavar="ID")],
    name: Annotated[str, typer.Argument(help="Its name.", metavar="NAME")],
    public_key: PublicKey = None,
    key_id: KeyName = None,
) -> None:
    """Register a court with its first public key."""
    if not is_party(court_id):
        raise InvalidInput(f"{court_id!r:.80} is no court's id.", advice=PARTY_WORDS)
    _register(state(ctx), "courts", court_id, {"court_id": court_id, "name": name, "kid": key_id}, public_key)


@court.command("list", epilog="Example: comity court list")
def list_courts(ctx: typer.Context) -> None:
    """List the courts that may enter orders."""
    with connect(state(ctx)) as api:
        found = api.every(f"{INTAKE}/courts")
    rows = [(c["court_id"], c["name"]) for c in found]
    emit(state(ctx), found, lambda: table("Courts", ("id", "name"), rows))


def _register(said: State, what: str, party: str, body: dict[str, Any], public_key: str | None) -> None:
    """Register a party. A key made here waits in the home before its public half is sent: a crash in between loses nothing."""
    held_here = public_key is None
    if held_here and body["kid"] is not None:
        raise InvalidInput("A key that is made here bears its thumbprint.", advice="Send --public-key with --key-id.")
    with connect(said, ADMINISTRATOR) as api:
        forget = None
        if public_key is None:
            public_key, forget = _made(FolderKeyring(said.settings().home / "keys"), party)
        with kept_if_taken(forget):
            done = api.post(f"{INTAKE}/{what}", body | {"public_key": public_key})
    answer = {**body, **done, "key_held_here": held_here}
    where = "Its signing key lies in the home." if held_here else "It signs with its own key, elsewhere."
    emit(said, answer, lambda: say(f"{party} stands in the journal at position {done['position']}.", where))


def _made(keyring: FolderKeyring, party: str) -> tuple[str, Callable[[], None] | None]:
    """Return the public half of the key held here, and what removes it again, where it was made just now."""
    there = keyring.has(party)
    public_key = base64.b64encode(keyring.issue(party).public_bytes).decode()
    return public_key, None if there else partial(keyring.forget, party)


@key.command("revoke", epilog="Example: comity key revoke Zk3vPqYw9f0 --void-from 4711")
def revoke(
    ctx: typer.Context,
    kid: Annotated[str, typer.Argument(help="The key's id, as the registration told it.", metavar="KID")],
    void_from: Annotated[
        int | None,
        typer.Option(min=0, help="From this position on its unseals, lifts and grants never counted.", metavar="PLACE"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Enter it without asking.")] = False,
    dry_run: DryRun = False,
) -> None:
    """End a key, and void what it loosened from a position on."""
    with connect(state(ctx), ADMINISTRATOR) as api:
        if dry_run:
            held = api.get(f"{INTAKE}/keys/{segment(kid)}")
            void = "" if void_from is None else f", and void what it loosened from position {void_from} on"
            dry.tell(state(ctx), f"revoke key {kid}{void}", whom=held["party"], count=1)
        if not yes and typer.prompt("Type the key's id again to revoke it", err=True).strip() != kid:
            raise InvalidInput("Not confirmed: nothing was entered.", advice="Run it again when you are sure.")
        done = api.post(f"{INTAKE}/keys/{segment(kid)}/revocation", {"void_from": void_from})
    said = f"Key {kid} counts for nothing from position {done['position']} on."
    void = "" if void_from is None else f"Its unseals, lifts and grants from position {void_from} on never counted."
    emit(state(ctx), done, lambda: say(*filter(None, (said, void))))
