"""A provisional seal's last day: its bounds, and that what is said of the lapse is what the judge does."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from comity.domain import provisional
from comity.domain.provisional import LEAST, MOST, days, lapse


@pytest.mark.parametrize("now", [datetime(2026, 3, 1, hour, 59, tzinfo=UTC) for hour in (0, 10, 11, 12, 23)])
def test_the_first_day_lapses_an_hour_from_now_and_the_day_before_it_does_not(now: datetime) -> None:
    first, last = days(now)
    assert lapse(first) >= now + LEAST
    assert lapse(first - timedelta(days=1)) < now + LEAST
    assert last == (now + MOST).date()


@pytest.mark.parametrize("zone", range(-12, 15))
def test_a_seal_stands_through_its_last_day_wherever_the_court_is(zone: int) -> None:
    midnight_after = datetime(2026, 3, 2, tzinfo=UTC) - timedelta(hours=zone)
    assert lapse(date(2026, 3, 1)) >= midnight_after


def test_a_seal_that_is_pressed_late_still_stands_a_while() -> None:
    """A preview holds for a quarter of an hour: what was shown must not be over when it is pressed."""
    from comity.acts.tokens import LASTS  # noqa: PLC0415 - the only act here

    assert LEAST > LASTS
    assert provisional.MODE == "COURT_ORDER_ONLY"
