"""`POST /v1/records` tells nothing of others' orders, mints nothing that no enrolment uses, and is paced (F09)."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any

import pytest
from starlette.testclient import TestClient

from builders import ALAMEDA, COURT, MADISON, MILWAUKEE, House, booking, photograph
from comity.domain.ids import RecordId, record_key
from comity.errors import NotFound, SuppressedRecord


def press(house: House, party: str, what: str = "seal", **number: str) -> None:
    clerk = house.intake(party, "clerk")
    statute = {"seal": "ny-cpl-160.50", "expunge": "wi-165.84"}[what]
    shown = clerk.post("/v1/orders/preview", json={"what": what, "statute": statute, **number}).json()
    assert clerk.post("/v1/orders", data={"token": shown["token"]}).is_success
    house.settle()


def asked(web: TestClient, number: str, **named: Any) -> tuple[int, list[str]]:  # noqa: ANN401
    answer = web.post(
        "/v1/records", json={"owner": ALAMEDA, "booking_number": number, "photograph_sha256": ["ab" * 32], **named}
    )  # fmt: skip
    return answer.status_code, sorted(answer.json())


def kept_keys(house: House) -> int:
    vault = sqlite3.connect(house.exchange.home.path("vault.db"))
    (count,) = vault.execute("SELECT count(*) FROM keys").fetchone()
    vault.close()
    return int(count)


def test_a_foreign_order_a_free_number_and_an_expungement_are_answered_alike(house: House) -> None:
    house.admit(booking(1, "L-1", atn="ATN-L1"), booking(2, "L-2", court_case="26CF2"), booking(3, "L-3"))
    press(house, COURT, atn="ATN-L1")
    press(house, COURT, "expunge", court_case="26CF2")
    press(house, MILWAUKEE, booking_number="L-3", agency=MILWAUKEE)
    curious = house.intake(ALAMEDA, "agency-writer")
    sealed_photo = hashlib.sha256(photograph(1)).hexdigest()
    answers = [
        asked(curious, "Z-1", atn="ATN-L1"),
        asked(curious, "Z-2", court_case="26CF2"),
        asked(curious, "Z-3", photograph_sha256=[sealed_photo]),
        asked(curious, "Z-4", atn="ATN-NEVER"),
    ]
    assert answers[0][0] == 200
    assert all(answer == answers[0] for answer in answers)


def test_an_order_of_its_own_is_told_at_once(house: House) -> None:
    """R18 b."""
    house.admit(booking(4, "L-4", owner=ALAMEDA))
    press(house, ALAMEDA, booking_number="L-4", agency=ALAMEDA)
    assert asked(house.intake(ALAMEDA, "agency-writer"), "L-4")[0] == 409
    with pytest.raises(SuppressedRecord):
        house.publisher(ALAMEDA).publish(booking(4, "L-4-NEW", owner=ALAMEDA))


@pytest.mark.parametrize(("person", "what"), [(5, "seal"), (6, "expunge")])
def test_what_a_foreign_order_covers_is_honoured_later_and_told_in_one_way(house: House, person: int, what: str) -> None:
    """Whether hidden or never taken in, whether by the number or by the photograph: its owner reads one answer."""
    number = f"26CF-F{person}"
    house.admit(booking(person, f"F-{person}", owner=MADISON, court_case=number))
    press(house, COURT, what, court_case=number)
    by_number, by_photograph = house.admit(
        booking(person + 20, f"G-{person}", owner=ALAMEDA, court_case=number), booking(person, f"H-{person}", owner=ALAMEDA)
    )
    writer = house.intake(ALAMEDA, "agency-writer")
    told = [writer.get(f"/v1/records/{record}").json() | {"record_id": ""} for record in (by_number, by_photograph)]
    assert told[0] == told[1]
    assert (told[0]["state"], told[0]["reason"], told[0]["version"]) == ("suppressed", None, None)
    assert "An order covers it" in told[0]["advice"]
    assert not [one for one in writer.get("/v1/rejections").json() if one["record_id"] in (by_number, by_photograph)]
    assert not [one for one in writer.get("/v1/refusals").json() if one["reason"] == "suppressed"]
    asks = {
        "purpose": "serious-crime",
        "threshold": "probable-cause",
        "offence": "burglary",
        "authority": "S",
        "case_number": "1",
    }
    found = house.search(ALAMEDA, "investigator").post("/v1/searches", files={"probe": photograph(person, 2)}, data=asks)
    assert not [c for c in found.json()["candidates"] if c["score"] > 0.6]


def test_a_look_up_mints_no_key_until_its_enrolment_comes(house: House) -> None:
    house.settle()  # what other tests enrolled
    house.publisher().prepare(booking(7, "M-6"))  # the agency's index keys, once and for all
    before, one = kept_keys(house), booking(7, "M-7")
    issued = [house.publisher().prepare(one) for _ in range(2)]
    assert issued[0].data_key == issued[1].data_key
    record = RecordId(issued[0].record_id)
    assert kept_keys(house) == before
    with pytest.raises(NotFound):
        house.exchange.vault.open(record_key(record))
    house.publisher().publish(one)
    assert house.exchange.vault.open(record_key(record)) == issued[0].data_key
    assert house.exchange.vault.waiting(record_key(record)) is None
    house.settle()
    assert house.intake(MILWAUKEE, "agency-writer").get(f"/v1/records/{record}").json()["state"] == "admitted"


def test_numbers_cannot_be_tried_out_by_the_thousand(house: House) -> None:
    web, before = house.intake(ALAMEDA, "agency-writer", name="Curious"), kept_keys(house)
    answers = [asked(web, f"Q-{n}", atn=f"X-{n}")[0] for n in range(700)]
    assert 429 in answers
    assert kept_keys(house) == before
