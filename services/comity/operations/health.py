"""Whether this process lives, whether it can answer a search, and each part by itself: for whoever watches over machines.

Nobody signs in for it, so it says of a part that it works or does not, and no more: ``comity status`` says why.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

SEARCHED_BY = ("log", "ledger", "clock", "gallery")  # what a search needs; other parts catch up later
WORKS, FAILS = "works", "fails"
KEPT_SECONDS = 1.0  # nobody signs in here: whoever asks in a loop must not make brokers and disks work at each turn


class _Look:
    """Looks at the parts once a second at most, and tells everybody who asks meanwhile the same. Thread-safe."""

    def __init__(self, parts: Callable[[], Mapping[str, bool]]) -> None:
        self._parts, self._lock = parts, threading.Lock()
        self._seen: tuple[float, Mapping[str, bool]] | None = None

    def __call__(self) -> Mapping[str, bool]:
        """Return of each part whether it works."""
        with self._lock:
            if self._seen is None or time.monotonic() - self._seen[0] >= KEPT_SECONDS:
                parts = self._parts()
                self._seen = time.monotonic(), parts
            return self._seen[1]


def routes(parts: Callable[[], Mapping[str, bool]]) -> list[Route]:
    """Return ``/livez``, ``/readyz`` and ``/healthz``: 503 where something that they ask for does not work."""
    look = _Look(parts)

    def live(_request: Request) -> Response:
        return Response(status_code=204)

    def ready(_request: Request) -> Response:
        return _told({name: works for name, works in look().items() if name in SEARCHED_BY})

    def healthy(_request: Request) -> Response:
        return _told(look())

    return [Route("/livez", live), Route("/readyz", ready), Route("/healthz", healthy)]


def _told(parts: Mapping[str, bool]) -> Response:
    told = {name: WORKS if works else FAILS for name, works in parts.items()}
    return JSONResponse(told, status_code=200 if all(parts.values()) else 503, headers={"Cache-Control": "no-store"})
