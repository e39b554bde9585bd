"""What a broker's death, absence and slowness do to the log on it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from brokers import fetch_jars
from comity.adapters import kafka_log, kafka_producer
from comity.adapters.kafka_log import KafkaLog
from comity.adapters.kafka_topics import FAST_COMPACTION
from comity.adapters.local_kafka import LocalKafka
from comity.domain.log import JOURNAL, Entry, Placed, Topic
from comity.errors import NotAppended, OutcomeUnknown, Unavailable
from comity.ports import Reader

pytestmark = pytest.mark.kafka
SECONDS = 20.0


@pytest.fixture
def own(tmp_path: Path) -> Iterator[LocalKafka]:
    fetch_jars()
    with LocalKafka(tmp_path / "kafka") as kafka:
        yield kafka


def everything(log: KafkaLog) -> list[Placed]:
    came: list[Placed] = []
    with log.open({JOURNAL: 0}) as reader:
        end, at = log.end(JOURNAL), 0
        deadline = time.monotonic() + SECONDS
        while at < end and time.monotonic() < deadline:
            for batch in reader.poll(timeout_seconds=0.5, entries_max=1000).values():
                at, came = batch.next, came + list(batch.entries)
    return came


def test_nothing_acknowledged_is_lost_by_kill_9_and_positions_go_on(own: LocalKafka) -> None:
    log, told, stop = (
        KafkaLog(own.bootstrap, security=own.security, compaction=FAST_COMPACTION),
        list[Placed](),
        threading.Event(),
    )

    def write() -> None:
        count = 0
        while not stop.is_set():
            count += 1
            with contextlib.suppress(OutcomeUnknown, NotAppended):
                told.append(log.append(Topic.JOURNAL, Entry(None, b"%d" % count), timeout_seconds=SECONDS))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with log.open({JOURNAL: 0}) as reader:
            followed: list[Placed] = []
            for _ in range(2):
                _grows(told, 20)
                own.kill()
                own.restart()
            _grows(told, 20)
            stop.set()
            writer.join(SECONDS)
            _until(lambda: _follow(reader, followed) == told[-1].position)
        kept = everything(log)
    finally:
        stop.set()
        writer.join(SECONDS)
        log.close()
    assert len({placed.position for placed in told}) == len(told)
    assert [placed.position for placed in kept] == list(range(len(kept)))
    assert all(kept[placed.position] == placed for placed in told)
    assert followed == kept[: len(followed)]


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 2 * SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _grows(told: list[Placed], more: int) -> None:
    before = len(told)
    _until(lambda: len(told) > before + more)


def _follow(reader: Reader, followed: list[Placed]) -> int:
    for batch in reader.poll(timeout_seconds=0.1, entries_max=1000).values():
        followed += batch.entries
    return followed[-1].position if followed else -1


def test_a_cleanly_stopped_broker_goes_on_with_its_folder(own: LocalKafka) -> None:
    log = KafkaLog(own.bootstrap, security=own.security)
    identity, placed = log.identity(Topic.JOURNAL), log.append(Topic.JOURNAL, Entry(None, b"1"), timeout_seconds=SECONDS)
    log.close()
    own.stop()
    own.start()
    log = KafkaLog(own.bootstrap, security=own.security)
    try:
        assert log.identity(Topic.JOURNAL) == identity
        assert everything(log) == [placed]
    finally:
        log.close()


def test_a_broker_keeps_its_topics_in_its_folder_whatever_that_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lay beside was read by no scan after an erasure, and left behind by whoever copied the home."""
    fetch_jars()
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.chdir(tmp_path)
    name = "hélène, and\\tson #x=y:z! ${env} "
    folder = tmp_path / name / "kafka"
    with LocalKafka(folder) as kafka:
        log = KafkaLog(kafka.bootstrap, security=kafka.security)
        placed = log.append(Topic.JOURNAL, Entry(None, b"v"), timeout_seconds=SECONDS)
        log.close()
    assert any(b"v" in file.read_bytes() for file in kafka.data().glob("comity.journal-*/*.log"))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with LocalKafka(folder) as kafka:
        log = KafkaLog(kafka.bootstrap, security=kafka.security)
        assert everything(log) == [placed]
        log.close()


def test_a_paused_broker_leaves_the_question_open_and_the_entry_may_land(own: LocalKafka) -> None:
    log = KafkaLog(own.bootstrap, security=own.security)
    try:
        log.append(Topic.JOURNAL, Entry(None, b"before"), timeout_seconds=SECONDS)
        own.pause()
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            log.append(Topic.JOURNAL, Entry(None, b"during"), timeout_seconds=0.5)
        assert time.monotonic() - began < 3
        own.resume()
        after = log.append(Topic.JOURNAL, Entry(None, b"after"), timeout_seconds=SECONDS)
        kept = everything(log)
    finally:
        own.resume()
        log.close()
    assert kept[after.position] == after
    assert [placed.entry.value for placed in kept] in ([b"before", b"during", b"after"], [b"before", b"after"])


def test_the_log_goes_on_after_an_entry_expired_in_a_broker_that_died_with_it(
    own: LocalKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bare kafka-python never sends again after this."""
    monkeypatch.setattr(kafka_producer, "DELIVERY_SECONDS_MAX", 2.0)
    monkeypatch.setattr(kafka_log, "REQUEST_SECONDS_MAX", 1.5)
    log = KafkaLog(own.bootstrap, security=own.security)
    try:
        log.append(Topic.JOURNAL, Entry(None, b"before"), timeout_seconds=SECONDS)
        own.pause()
        killer = threading.Timer(0.3, own.kill)
        killer.start()
        with pytest.raises(OutcomeUnknown):
            log.append(Topic.JOURNAL, Entry(None, b"during"), timeout_seconds=SECONDS)
        killer.join()
        with pytest.raises((NotAppended, OutcomeUnknown)):
            log.append(Topic.JOURNAL, Entry(None, b"nobody there"), timeout_seconds=SECONDS)
        own.restart()
        after = log.append(Topic.JOURNAL, Entry(None, b"after"), timeout_seconds=SECONDS)
        assert everything(log)[-1] == after
    finally:
        log.close()


def test_a_full_buffer_appends_nothing_instead_of_growing(own: LocalKafka, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_producer, "BUFFER_BYTES_MAX", 100_000)
    log = KafkaLog(own.bootstrap, security=own.security)
    try:
        own.pause()
        with pytest.raises(OutcomeUnknown):
            log.append(Topic.JOURNAL, Entry(None, bytes(60_000)), timeout_seconds=0.3)
        with pytest.raises(NotAppended, match="under way"):
            log.append(Topic.JOURNAL, Entry(None, bytes(60_000)), timeout_seconds=0.3)
        own.resume()
        assert log.append(Topic.JOURNAL, Entry(None, bytes(60_000)), timeout_seconds=SECONDS).position in (0, 1)
    finally:
        own.resume()
        log.close()


def test_no_broker_is_said_within_seconds_with_advice() -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable, match="could not be reached") as caught:
        KafkaLog("127.0.0.1:9")
    assert time.monotonic() - began < kafka_log.BOOTSTRAP_SECONDS_MAX + 3
    assert "127.0.0.1:9" in caught.value.advice
