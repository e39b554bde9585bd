"""The file of people put back as it was: whoever was shut out since stays out, and has no more roles than the journal left them.

The copy is taken while the exchange runs, so the file has seen as many starts as the anchor: nothing but the journal knows.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from comity.acts.machines import REVOKED
from comity.acts.people import ADDED, REMOVED, ROLES_GIVEN, People
from comity.bootstrap import Exchange
from comity.domain import entries as e
from comity.domain.ids import PartyId, UserId
from comity.domain.log import JOURNAL
from comity.domain.roles import ADMINISTRATOR
from comity.errors import NotFound, NotSignedIn
from comity.wire.signing import SigningKey
from exchange import RememberedFaces, running, settle
from journals import A

pytestmark = pytest.mark.timeout(120)
CHIEF = UserId("u-chief")


@pytest.fixture(scope="module")
def faces() -> RememberedFaces:
    return RememberedFaces()


def copied(home: Path, to: Path) -> None:
    """Copy the file of people as a backup does, whatever its write-ahead file holds."""
    with closing(sqlite3.connect(home / "identity.db")) as held, closing(sqlite3.connect(to)) as copy:
        held.backup(copy)


def put_back(home: Path, copy: Path) -> None:
    for name in ("identity.db-wal", "identity.db-shm"):
        (home / name).unlink(missing_ok=True)
    shutil.copy2(copy, home / "identity.db")


def session(exchange: Exchange, user: UserId) -> str:
    return exchange.identity.sign_in(exchange.identity.link(user))


def told(exchange: Exchange) -> list[str]:
    return [alarm.kind for alarm in exchange.alarms.all()]


def test_whoever_was_shut_out_stays_out_in_a_copy_of_the_same_start(tmp_path: Path, faces: RememberedFaces) -> None:
    home = tmp_path / "home"
    with running(home, faces) as exchange:
        people = People(exchange.identity, exchange.journal)
        gone, less, same = (people.add(name, A, ["examiner", "investigator"], CHIEF).user_id for name in ("Go", "Le", "Sa"))
        sessions = [session(exchange, user) for user in (gone, less)]
        copied(home, tmp_path / "copy")
        people.remove(gone, CHIEF)
        people.give(less, ["examiner"], CHIEF)
    put_back(home, tmp_path / "copy")
    with running(home, faces) as exchange:
        roles = {person.user_id: person.roles for person in exchange.identity.people()}
        assert roles == {less: {"examiner"}, same: {"examiner", "investigator"}}
        for token in sessions:
            with pytest.raises(NotSignedIn):
                exchange.identity.person(token)
        with pytest.raises(NotFound):
            exchange.identity.link(gone)
        assert told(exchange) == ["people"]
    with running(home, faces) as exchange:
        assert not told(exchange)


def test_whoever_was_added_since_is_told_as_missing(tmp_path: Path, faces: RememberedFaces) -> None:
    home = tmp_path / "home"
    with running(home, faces) as exchange:
        copied(home, tmp_path / "copy")
        People(exchange.identity, exchange.journal).add("New", A, ["examiner"], CHIEF)
    put_back(home, tmp_path / "copy")
    with running(home, faces) as exchange:
        assert told(exchange) == ["people"]


def test_a_session_that_was_ended_is_ended_in_a_copy_and_a_later_one_goes_on(tmp_path: Path, faces: RememberedFaces) -> None:
    home = tmp_path / "home"
    with running(home, faces) as exchange:
        people = People(exchange.identity, exchange.journal)
        user = people.add("Iris", A, ["examiner"], CHIEF).user_id
        ended = session(exchange, user)
        copied(home, tmp_path / "copy")
        people.sign_out(user, CHIEF)
        later = session(exchange, user)
    with running(home, faces) as exchange:
        assert exchange.identity.person(later).user_id == user
        assert not told(exchange)
    put_back(home, tmp_path / "copy")
    with running(home, faces) as exchange, pytest.raises(NotSignedIn):
        exchange.identity.person(ended)


def test_a_machine_whose_revocation_was_entered_and_not_done_is_shut_out(tmp_path: Path, faces: RememberedFaces) -> None:
    home, machine = tmp_path / "home", UserId("m-1")
    with running(home, faces) as exchange:
        exchange.identity.machines.add(machine, "rms", A, ["agency-writer"], SigningKey.generate().public_bytes)
        exchange.journal.enter(said(machine, REVOKED, "agency-writer"), key=A)
    with running(home, faces) as exchange:
        assert exchange.identity.machines.one(machine).revoked


def test_nothing_but_the_exchanges_first_word_counts_and_no_entry_gives_a_role(tmp_path: Path, faces: RememberedFaces) -> None:
    """Neither what a stranger says, nor an old entry said again, nor a role that the file does not give."""
    home = tmp_path / "home"
    with running(home, faces) as exchange:
        people = People(exchange.identity, exchange.journal)
        one, two = (people.add(name, A, ["examiner", "investigator"], CHIEF).user_id for name in ("One", "Two"))
        exchange.journal.enter(said(one, REMOVED), key=A, signer=exchange.keyring.issue(A))
        exchange.journal.enter(said(one, ROLES_GIVEN, ADMINISTRATOR, "examiner", act="a2"), key=A)
        less = exchange.journal.entry(said(two, ROLES_GIVEN, act="a3"), key=A)
        exchange.journal.append(JOURNAL.topic, less)
        exchange.journal.enter(said(two, ROLES_GIVEN, "examiner", "investigator", act="a4"), key=A)
        exchange.journal.append(JOURNAL.topic, less)
        exchange.journal.enter(said(UserId("u-nobody"), ADDED, act="a5"), key=A)
        exchange.journal.enter(said(UserId("u-nobody"), REMOVED, act="a6"), key=A)
        settle(exchange)
    with running(home, faces) as exchange:
        roles = {person.user_id: person.roles for person in exchange.identity.people()}
        assert roles == {one: {"examiner"}, two: {"examiner", "investigator"}}


def said(user: UserId, action: str, *roles: str, act: str = "a1") -> e.PersonAdministered:
    return e.PersonAdministered(act, user, PartyId(A), roles, action, CHIEF)
