"""Signing in: one-time links, sessions that end, and a file that holds neither."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.adapters.identity import LINK_SECONDS, SESSION_SECONDS, FileIdentity
from comity.domain.ids import UserId
from comity.errors import Conflict, InvalidInput, NotFound, NotSignedIn
from comity.ports import Person

MILWAUKEE = "WI0130000"


class Clock:
    """A clock that tests move."""

    seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def identity(tmp_path: Path, clock: Clock) -> Iterator[FileIdentity]:
    identity = FileIdentity(tmp_path / "identity.db", clock=clock)
    yield identity
    identity.close()


@pytest.fixture
def clerk(identity: FileIdentity) -> Person:
    return identity.add("Carla Clerk", MILWAUKEE, {"clerk", "auditor"})


def test_a_person_has_a_random_pseudonym_a_party_and_roles(identity: FileIdentity, clerk: Person) -> None:
    assert clerk.user_id.startswith("u-")
    assert len(clerk.user_id) == 14
    assert (clerk.party, clerk.roles) == (MILWAUKEE, frozenset({"clerk", "auditor"}))
    assert identity.people() == (clerk,)
    assert identity.add("Other", MILWAUKEE, ()).user_id != clerk.user_id


def test_one_name_stands_once_for_a_party(identity: FileIdentity, clerk: Person) -> None:
    with pytest.raises(Conflict):
        identity.add(clerk.name, clerk.party, {"clerk"})
    assert identity.add(clerk.name, "CA0010000", {"clerk"}).party == "CA0010000"


def test_a_nameless_person_is_refused(identity: FileIdentity) -> None:
    with pytest.raises(InvalidInput):
        identity.add(" ", MILWAUKEE, {"clerk"})


@pytest.mark.parametrize("name", ["Ann\u202egnal", "Ann\nBob", "Ann\u200bx", "administrator", "Exchange"])
def test_a_name_that_steers_a_page_or_speaks_for_the_exchange_is_refused(identity: FileIdentity, name: str) -> None:
    with pytest.raises(InvalidInput):
        identity.add(name, MILWAUKEE, {"clerk"})


def test_the_exchanges_own_people_may_be_called_what_they_do(identity: FileIdentity) -> None:
    assert identity.add("operator", "exchange", {"operator"}).name == "operator"


def test_a_link_signs_in_once(identity: FileIdentity, clerk: Person) -> None:
    link = identity.link(clerk.user_id)
    session = identity.sign_in(link)
    assert identity.person(session) == clerk
    with pytest.raises(NotSignedIn):
        identity.sign_in(link)
    assert identity.person(session) == clerk


def test_nobody_gets_a_link_for_a_stranger(identity: FileIdentity) -> None:
    with pytest.raises(NotFound):
        identity.link(UserId("u-000000000000"))


def test_a_link_ends_after_ten_minutes(identity: FileIdentity, clerk: Person, clock: Clock) -> None:
    link = identity.link(clerk.user_id)
    clock.seconds += LINK_SECONDS
    with pytest.raises(NotSignedIn):
        identity.sign_in(link)


def test_a_session_ends_after_a_shift_or_when_signed_out(identity: FileIdentity, clerk: Person, clock: Clock) -> None:
    first, second = (identity.sign_in(identity.link(clerk.user_id)) for _ in range(2))
    identity.sign_out(first)
    identity.sign_out(first)
    with pytest.raises(NotSignedIn):
        identity.person(first)
    clock.seconds += SESSION_SECONDS - 1
    assert identity.person(second) == clerk
    clock.seconds += 1
    with pytest.raises(NotSignedIn):
        identity.person(second)


def test_a_link_is_no_session_and_a_session_no_link(identity: FileIdentity, clerk: Person) -> None:
    link = identity.link(clerk.user_id)
    with pytest.raises(NotSignedIn):
        identity.person(link)
    session = identity.sign_in(link)
    with pytest.raises(NotSignedIn):
        identity.sign_in(session)


@pytest.mark.parametrize("token", ["", "x", "\udc80", "ü" * 500, "\0"])
def test_whatever_is_sent_for_a_token_is_only_refused(identity: FileIdentity, token: str) -> None:
    with pytest.raises(NotSignedIn):
        identity.sign_in(token)
    with pytest.raises(NotSignedIn):
        identity.person(token)


def test_the_file_holds_no_token(tmp_path: Path, identity: FileIdentity, clerk: Person) -> None:
    link, session = identity.link(clerk.user_id), identity.sign_in(identity.link(clerk.user_id))
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert link.encode() not in held
    assert session.encode() not in held
    assert (tmp_path / "identity.db").stat().st_mode & 0o077 == 0


def test_people_outlive_a_restart_and_another_process_sees_them(tmp_path: Path, identity: FileIdentity, clerk: Person) -> None:
    session = identity.sign_in(identity.link(clerk.user_id))
    again = FileIdentity(tmp_path / "identity.db", clock=identity._clock)
    assert again.person(session) == clerk
    again.close()


def test_many_threads_sign_in_at_once_and_one_link_still_counts_once(identity: FileIdentity, clerk: Person) -> None:
    link, sessions = identity.link(clerk.user_id), list[str]()

    def try_it() -> None:
        try:
            sessions.append(identity.sign_in(link))
        except NotSignedIn:
            return

    threads = [threading.Thread(target=try_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sessions) == 1


ELSEWHERE = """
import sys
from pathlib import Path
from comity.adapters.identity import FileIdentity
identity = FileIdentity(Path(sys.argv[1]))
identity.add(sys.argv[2], "WI0130000", {"clerk"})
identity.close()
"""


def test_a_file_that_is_opened_twice_here_and_once_elsewhere_loses_nobody(tmp_path: Path) -> None:
    """As a command that serves its home itself opens it, to sign in and to serve, while another command runs."""
    path = tmp_path / "identity.db"

    def elsewhere(name: str) -> None:
        subprocess.run([sys.executable, "-c", ELSEWHERE, str(path), name], check=True, timeout=60)

    first = FileIdentity(path)
    second = FileIdentity(path)
    second.add("Here", MILWAUKEE, {"clerk"})
    elsewhere("Elsewhere")
    first.add("Here Too", MILWAUKEE, {"clerk"})
    elsewhere("Elsewhere Too")
    names = {"Here", "Here Too", "Elsewhere", "Elsewhere Too"}
    assert {person.name for person in second.people()} == names
    second.close()
    first.close()
    last = FileIdentity(path)
    assert {person.name for person in last.people()} == names
    last.close()
