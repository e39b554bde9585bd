"""The door: a one-time link signs in at the press of a button, and the home page shows what one's roles open."""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from comity.desk.pages import Pages
from comity.desk.shelf import Shelf
from comity.errors import NotSignedIn
from comity.ports import Identity
from comity.web.routing import Router
from comity.web.session import SignedIn, forget, remember, token_of

HOME = "/desk"


class Door:
    """Sign-in, sign-out, home."""

    def __init__(self, identity: Identity, pages: Pages, shelf: Shelf) -> None:
        self._identity, self._page, self._shelf = identity, pages, shelf

    def routes(self) -> APIRouter:
        """Return the door's routes."""
        router = Router(include_in_schema=False)
        router.add_api_route("/", self.front, methods=["GET"])
        router.add_api_route(HOME, self.home, methods=["GET"])
        router.add_api_route("/sign-in/{token}", self.ask, methods=["GET"])
        router.add_api_route("/sign-in/{token}", self.enter, methods=["POST"])
        router.add_api_route("/sign-out", self.leave, methods=["POST"])
        return router

    def front(self) -> Response:
        """Lead to the home page."""
        return RedirectResponse(HOME, HTTPStatus.SEE_OTHER)

    def home(self, request: Request, person: SignedIn) -> Response:
        """Show who is signed in, and the pages that their roles open."""
        return self._page(request, "home.html", person)

    def ask(self, request: Request, token: str) -> Response:
        """Show one button: whatever follows links by itself (a mail scanner, a preview) must not use a link up."""
        return self._page(request, "sign_in.html", None, token=token)

    def enter(self, request: Request, token: str) -> Response:
        """Use the link up and set the session's cookie. Raises NotSignedIn for a link that is used or too old."""
        held = self._identity.sign_in(token)
        self._end(request)  # whoever was signed in here before is not any more
        response = RedirectResponse(HOME, HTTPStatus.SEE_OTHER)
        remember(response, held, secure=request.url.scheme == "https")
        return response

    def leave(self, request: Request) -> Response:
        """End the session; its open pages go blank within seconds."""
        self._end(request)
        response = self._page(request, "signed_out.html", None)
        forget(response)
        return response

    def _end(self, request: Request) -> None:
        token = token_of(request)
        if token is not None:
            self._shelf.forget(token)
            with suppress(NotSignedIn):  # it had ended already
                self._identity.sign_out(token)
