"""What certificates come to: the newest of each part, the worst of all parts; "found" is never done."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from comity.adapters.erasure_marks import FolderErasureMark, VaultErasureMark
from comity.adapters.key_vault import SqliteKeyVault
from comity.adapters.photo_store import FolderPhotoStore
from comity.domain.entries import ErasureCertified
from comity.domain.erasure import Erasure, erasure
from comity.domain.ids import OrderId, OrderName, Ori, PartyId, RecordId
from comity.duties.purge.jobs import CIPHERTEXT, WRAPPED_KEY, Job, Jobs, pieces_of
from comity.duties.purge.states import Phase, States, together

NAME = OrderName(PartyId("C"), OrderId("o"))
RECORD = RecordId("0" * 32)


def row(part: int, scope: str, found: int, *records: RecordId) -> ErasureCertified:
    return ErasureCertified(
        certificate_id=f"{part}-{scope}",
        order=NAME,
        part=part,
        scope=scope,
        records=records or (RECORD,),
        keys_shredded=1,
        templates_erased=1,
        sought=(),
        files_scanned=1,
        bytes_scanned=1,
        found=found,
        not_scanned=(),
        checked_at=datetime(2026, 3, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], Erasure.UNDER_WAY),
        ([row(0, "directed", 0)], Erasure.CHECKED),
        ([row(0, "directed", 2)], Erasure.FOUND),
        ([row(0, "directed", 0), row(0, "sweep", 1)], Erasure.FOUND),
        ([row(0, "directed", 0), row(0, "sweep", 1), row(0, "sweep", 0)], Erasure.CERTIFIED),
        ([row(0, "sweep", 0), row(1, "directed", 0)], Erasure.CHECKED),
        ([row(0, "sweep", 0), row(1, "directed", 1)], Erasure.FOUND),
    ],
)
def test_certificates_come_to_the_worst_of_their_parts(rows: list[ErasureCertified], told: Erasure) -> None:
    assert erasure(rows, {RECORD}) == told


def test_a_part_that_no_certificate_holds_is_not_certified() -> None:
    """An order of more records than one certificate names, or a record that came behind it, is proven in part."""
    other = RecordId("1" * 32)
    assert erasure([row(0, "sweep", 0)], {RECORD, other}) is Erasure.PART
    assert erasure([row(0, "sweep", 0), row(1, "sweep", 1, other)], {RECORD, other}) is Erasure.FOUND
    assert erasure([row(0, "sweep", 0), row(1, "directed", 0, other)], {RECORD, other}) is Erasure.CHECKED
    assert erasure([row(0, "sweep", 0), row(1, "sweep", 0, other)], {RECORD, other}) is Erasure.CERTIFIED


def job(name: str = "1-1-0", records: int = 1, **changed: object) -> Job:
    numbers = tuple(RecordId(f"{n:032x}") for n in range(records))
    return Job(name, NAME, 1, 0, numbers, (Ori("WI0130000"),), **changed)  # type: ignore[arg-type]


def test_a_job_is_read_back_by_the_vault_alone_and_gone_with_its_key(tmp_path: Path) -> None:
    vault, store = SqliteKeyVault(tmp_path / "vault.db", bytes(32)), FolderPhotoStore(tmp_path / "erasures")
    jobs = Jobs(store, vault)
    wanted = pieces_of(CIPHERTEXT, [bytes(range(200))])
    kept = job().adding({RECORD: {CIPHERTEXT: wanted}, RecordId("f" * 32): {CIPHERTEXT: wanted}}, keys=1)
    jobs.keep(kept)
    assert not any(piece in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() for piece in wanted)
    again = Jobs(store, vault)
    assert again.load("1-1-0") == kept
    assert again.beside([RECORD]) == {RECORD: {CIPHERTEXT: wanted}}
    assert set(kept.needles) == {RECORD}
    again.drop("1-1-0")
    assert again.all() == ()
    assert again.load("1-1-0") is None
    again.keep(kept)  # under a new key: the old one is shredded for ever
    assert again.load("1-1-0") == kept
    vault.close()


def test_less_than_half_of_a_wrapped_key_is_ever_kept() -> None:
    (piece,) = pieces_of(WRAPPED_KEY, [bytes(range(60))])
    assert piece == bytes(range(24))


def test_a_job_that_failed_goes_by_itself_and_later(monkeypatch: pytest.MonkeyPatch) -> None:
    states = States()
    for name in ("a", "b", "c"):
        states.put(job(name))
    states.failed(job("b"), "the disk")
    assert [j.name for j in together(states.due(), 10, 10)] == ["a", "c"]
    assert states.failure == "1 of the erasures fail: the disk"
    for name in ("a", "c"):
        states.put(job(name), Phase.CERTIFIED)
    monkeypatch.setattr("comity.duties.purge.states.time", SimpleNamespace(monotonic=lambda: 1e12))
    assert [j.name for j in together(states.due(), 10, 10)] == ["b"]
    states.failed(job("b"), "bytes still found", Phase.FOUND)
    monkeypatch.setattr("comity.duties.purge.states.time", SimpleNamespace(monotonic=lambda: 2e12))
    assert [state.tries for state in states.due()] == [2]
    assert states.told()["wanting"][0]["state"] == "bytes still found"


def test_jobs_share_a_look_up_to_their_bounds() -> None:
    states = States()
    for number in range(5):
        states.put(job(str(number), records=3))
    assert len(together(states.due(), 10, 7)) == 2
    assert len(together(states.due(), 4, 100)) == 4
    assert len(together(states.due(), 10, 1)) == 1


def test_a_mark_lies_with_its_store_and_is_none_where_it_cannot_be_read(tmp_path: Path) -> None:
    mark = FolderErasureMark(tmp_path / "photos")
    assert mark.load() == 0
    mark.save(17)
    assert FolderErasureMark(tmp_path / "photos").load() == 17
    (tmp_path / "photos" / ".carried-out").write_bytes(b"x")
    assert mark.load() == 0
    vault = SqliteKeyVault(tmp_path / "vault.db", bytes(32))
    assert VaultErasureMark(vault).load() == 0
    VaultErasureMark(vault).save(5)
    VaultErasureMark(vault).save(9)
    vault.close()
    vault = SqliteKeyVault(tmp_path / "vault.db", bytes(32))
    assert VaultErasureMark(vault).load() == 9
    vault.close()


def test_an_order_that_names_nothing_here_is_not_under_way() -> None:
    """What is said on a receipt is so: for such an order no certificate would ever follow."""
    assert erasure([], set()) is Erasure.NOTHING
    assert erasure([], {RECORD}) is Erasure.UNDER_WAY
