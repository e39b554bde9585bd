"""A provisional seal's last day: from when to when it may be, when the seal lapses, and what is said of that (R11).

What a clerk presses is bound by this; a signed event may name any moment, for a seal that is short or long only hides.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

MODE = "COURT_ORDER_ONLY"  # hidden from everyone while the petition is pending, whatever mode the statute's final order has
LEAST = timedelta(hours=1)  # six times what a lapse takes to settle: a shorter one may be over before anybody reads of it
MOST = timedelta(days=366)  # as a grant: what pends longer than a year is looked at again, and takes another order
DAY_ENDS = timedelta(hours=36)  # after its midnight in UTC a day is over everywhere, in the westernmost zone (UTC-12) too

HIDES = "While it stands nobody finds these records, the agency that holds them neither."
LAPSES = (
    "It lapses by itself when its time has come: what it covered is then found again, unless another order covers it."
    " The lapse waits until the exchange's clock has confirmed it, ten minutes at least. A lift ends it before."
)
CONFIRMS = (
    "A final seal is an order of its own: entered before the lapse, it goes on when this one ends."
    " Nothing else confirms this one or makes it longer."
)
NOTES = (HIDES, LAPSES, CONFIRMS)
FINAL = (
    "Where a provisional seal stands on a record, nobody finds the record until that one ends. This seal stands by itself,"
    " and goes on then."
)


def lapse(last: date) -> datetime:
    """Return when a seal lapses that stands through its last day, wherever the court is."""
    return datetime.combine(last, time(), UTC) + DAY_ENDS


def days(now: datetime) -> tuple[date, date]:
    """Return the first and the last day that may be a seal's last."""
    soonest = now.astimezone(UTC) + LEAST
    first = (soonest - DAY_ENDS).date()
    return first if lapse(first) >= soonest else first + timedelta(days=1), (now.astimezone(UTC) + MOST).date()
