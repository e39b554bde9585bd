"""What every log does: one suite over the embedded log and over Kafka, which must agree on every history."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brokers import Broker
from comity.adapters import log_rules
from comity.adapters.kafka_log import KafkaLog
from comity.adapters.kafka_topics import FAST_COMPACTION
from comity.adapters.sqlite_log import SqliteLog
from comity.domain.log import JOURNAL, Entry, Placed, Stream, Topic
from comity.errors import Halted, InvalidInput, NotAppended, TooLarge, Unavailable
from comity.ports import EventLog
from comity.wire.limits import VALUE_BYTES_MAX

SECONDS = 20.0  # what an append may take on a busy machine
GREP = shutil.which("grep") or "grep"


class Home(Protocol):
    """Where a log lives on while it is closed."""

    def open(self) -> EventLog: ...
    def anew(self) -> Home: ...
    def holds(self, needle: bytes) -> bool: ...


def scan(folder: Path, needle: bytes) -> bool:
    """Look for bytes in every file, from another process: opening SQLite's file in this one would drop its locks."""
    found = subprocess.run([GREP, "-rqaF", needle.decode(), folder], check=False)
    return found.returncode == 0


class SqliteHome:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self) -> EventLog:
        return SqliteLog(self._folder / "log.db")

    def anew(self) -> SqliteHome:
        return SqliteHome(self._folder / "anew")

    def holds(self, needle: bytes) -> bool:
        return scan(self._folder, needle)


class KafkaHome:
    def __init__(self, broker: Broker) -> None:
        self._broker, self._prefix = broker, broker.prefix()

    def open(self) -> EventLog:
        return KafkaLog(self._broker.bootstrap, security=self._broker.security, prefix=self._prefix, compaction=FAST_COMPACTION)

    def anew(self) -> KafkaHome:
        return KafkaHome(self._broker)

    def holds(self, needle: bytes) -> bool:
        return self._broker.data is not None and scan(self._broker.data, needle)


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    return SqliteHome(tmp_path) if request.param == "sqlite" else KafkaHome(request.getfixturevalue("broker"))


@pytest.fixture
def log(home: Home) -> Iterator[EventLog]:
    log = home.open()
    yield log
    log.close()


def append(log: EventLog, topic: Topic, key: bytes | None, value: bytes | None = b"") -> Placed:
    return log.append(topic, Entry(key, value), timeout_seconds=SECONDS)


def read(log: EventLog, starts: Mapping[Stream, int], entries_max: int = 100) -> dict[Stream, list[Placed]]:
    """Read to the ends that stand now."""
    at, ends = dict(starts), {stream: log.end(stream) for stream in starts}
    came: dict[Stream, list[Placed]] = {stream: [] for stream in starts}
    deadline = time.monotonic() + SECONDS
    with log.open(starts) as reader:
        while any(at[stream] < ends[stream] for stream in at):
            assert time.monotonic() < deadline, f"stuck at {at}, before {ends}"
            batches = reader.poll(timeout_seconds=0.5, entries_max=entries_max)
            assert sum(len(batch.entries) for batch in batches.values()) <= entries_max
            for stream, batch in batches.items():
                assert batch.next > at[stream]
                at[stream] = batch.next
                came[stream] += batch.entries
    assert at == ends
    return came


def whole(log: EventLog, topic: Topic) -> dict[Stream, list[Placed]]:
    return read(log, dict.fromkeys(log.streams(topic), 0))


def test_the_journal_is_one_stream_without_gaps_from_0(log: EventLog) -> None:
    placed = [append(log, Topic.JOURNAL, b"key", b"%d" % count) for count in range(5)]
    assert [one.position for one in placed] == [0, 1, 2, 3, 4]
    assert {one.stream for one in placed} == {JOURNAL} == set(log.streams(Topic.JOURNAL))
    assert log.end(JOURNAL) == 5
    assert read(log, {JOURNAL: 0})[JOURNAL] == placed


def test_the_logs_clock_dates_entries_and_does_not_go_back(log: EventLog) -> None:
    before = time.time_ns() // 1_000_000
    dates = [append(log, Topic.JOURNAL, None, b"x").appended_at_ms for _ in range(5)]
    assert dates == sorted(dates)
    assert before <= dates[0] <= dates[-1] <= time.time_ns() // 1_000_000


def test_entries_of_one_key_keep_one_stream_whatever_the_log(log: EventLog) -> None:
    for topic in (Topic.ENROLMENTS, Topic.TEMPLATES):
        keys = [b"record-%d" % count for count in range(12)]
        first = {key: append(log, topic, key, b"1").stream for key in keys}
        assert first == {key: append(log, topic, key, b"2").stream for key in keys}
        assert first == {key: log_rules.stream_of(topic, key) for key in keys}
        assert set(first.values()) == set(log.streams(topic))


@pytest.mark.parametrize(
    "entry",
    [
        Entry(None, b"value"),
        Entry(b"", b""),
        Entry(b"key", None),
        Entry(b"\xff\x00", bytes(range(256))),
        Entry(b"k", b"v", (("ce_id", b"1"), ("ce_id", b"2"), ("", b""), ("ce_ü", b"\xff"))),
        Entry(b"k", b"v", (("no UTF-8: \udcff\udcc3", b"poison"), ("after", b"it"))),
    ],
)
def test_bytes_come_back_as_they_went_in(log: EventLog, entry: Entry) -> None:
    placed = log.append(Topic.QUARANTINE, entry, timeout_seconds=SECONDS)
    assert placed.entry == entry
    after = append(log, Topic.QUARANTINE, b"next", b"readable")
    assert read(log, {placed.stream: 0})[placed.stream] == [placed, after]


def test_a_reader_begins_where_it_is_told_and_takes_no_more_than_it_asked_for(log: EventLog) -> None:
    placed = [append(log, Topic.JOURNAL, None, b"%d" % count) for count in range(10)]
    assert read(log, {JOURNAL: 7}, entries_max=2)[JOURNAL] == placed[7:]
    assert read(log, {JOURNAL: 10})[JOURNAL] == []


def test_a_reader_follows_several_streams(log: EventLog) -> None:
    placed = [append(log, topic, b"%d" % count, b"v") for count in range(9) for topic in (Topic.ENROLMENTS, Topic.TEMPLATES)]
    starts = dict.fromkeys((*log.streams(Topic.ENROLMENTS), *log.streams(Topic.TEMPLATES)), 0)
    for stream, came in read(log, starts, entries_max=2).items():
        assert came == [one for one in placed if one.stream == stream]


def test_an_empty_poll_takes_its_time_and_brings_nothing(log: EventLog) -> None:
    with log.open({JOURNAL: 0}) as reader:
        began = time.monotonic()
        assert reader.poll(timeout_seconds=0.3, entries_max=10) == {}
        assert 0.25 < time.monotonic() - began < 5


def test_a_waiting_reader_hears_of_an_append_from_here_and_from_elsewhere(log: EventLog, home: Home) -> None:
    other = home.open()
    try:
        with log.open({JOURNAL: 0}) as reader, ThreadPoolExecutor(1) as pool:
            reader.poll(timeout_seconds=0.2, entries_max=1)
            for position, writer in enumerate((log, other)):
                promised = pool.submit(reader.poll, timeout_seconds=SECONDS, entries_max=1)
                began = time.monotonic()
                placed = append(writer, Topic.JOURNAL, None, b"%d" % position)
                assert promised.result(SECONDS)[JOURNAL].entries == (placed,)
                assert time.monotonic() - began < SECONDS / 2
    finally:
        other.close()


def test_many_may_append_at_once(log: EventLog, home: Home) -> None:
    other = home.open()
    threads, each = 6, 15

    def work(number: int) -> list[Placed]:
        return [append((log, other)[number % 2], Topic.JOURNAL, None, b"%d-%d" % (number, count)) for count in range(each)]

    try:
        with ThreadPoolExecutor(threads) as pool:
            told = [placed for work_of_one in pool.map(work, range(threads)) for placed in work_of_one]
    finally:
        other.close()
    told.sort(key=lambda placed: placed.position)
    assert [placed.position for placed in told] == list(range(threads * each))
    assert read(log, {JOURNAL: 0})[JOURNAL] == told


def test_a_tombstone_erases_and_its_place_becomes_a_hole(log: EventLog, home: Home) -> None:
    secret = b"SECRET-%d" % time.time_ns()
    stream = append(log, Topic.ENROLMENTS, b"gone", secret + b" first").stream
    append(log, Topic.ENROLMENTS, b"gone", secret + b" second " * 1000)
    kept = append(log, Topic.ENROLMENTS, b"kept", b"kept")
    assert not log.settle(Topic.ENROLMENTS, [b"kept"], timeout_seconds=1)
    tombstone = append(log, Topic.ENROLMENTS, b"gone", None)
    assert tombstone.position == 2 if kept.stream != stream else 3
    assert log.settle(Topic.ENROLMENTS, [b"gone"], timeout_seconds=SECONDS)
    came = whole(log, Topic.ENROLMENTS)
    assert {placed.entry for placed in came[stream] if placed.entry.key == b"gone"} == {Entry(b"gone", None)}
    assert [placed for placed in came[kept.stream] if placed.entry.key == b"kept"] == [kept]
    assert not holds_after_a_while(home, secret)
    assert append(log, Topic.ENROLMENTS, b"gone", b"again").position == came[stream][-1].position + 1


def test_what_a_foreign_producer_put_into_another_stream_is_erased_there(log: EventLog, home: Home) -> None:
    secret, keys = b"SECRET-%d" % time.time_ns(), [b"one", b"another"]
    for key in keys:
        own = append(log, Topic.ENROLMENTS, key, b"own").stream
        for stream in log.streams(Topic.ENROLMENTS):
            if stream != own:
                log.append(Topic.ENROLMENTS, Entry(key, secret), timeout_seconds=SECONDS, stream=stream)
    append(log, Topic.ENROLMENTS, keys[0], None)
    assert not log.settle(Topic.ENROLMENTS, keys, timeout_seconds=SECONDS)
    came = [placed.entry for placed in itertools.chain(*whole(log, Topic.ENROLMENTS).values())]
    assert len([entry for entry in came if entry.key == keys[1] and entry.value is not None]) == len(
        log.streams(Topic.ENROLMENTS)
    )
    append(log, Topic.ENROLMENTS, keys[1], None)
    assert log.settle(Topic.ENROLMENTS, keys, timeout_seconds=SECONDS)
    came = [placed.entry for placed in itertools.chain(*whole(log, Topic.ENROLMENTS).values())]
    assert {entry.value for entry in came if entry.key in keys} == {None}
    assert not holds_after_a_while(home, secret)


def holds_after_a_while(home: Home, needle: bytes) -> bool:
    """Scan until clean: a broker keeps a replaced segment's file for a moment."""
    deadline = time.monotonic() + SECONDS
    while home.holds(needle):
        if time.monotonic() > deadline:
            return True
        time.sleep(0.2)
    return False


def test_many_keys_settle_together_and_one_that_stands_is_told(log: EventLog) -> None:
    keys = [b"many-%d" % number for number in range(12)]
    for key in keys:
        append(log, Topic.ENROLMENTS, key, b"value")
    for key in keys[1:]:
        append(log, Topic.ENROLMENTS, key, None)
    assert not log.settle(Topic.ENROLMENTS, keys, timeout_seconds=SECONDS)
    append(log, Topic.ENROLMENTS, keys[0], None)
    assert log.settle(Topic.ENROLMENTS, keys, timeout_seconds=SECONDS)
    came = [placed.entry for stream in whole(log, Topic.ENROLMENTS).values() for placed in stream]
    assert not [entry for entry in came if entry.key in keys and entry.value is not None]
    assert log.settle(Topic.ENROLMENTS, [], timeout_seconds=SECONDS)


def test_only_tombstoned_keys_of_compacted_topics_settle(log: EventLog) -> None:
    append(log, Topic.JOURNAL, b"key", None)
    assert not log.settle(Topic.JOURNAL, [b"key"], timeout_seconds=1)
    assert log.settle(Topic.TEMPLATES, [b"never there"], timeout_seconds=SECONDS)


def test_a_topics_identity_stays_until_it_is_made_anew(log: EventLog, home: Home) -> None:
    assert len({log.identity(topic) for topic in Topic}) == len(Topic)
    again, anew = home.open(), home.anew().open()
    try:
        assert again.identity(Topic.JOURNAL) == log.identity(Topic.JOURNAL) != anew.identity(Topic.JOURNAL)
    finally:
        again.close()
        anew.close()


def test_a_log_opened_again_goes_on(home: Home) -> None:
    first = home.open()
    placed = [append(first, Topic.JOURNAL, None, b"1"), append(first, Topic.TEMPLATES, b"k", b"2")]
    first.close()
    second = home.open()
    try:
        assert read(second, {JOURNAL: 0})[JOURNAL] == placed[:1]
        assert append(second, Topic.JOURNAL, None, b"3").position == 1
        assert append(second, Topic.TEMPLATES, b"k", b"4").position == 1
    finally:
        second.close()


def test_a_value_of_16_mib_is_taken_and_one_more_byte_is_not(log: EventLog) -> None:
    largest = bytes(VALUE_BYTES_MAX)
    with pytest.raises(TooLarge):
        append(log, Topic.ENROLMENTS, b"key", largest + b"\0")
    placed = append(log, Topic.ENROLMENTS, b"key", largest)
    assert placed.position == 0
    assert read(log, {placed.stream: 0})[placed.stream] == [placed]


@pytest.mark.parametrize(
    ("topic", "entry"),
    [
        (Topic.ENROLMENTS, Entry(None, b"no key")),
        (Topic.JOURNAL, Entry(None, None)),
        (Topic.JOURNAL, Entry(b"k", b"v", (("\ud800", b""),))),
        (Topic.JOURNAL, Entry(b"k" * (log_rules.KEY_BYTES_MAX + 1), b"v")),
        (Topic.JOURNAL, Entry(b"k", b"v", (("h", bytes(log_rules.HEADERS_BYTES_MAX)),))),
    ],
)
def test_what_no_log_takes_is_refused_and_leaves_no_trace(log: EventLog, topic: Topic, entry: Entry) -> None:
    with pytest.raises(InvalidInput):
        log.append(topic, entry, timeout_seconds=SECONDS)
    assert all(log.end(stream) == 0 for stream in log.streams(topic))


def test_a_position_beyond_the_end_halts(log: EventLog) -> None:
    append(log, Topic.JOURNAL, None, b"only one")
    with log.open({JOURNAL: 2}) as reader, pytest.raises(Halted):
        reader.poll(timeout_seconds=SECONDS, entries_max=1)


def test_a_closed_log_says_so_and_closes_twice(home: Home) -> None:
    log = home.open()
    log.close()
    log.close()
    with pytest.raises(NotAppended):
        append(log, Topic.JOURNAL, None, b"x")
    for ask in (lambda: log.end(JOURNAL), lambda: log.identity(Topic.JOURNAL), lambda: log.open({JOURNAL: 0})):
        with pytest.raises(Unavailable):
            ask()


def test_closing_the_log_ends_a_waiting_reader(home: Home) -> None:
    log = home.open()
    with log.open({JOURNAL: 0}) as reader:
        closer = threading.Timer(0.3, log.close)
        closer.start()
        with pytest.raises(Unavailable):
            reader.poll(timeout_seconds=SECONDS, entries_max=1)
        closer.join()


_ENTRIES = st.tuples(
    st.sampled_from([Topic.ENROLMENTS, Topic.JOURNAL]),
    st.builds(
        Entry,
        st.sampled_from([b"a", b"b", b"c", b"d"]),
        st.none() | st.binary(max_size=20),
        st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=5), st.binary(max_size=5)), max_size=3).map(tuple),
    ),
)


@pytest.mark.kafka
@given(history=st.lists(_ENTRIES, max_size=20))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_history_lies_alike_in_both_logs(
    tmp_path_factory: pytest.TempPathFactory, broker: Broker, history: list[tuple[Topic, Entry]]
) -> None:
    """Compaction may be at any stage, so of compacted topics the newest entries are compared; of the journal everything."""
    logs = [SqliteHome(tmp_path_factory.mktemp("history")).open(), KafkaHome(broker).open()]
    try:
        places = [
            [(put.stream, put.position) for put in (log.append(*one, timeout_seconds=SECONDS) for one in history)] for log in logs
        ]
        assert places[0] == places[1]
        assert newest(logs[0]) == newest(logs[1])
        journals = [[(one.position, one.entry) for one in read(log, {JOURNAL: 0})[JOURNAL]] for log in logs]
        assert journals[0] == journals[1]
    finally:
        for log in logs:
            log.close()


def newest(log: EventLog) -> dict[tuple[Stream, bytes | None], tuple[int, Entry]]:
    came = whole(log, Topic.ENROLMENTS)
    return {(stream, one.entry.key): (one.position, one.entry) for stream, placed in came.items() for one in placed}
