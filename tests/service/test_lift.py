"""Ending an order over HTTP: its own party's, another's on an authority, and an expungement never; and ending a key."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from builders import COURT, MADISON, MILWAUKEE, House
from comity.domain import entries as e
from comity.domain.ids import OrderId, PartyId
from journals import grant


def sealed(client: TestClient, number: str, what: str = "seal", law: str = "ny-cpl-160.50") -> str:
    token = client.post("/v1/orders/preview", json={"what": what, "statute": law, "atn": number}).json()["token"]
    return str(client.post("/v1/orders", data={"token": token}).json()["event_id"])


def state(client: TestClient, party: str, order: str) -> str:
    return str(client.get(f"/v1/orders/{party}/{order}").json()["state"])


def test_a_party_ends_its_own_order_by_name_and_once(registrar: TestClient) -> None:
    order = sealed(registrar, "ATN-LIFT-1")
    path = f"/v1/orders/{COURT}/{order}/lift"
    headers = {"idempotency-key": "lift-it-once"}
    first, again = (registrar.post(path, json={}, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["position"] == again.json()["position"]
    assert state(registrar, COURT, order) == "lifted"
    assert registrar.post(path, json={}).status_code == 409


def test_an_agency_ends_its_own_alone_and_a_court_anothers_on_an_authority(house: House, registrar: TestClient) -> None:
    agency = house.intake(MILWAUKEE, "clerk")
    order, courts = sealed(agency, "ATN-LIFT-2"), sealed(registrar, "ATN-LIFT-3")
    assert agency.post(f"/v1/orders/{COURT}/{courts}/lift", json={"authority": "ours"}).status_code == 403
    assert house.intake(MADISON, "clerk").post(f"/v1/orders/{MILWAUKEE}/{order}/lift", json={}).status_code == 403
    assert registrar.post(f"/v1/orders/{MILWAUKEE}/{order}/lift", json={"authority": " "}).status_code == 400
    assert registrar.post(f"/v1/orders/{MILWAUKEE}/{order}/lift", json={"authority": "2026CV12"}).status_code == 201
    held = agency.get(f"/v1/orders/{MILWAUKEE}/{order}").json()
    assert (held["ended"]["by"], held["ended"]["authority"]) == (COURT, "2026CV12")


def test_an_expungement_has_no_end_and_what_is_not_there_is_said_so(registrar: TestClient) -> None:
    order = sealed(registrar, "ATN-LIFT-4", "expunge", "wi-165.84")
    assert registrar.post(f"/v1/orders/{COURT}/{order}/lift", json={}).status_code == 409
    assert registrar.post(f"/v1/orders/{COURT}/none-such/lift", json={}).status_code == 404


def test_a_provisional_seal_is_lifted_too(house: House, registrar: TestClient) -> None:
    exchange = house.exchange
    lapses_at = exchange.now().replace(year=exchange.now().year + 1)
    event = e.RecordsProvisionallySealed(OrderId("p-lift"), "ca-pc-851.91", (), (), lapses_at)
    tag = exchange.indexer.index(e.IndexKind.ATN, "ATN-LIFT-5", MILWAUKEE)
    event = e.RecordsProvisionallySealed(event.order_id, event.statute, (), (tag,), lapses_at)
    exchange.orders.submit(exchange.journal.entry(event, key="k", signer=exchange.keyring.signer(COURT)))
    assert registrar.post(f"/v1/orders/{COURT}/p-lift/lift", json={}).status_code == 201
    assert state(registrar, COURT, "p-lift") == "lifted"


def test_a_stolen_keys_lift_is_void_once_its_key_is_revoked_from_before_it(
    house: House, registrar: TestClient, administrator: TestClient
) -> None:
    """Rule 13."""
    exchange = house.exchange
    stolen = exchange.keyring.issue(PartyId("stolen-for-a-test"))
    exchange.register.key(COURT, e.Role.COURT, stolen.public_bytes)
    order = sealed(registrar, "ATN-LIFT-6")
    event = e.RecordsUnsealed(OrderId("stolen-lift"), (e.OrderName(COURT, OrderId(order)),))
    entry = exchange.journal.entry(event, key="k", signer=stolen)
    place = exchange.orders.submit(entry).position
    assert state(registrar, COURT, order) == "lifted"
    path = f"/v1/keys/{stolen.kid}/revocation"
    assert administrator.post(path, json={"void_from": 10**9}).status_code == 400
    assert registrar.post(path, json={}).status_code == 403
    assert administrator.post(path, json={"void_from": place}).status_code == 201
    assert state(registrar, COURT, order) == "stands"
    assert registrar.post(f"/v1/orders/{COURT}/{order}/lift", json={}).status_code == 201  # nothing had ended it


def test_the_register_says_that_a_stolen_keys_grant_is_void(house: House, administrator: TestClient) -> None:
    """Rule 13; read alone and in the list."""
    exchange = house.exchange
    stolen = exchange.keyring.issue(PartyId("stolen-agency-for-a-test"))
    exchange.register.key(PartyId(MILWAUKEE), e.Role.AGENCY, stolen.public_bytes)
    event = grant("void-in-the-register", MILWAUKEE, MADISON, expires_at=exchange.now() + timedelta(days=30))
    place = exchange.orders.submit(exchange.journal.entry(event, key="k", signer=stolen)).position

    def told() -> list[dict[str, object]]:
        listed = [one for one in administrator.get("/v1/grants").json() if one["grant_id"] == event.grant_id]
        return [*listed, administrator.get(f"/v1/grants/{MILWAUKEE}/{event.grant_id}").json()]

    assert [one["in_force"] for one in told()] == [True, True]
    assert administrator.post(f"/v1/keys/{stolen.kid}/revocation", json={"void_from": place}).status_code == 201
    assert [(one["in_force"], str(one["now"])[:5]) for one in told()] == [(False, "void:")] * 2


@pytest.mark.parametrize("party", ["administrator", "exchange"])
def test_the_exchanges_own_keys_are_not_revoked_by_a_slip(house: House, administrator: TestClient, party: str) -> None:
    kid = next(key.key_id for key in house.exchange.ledger.signing_keys() if key.party == party)
    assert administrator.post(f"/v1/keys/{kid}/revocation", json={}).status_code == 403
    assert administrator.post("/v1/keys/none-such/revocation", json={}).status_code == 404
