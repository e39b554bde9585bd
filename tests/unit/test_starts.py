"""Where followers go on: at their positions, but never at another topic's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.acts.alarms import Alarms
from comity.adapters.sql.engine import open_engine
from comity.adapters.sql.positions import SqlPositions
from comity.domain.log import JOURNAL, Entry, Stream, Topic
from comity.projection.starts import Starts
from journals import ListLog

ENROLMENTS = Stream(Topic.ENROLMENTS)


@pytest.fixture
def starts(tmp_path: Path) -> Iterator[Starts]:
    engine = open_engine(tmp_path / "ledger.db")
    log = ListLog()
    for topic in (Topic.ENROLMENTS, Topic.JOURNAL):
        for number in range(5):
            log.append(topic, Entry(b"key", b"%d" % number), timeout_seconds=1)
    yield Starts(log, SqlPositions(engine), Alarms())
    engine.dispose()


def at(starts: Starts, position: int, topic: Topic = Topic.ENROLMENTS) -> None:
    starts("encoder", topic)
    starts.positions.save("encoder", "comity.enrolments/0" if topic.compacted else str(topic), position)


@pytest.mark.parametrize(("topic", "stream"), [(Topic.ENROLMENTS, ENROLMENTS), (Topic.JOURNAL, JOURNAL)])
def test_a_follower_goes_on_where_it_stopped(starts: Starts, topic: Topic, stream: Stream) -> None:
    assert starts("encoder", topic) == {stream: 0}
    at(starts, 5, topic)
    assert starts("encoder", topic) == {stream: 5}
    assert starts("keeper", topic) == {stream: 0}
    assert starts.alarms.all() == ()


def test_a_topic_that_was_made_anew_is_read_from_its_beginning_and_told_once(starts: Starts) -> None:
    at(starts, 3)
    assert isinstance(starts.log, ListLog)
    starts.log.name = "log-2"
    assert starts("encoder", Topic.ENROLMENTS) == {ENROLMENTS: 0}
    (alarm,) = starts.alarms.all()
    assert "comity.enrolments" in alarm.what
    at(starts, 4)
    assert starts("encoder", Topic.ENROLMENTS) == {ENROLMENTS: 4}
    assert [alarm.count for alarm in starts.alarms.all()] == [1]


def test_a_compacted_topic_that_is_shorter_than_what_was_read_is_read_from_its_beginning(starts: Starts) -> None:
    """An older copy of the broker's disk: its reader would halt at every start, and nothing could be done."""
    at(starts, 6)
    assert starts("encoder", Topic.ENROLMENTS) == {ENROLMENTS: 0}
    assert len(starts.alarms.all()) == 1
