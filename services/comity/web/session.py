"""Who is signed in: by the session's cookie in a browser, by ``Authorization: Bearer`` from a program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.datastructures import Headers

from comity.domain.roles import ROLES, holders, kind_of, may_hold
from comity.errors import NotPermitted, NotSignedIn
from comity.ports import Identity, Person
from comity.web.limits import COOKIE, bearer, cookie

SESSION_SECONDS = 12 * 3600  # a shift
TOKEN_CHARS_MAX = 200  # ours have 43; another provider's would be looked up elsewhere

# For the OpenAPI document alone: what is read is read by `token_of`.
_BEARER = Security(HTTPBearer(auto_error=False, description="A session's token, from POST /v1/sessions."))
_COOKIE = Security(APIKeyCookie(name=COOKIE, auto_error=False, description="The same token, in a browser."))


def token_in(said: Headers) -> str | None:
    """Return the session token among a request's headers, Bearer first; None where there is none."""
    brought = bearer(said)
    token = cookie(said) if brought is None else brought
    return token if token and len(token) <= TOKEN_CHARS_MAX else None


def token_of(request: Request) -> str | None:
    """Return the session token that a request brings; None where it brings none."""
    return token_in(request.headers)


def required_token(said: Headers) -> str:
    """Return the session token among a request's headers. Raises NotSignedIn where there is none."""
    token = token_in(said)
    if token is None:
        raise NotSignedIn("Nobody is signed in.", advice="Sign in with a link (`comity user link NAME`), or send a token.")
    return token


def signed_in(request: Request, _bearer: Annotated[object, _BEARER] = None, _cookie: Annotated[object, _COOKIE] = None) -> Person:
    """Return who is signed in, as a dependency or called with the request. Raises NotSignedIn."""
    identity: Identity = request.app.state.identity
    return identity.person(required_token(request.headers))


SignedIn = Annotated[Person, Depends(signed_in)]


@dataclass(frozen=True, slots=True)
class Permitted:
    """The dependency that lets only people with one of these roles in, and returns who it is."""

    names: tuple[str, ...]

    def __call__(self, person: SignedIn) -> Person:
        """Return the person. Raises NotPermitted."""
        return require(person, *self.names)


def role(*names: str) -> Permitted:
    """Return the dependency that lets only people with one of these roles in, and returns who it is.

    Raises ValueError for a role that does not exist: a mistyped one would lock everybody out, or worse.
    """
    if unknown := set(names) - set(ROLES):
        raise ValueError(f"no such role: {', '.join(unknown)}")
    return Permitted(names)


def require(person: Person, *names: str) -> Person:
    """Return the person where they have one of these roles, and their party's people may hold it. Raises NotPermitted."""
    held = sorted(person.roles & set(names))
    if held and not any(may_hold(name, person.party) for name in held):
        raise NotPermitted(
            f"People of {kind_of(person.party)} do not act as {held[0]}.",
            advice=f"This role is for people of {holders(held[0])}: sign in as one of them.",
        )
    if not held:
        raise NotPermitted(
            f"This needs the role {' or '.join(names)}.", advice="Ask the exchange's administrator.", needs=" ".join(names)
        )
    return person


def remember(response: Response, token: str, *, secure: bool) -> None:
    """Set the session's cookie: out of scripts' reach, and never sent from another site."""
    response.set_cookie(COOKIE, token, max_age=SESSION_SECONDS, httponly=True, samesite="strict", secure=secure, path="/")


def forget(response: Response) -> None:
    """Delete the session's cookie."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
