"""Machines: registered by their party's administrator, signed in by a key of their own, shut out at once."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from builders import COURT, MADISON, MILWAUKEE, ORIGIN, House, booking
from comity.acts.people import People
from comity.client import MachineKey, Publisher
from comity.domain import entries as e
from comity.domain.ids import RecordId, UserId
from comity.domain.log import JOURNAL
from comity.domain.posting import Exchange as ExchangeRow
from comity.errors import NotSignedIn, TooMany
from comity.wire import assertion
from comity.wire.envelope import from_entry
from comity.wire.signing import SigningKey


def public(key: SigningKey) -> str:
    return base64.b64encode(key.public_bytes).decode()


def register(chief: TestClient, name: str, key: SigningKey, **changed: Any) -> Any:  # noqa: ANN401 - JSON
    return chief.post("/v1/machines", json={"name": name, "roles": ["agency-writer"], "public_key": public(key), **changed})


def exchange_id(house: House) -> str:
    return house.exchange.ledger.rows(ExchangeRow)[0].exchange_id


def sign_in(house: House, machine: str, key: SigningKey, audience: str = "") -> Any:  # noqa: ANN401 - JSON
    said = assertion.make(UserId(machine), audience or exchange_id(house), key, time.time())
    return TestClient(house.intake_app).post("/v1/sessions", json={"assertion": said})


def entered(house: House) -> list[e.PersonAdministered]:
    with house.exchange.log.open({JOURNAL: 0}) as reader:
        batch = reader.poll(timeout_seconds=5, entries_max=500)[JOURNAL]
    events = [from_entry(placed.entry).event for placed in batch.entries]
    return [event for event in events if isinstance(event, e.PersonAdministered)]


def test_a_machine_signs_in_by_its_own_key_and_acts_for_its_party(house: House, chief: TestClient) -> None:
    key = SigningKey.generate()
    made = register(chief, "Records management", key)
    assert made.status_code == 201, made.text
    machine = made.json()["machine_id"]
    assert made.headers["location"] == f"/intake/v1/machines/{machine}"
    session = sign_in(house, machine, key)
    assert session.status_code == 201, session.text
    assert (session.json()["party"], session.json()["roles"]) == (MILWAUKEE, ["agency-writer"])
    assert session.json()["expires_in_seconds"] <= 15 * 60
    web = TestClient(house.intake_app, headers={"authorization": f"Bearer {session.json()['token']}"})
    assert web.get("/v1/sessions").json()["user_id"] == machine
    assert web.get("/v1/rejections").status_code == 200
    assert web.delete("/v1/sessions").status_code == 204
    assert web.get("/v1/sessions").status_code == 401


def test_an_assertion_is_good_once_here_and_by_this_key(house: House, chief: TestClient) -> None:
    key, web = SigningKey.generate(), TestClient(house.intake_app)
    machine = register(chief, "Once", key).json()["machine_id"]
    said = assertion.make(UserId(machine), exchange_id(house), key, time.time())
    assert web.post("/v1/sessions", json={"assertion": said}).status_code == 201
    again = web.post("/v1/sessions", json={"assertion": said})
    assert (again.status_code, "jti" in again.json()["advice"]) == (401, True)
    assert sign_in(house, machine, key, "x-another-exchange").status_code == 401
    forged, unknown = sign_in(house, machine, SigningKey.generate()), sign_in(house, "m-000000000000", key)
    assert forged.status_code == unknown.status_code == 401
    assert forged.json()["detail"] == unknown.json()["detail"]
    late = assertion.make(UserId(machine), exchange_id(house), key, time.time() - 3600)
    assert web.post("/v1/sessions", json={"assertion": late}).status_code == 401


def test_a_machine_that_is_shut_out_is_out_at_once(house: House, chief: TestClient) -> None:
    key = SigningKey.generate()
    machine = register(chief, "Leaves", key).json()["machine_id"]
    token = sign_in(house, machine, key).json()["token"]
    web = TestClient(house.intake_app, headers={"authorization": f"Bearer {token}"})
    assert web.get("/v1/sessions").status_code == 200
    assert chief.delete(f"/v1/machines/{machine}").json()["revoked"] is True
    assert web.get("/v1/sessions").status_code == 401
    refused, unknown = sign_in(house, machine, key), sign_in(house, "m-000000000000", key)
    assert refused.status_code == 401
    assert refused.json()["detail"] == unknown.json()["detail"]
    assert [(x.action, str(x.party)) for x in entered(house) if x.user == machine] == [
        ("machine-added", str(MILWAUKEE)),
        ("machine-revoked", str(MILWAUKEE)),
    ]


@pytest.mark.parametrize("role", ["investigator", "examiner", "administrator", "operator", "auditor", "nonsense"])
def test_no_machine_searches_looks_or_runs_the_exchange(chief: TestClient, role: str) -> None:
    assert register(chief, f"Acts as {role}", SigningKey.generate(), roles=[role]).status_code == 400


def test_a_machine_is_registered_by_its_partys_administrator_or_the_exchanges(
    chief: TestClient, administrator: TestClient, writer: TestClient
) -> None:
    key = SigningKey.generate()
    assert register(writer, "No", key).status_code == 403
    assert register(chief, "No", key, party=MADISON).status_code == 403
    assert register(administrator, "Case management", key, party=COURT, roles=["agency-writer"]).status_code == 400
    court = register(administrator, "Case management", key, party=COURT, roles=["clerk"])
    assert court.status_code == 201, court.text
    assert chief.get(f"/v1/machines/{court.json()['machine_id']}").status_code == 404
    assert court.json()["machine_id"] not in chief.get("/v1/machines").text
    assert register(chief, "The same key", key).status_code == 409
    assert register(administrator, "Nobody's", SigningKey.generate(), party="WI9990000").status_code == 400


def test_a_machine_registers_no_machine(house: House, chief: TestClient) -> None:
    key = SigningKey.generate()
    machine = register(chief, "Grants", key, roles=["agency-administrator"]).json()["machine_id"]
    web = TestClient(house.intake_app, headers={"authorization": f"Bearer {sign_in(house, machine, key).json()['token']}"})
    assert register(web, "Its own kind", SigningKey.generate()).status_code == 403


def test_a_key_that_proves_nothing_is_refused(chief: TestClient) -> None:
    weak = base64.b64encode(b"\x01" + bytes(31)).decode()
    refused = chief.post("/v1/machines", json={"name": "Weak", "roles": ["agency-writer"], "public_key": weak})
    assert refused.status_code == 400


def test_people_are_not_machines(house: House, chief: TestClient) -> None:
    register(chief, "Unlisted", SigningKey.generate())
    assert "Unlisted" not in {person.name for person in house.exchange.identity.people()}


# --- the client ---


def machine_publisher(house: House, chief: TestClient, name: str) -> tuple[Publisher, str, list[str]]:
    """Return a publisher that signs in as a machine, the machine's id, and the paths that it asked."""
    key, asked = SigningKey.generate(), list[str]()
    made = register(chief, name, key).json()
    app = Starlette(routes=[Mount("/intake", house.intake_app)])
    client = TestClient(app)
    client.event_hooks["request"].append(lambda request: asked.append(request.url.path))
    who = MachineKey(made["machine_id"], made["exchange_id"], key)
    return Publisher(ORIGIN, who, house.exchange.keyring.signer(MILWAUKEE), MILWAUKEE, client=client), made["machine_id"], asked


def test_a_publisher_signs_in_by_itself_once_and_publishes(house: House, chief: TestClient) -> None:
    publisher, _, asked = machine_publisher(house, chief, "Publishes")
    with publisher:
        receipt = publisher.publish(booking(21, "MACHINE-1"))
        assert publisher.standing(RecordId(str(receipt.record_id)))["state"] in ("waiting", "admitted")
    assert asked.count("/intake/v1/sessions") == 1


def test_a_publisher_renews_what_is_about_to_end_and_what_has_ended(
    house: House, chief: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher, machine, asked = machine_publisher(house, chief, "Renews")
    with publisher:
        publisher.standing(RecordId("0" * 32))
        house.exchange.identity.machines.sign_out(publisher._session.token())  # as if the exchange had ended it
        publisher.standing(RecordId("0" * 32))
        assert asked.count("/intake/v1/sessions") == 2
        soon = time.monotonic() + 14 * 60
        # The client's clock alone: the exchange's threads wait by the real one.
        monkeypatch.setattr("comity.client.machine.time", SimpleNamespace(monotonic=lambda: soon, time=time.time))
        publisher.standing(RecordId("0" * 32))
        assert asked.count("/intake/v1/sessions") == 3
        assert chief.delete(f"/v1/machines/{machine}").status_code == 200
        with pytest.raises(NotSignedIn):
            publisher.standing(RecordId("0" * 32))


@pytest.mark.parametrize("head", ['{"alg":"EdDSA","crit":1}', '{"alg":1}', '{"alg":"EdDSA","kid":{},"jwk":1}'])
def test_an_odd_header_of_an_assertion_signs_nobody_in(house: House, chief: TestClient, head: str) -> None:
    key = SigningKey.generate()
    machine = register(chief, f"Odd {head[-9:-2]}", key).json()["machine_id"]
    good = assertion.make(UserId(machine), exchange_id(house), key, time.time())
    said = f"{base64.urlsafe_b64encode(head.encode()).decode().rstrip('=')}.{good.partition('.')[2]}"
    web = TestClient(house.intake_app, raise_server_exceptions=False)
    assert web.post("/v1/sessions", json={"assertion": said}).status_code == 401


@pytest.mark.parametrize("same", ["name", "key"])
def test_a_machine_that_cannot_be_added_is_not_entered(house: House, chief: TestClient, same: str) -> None:
    key = SigningKey.generate()
    assert register(chief, f"Twice by {same}", key).status_code == 201
    before = entered(house)
    clash = (f"Twice by {same}", SigningKey.generate()) if same == "name" else ("Another", key)
    assert {register(chief, *clash).status_code for _ in range(3)} == {409}
    assert entered(house) == before


def test_whoever_administers_machines_and_people_is_paced(
    house: House, chief: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 12: what is appended for a party is counted, whatever it is."""
    machine = register(chief, "Paced", SigningKey.generate()).json()
    identity, by = house.exchange.identity, UserId("u-1")
    people = People(identity, house.exchange.journal)
    person = people.add("Paced One", MILWAUKEE, ["examiner"], by)

    def refuse(*_asked: object) -> None:
        raise TooMany("too many")

    monkeypatch.setattr(house.exchange.journal.pace, "take", refuse)
    before, known = entered(house), identity.people()
    assert chief.delete(f"/v1/machines/{machine['machine_id']}").status_code == 429
    assert register(chief, "More", SigningKey.generate()).status_code == 429
    acts: list[Callable[[], object]] = [
        lambda: people.add("Paced Two", MILWAUKEE, ["examiner"], by),
        lambda: people.link(person.user_id, by),
        lambda: people.give(person.user_id, ["clerk"], by),
        lambda: people.sign_out(person.user_id, by),
        lambda: people.remove(person.user_id, by),
    ]
    for act in acts:
        with pytest.raises(TooMany):
            act()
    assert entered(house) == before
    assert identity.people() == known
