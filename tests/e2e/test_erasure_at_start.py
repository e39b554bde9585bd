"""What a start makes of an erasure: each store alone from before an order, and what is new alone."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from comity.domain.entries import IndexKind
from comity.domain.ids import record_key
from comity.duties.purge import sweep
from erased import certificates, kept_of
from exchange import RememberedFaces, enrol, order, running, settle
from journals import A

BOOKED = {IndexKind.BOOKING: "A-1"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def copied(home: Path, aside: Path, *names: str) -> None:
    for name in names:
        for path in home.glob(f"{name}*"):
            shutil.copytree(path, aside / path.name) if path.is_dir() else shutil.copy(path, aside / path.name)


def put_back(home: Path, aside: Path, *names: str) -> None:
    for name in names:
        for path in home.glob(f"{name}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in aside.glob(f"{name}*"):
            shutil.copytree(path, home / path.name) if path.is_dir() else shutil.copy(path, home / path.name)


@pytest.mark.parametrize("name", ["vault.db", "gallery.db", "photos", "erasures"])
def test_each_store_from_before_the_order_is_brought_up_and_nothing_comes_back(
    home: Path, tmp_path: Path, faces: RememberedFaces, name: str
) -> None:
    """Each alone; what keys and photographs come back are looked for again, and certified once more."""
    with running(home, faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, 1, owner=A)
        settle(exchange)
    (tmp_path / "aside").mkdir()
    copied(home, tmp_path / "aside", name)
    with running(home, faces) as exchange:
        order(exchange, "expunge", BOOKED, A)
        settle(exchange)
        exchange.purge.sweep()
    put_back(home, tmp_path / "aside", name)
    with running(home, faces) as exchange:
        assert exchange.vault.wrapped(record_key(record)) is None
        assert len(exchange.gallery) == 0
        settle(exchange)
        assert kept_of(exchange, record) == {}
        scopes = [c.scope for c in certificates(exchange)]
        assert scopes[:2] == ["directed", "sweep"]
        # What the gallery brings back is forgotten as it is loaded, before an erasure could find anything of it.
        assert len(scopes) == (2 if name in ("erasures", "gallery.db") else 3)


def test_a_start_reads_what_is_new_alone(home: Path, faces: RememberedFaces) -> None:
    with running(home, faces) as exchange:
        enrol(exchange, "A-1", 1, 1, owner=A)
        settle(exchange)
        order(exchange, "expunge", BOOKED, A)
        settle(exchange)
        end = exchange.ledger.progress().next
    with running(home, faces) as exchange:
        assert min(mark.load() for mark in exchange.purge.duty.marks.values()) >= end - 3
        assert exchange.purge.duty.again() < 10


def test_the_quiet_hour_comes_once_a_day_and_one_that_was_missed_is_made_up_for(
    home: Path, faces: RememberedFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(home, faces) as exchange:
        sweeper = exchange.purge.sweep
        noon = exchange.now().replace(hour=12)
        assert sweeper._next(noon).hour == 3
        assert sweeper._first() == sweeper._next(exchange.now())
        enrol(exchange, "A-1", 1, 1, owner=A)
        settle(exchange)
        order(exchange, "expunge", BOOKED, A)
        settle(exchange)
        monkeypatch.setattr(sweeper, "_now", lambda: exchange.now() + timedelta(days=2))  # it stood still for two days
        assert sweeper._first() < sweeper._now() + timedelta(minutes=11)
        assert sweep.POLL_SECONDS < 3_600


def test_a_template_that_was_put_too_late_goes_at_the_next_start(home: Path, faces: RememberedFaces) -> None:
    """The gallery put it just after it was forgotten, and the process died before the gallery looked at the key again."""
    with running(home, faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, 1, owner=A)
        settle(exchange)
        late = [template for batch in exchange.store.all() for template in batch]
        order(exchange, "expunge", BOOKED, A)
        settle(exchange)
        exchange.store.put(late)
    with running(home, faces) as exchange:
        assert len(exchange.gallery) == 0
        settle(exchange)
        assert kept_of(exchange, record) == {}


def test_what_is_put_back_file_by_file_is_destroyed_by_the_next_sweep(home: Path, tmp_path: Path, faces: RememberedFaces) -> None:
    """A copy by ``photos/*`` leaves the newer mark where it is, so no start does the erasure again."""
    with running(home, faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
    shutil.copytree(home / "photos", tmp_path / "photos")
    with running(home, faces) as exchange:
        order(exchange, "expunge", BOOKED, A)
        settle(exchange)
        exchange.purge.swept()
    for folder in (tmp_path / "photos").iterdir():
        if not folder.name.startswith("."):
            shutil.copytree(folder, home / "photos" / folder.name, dirs_exist_ok=True)
    with running(home, faces) as exchange:
        settle(exchange)
        (finding,) = exchange.fsck()
        assert finding.advice.startswith("Run: comity sweep")
        exchange.purge.swept()
        assert not list(exchange.photos.under(f"record/{record}"))
        assert exchange.fsck() == ()


@pytest.mark.parametrize("swept", [False, True], ids=["before the sweep", "after it"])
def test_what_is_to_be_swept_and_lost_is_told(home: Path, faces: RememberedFaces, *, swept: bool) -> None:
    with running(home, faces) as exchange:
        enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
        order(exchange, "expunge", BOOKED, A)
        settle(exchange)
        assert not exchange.purge.status()["wanting"]
        if swept:
            exchange.purge.swept()
    shutil.rmtree(home / "erasures")
    with running(home, faces) as exchange:
        settle(exchange)
        told = [(wanting["state"], wanting["part"]) for wanting in exchange.purge.status()["wanting"]]
        assert told == ([] if swept else [("what was looked for is lost, so no sweep follows", 0)])
