"""Each single file of a home replaced by last night's copy, or deleted: repaired, or told with the way out; never silently wrong.

Between last night and now a record was corrected, one sealed, one expunged, one unsealed, one enrolled, a grant revoked.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builders import photograph
from comity.bootstrap import Exchange
from comity.domain import entries as e
from comity.domain.ids import GrantId, RecordId, record_key
from comity.errors import Halted, KeyShredded, NotFound
from exchange import RememberedFaces, enrol, listed, order, running, sealing, search, settle, share, submitted
from journals import COURT, A, B, C, unseal

KEPT, CORRECTED, SEALED, EXPUNGED, UNSEALED, ENROLLED = "A-1", "A-2", "A-3", "A-4", "A-5", "A-6"
PEOPLE = {KEPT: 1, CORRECTED: 2, SEALED: 3, EXPUNGED: 4, UNSEALED: 5, ENROLLED: 6}
OLDER, DELETED = "an older copy", "deleted"
SAME_PHOTOGRAPH = 0.9  # a score that another person's never has
REPAIRED, TOLD, HALTED = "repaired", "told", "halted"

EXPECTED = {
    ("ledger.db", OLDER): REPAIRED,
    ("ledger.db", DELETED): REPAIRED,
    ("gallery.db", OLDER): REPAIRED,
    ("gallery.db", DELETED): REPAIRED,
    ("gallery.db/comity.json", OLDER): REPAIRED,
    ("gallery.db/comity.json", DELETED): REPAIRED,
    ("gallery.db/collections", OLDER): REPAIRED,  # by an older version in it; else it is told
    ("gallery.db/collections", DELETED): TOLD,
    ("photos", OLDER): TOLD,
    ("photos", DELETED): TOLD,
    ("vault.db", OLDER): TOLD,
    ("vault.db", DELETED): HALTED,
    ("master.key", OLDER): REPAIRED,  # it never changes
    ("master.key", DELETED): HALTED,
    ("requests.db", OLDER): REPAIRED,
    ("requests.db", DELETED): REPAIRED,
    ("log.json", OLDER): REPAIRED,  # where the log lies: in the home
    ("log.json", DELETED): REPAIRED,
    ("log.db", OLDER): HALTED,
    ("log.db", DELETED): HALTED,
    ("identity.db", OLDER): TOLD,
    ("identity.db", DELETED): TOLD,
    ("keys/administrator.pem", OLDER): REPAIRED,
    ("keys/administrator.pem", DELETED): HALTED,
    ("keys/exchange.pem", OLDER): REPAIRED,
    ("keys/exchange.pem", DELETED): TOLD,
    ("keys/WI0130000.pem", OLDER): REPAIRED,
    ("keys/WI0130000.pem", DELETED): TOLD,
    ("keys/court-1.pem", OLDER): REPAIRED,
    ("keys/court-1.pem", DELETED): TOLD,
    ("erasures", OLDER): REPAIRED,
    ("erasures", DELETED): REPAIRED,  # that no sweep follows is told where the status tells of erasures
    ("erasures/.carried-out", DELETED): REPAIRED,  # of last night there is none, nor of the others
    ("photos/.carried-out", DELETED): REPAIRED,
    ("gallery.db/.carried-out", DELETED): REPAIRED,
    ("gallery.db/aliases.json", DELETED): REPAIRED,
    ("keys/exchange.pub", DELETED): REPAIRED,
    ("keys/administrator.pub", DELETED): REPAIRED,
    ("keys/WI0130000.pub", DELETED): REPAIRED,
    ("vault.db-journal", DELETED): REPAIRED,
}
OF_ALL_PARTIES = "keys/"  # one agency's and one court's stand for the others'
ALWAYS_EMPTY = {"lock", "vault.db.lock", "gallery.db/LOCK", "vault.db-journal"}  # locks, and a journal that commits truncate


@dataclass(frozen=True)
class Night:
    """Last night's home, today's, and what is so today."""

    old: Path
    new: Path
    anchor: Path
    records: dict[str, RecordId]
    answers: dict[str, list[tuple[int, float, str]]]


@pytest.fixture(scope="module")
def faces() -> RememberedFaces:
    return RememberedFaces()


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, faces: RememberedFaces) -> Iterator[Night]:
    folder = tmp_path_factory.mktemp("restores")
    home = folder / "home"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COMITY_ANCHOR", str(folder / "anchor"))
        yield lived(folder, home, faces)


def lived(folder: Path, home: Path, faces: RememberedFaces) -> Night:
    """Live through last night and today."""
    with running(home, faces) as exchange:
        records = {number: enrol(exchange, number, PEOPLE[number], owner=A)[0] for number in list(PEOPLE)[:5]}
        settle(exchange)
        share(exchange, A, B, "g1")
        share(exchange, A, C, "g2")
        sealing(exchange, "s5", records[UNSEALED])
        search(exchange, photograph(1, 2), B)
        search(exchange, photograph(1, 2), C)
        settle(exchange)
    shutil.copytree(home, folder / "old")
    with running(home, faces) as exchange:
        today(exchange, records)
        answers = asked(exchange)
    shutil.copytree(home, folder / "new")
    shutil.copytree(folder / "anchor", folder / "anchor of today")
    return Night(folder / "old", folder / "new", folder / "anchor of today", records, answers)


def today(exchange: Exchange, records: dict[str, RecordId]) -> None:
    enrol(exchange, CORRECTED, PEOPLE[CORRECTED], 2, 3, owner=A, version=2)
    sealing(exchange, "s3", records[SEALED])
    order(exchange, "expunge", {e.IndexKind.BOOKING: EXPUNGED}, A)
    submitted(exchange, unseal("u5", "s5"), COURT)
    submitted(exchange, e.ShareRevoked(GrantId("g2")), A)
    records[ENROLLED] = enrol(exchange, ENROLLED, PEOPLE[ENROLLED], owner=A)[0]
    settle(exchange)


def asked(exchange: Exchange) -> dict[str, list[tuple[int, float, str]]]:
    """Return what both grantees find of everybody, photographs and all."""
    found = {}
    for number, person in PEOPLE.items():
        for grantee in (B, C):
            found[f"{grantee} {number}"] = listed(search(exchange, photograph(person, 4), grantee))
    return found


def replaced(night: Night, home: Path, name: str, how: str) -> None:
    """Make today's home with this one file older, or gone."""
    shutil.copytree(night.new, home)
    path = home / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if how == OLDER:
        before = night.old / name
        shutil.copytree(before, path) if before.is_dir() else shutil.copy2(before, path)


def told(exchange: Exchange) -> list[str]:
    """Return everything that an operator is told."""
    status = exchange.status()
    failures = [f["failure"] for f in status["followers"].values() if f["failure"]]
    return [*(a["what"] for a in status["alarms"]), *failures]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("name", "how"), EXPECTED, ids=str)
def test_no_single_file_restored_or_lost_is_silently_wrong(
    night: Night, faces: RememberedFaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, how: str
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("COMITY_ANCHOR", str(shutil.copytree(night.anchor, tmp_path / "anchor")))
    replaced(night, home, name, how)
    if EXPECTED[name, how] == HALTED:
        with pytest.raises(Halted) as halted, running(home, faces):
            pass
        assert "back" in halted.value.advice or "Restore" in halted.value.advice
        return
    with running(home, faces) as exchange:
        at_start = told(exchange)
        settle(exchange)
        check_safety(exchange, night.records)
        for advice in [a["advice"] for a in exchange.status()["alarms"] if a["advice"].startswith("Run: comity rebuild")]:
            exchange.rebuild(advice.split(".")[0].rpartition(" ")[2])
        check_safety(exchange, night.records)
        if not told(exchange):  # repaired by itself, or by following the advice
            assert asked(exchange) == night.answers
            assert exchange.fsck() == ()
    assert bool(at_start) == (EXPECTED[name, how] == TOLD), at_start


def test_every_file_of_a_home_has_its_case(night: Night) -> None:
    """A file that is new here has no case, and fails."""
    files = {path.relative_to(night.new) for path in night.new.rglob("*") if path.is_file()}
    cases = {name for name, _ in EXPECTED}
    for file in files:
        parts = {str(file), *(str(parent) for parent in file.parents)}
        if str(file).startswith(OF_ALL_PARTIES):
            assert any(file.suffix == Path(case).suffix for case in cases)
        elif str(file) in ALWAYS_EMPTY:
            assert not (night.new / file).stat().st_size, file
        else:
            assert parts & cases, file
    marks = {str(file) for file in files if file.name.startswith(".")}
    assert marks <= cases


def check_safety(exchange: Exchange, records: dict[str, RecordId]) -> None:
    """Whatever was restored: what is sealed, expunged, corrected or revoked stays so."""
    assert search(exchange, photograph(1, 1), C).candidates == ()
    with pytest.raises(KeyShredded):
        exchange.vault.open(record_key(records[EXPUNGED]))
    stored = [t for batch in exchange.store.all() for t in batch]
    assert records[EXPUNGED] not in {t.record_id for t in stored}
    assert {t.version for t in stored if t.record_id == records[CORRECTED]} <= {2}
    assert not [name for name in exchange.photos.names() if str(records[EXPUNGED]) in name]
    for number in (SEALED, EXPUNGED):  # sent again: under the same id, and found by nobody
        assert exchange.indexer.record_id(A, number) == records[number]
        with contextlib.suppress(KeyShredded, NotFound):
            enrol(exchange, number, PEOPLE[number], owner=A)
        settle(exchange)
        for grantee in (A, B):
            found = search(exchange, photograph(PEOPLE[number], 1), grantee).candidates
            assert not [c for c in found if c.score > SAME_PHOTOGRAPH]


@pytest.fixture(autouse=True)
def clean(tmp_path: Path) -> Iterator[None]:
    yield
    shutil.rmtree(tmp_path / "home", ignore_errors=True)
