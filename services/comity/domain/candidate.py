"""Candidates and their order: the one scoring rule that every answer follows (rule 6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from comity.domain.ids import RecordId

SHOWN_DEFAULT, SHOWN_MAX = 20, 50  # R26
SCORE_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record that may show the person sought; never more than that. ``score`` is a cosine in [-1, 1]."""

    record_id: RecordId
    score: float
    photo: int


def rank(scored: Iterable[tuple[RecordId, int, float]], floor: float) -> tuple[Candidate, ...]:
    """Return the candidates at or above the floor, best first: a record by its best photograph, ties by record id.

    ``scored`` holds (record, photograph, float64 cosine); scores are rounded to 4 decimals before anything is compared.
    """
    best: dict[RecordId, Candidate] = {}
    for record_id, photo, raw in scored:
        score = round(raw, SCORE_DECIMALS)
        held = best.get(record_id)
        if held is None or (-score, photo) < (-held.score, held.photo):
            best[record_id] = Candidate(record_id, score, photo)
    return tuple(sorted((c for c in best.values() if c.score >= floor), key=lambda c: (-c.score, c.record_id)))
