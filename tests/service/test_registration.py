"""Registering parties: names and ids that none may have, whoever sends them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from starlette.testclient import TestClient

from builders import COURT, House
from comity.acts.register import ADMINISTRATOR
from comity.domain import entries as e
from comity.domain.ids import KeyId, Ori, PartyId
from comity.domain.log import JOURNAL
from comity.wire import codec
from comity.wire.signing import SigningKey
from exchange import read


def key() -> str:
    return base64.b64encode(SigningKey.generate().public_bytes).decode()


@pytest.mark.parametrize(
    "changed",
    [
        {"court_id": "exchange"},
        {"court_id": "Administrator"},
        {"court_id": "ex-change"},
        {"court_id": "WI0130000"},
        {"court_id": "wi0139999"},
        {"name": "Circuit\u202eCourt"},
        {"name": "Circuit\nCourt"},
        {"name": "Exchange"},
    ],
)
def test_a_court_is_not_registered_under_a_name_of_somebody_elses(administrator: TestClient, changed: dict[str, Any]) -> None:
    asked = {"court_id": "WI-DANE-CC", "name": "Dane County Circuit Court", "public_key": key()} | changed
    before = administrator.get("/v1/courts").json()
    refused = administrator.post("/v1/courts", json=asked)
    assert refused.status_code == 400, refused.text
    assert refused.json()["advice"]
    assert administrator.get("/v1/courts").json() == before


def test_two_courts_ids_differ_by_more_than_their_case(administrator: TestClient) -> None:
    asked = {"court_id": COURT.lower(), "name": "Another", "public_key": key()}
    assert administrator.post("/v1/courts", json=asked).status_code == 409


@pytest.mark.parametrize("kid", [" k", "k ", "k\tk", "clé"])
def test_a_key_is_not_registered_under_an_id_that_no_event_can_hold(administrator: TestClient, kid: str) -> None:
    asked = {"party": COURT, "role": "court", "public_key": key(), "kid": kid}
    refused = TestClient(administrator.app, headers=dict(administrator.headers), raise_server_exceptions=False)
    assert refused.post("/v1/keys", json=asked).status_code == 400


@pytest.mark.parametrize("name", ["Police\u2066x", "operator", "Police\x07"])
def test_an_agency_is_not_registered_under_such_a_name(administrator: TestClient, name: str) -> None:
    asked = {"ori": "WI0990000", "name": name, "requester_class": "county", "public_key": key()}
    assert administrator.post("/v1/agencies", json=asked).status_code == 400


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (e.CourtRegistered(PartyId("exchange"), "Some court"), 403),
        (e.CourtRegistered(PartyId("Y-CC"), "Cou\u202ert"), 403),
        (e.AgencyRegistered(Ori("WI0990009"), "Some police", "no-such-class"), 403),
        (e.CourtRegistered(PartyId(COURT.lower()), "A twin"), 409),
        (e.KeyRegistered(KeyId("own-key-1"), PartyId("X-CC"), e.Role.COURT, SigningKey.generate().public_bytes), 409),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, e.Party) else None,
)
def test_a_signed_registration_obeys_what_the_form_obeys(
    house: House, administrator: TestClient, event: e.Party, status: int
) -> None:
    exchange = house.exchange
    before = exchange.log.end(JOURNAL)
    entry = exchange.journal.entry(event, key="x", signer=exchange.keyring.signer(ADMINISTRATOR), source="//x", own_id="e-1")
    headers = {name.replace("_", "-"): value.decode() for name, value in entry.headers}
    refused = administrator.post("/v1/events", content=entry.value or b"", headers=headers)
    assert refused.status_code == status, refused.text
    kinds = [codec.type_of(placed.entry.value or b"") for placed in read(exchange, JOURNAL)[before:]]
    assert type(event) not in kinds  # nor is it entered to be refused there
