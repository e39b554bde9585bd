"""Logs: one line for trouble that repeats, and of a library no more than that it warned."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from comity import telemetry
from comity.telemetry import AGAIN_SECONDS, KINDS_MAX, Repeats


class Log:
    """A log that is read back, with a clock that is told."""

    def __init__(self) -> None:
        self.now, self._repeats = 0.0, Repeats(lambda: self.now)

    def passes(self, event: str, *, level: str = "error", **more: Any) -> dict[str, Any] | None:  # noqa: ANN401
        try:
            return dict(self._repeats(None, "", {"event": event, "level": level, **more}))
        except structlog.DropEvent:
            return None


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, held = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.configure(**held)


def test_a_failure_of_a_whole_night_is_a_line_an_hour_with_its_count(log: Log) -> None:
    """A failing follower wrote 250 MB a day."""
    told = []
    for log.now in range(8 * 3600):
        if (line := log.passes("follower failed", follower="gallery", exc_info=OSError("full"))) is not None:
            told.append(line)
    assert len(told) == 8
    assert "times" not in told[0]
    assert isinstance(told[0]["exc_info"], OSError)
    assert [line["times"] for line in told[1:]] == [3600] * 7
    assert {line["exc_info"] for line in told[1:]} == {None}


def test_other_trouble_is_other_trouble(log: Log) -> None:
    assert log.passes("follower failed", follower="gallery", exc_info=OSError())
    assert log.passes("follower failed", follower="encoder", exc_info=OSError())
    assert log.passes("follower failed", follower="gallery", exc_info=ValueError())
    assert log.passes("template entry passed over", topic="templates", position=1)
    assert log.passes("template entry passed over", topic="templates", position=2)
    assert log.passes("follower failed", follower="gallery", exc_info=ValueError()) is None


def test_what_was_quiet_for_an_hour_is_told_whole(log: Log) -> None:
    assert log.passes("tick not entered", why="not-appended")
    log.now += AGAIN_SECONDS
    assert log.passes("tick not entered", why="not-appended") == {
        "event": "tick not entered",
        "level": "error",
        "why": "not-appended",
    }


def test_news_and_what_a_request_met_are_never_held_back(log: Log) -> None:
    for _ in range(2):
        assert log.passes("started", level="info")
        assert log.passes("unexpected error", trace_id="t")


def test_no_more_is_held_than_so_many_kinds(log: Log) -> None:
    for number in range(KINDS_MAX + 1):
        assert log.passes("follower failed", path=str(number))
    assert log.passes("follower failed", path="1") is None
    assert log.passes("follower failed", path="0"), "the one that came longest ago was forgotten"


def test_a_library_that_warns_is_named_and_not_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger().handlers = []
    telemetry.configure()
    failure = ValueError("a name")
    logging.getLogger("some.library").error("RPC error with %s", "a name", exc_info=failure)
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert "a name" not in line
    assert (said["event"], said["where"], said["error"]) == ("a library warned", "some.library", "ValueError")
