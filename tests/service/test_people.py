"""Who may sign in: decided by an administrator, entered in the journal, and taken back at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from comity.domain import entries as e
from comity.domain.log import JOURNAL
from comity.errors import NotAppended, NotFound, NotSignedIn
from comity.ports import Person
from comity.serving import http
from comity.wire.envelope import from_entry
from desk_world import COURT, MILWAUKEE, World, photo, search


@pytest.fixture
def chief(desk: World) -> Person:
    held = {p.name: p for p in desk.exchange.identity.people()}
    return held.get("Ida Chief") or desk.exchange.identity.add("Ida Chief", "exchange", {"administrator"})


@pytest.fixture
def office(desk: World, chief: Person) -> Iterator[TestClient]:
    token = desk.exchange.identity.sign_in(desk.exchange.identity.link(chief.user_id))
    with TestClient(http(desk.exchange), base_url="http://127.0.0.1", headers={"authorization": f"Bearer {token}"}) as client:
        yield client


def added(office: TestClient, name: str, party: str, *roles: str) -> str:
    answer = office.post("/operations/v1/people", json={"name": name, "party": party, "roles": list(roles)})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["user_id"])


def administered(desk: World, user: str) -> list[tuple[str, tuple[str, ...], str]]:
    """Return what the journal says of a person: action, roles, by whom."""
    end, said, read = desk.exchange.log.end(JOURNAL), list[tuple[str, tuple[str, ...], str]](), 0
    with desk.exchange.log.open({JOURNAL: 0}) as reader:
        while read < end:  # not for ever: the clock goes on ticking
            batch = reader.poll(timeout_seconds=2, entries_max=500)[JOURNAL]
            events = [from_entry(placed.entry).event for placed in batch.entries]
            said += [(x.action, x.roles, x.by) for x in events if isinstance(x, e.PersonAdministered) and x.user == user]
            read = batch.next
    return said


def test_whoever_is_let_in_and_by_whom_stands_in_the_journal(desk: World, office: TestClient, chief: Person) -> None:
    user = added(office, "Nina New", MILWAUKEE, "investigator")
    office.post(f"/operations/v1/people/{user}/links")
    office.put(f"/operations/v1/people/{user}/roles", json={"roles": ["examiner"]})
    office.delete(f"/operations/v1/people/{user}/sessions")
    office.delete(f"/operations/v1/people/{user}")
    by = chief.user_id
    assert administered(desk, user) == [
        ("added", ("investigator",), by),
        ("link-made", ("investigator",), by),
        ("roles-given", ("examiner",), by),
        ("signed-out", ("examiner",), by),
        ("removed", ("examiner",), by),
    ]


def test_a_link_that_could_not_be_entered_is_not_made(desk: World, office: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    user = added(office, "Lena Link", MILWAUKEE, "investigator")

    def fail(*_: object, **__: object) -> None:
        raise NotAppended("the log is away")

    with monkeypatch.context() as patch:
        patch.setattr(desk.exchange.journal, "append", fail)
        assert office.post(f"/operations/v1/people/{user}/links").status_code == 503
        answer = office.post("/operations/v1/people", json={"name": "Nobody Yet", "party": MILWAUKEE, "roles": ["examiner"]})
        assert answer.status_code == 503
    assert desk.exchange.identity.end_sessions(desk.clerk.user_id) >= 0
    assert desk.exchange.identity.end_sessions(next(p.user_id for p in desk.exchange.identity.people() if p.user_id == user)) == 0
    assert "Nobody Yet" not in {p.name for p in desk.exchange.identity.people()}


def test_a_removed_person_is_out_at_once_and_their_pages_close(desk: World, office: TestClient) -> None:
    user = added(office, "Rolf Gone", MILWAUKEE, "investigator")
    person = next(p for p in desk.exchange.identity.people() if p.user_id == user)
    client = desk.signed_in(person)
    assert search(client, photo("p01", 2)).status_code == 200
    waiting = desk.exchange.identity.link(person.user_id)
    assert office.delete(f"/operations/v1/people/{user}").status_code == 204
    assert client.get("/desk/search").status_code == 401
    with pytest.raises(NotSignedIn):
        desk.exchange.identity.sign_in(waiting)
    with pytest.raises(NotFound):
        desk.exchange.identity.link(person.user_id)
    assert office.get(f"/operations/v1/people/{user}").status_code == 404
    assert office.delete(f"/operations/v1/people/{user}").status_code == 404


def test_the_name_of_somebody_removed_stays_with_what_they_did_and_is_free_again(desk: World, office: TestClient) -> None:
    user = added(office, "Same Name", MILWAUKEE, "investigator")
    client = desk.signed_in(next(p for p in desk.exchange.identity.people() if p.user_id == user))
    search(client, photo("p01", 2))
    assert desk.exchange.settle()
    office.delete(f"/operations/v1/people/{user}")
    assert "Same Name" in desk.signed_in(desk.examiner).get("/desk/reviews").text
    again = added(office, "Same Name", MILWAUKEE, "investigator")
    assert again != user


def test_roles_are_taken_and_given_at_once(desk: World, office: TestClient) -> None:
    user = added(office, "Cleo Change", MILWAUKEE, "investigator")
    client = desk.signed_in(next(p for p in desk.exchange.identity.people() if p.user_id == user))
    assert client.get("/desk/search").status_code == 200
    office.put(f"/operations/v1/people/{user}/roles", json={"roles": ["examiner"]})
    assert client.get("/desk/search").status_code == 403
    assert client.get("/desk/reviews").status_code == 200


@pytest.mark.parametrize(("party", "role"), [(COURT, "investigator"), ("exchange", "clerk")])
def test_a_role_that_the_party_cannot_have_is_not_given_later_either(office: TestClient, party: str, role: str) -> None:
    """R39."""
    user = added(office, f"Late {role}", party, "auditor")
    refused = office.put(f"/operations/v1/people/{user}/roles", json={"roles": [role]})
    assert refused.status_code == 400
    assert office.get(f"/operations/v1/people/{user}").json()["roles"] == ["auditor"]


def test_the_last_administrator_stays(desk: World, office: TestClient, chief: Person) -> None:
    for person in desk.exchange.identity.people():
        if "administrator" in person.roles and person != chief:
            desk.exchange.identity.remove(person.user_id)
    assert office.delete(f"/operations/v1/people/{chief.user_id}").status_code == 409
    assert office.put(f"/operations/v1/people/{chief.user_id}/roles", json={"roles": ["auditor"]}).status_code == 409


def test_ended_sessions_are_counted_and_a_new_link_signs_in_again(desk: World, office: TestClient) -> None:
    user = added(office, "Ed Ended", MILWAUKEE, "investigator")
    person = next(p for p in desk.exchange.identity.people() if p.user_id == user)
    clients = [desk.signed_in(person) for _ in range(2)]
    assert office.delete(f"/operations/v1/people/{user}/sessions").json() == {"ended": 2}
    assert [client.get("/desk/search").status_code for client in clients] == [401, 401]
    assert desk.signed_in(person).get("/desk/search").status_code == 200


def test_nobody_but_an_administrator_does_any_of_it(desk: World) -> None:
    token = desk.exchange.identity.sign_in(desk.exchange.identity.link(desk.writer.user_id))
    client = TestClient(http(desk.exchange), base_url="http://127.0.0.1", headers={"authorization": f"Bearer {token}"})
    path = f"/operations/v1/people/{desk.clerk.user_id}"
    assert client.delete(path).status_code == 403
    assert client.delete(f"{path}/sessions").status_code == 403
    assert client.put(f"{path}/roles", json={"roles": ["auditor"]}).status_code == 403
