"""The tables of purposes, modes and statutes, and the ruling before a search (R13, R23, R24)."""

from __future__ import annotations

import pytest

from comity.domain import policy
from comity.domain.entries import RecordClass
from comity.domain.policy import MODES, OFFENCES, PURPOSES, STATUTES, THRESHOLDS, Ruling, rule

BOOKING, MISSING, MINOR = RecordClass.BOOKING, RecordClass.MISSING, RecordClass.MINOR
BOOKINGS = frozenset({BOOKING})


@pytest.mark.parametrize("slug", [slug for slug, purpose in PURPOSES.items() if purpose.thresholds])
def test_a_lawful_purpose_is_allowed_under_each_of_its_thresholds_and_no_other(slug: str) -> None:
    """R24."""
    offence = "none" if PURPOSES[slug].thresholds == ("identify",) else "robbery"
    reached = PURPOSES[slug].classes
    allowed = {t for t in THRESHOLDS if rule(slug, t, offence, reached)[0] is Ruling.ALLOW}
    assert allowed == set(PURPOSES[slug].thresholds)


@pytest.mark.parametrize("slug", ["immigration-enforcement", "first-amendment-activity"])
@pytest.mark.parametrize("threshold", list(THRESHOLDS))
def test_some_purposes_are_refused_under_every_threshold_with_their_reason(slug: str, threshold: str) -> None:
    """R24: refused as data, with the source."""
    ruling, why = rule(slug, threshold, "robbery", BOOKINGS)
    assert ruling is Ruling.REFUSE
    assert PURPOSES[slug].why in why
    assert PURPOSES[slug].source in why


@pytest.mark.parametrize(
    ("purpose", "threshold", "offence", "classes"),
    [
        ("curiosity", "warrant", "robbery", BOOKINGS),
        ("serious-crime", "a-hunch", "robbery", BOOKINGS),
        ("serious-crime", "warrant", "jaywalking", BOOKINGS),
        ("serious-crime", "warrant", "none", BOOKINGS),
        ("serious-crime", "warrant", "robbery", frozenset()),
        ("serious-crime", "warrant", "robbery", frozenset({BOOKING, MISSING})),
        ("missing-person", "emergency", "none", BOOKINGS),
        ("missing-person", "identify", "none", frozenset({MINOR})),
    ],
)
def test_what_the_tables_do_not_name_is_refused(
    purpose: str, threshold: str, offence: str, classes: frozenset[RecordClass]
) -> None:
    """R3, R23: structured and validated; minors are in no purpose's reach."""
    assert rule(purpose, threshold, offence, classes)[0] is Ruling.REFUSE


def test_one_purpose_reaches_minors_and_names_its_source() -> None:
    """R3: the tick box on the page leads somewhere, and inside one's own agency alone (``test_judge`` has the sharing)."""
    reaching = [purpose for purpose in PURPOSES.values() if MINOR in purpose.classes]
    assert [purpose.slug for purpose in reaching] == ["missing-child"]
    assert rule("missing-child", "identify", "none", frozenset({MINOR}))[0] is Ruling.ALLOW
    assert "Title 34" in reaching[0].source


def test_every_class_is_in_some_purposes_reach() -> None:
    """A class that nothing reaches would be a tick box that always refuses."""
    assert {c for purpose in PURPOSES.values() for c in purpose.classes} == set(RecordClass)


def test_a_class_besides_bookings_is_reached_only_where_the_purpose_allows_it() -> None:
    """R3."""
    assert rule("missing-person", "identify", "none", frozenset({BOOKING, MISSING}))[0] is Ruling.ALLOW
    assert rule("criminal-investigation", "warrant", "fraud", frozenset({MISSING}))[0] is Ruling.REFUSE


def test_every_statute_names_a_known_mode_or_says_why_it_has_none() -> None:
    """R13: an order without police effect is refused with the reason."""
    for statute in STATUTES.values():
        assert statute.mode in MODES or (statute.mode is None and statute.why)


def test_every_threshold_that_a_purpose_names_exists() -> None:
    """R24: a misspelt one could never be met."""
    assert {t for purpose in PURPOSES.values() for t in purpose.thresholds} == set(THRESHOLDS)
    assert "none" in OFFENCES


def test_the_digest_changes_with_each_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """PolicyAdopted tells an auditor which tables were in force."""
    seen = {policy.digest()}
    for name in ("THRESHOLDS", "OFFENCES", "MODES", "STATUTES", "PURPOSES"):
        table = dict(getattr(policy, name))
        table.pop(next(iter(table)))
        with monkeypatch.context() as patch:
            patch.setattr(policy, name, table)
            seen.add(policy.digest())
    assert len(seen) == 6
    assert policy.digest() in seen
