"""How far a journal was acknowledged, kept outside the home."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from comity.domain.merkle import Frontier


@dataclass(frozen=True, slots=True)
class Anchored:
    """The newest acknowledged place of a journal (the next position), its leaves up to there, and when it was written."""

    next: int
    frontier: Frontier
    at: datetime
    starts: int = 0  # of the exchange: an older file of people knows fewer


class Anchor(Protocol):
    """Anchors by journal id, in a place that does not share the home's fate."""

    def read(self, journal: str) -> Anchored | None:
        """Return the anchor of this journal, or None. Raises Halted where it cannot be read."""
        ...

    def write(self, journal: str, anchored: Anchored) -> None:
        """Write durably. Raises Unavailable: then the anchor before stands."""
        ...

    def put_aside(self, journal: str) -> None:
        """Keep the anchor under another name, so that the next is the first."""
        ...
