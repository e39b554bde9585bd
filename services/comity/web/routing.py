"""Routes that ask for somebody's role before they read the body: the framework reads it first, and asks then."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from comity.web.bodies import brings_body
from comity.web.session import Permitted, signed_in


class RoleFirst(APIRoute):
    """A route whose roles (``web/session.py: role``) are asked for before a body is read; each body once more after it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request. Raises NotSignedIn and NotPermitted before the first byte of its body."""
        answer, guards = super().get_route_handler(), list(_guards(self.dependant))

        async def asked(request: Request) -> Response:
            if guards and brings_body(request.headers):
                person = await to_thread.run_sync(signed_in, request)
                for guard in guards:
                    guard(person)
            return await answer(request)

        return asked


class Router(APIRouter):
    """A router of such routes."""

    def __init__(self, **more: Any) -> None:  # noqa: ANN401 - as the framework's own
        super().__init__(route_class=RoleFirst, **more)


def _guards(dependant: Dependant) -> Iterator[Permitted]:
    """Yield what asks for roles among everything that a route depends on."""
    if isinstance(dependant.call, Permitted):
        yield dependant.call
    for nested in dependant.dependencies:
        yield from _guards(nested)
