"""A whole home from last night is refused, for an anchor outside it knows better; and its loss can be accepted (F38)."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from builders import photograph
from comity.adapters.anchor import FileAnchor
from comity.bootstrap import Exchange
from comity.cli.main import app
from comity.domain import entries as e
from comity.domain.ids import GrantId
from comity.domain.log import JOURNAL
from comity.domain.posting import Record
from comity.errors import Halted, LedgerBehind, Unavailable
from comity.settings import Settings
from comity.wire.envelope import from_entry
from exchange import RememberedFaces, enrol, listed, read, running, sealing, search, settle, share
from journals import A

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def faces() -> RememberedFaces:
    return RememberedFaces()


@pytest.fixture(autouse=True)
def anchors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "another disk"
    monkeypatch.setenv("COMITY_ANCHOR", str(folder))
    return folder


@pytest.fixture
def home(tmp_path: Path, faces: RememberedFaces) -> Path:
    """Return a home that sealed a record today, and whose copy of last night lies beside it."""
    home = tmp_path / "home"
    with running(home, faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
        share(exchange, A)
    shutil.copytree(home, tmp_path / "last night")
    with running(home, faces) as exchange:
        sealing(exchange, "s1", record)
    return home


def restore(home: Path, name: str = "") -> None:
    before = home.parent / "last night" / name
    if before.is_dir():
        shutil.rmtree(home / name)
        shutil.copytree(before, home / name)
    else:
        shutil.copy2(before, home / name)


@pytest.mark.parametrize("what", ["", "log.db"], ids=["the whole home", "the log alone"])
def test_what_is_older_than_was_acknowledged_is_refused_until_its_loss_is_accepted(
    home: Path, faces: RememberedFaces, what: str
) -> None:
    restore(home, what)
    for _ in range(2):  # a second start is no way round
        with pytest.raises(Halted) as halted, running(home, faces):
            pass
        assert "comity anchor accept" in halted.value.advice
    exchange = Exchange(Settings(home=home), face_encoder=faces)
    try:
        exchange.accept_loss("The disk died.")
        settle(exchange)
        assert len(listed(search(exchange, photograph(1, 2)))) == 1
        assert exchange.fsck() == ()
        (accepted,) = [x for p in read(exchange, JOURNAL) if isinstance(x := from_entry(p.entry).event, e.LossAccepted)]
        assert accepted.reason == "The disk died."
        assert accepted.next > 0
        assert not exchange.ledger.refusals()
    finally:
        exchange.stop()
    with running(home, faces) as again:
        assert len(again.ledger.rows(Record)) == 1
        assert not again.alarms.all()


def test_a_loss_is_accepted_by_command_and_only_where_there_is_one(home: Path) -> None:
    def run(*words: str, at: Path = home) -> Result:
        return CliRunner().invoke(app, ["--home", str(at), "anchor", "accept", "--reason", "The disk died.", "--json", *words])

    nowhere = home.with_name("nowhere")
    assert run("--yes", at=nowhere).exit_code == 4
    assert not nowhere.exists()
    whole = run("--yes")
    assert (whole.exit_code, json.loads(whole.stdout)["status"]) == (5, 409)
    restore(home)
    assert run().exit_code == 130  # asked, and nobody answered
    accepted = run("--yes")
    assert (accepted.exit_code, json.loads(accepted.stdout)) == (0, {"accepted": True})
    assert run("--yes").exit_code == 5
    with Exchange(Settings(home=home)) as exchange:
        entries = [from_entry(placed.entry).event for placed in read(exchange, JOURNAL)]
        assert [x.reason for x in entries if isinstance(x, e.LossAccepted)] == ["The disk died."]


def test_a_journal_that_went_on_differently_is_refused(home: Path, faces: RememberedFaces, anchors: Path) -> None:
    """As long as the one of before, or longer: its head is another."""
    kept = shutil.copytree(anchors, anchors.with_name("kept"))
    restore(home)
    shutil.rmtree(anchors)
    with running(home, faces) as exchange:  # somebody took the anchor away, too
        assert [a.kind for a in exchange.alarms.all()] == ["anchor"]
        for _ in range(10):
            exchange.clock.tick()
        settle(exchange)
    shutil.rmtree(anchors)
    shutil.copytree(kept, anchors)
    with pytest.raises(Halted, match="not those that were acknowledged"), running(home, faces):
        pass


def test_a_receipt_waits_for_the_anchor(home: Path, faces: RememberedFaces, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(home, faces) as exchange:
        record, _ = enrol(exchange, "A-2", 2, owner=A)
        settle(exchange)
        receipt = sealing(exchange, "s2", record)
        assert anchored(exchange) > receipt.position
        event = e.ShareRevoked(GrantId("g1"))
        entry = exchange.journal.entry(event, key="k", signer=exchange.keyring.signer(A))
        with monkeypatch.context() as disk:
            disk.setattr(FileAnchor, "write", full)
            with pytest.raises(LedgerBehind, match="no receipt yet"):
                exchange.orders.submit(entry)
        assert "anchor" in [a.kind for a in exchange.alarms.all()]
        again = exchange.orders.submit(entry)
        assert again.position > receipt.position
        assert anchored(exchange) > again.position


def test_searches_do_not_wait_for_the_anchor_and_it_follows_them(
    home: Path, faces: RememberedFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(home, faces) as exchange, monkeypatch.context() as disk:
        disk.setattr(FileAnchor, "write", full)
        place = search(exchange, photograph(1, 2)).place
    with running(home, faces) as exchange:
        assert anchored(exchange) > place


def test_an_anchor_that_cannot_be_read_stops_and_no_anchor_is_told(home: Path, faces: RememberedFaces, anchors: Path) -> None:
    (path,) = anchors.glob("*.json")
    path.write_text("{")
    with pytest.raises(Halted, match="cannot be read"), running(home, faces):
        pass
    path.unlink()
    with running(home, faces) as exchange:
        assert [a.kind for a in exchange.alarms.all()] == ["anchor"]
    with running(home, faces) as exchange:
        assert not exchange.alarms.all()


def anchored(exchange: Exchange) -> int:
    path = FileAnchor(Path(os.environ["COMITY_ANCHOR"])).path(exchange.log.identity(JOURNAL.topic))
    return int(json.loads(path.read_text())["next"])


def full(*_: object) -> None:
    raise Unavailable("as if that disk were full")
