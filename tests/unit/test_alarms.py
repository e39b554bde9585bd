"""What an operator must look at is kept once, counted, bounded, and gone when mended."""

from __future__ import annotations

from comity.acts import alarms
from comity.acts.alarms import Alarms
from journals import BASE


def test_an_alarm_is_kept_once_with_its_newest_words_and_counted() -> None:
    held = Alarms(lambda: BASE)
    held.sound("vault", "one key is missing", "restore it")
    held.sound("photographs", "one is missing", "rebuild")
    held.sound("vault", "two keys are missing", "restore them")
    assert [(a.kind, a.what, a.advice, a.count, a.since) for a in held.all()] == [
        ("vault", "two keys are missing", "restore them", 2, BASE),
        ("photographs", "one is missing", "rebuild", 1, BASE),
    ]
    held.clear("vault")
    held.clear("vault")
    assert [a.kind for a in held.all()] == ["photographs"]


def test_there_is_room_for_so_many_kinds_and_no_more() -> None:
    held = Alarms(lambda: BASE)
    for number in range(alarms.KINDS_MAX + 1):
        held.sound(str(number), "something", "look")
    assert len(held.all()) == alarms.KINDS_MAX
