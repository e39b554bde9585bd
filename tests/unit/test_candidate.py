"""The one scoring rule (rule 6, R26)."""

from __future__ import annotations

import itertools

from comity.domain.candidate import Candidate, rank
from journals import record


def test_candidates_come_best_first_and_ties_by_record_id() -> None:
    """Rule 6: ordered by (-score, record id), whatever order the engine proposes them in."""
    scored = [(record(n), 0, score) for n, score in [(3, 0.5), (1, 0.5), (2, 0.9), (4, 0.5)]]
    for proposed in itertools.permutations(scored):
        assert [c.record_id for c in rank(proposed, 0.0)] == [record(2), record(1), record(3), record(4)]


def test_scores_are_rounded_to_four_decimals_before_anything_is_compared() -> None:
    """Rule 6: float32 noise of another record's row moves nobody."""
    noisy = [(record(2), 0, 0.500_049), (record(1), 0, 0.499_951)]
    assert rank(noisy, 0.0) == (Candidate(record(1), 0.5, 0), Candidate(record(2), 0.5, 0))


def test_a_record_counts_by_its_best_photograph_and_equal_ones_by_the_first() -> None:
    """Rule 6."""
    scored = [(record(1), 2, 0.7), (record(1), 1, 0.700_04), (record(1), 0, 0.2)]
    assert rank(scored, 0.0) == (Candidate(record(1), 0.7, 1),)
    assert rank(scored[::-1], 0.0) == (Candidate(record(1), 0.7, 1),)


def test_none_stands_under_the_floor_and_the_floor_itself_is_enough() -> None:
    """R26: no candidate is an answer."""
    scored = [(record(1), 0, 0.359_94), (record(2), 0, 0.359_96)]
    assert [c.record_id for c in rank(scored, 0.36)] == [record(2)]
    assert rank(scored[:1], 0.36) == ()
    assert rank([], 0.36) == ()
