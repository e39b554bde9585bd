"""Ending: a follower that hangs keeps nobody waiting for ever, and a start that fails leaves nothing running."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from comity import bootstrap
from comity.adapters.home import Home
from comity.adapters.sqlite_log import SqliteLog
from comity.domain.log import JOURNAL, Batch, Entry, Stream, Topic
from comity.errors import Unavailable
from comity.projection import projector
from comity.projection.projector import Follower
from comity.settings import Settings


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    held = SqliteLog(tmp_path / "log.db")
    yield held
    held.close()


def test_a_follower_that_hangs_is_left_behind(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector, "STOP_SECONDS", 0.2)
    hangs, free = threading.Event(), threading.Event()

    def apply(_stream: Stream, _batch: Batch) -> None:
        hangs.set()
        free.wait()

    log.append(Topic.JOURNAL, Entry(b"k", b"v", ()), timeout_seconds=5)
    follower = Follower("hangs", log, lambda: {JOURNAL: 0}, apply)
    follower.start()
    assert hangs.wait(10)
    since = time.monotonic()
    with pytest.raises(Unavailable, match="hangs"):
        follower.stop()
    assert time.monotonic() - since < 5
    free.set()
    follower._thread.join()


class Rests(threading.Event):
    """A stop that comes after so many rests, none of which lasts."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._count = count

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        return False

    def is_set(self) -> bool:
        return len(self.seconds) >= self._count


def test_a_follower_that_fails_again_and_again_rests_ever_longer(log: SqliteLog) -> None:
    def starts() -> dict[Stream, int]:
        raise OSError("full")

    follower = Follower("fails", log, starts, lambda *_: None)
    follower._stop = Rests(7)
    follower._run()
    assert follower._stop.seconds == [1, 2, 4, 8, 15, 15, 15]


class Slow:
    """A log whose readers bring nothing at first, as a broker's do."""

    def __init__(self, log: SqliteLog) -> None:
        self._log, self.end = log, log.end

    @contextlib.contextmanager
    def open(self, starts: dict[Stream, int]) -> Iterator[Slow]:
        with self._log.open(starts) as self._reader:
            self._rounds = 0
            yield self

    def poll(self, **how: Any) -> Mapping[Stream, Batch]:  # noqa: ANN401
        self._rounds += 1
        return self._reader.poll(**how) if self._rounds > 1 else {}


def test_an_empty_round_before_what_cannot_be_applied_is_no_recovery(log: SqliteLog) -> None:
    def apply(_stream: Stream, _batch: Batch) -> None:
        raise OSError("full")

    log.append(Topic.JOURNAL, Entry(b"k", b"v", ()), timeout_seconds=5)
    follower = Follower("fails", Slow(log), lambda: {JOURNAL: 0}, apply)  # type: ignore[arg-type]
    rests = Rests(8)
    follower._stop = rests
    follower._run()
    assert [seconds for seconds in rests.seconds if seconds >= 1] == [1, 2, 4, 8]
    assert follower.failure == "fails: OSError"


def test_a_follower_that_reads_again_is_well_though_nothing_comes(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector, "RETRY_SECONDS", 0.01)
    failures = [OSError("away")]

    def starts() -> dict[Stream, int]:
        if failures:
            raise failures.pop()
        return {JOURNAL: 0}

    said: list[str] = []
    follower = Follower("recovers", log, starts, lambda *_: None, said.append)
    follower.start()
    deadline = time.monotonic() + 10
    while (follower.failure is not None or not said) and time.monotonic() < deadline:
        time.sleep(0.01)
    follower.stop()
    assert (said, follower.failure) == (["recovers: OSError"], None)


class Broker:
    """A broker that only says whether it was stopped."""

    stopped: list[str] = []  # noqa: RUF012 - one list for all of them

    def __init__(self, *_: object, **__: object) -> None:
        self.bootstrap = ("127.0.0.1:9",)

    def start(self) -> None:
        pass

    def stop(self) -> None:
        self.stopped.append("broker")


@pytest.mark.parametrize("broken", ["opened_log", "open_engine", "SqliteKeyVault", "Search"])
def test_a_start_that_fails_leaves_no_broker_and_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Unavailable("This part does not start.")

    Broker.stopped.clear()
    monkeypatch.setattr(bootstrap, "LocalKafka", Broker)
    monkeypatch.setattr(bootstrap, "opened_log", lambda path, *_: SqliteLog(path))
    monkeypatch.setattr(bootstrap, broken, fail)
    with pytest.raises(Unavailable, match="does not start"):
        bootstrap.Exchange(Settings(home=tmp_path / "home", kafka="local"), face_encoder=object())  # type: ignore[arg-type]
    assert Broker.stopped == ["broker"]
    home = Home(tmp_path / "home")
    home.open()
    home.close()
