"""Whether this process lives, whether it can answer a search, and each part by itself: for whoever watches over machines.

Nobody signs in for it, so it says of a part that it works or does not, and no more: ``comity status`` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

SEARCHED_BY = ("log", "ledger", "clock", "gallery")  # what a search needs; other parts catch up later
WORKS, FAILS = "works", "fails"


def routes(parts: Callable[[], Mapping[str, bool]]) -> list[Route]:
    """Return ``/livez``, ``/readyz`` and ``/healthz``: 503 where something that they ask for does not work."""

    def live(_request: Request) -> Response:
        return Response(status_code=204)

    def ready(_request: Request) -> Response:
        return _told({name: works for name, works in parts().items() if name in SEARCHED_BY})

    def healthy(_request: Request) -> Response:
        return _told(parts())

    return [Route("/livez", live), Route("/readyz", ready), Route("/healthz", healthy)]


def _told(parts: Mapping[str, bool]) -> Response:
    told = {name: WORKS if works else FAILS for name, works in parts.items()}
    return JSONResponse(told, status_code=200 if all(parts.values()) else 503, headers={"Cache-Control": "no-store"})
