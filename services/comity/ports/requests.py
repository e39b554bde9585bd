"""Which requests were taken under a key of their sender's own, so that one sent again is not done again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Claimed:
    """A request as it was first claimed; ``new``: it was not claimed before, so nothing can have been done for it."""

    digest: bytes
    answer: str | None = field(repr=False)
    new: bool


class Requests(Protocol):
    """Requests by name, each with the digest of what it asked; durable, so that a restart in between changes nothing."""

    def claim(self, party: str, name: bytes, digest: bytes) -> Claimed:
        """Remember a party's request before it is done; return what was first claimed under this name."""
        ...

    def answer(self, name: bytes, answer: str) -> None:
        """Keep what a request was answered with: never what was disclosed. Names of people may be in it."""
        ...
