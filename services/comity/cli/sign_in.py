"""Who does it: whoever can read a home is its operator, and may act for the people in it, by name.

What is done is entered under that person's pseudonym, as if they had signed in at the desk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from comity.adapters.home import Home
from comity.adapters.identity import FileIdentity
from comity.domain.roles import ADMINISTRATOR, AUDITOR, OPERATOR
from comity.errors import Conflict, InvalidInput, NotFound, NotPermitted
from comity.ports import Person

OPERATOR_NAME, OPERATOR_PARTY = "operator", "exchange"
OPERATOR_ROLES = frozenset({OPERATOR, ADMINISTRATOR, AUDITOR})
NAMES_SHOWN_MAX = 20


@contextmanager
def signed_in(home: Path, roles: Collection[str], party: str | None, who: str | None) -> Iterator[tuple[str, Person]]:
    """Yield a session's token and its person; the session ends with the block. Raises as ``choose``, NotFound without a home.

    Of a home that is mistyped nothing may be made, nor said that all is well.
    """
    operating = not roles or bool(OPERATOR_ROLES & set(roles))
    if not Home(home).is_made():
        raise no_home(home)
    Home(home).make()
    identity = FileIdentity(home / "identity.db")
    try:
        if operating:
            ensure_operator(identity)
        person = choose(identity.people(), roles, party, who)
        token = identity.sign_in(identity.link(person.user_id))
        try:
            yield token, person
        finally:
            identity.sign_out(token)
    finally:
        identity.close()


def no_home(home: Path) -> NotFound:
    """Return what is told of a home that was never made."""
    return NotFound(f"There is no home at {home}.", advice="`comity init` makes one; --home names another.")


def ensure_operator(identity: FileIdentity) -> None:
    """Add the operator where nobody could add anybody: else a new home would be locked from inside."""
    if any(person.roles & {OPERATOR, ADMINISTRATOR} for person in identity.people()):
        return
    try:
        identity.add(OPERATOR_NAME, OPERATOR_PARTY, OPERATOR_ROLES)
    except Conflict:  # another command was first
        return


def choose(people: Sequence[Person], roles: Collection[str], party: str | None, who: str | None) -> Person:
    """Return the person named, or the only one who may. Raises NotFound, NotPermitted or InvalidInput, naming who could."""
    able = [p for p in people if (not roles or p.roles & set(roles)) and party in (None, p.party)]
    if who is not None:
        return _named(people, able, who)
    if not able:
        raise NotPermitted(_nobody(roles, party), advice=_add_somebody(roles, party))
    operators = [p for p in able if (p.name, p.party) == (OPERATOR_NAME, OPERATOR_PARTY)]
    if len(able) == 1 or not roles or operators:
        return next(iter([*operators, *able]))
    raise InvalidInput("Several people may do this.", advice=f"Say --as one of: {_names(able)}.")


def one(people: Sequence[Person], who: str) -> Person:
    """Return the person of this name or pseudonym. Raises NotFound or InvalidInput."""
    named = [p for p in people if who in (p.user_id, p.name)]
    if not named:
        raise NotFound(f"There is nobody called {who!r:.60} here.", advice="See `comity user list`.")
    if len(named) > 1:
        raise InvalidInput(f"Several people are called {who!r:.60}.", advice=f"Give the pseudonym: {_pseudonyms(named)}.")
    return named[0]


def _named(people: Sequence[Person], able: Sequence[Person], who: str) -> Person:
    named = [p for p in people if who in (p.user_id, p.name)]
    preferred = [p for p in named if p in able] or named
    if not named:
        raise NotFound(f"There is nobody called {who!r:.60} here.", advice=f"Say --as one of: {_names(able or people)}.")
    if len(preferred) > 1:
        raise InvalidInput(f"Several people are called {who!r:.60}.", advice=f"Say --as one of: {_pseudonyms(preferred)}.")
    return preferred[0]  # whoever was named, able or not: the exchange says what they may not


def _nobody(roles: Collection[str], party: str | None) -> str:
    where = f" for {party}" if party else ""
    return f"Nobody here has the role {' or '.join(sorted(roles)) or 'of anybody'}{where}."


def _add_somebody(roles: Collection[str], party: str | None) -> str:
    role = next(iter(sorted(roles)), "operator")
    return f"Add somebody: comity user add NAME --party {party or 'ORI'} --role {role}"


def _names(people: Sequence[Person]) -> str:
    return ", ".join(f"{p.name!r} ({p.party})" for p in people[:NAMES_SHOWN_MAX]) or "nobody"


def _pseudonyms(people: Sequence[Person]) -> str:
    return ", ".join(f"{p.user_id} ({p.party})" for p in people[:NAMES_SHOWN_MAX])
