"""A home remembers where its log lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from comity.adapters.log_choice import Choice, remember, remembered
from comity.errors import InvalidInput

FILE, BROKER = Choice(None, ""), Choice("broker-1:9092", "county-")


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "log.json"


@pytest.mark.parametrize("said", [FILE, BROKER])
def test_a_new_home_takes_what_is_said(memory: Path, said: Choice) -> None:
    assert remembered(memory, said) == said
    remember(memory, said, started=True)
    assert remembered(memory, said) == said


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (Choice(None, ""), BROKER),
        (Choice("broker-2:9092", ""), Choice("broker-2:9092", "county-")),
        (Choice(None, "other-"), Choice("broker-1:9092", "other-")),
    ],
)
def test_what_is_left_unsaid_is_as_it_was(memory: Path, said: Choice, found: Choice) -> None:
    """Forgetting --kafka made a second log, in which nothing stood."""
    remember(memory, BROKER, started=True)
    assert remembered(memory, said) == found


def test_a_log_in_a_file_is_not_left_for_a_broker(memory: Path) -> None:
    remember(memory, FILE, started=True)
    with pytest.raises(InvalidInput, match="not on Kafka"):
        remembered(memory, BROKER)


@pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"kafka": null}', '{"kafka": null, "prefix": "", "more": 1}'])
def test_a_memory_that_is_spoilt_is_told(memory: Path, spoilt: str) -> None:
    memory.write_text(spoilt, encoding="utf-8")
    with pytest.raises(InvalidInput, match="memory"):
        remembered(memory, FILE)
