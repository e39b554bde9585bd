"""People: who may sign in, for which party, in which roles; and their one-time links."""

from __future__ import annotations

from typing import Annotated

import typer

from comity.cli.connect import OPERATIONS, connect
from comity.cli.context import state
from comity.cli.output import emit, say, table
from comity.cli.sign_in import one
from comity.domain.ids import PartyId, UserId
from comity.domain.roles import ADMINISTRATOR, ROLES
from comity.ports import Person

app = typer.Typer()
user = typer.Typer(no_args_is_help=True, help="Let people sign in, and list them.")
app.add_typer(user, name="user")


@user.command("add", epilog="Example: comity user add 'Iris Okafor' --party WI0130000 --role investigator")
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The name; it stays in the home, the log has a pseudonym.", metavar="NAME")],
    party: Annotated[str, typer.Option(help="The agency's ORI or the court's id that this person acts for.")],
    role: Annotated[list[str], typer.Option(help=f"One or more of: {', '.join(ROLES)}.")],
) -> None:
    """Let somebody sign in."""
    with connect(state(ctx), ADMINISTRATOR) as api:
        person = api.post(f"{OPERATIONS}/people", {"name": name, "party": party, "roles": role})
    hint = f"A link to sign in with: comity user link {person['user_id']}"
    emit(state(ctx), person, lambda: say(f"{person['name']} may sign in, as {person['user_id']}.", hint))


@user.command("list", epilog="Example: comity user list")
def list_people(ctx: typer.Context) -> None:
    """List everybody who may sign in."""
    with connect(state(ctx), ADMINISTRATOR) as api:
        people = api.every(f"{OPERATIONS}/people")
    rows = [(p["user_id"], p["name"], p["party"], " ".join(p["roles"])) for p in people]
    emit(state(ctx), people, lambda: table("People", ("pseudonym", "name", "party", "roles"), rows))


@user.command("link", epilog="Example: comity user link 'Iris Okafor'")
def link(ctx: typer.Context, who: Annotated[str, typer.Argument(help="A name or a pseudonym.", metavar="NAME")]) -> None:
    """Print a link that signs somebody in, once, within ten minutes."""
    with connect(state(ctx), ADMINISTRATOR) as api:
        people = [
            Person(UserId(p["user_id"]), p["name"], PartyId(p["party"]), frozenset(p["roles"]))
            for p in api.every(f"{OPERATIONS}/people")
        ]
        person = one(people, who)
        made = api.post(f"{OPERATIONS}/people/{person.user_id}/links")
        url = f"{api.url}{made['path']}"
    answer = {"user_id": person.user_id, "name": person.name, "url": url}
    emit(state(ctx), answer, lambda: say(url))
