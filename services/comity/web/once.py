"""``Idempotency-Key``: a request that is sent again under its key is not done again, whatever happened in between.

Every id that an act makes is derived from the key, the party, the route and what was asked, so the journal's own rule (the first
of a name wins) answers a retry even where nothing else is remembered, and never answers another request. What was asked is
remembered as a digest, so that a key used for something else is refused; what was answered is kept where it discloses nothing.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Response
from pydantic import BaseModel

from comity.errors import Conflict
from comity.ports import Claimed, Person, Requests

KEY = Header(
    pattern=r"^[!-~]{8,128}$",
    description="Of the sender's own making, such as a UUID: the same request under the same key is done once, for 30 days.",
)
REMEMBERED_MAX = 10_000  # in memory alone
ModelT = TypeVar("ModelT", bound=BaseModel)


def _key(idempotency_key: Annotated[str | None, KEY] = None) -> str | None:
    return idempotency_key


Key = Annotated[str | None, Depends(_key)]


class Remembered:
    """Requests in memory alone: for tests, and where a restart may forget."""

    def __init__(self) -> None:
        self._lock, self._held = threading.Lock(), dict[bytes, Claimed]()

    def claim(self, party: str, name: bytes, digest: bytes) -> Claimed:
        """Remember a request; the oldest is forgotten where there are too many."""
        del party
        with self._lock:
            if name in self._held:
                return self._held[name]
            self._held[name] = Claimed(digest, None, new=False)
            if len(self._held) > REMEMBERED_MAX:
                del self._held[next(iter(self._held))]
        return Claimed(digest, None, new=True)

    def answer(self, name: bytes, answer: str) -> None:
        """Keep its answer."""
        with self._lock:
            if name in self._held:
                self._held[name] = replace(self._held[name], answer=answer)


@dataclass(frozen=True, slots=True)
class Claim:
    """One request in hand. Without a key it has no name, and is done each time it is sent."""

    requests: Requests
    name: bytes | None = None
    digest: bytes = b""
    kept: str | None = None
    again: bool = False  # it was claimed before, so it may have been done, though no answer was kept

    def id(self, digits: int = 24, number: int = 0) -> str | None:
        """Return the id, in hex, that an act makes for this very request; another for each further number."""
        if self.name is None:
            return None
        return hashlib.sha256(self.name + self.digest + number.to_bytes(4)).hexdigest()[:digits]

    def answered(self, model: type[ModelT]) -> ModelT | None:
        """Return what this request was answered with before, or None."""
        return None if self.kept is None else model.model_validate_json(self.kept)

    def keep(self, answer: ModelT) -> ModelT:
        """Keep an answer that discloses nothing, and return it."""
        if self.name is not None:
            self.requests.answer(self.name, answer.model_dump_json())
        return answer


@dataclass(frozen=True)
class Once:
    """Takes requests under their keys; one of the same key at a time."""

    requests: Requests = field(default_factory=Remembered)
    _in_hand: set[bytes] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def __call__(self, key: str | None, person: Person, route: str, *asked: str | bytes) -> Iterator[Claim]:
        """Take a request. Raises Conflict where its key was used for another, or where it is being done just now."""
        if key is None:
            yield Claim(self.requests)
            return
        name = _digest(("comity/once", person.party, route, key))
        with self._alone(name):
            digest = _digest((str(person.user_id), *asked))
            held = self.requests.claim(person.party, name, digest)
            if held.digest != digest:
                raise Conflict("This Idempotency-Key was used for another request.", advice="Make a new key for each request.")
            yield Claim(self.requests, name, digest, held.answer, again=not held.new)

    @contextmanager
    def _alone(self, name: bytes) -> Iterator[None]:
        with self._lock:
            if name in self._in_hand:
                raise Conflict("This request is being done just now.", advice="Send it again in some seconds.")
            self._in_hand.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._in_hand.discard(name)


def made(response: Response, location: str, *, again: bool = False) -> None:
    """Say where what was made is: 201, or 200 where it stood already."""
    response.headers["location"] = location
    if again:
        response.status_code = 200


def again(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of a route whose request may have been done already."""
    return {200: {"model": model, "description": "It stood already, and nothing was done anew"}}


def _digest(parts: Iterable[str | bytes]) -> bytes:
    """Return the digest of parts, each told apart from its neighbours."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8))
        digest.update(data)
    return digest.digest()
