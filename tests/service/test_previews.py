"""Previews of orders: what this party's order would bind, computed as the verdict is, and entered (F09, FC-07)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from builders import ALAMEDA, COURT, MADISON, MILWAUKEE, House, booking, photograph
from comity.domain import entries as e
from comity.domain.ids import PreviewId, preview_key
from comity.domain.log import JOURNAL
from comity.domain.posting import Preview, Suppression
from comity.errors import NotAppended
from comity.reads.orders import NEVER, NOTHING_YET
from comity.wire import sealing
from comity.wire.envelope import from_entry
from exchange import read

ASKED = {
    "purpose": "serious-crime", "threshold": "probable-cause", "offence": "burglary", "authority": "S", "case_number": "1",
}  # fmt: skip


def test_a_look_alone_is_entered_under_no_statute(house: House, registrar: TestClient) -> None:
    """The journal says what was done: nobody named an order or a law."""
    found = registrar.post("/v1/orders/find", json={"atn": "ATN-FOUND-BY-NOBODY"})
    assert (found.status_code, found.json()) == (200, {"covers": [], "per_agency": {}})
    assert registrar.post("/v1/orders/find", json={}).status_code == 400
    (row, *_) = house.exchange.ledger.newest(Preview, 1)
    event = from_entry(next(p.entry for p in read(house.exchange, JOURNAL) if p.position == row.entered)).event
    assert isinstance(event, e.OrderPreviewed)
    assert (event.what, event.statute) == ("find", "")


def preview(web: TestClient, what: str = "seal", statute: str = "ny-cpl-160.50", **number: str) -> dict[str, Any]:
    answer = web.post("/v1/orders/preview", json={"what": what, "statute": statute, **number})
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def press(web: TestClient, shown: dict[str, Any]) -> dict[str, Any]:
    answer = web.post("/v1/orders", data={"token": shown["token"]})
    assert answer.is_success, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


def looks(house: House) -> list[e.OrderPreviewed]:
    events = (from_entry(placed.entry).event for placed in read(house.exchange, JOURNAL))
    return [event for event in events if isinstance(event, e.OrderPreviewed)]


def found(house: House, owner: str, probe: bytes) -> bool:
    answer = house.search(owner, "investigator").post("/v1/searches", files={"probe": probe}, data=ASKED).json()
    return any(c["score"] > 0.6 for c in answer["candidates"])


def test_an_agencys_clerk_reads_nothing_of_another_agencys_records(house: House) -> None:
    """F09: whether another's record is sealed, expunged, there or never was, the answer is one."""
    court = house.intake(COURT, "clerk")
    house.admit(*(booking(n, f"V-{n}", atn=f"ATN-V{n}") for n in (1, 2, 3)))
    press(court, preview(court, atn="ATN-V1"))
    press(court, preview(court, "expunge", "wi-165.84", atn="ATN-V2"))
    house.settle()
    clerk = house.intake(ALAMEDA, "clerk")
    answers = [preview(clerk, atn=f"ATN-V{n}") for n in (1, 2, 3, 9)]
    told = [{name: said for name, said in answer.items() if name != "token"} for answer in answers]
    assert told[0] == told[1] == told[2] == told[3]
    assert (told[0]["covers"], told[0]["per_agency"]) == ([], {})
    assert any("own records alone" in note for note in told[0]["notes"])
    assert len({len(answer["token"]) for answer in answers}) == 1
    assert house.exchange.ledger.reach(["atn:1:none"], 0).records == ()


def test_what_a_preview_covers_is_what_the_order_hides_and_no_more(house: House) -> None:
    """FC-07: one arrest, two agencies, one photograph's file: an agency's order binds its own record, a court's both."""
    numbers = {"atn": "ATN-TWO"}
    mine, theirs = house.admit(
        booking(4, "T-1", owner=ALAMEDA, **numbers), booking(4, "T-2", photographs=(photograph(4, 3),), **numbers)
    )
    clerk, court = house.intake(ALAMEDA, "clerk"), house.intake(COURT, "clerk")
    shown = preview(clerk, **numbers)
    assert [c["record_id"] for c in shown["covers"]] == [mine]
    press(clerk, shown)
    assert (found(house, ALAMEDA, photograph(4, 2)), found(house, MILWAUKEE, photograph(4, 2))) == (False, True)
    both = preview(court, **numbers)
    assert sorted(c["record_id"] for c in both["covers"]) == sorted((mine, theirs))
    assert {c["state"] for c in both["covers"]} == {"sealed", "admitted"}
    press(court, both)
    assert not found(house, MILWAUKEE, photograph(4, 2))


def test_kin_are_in_the_preview_since_the_order_binds_them(house: House) -> None:
    """The same photograph's file under another booking falls with the first: a preview that left it out would not be so."""
    first, again = house.admit(booking(5, "K-1", court_case="26CF5"), booking(5, "K-2"))
    court = house.intake(COURT, "clerk")
    shown = preview(court, court_case="26CF5")
    assert sorted(c["record_id"] for c in shown["covers"]) == sorted((first, again))
    receipt = press(court, shown)
    targets = {row.target for row in house.exchange.ledger.rows(Suppression, order_id=receipt["event_id"])}
    assert {t for t in targets if t.startswith("record:")} == {f"record:{first}"}  # the kin is bound by its kinship
    assert not found(house, MILWAUKEE, photograph(5, 2))


def test_an_agencys_number_is_nothing_to_another_agencys_order(house: House) -> None:
    """FC-07, by the booking number and the other agency's ORI."""
    house.admit(booking(7, "OWN-7"))
    clerk = house.intake(MADISON, "clerk")
    shown = preview(clerk, booking_number="OWN-7", agency=MILWAUKEE)
    assert shown["covers"] == []
    assert any("another agency's" in note for note in shown["notes"])
    assert not any("should it come" in note for note in shown["notes"]), "an order that can never cover anything"
    assert any("should it come" in note for note in preview(clerk, booking_number="OWN-7", agency=MADISON)["notes"])
    assert any("should it come" in note for note in preview(house.intake(COURT, "clerk"), atn="ATN-NONE")["notes"])
    receipt = press(clerk, shown)
    assert found(house, MILWAUKEE, photograph(7, 2))
    held = clerk.get(f"/v1/orders/{MADISON}/{receipt['event_id']}").json()
    assert (held["covered"], held["state"]) == (NEVER, "stands")


def test_an_agency_beside_a_number_that_is_no_bookings_says_nothing_of_it(house: House) -> None:
    """The desk's form keeps the agency's field, whatever the order is for."""
    clerk = house.intake(MADISON, "clerk")
    shown = preview(clerk, court_case="26CF-BESIDE", agency=MILWAUKEE)
    assert not any("another agency's" in note for note in shown["notes"])
    assert any("should it come" in note for note in shown["notes"])
    receipt = press(clerk, shown)
    assert clerk.get(f"/v1/orders/{MADISON}/{receipt['event_id']}").json()["covered"] == NOTHING_YET


def test_a_look_is_entered_with_what_was_shown_and_by_whom(house: House) -> None:
    (record,) = house.admit(booking(8, "E-8", atn="ATN-E8"))
    before = len(looks(house))
    person, _ = house.person(COURT, "clerk")
    preview(house.intake(COURT, "clerk"), atn="ATN-E8")
    (entry,) = looks(house)[before:]
    assert (entry.party, entry.user, entry.what, entry.statute) == (COURT, person.user_id, "seal", "ny-cpl-160.50")
    key = house.exchange.vault.open(preview_key(entry.preview_id))
    name = f"{preview_key(entry.preview_id)}/{entry.attempt}".encode()
    ((shown, salt),) = json.loads(sealing.unseal(key, entry.covers, context=name))
    assert shown == record
    assert entry.commitments == (sealing.commitment(bytes.fromhex(salt), shown),)
    assert record.encode() not in entry.covers
    assert [row.user for row in house.exchange.ledger.rows(Preview, preview_id=entry.preview_id)] == [person.user_id]


def test_without_a_place_nothing_is_previewed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """R37; and no key is left of it."""
    house.admit(booking(9, "N-9", atn="ATN-N9"))

    def enter(*_: object, **__: object) -> None:
        raise NotAppended("disk full")

    minted: list[str] = []
    monkeypatch.setattr(house.exchange.journal, "enter", enter)
    issue = house.exchange.vault.issue

    def noted(name: str) -> bytes:
        minted.append(name)
        return issue(name)

    monkeypatch.setattr(house.exchange.vault, "issue", noted)
    refused = house.intake(COURT, "clerk").post(
        "/v1/orders/preview", json={"what": "seal", "statute": "ny-cpl-160.50", "atn": "ATN-N9"}
    )
    assert refused.status_code == 503
    assert "covers" not in refused.json()
    (name,) = [one for one in minted if one.startswith("preview/") and one != "preview/1"]
    assert house.exchange.vault.wrapped(name) is None
    assert not house.exchange.ledger.rows(Preview, preview_id=PreviewId(name.removeprefix("preview/")))


def test_looking_is_paced(house: House) -> None:
    """Numbers cannot be tried out by the thousand."""
    clerk, last = house.intake(MADISON, "clerk", name="Curious"), 200
    for number in range(1_000):
        asked = {"what": "seal", "statute": "ny-cpl-160.50", "atn": f"X-{number}"}
        last = clerk.post("/v1/orders/preview", json=asked).status_code
        if last == 429:
            break
    assert last == 429


def test_a_party_has_one_bucket_of_looks_whichever_door_it_looks_through(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two buckets let whoever tries numbers out try twice as many."""
    pace = house.exchange.seal.previews.looks
    for name, value in (("_burst", 1), ("_per_second", 0.001), ("_buckets", {})):
        monkeypatch.setattr(pace, name, value)
    preview(house.intake(MILWAUKEE, "clerk"), atn="ATN-BUCKET")
    asked = {"owner": MILWAUKEE, "booking_number": "B-BUCKET", "photograph_sha256": ["0" * 64]}
    assert house.intake(MILWAUKEE, "agency-writer").post("/v1/records", json=asked).status_code == 429
