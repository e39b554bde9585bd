"""Keys that wait for their enrolment: the same one until it is claimed, bounded, and gone from the file when it is not."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.adapters import waiting_keys
from comity.adapters.key_vault import SqliteKeyVault
from comity.errors import KeyShredded, NotFound

MASTER = bytes(range(32))
HOLDER, OTHER = "WI0130000", "CA0010000"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


@pytest.fixture
def vault(path: Path) -> Iterator[SqliteKeyVault]:
    opened = SqliteKeyVault(path, MASTER)
    yield opened
    opened.close()


def name(number: int) -> str:
    return f"record/{number:032x}"


def waits(path: Path, number: int) -> bytes:
    """Return what waits under a name as it stands in the file."""
    with sqlite3.connect(path) as connection:
        row = connection.execute("SELECT wrapped FROM waiting WHERE name = ?", (name(number),)).fetchone()
    connection.close()
    assert row is not None
    return bytes(row[0])


def test_what_is_reserved_is_the_same_until_it_is_claimed_and_after(vault: SqliteKeyVault) -> None:
    key = vault.reserve(name(1), HOLDER)
    assert vault.reserve(name(1), HOLDER) == vault.waiting(name(1)) == key
    with pytest.raises(NotFound):
        vault.open(name(1))
    assert vault.wrapped(name(1)) is None
    assert vault.claim(name(1)) == vault.claim(name(1)) == vault.open(name(1)) == vault.reserve(name(1), HOLDER) == key
    assert vault.waiting(name(1)) is None


def test_issuing_takes_the_key_that_waits(vault: SqliteKeyVault) -> None:
    assert vault.reserve(name(1), HOLDER) == vault.issue(name(1))
    with pytest.raises(NotFound):
        vault.claim(name(2))


def test_it_waits_across_a_restart(path: Path, vault: SqliteKeyVault) -> None:
    key = vault.reserve(name(1), HOLDER)
    vault.close()
    again = SqliteKeyVault(path, MASTER)
    assert again.claim(name(1)) == key
    again.close()


def test_a_shredded_name_looks_like_any_other_and_is_claimed_by_nobody(vault: SqliteKeyVault) -> None:
    vault.shred([name(1)])
    assert vault.reserve(name(1), HOLDER) == vault.waiting(name(1))
    for refused in (vault.claim, vault.open, vault.issue):
        with pytest.raises(KeyShredded):
            refused(name(1))


def test_what_was_claimed_shredded_or_is_over_its_time_leaves_the_file(
    path: Path, vault: SqliteKeyVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        vault.reserve(name(number), HOLDER)
    gone = [waits(path, number) for number in range(3)]
    vault.claim(name(0))
    vault.shred([name(1)])
    assert not [one for one in gone[:2] if one in path.read_bytes()]
    assert gone[2] in path.read_bytes()
    later = time.time() + waiting_keys.WAITS_SECONDS + 1
    monkeypatch.setattr(vault._waiting, "_now", lambda: later)
    assert vault.waiting(name(2)) is None
    fresh = vault.reserve(name(2), HOLDER)
    assert gone[2] not in path.read_bytes()
    assert vault.claim(name(2)) == fresh


def test_each_holder_has_so_much_room_and_takes_none_of_anothers(
    path: Path, vault: SqliteKeyVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever tries numbers out pushes out nobody's keys but his own, and makes no file grow."""
    monkeypatch.setattr(waiting_keys, "PER_HOLDER_MAX", 3)
    other = vault.reserve(name(100), OTHER)
    first = [vault.reserve(name(number), HOLDER) for number in range(3)]
    size = path.stat().st_size
    for number in range(3, 60):
        vault.reserve(name(number), HOLDER)
    assert path.stat().st_size == size
    assert vault.waiting(name(0)) is None
    assert vault.claim(name(59)) not in first
    assert vault.claim(name(100)) == other


def test_a_key_that_is_handed_out_again_waits_for_a_week_from_then(
    vault: SqliteKeyVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = vault.reserve(name(1), HOLDER)
    for days in (5, 10):
        monkeypatch.setattr(vault._waiting, "_now", lambda days=days: time.time() + days * 86_400)
        assert vault.reserve(name(1), HOLDER) == vault.waiting(name(1)) == key
