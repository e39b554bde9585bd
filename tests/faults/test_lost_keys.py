"""A vault that is older than the journal: no key that the journal knows is ever made anew (F03)."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from builders import photograph
from comity.acts.index_keys import IndexKeys
from comity.bootstrap import Exchange
from comity.domain.entries import IndexKind, KeyRevoked
from comity.domain.ids import KeyId
from comity.domain.posting import IndexKey
from comity.errors import Halted, NotSignedIn
from exchange import RememberedFaces, enrol, listed, order, running, search, settle, share
from journals import A, B

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def faces() -> RememberedFaces:
    return RememberedFaces()


def test_a_vault_from_before_the_index_keys_stops_the_exchange(tmp_path: Path, faces: RememberedFaces) -> None:
    """Else a sealed booking would come back under a fresh id."""
    home = tmp_path / "home"
    with running(home, faces):
        pass
    shutil.copy(home / "vault.db", tmp_path / "vault.old")
    with running(home, faces) as exchange:
        enrol(exchange, "A-1", 1, owner=A, court_case="2024-CF-1")
        settle(exchange)
        share(exchange, A)
        order(exchange, "seal", {IndexKind.BOOKING: "A-1"}, A)
    for spoil in (lambda: shutil.copy(tmp_path / "vault.old", home / "vault.db"), (home / "vault.db").unlink):
        spoil()
        with pytest.raises(Halted, match="lacks the index key") as halted, running(home, faces):
            pass
        assert "newest copy of vault.db" in halted.value.advice


def test_another_index_key_under_the_same_name_stops_the_exchange(tmp_path: Path, faces: RememberedFaces) -> None:
    home = tmp_path / "home"
    with running(home, faces) as exchange:
        enrol(exchange, "A-1", 1, owner=A)
        enrol(exchange, "B-1", 2, owner=B)
        assert sorted(row.name for row in exchange.ledger.rows(IndexKey)) == [A, B, "exchange"]
        spoil(exchange, "DELETE FROM keys WHERE name = ?", f"index/{A}/1")
        exchange.vault.issue(f"index/{A}/1")
        exchange.indexer.record_id(A, "A-1")  # a key once compared is not compared again while its one owner runs
        with pytest.raises(Halted, match="is not the one"):
            anew(exchange).key(A, 1)
    with pytest.raises(Halted, match=f"index key of {A} is not the one"), running(home, faces):
        pass


def test_an_index_key_is_never_made_behind_the_journal(tmp_path: Path, faces: RememberedFaces) -> None:
    """What the journal's end knows counts, though the ledger has not read it when the key is first asked for."""
    with running(tmp_path / "home", faces) as exchange:
        enrol(exchange, "A-1", 1, owner=A)
        spoil(exchange, "DELETE FROM keys WHERE name = ?", f"index/{A}/1")
        keys = anew(exchange)
        seen = keys._row
        asked: list[str] = []

        def blind_at_first(name: str, version: int) -> IndexKey | None:
            asked.append(name)
            return None if len(asked) == 1 else seen(name, version)

        keys._row = blind_at_first  # type: ignore[method-assign]
        with pytest.raises(Halted, match="lacks the index key"):
            keys.key(A, 1)
        assert exchange.vault.missing([f"index/{A}/1"])


def test_a_key_that_a_crash_left_unknown_to_the_journal_is_entered_at_its_first_use(
    tmp_path: Path, faces: RememberedFaces
) -> None:
    with running(tmp_path / "home", faces) as exchange:
        made = exchange.vault.issue(f"index/{A}/1")
        assert exchange.index_keys.key(A, 1) == made
        assert [row.name for row in exchange.ledger.rows(IndexKey)] == [A]
        anew(exchange).key(A, 1)
        assert len(exchange.ledger.rows(IndexKey)) == 1


def test_no_second_key_is_made_for_a_record_that_was_admitted(tmp_path: Path, faces: RememberedFaces) -> None:
    with running(tmp_path / "home", faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
        share(exchange, A)
        spoil(exchange, "DELETE FROM keys WHERE name = ?", f"record/{record}")
        with pytest.raises(Halted, match="lacks the key of this record"):
            enrol(exchange, "A-1", 1, 2, owner=A, version=2)
        assert len(listed(search(exchange, photograph(1, 2)))) == 1
        assert exchange.vault.missing([f"record/{record}"])


def spoil(exchange: Exchange, statement: str, name: str) -> None:
    connection = sqlite3.connect(exchange.home.path("vault.db"))
    with connection:
        assert connection.execute(statement, (name,)).rowcount == 1
    connection.close()


def anew(exchange: Exchange) -> IndexKeys:
    """Return index keys as after a restart: nothing compared yet."""
    return IndexKeys(exchange.vault, exchange.journal, exchange.log, exchange.ledger, exchange.watch)


def test_exposures_say_how_many_searches_could_not_be_read(tmp_path: Path, faces: RememberedFaces) -> None:
    with running(tmp_path / "home", faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
        share(exchange, A)
        kept, lost = search(exchange, photograph(1, 2)), search(exchange, photograph(1, 3))
        spoil(exchange, "DELETE FROM keys WHERE name = ?", f"search/{lost.search_id}")
        told = exchange.exposures(record)
        assert [x.search_id for x in told] == [kept.search_id]
        assert told.unread == 1


def test_a_revoked_key_of_the_exchange_put_back_stops_it_and_the_advice_mends(tmp_path: Path, faces: RememberedFaces) -> None:
    home = tmp_path / "home"
    with running(home, faces) as exchange:
        shutil.copy(home / "keys" / "exchange.pem", tmp_path)
        old = exchange.keyring.issue("exchange")
    (home / "keys" / "exchange.pem").unlink()
    with running(home, faces) as exchange:
        assert "key of exchange" in {a.kind for a in exchange.alarms.all()}
        exchange.journal.enter(KeyRevoked(KeyId(old.kid)), key="k", signer=exchange.keyring.issue("administrator"))
        settle(exchange)
    shutil.copy(tmp_path / "exchange.pem", home / "keys")
    with pytest.raises(Halted, match="was revoked"), running(home, faces):
        pass
    (home / "keys" / "exchange.pem").unlink()
    with running(home, faces) as exchange:
        search(exchange, photograph(1, 2))


def test_an_older_file_of_people_lets_nobody_stay_signed_in(tmp_path: Path, faces: RememberedFaces) -> None:
    home = tmp_path / "home"
    with running(home, faces) as exchange:
        person = exchange.identity.add("Iris Okafor", A, ["investigator"])
        session = exchange.identity.sign_in(exchange.identity.link(person.user_id))
    shutil.copy(home / "identity.db", tmp_path)
    with running(home, faces) as exchange:
        assert exchange.identity.person(session)  # a restart alone signs nobody out
        exchange.identity.sign_out(session)
    shutil.copy(tmp_path / "identity.db", home)
    with running(home, faces) as exchange:
        assert [a.kind for a in exchange.alarms.all()] == ["people"]
        with pytest.raises(NotSignedIn):
            exchange.identity.person(session)
    with running(home, faces) as exchange:
        assert not exchange.alarms.all()
