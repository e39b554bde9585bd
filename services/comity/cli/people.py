"""People: who may sign in, for which party, in which roles; their one-time links, and the end of both."""

from __future__ import annotations

from typing import Annotated

import typer

from comity.cli import dry_run as dry
from comity.cli.connect import OPERATIONS, Api, connect
from comity.cli.context import state
from comity.cli.dry_run import DryRun
from comity.cli.output import emit, say, table
from comity.cli.sign_in import one
from comity.domain.ids import PartyId, UserId
from comity.domain.roles import ADMINISTRATOR, ROLES
from comity.errors import InvalidInput
from comity.ports import Person

app = typer.Typer()
user = typer.Typer(no_args_is_help=True, help="Let people sign in, give them roles, and shut them out.")
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
        person = _one(api, who)
        made = api.post(f"{OPERATIONS}/people/{person.user_id}/links")
        url = f"{api.url}{made['path']}"
    answer = {"user_id": person.user_id, "name": person.name, "url": url}
    emit(state(ctx), answer, lambda: say(url))


@user.command("roles", epilog="Example: comity user roles 'Iris Okafor' --role investigator --role examiner")
def give_roles(
    ctx: typer.Context,
    who: Annotated[str, typer.Argument(help="A name or a pseudonym.", metavar="NAME")],
    role: Annotated[list[str], typer.Option(help=f"One or more of: {', '.join(ROLES)}.")],
    dry_run: DryRun = False,
) -> None:
    """Give somebody these roles instead of those they have, at once."""
    with connect(state(ctx), ADMINISTRATOR) as api:
        person = _one(api, who)
        if dry_run:
            before = " ".join(sorted(person.roles))
            dry.tell(state(ctx), f"give {person.name} {' '.join(role)} instead of {before}", whom=person.user_id, count=1)
        given = api.put(f"{OPERATIONS}/people/{person.user_id}/roles", {"roles": role})
    emit(state(ctx), given, lambda: say(f"{given['name']} is {', '.join(given['roles'])} now."))


@user.command("sign-out", epilog="Example: comity user sign-out 'Iris Okafor'")
def sign_out(
    ctx: typer.Context,
    who: Annotated[str, typer.Argument(help="A name or a pseudonym.", metavar="NAME")],
    dry_run: DryRun = False,
) -> None:
    """End every session and link of somebody."""
    with connect(state(ctx), ADMINISTRATOR) as api:
        person = _one(api, who)
        if dry_run:
            dry.tell(state(ctx), f"end every session and link of {person.name}", whom=person.user_id, count=1)
        ended = api.delete(f"{OPERATIONS}/people/{person.user_id}/sessions")
    emit(state(ctx), {"user_id": person.user_id, **ended}, lambda: say(f"{ended['ended']} sessions and links ended."))


@user.command("remove", epilog="Example: comity user remove 'Iris Okafor'")
def remove(
    ctx: typer.Context,
    who: Annotated[str, typer.Argument(help="A name or a pseudonym.", metavar="NAME")],
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Let somebody sign in no more: sessions and links end, and the pseudonym is never given again."""
    with connect(state(ctx), ADMINISTRATOR) as api:
        person = _one(api, who)
        if dry_run:
            dry.tell(state(ctx), f"remove {person.name}", whom=person.user_id, count=1)
        if not yes and typer.prompt(f"Type {person.name} again to remove them", err=True).strip() != person.name:
            raise InvalidInput("Not confirmed: nobody was removed.", advice="Run it again when you are sure.")
        api.delete(f"{OPERATIONS}/people/{person.user_id}")
    removed = {"user_id": person.user_id, "name": person.name, "removed": True}
    emit(state(ctx), removed, lambda: say(f"{person.name} signs in no more."))


def _one(api: Api, who: str) -> Person:
    people = api.every(f"{OPERATIONS}/people")
    known = [Person(UserId(p["user_id"]), p["name"], PartyId(p["party"]), frozenset(p["roles"])) for p in people]
    return one(known, who)
