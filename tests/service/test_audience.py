"""F33: what was signed for one exchange is good at no other, wherever it is sent; and a refusal reaches whoever signed it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from builders import COURT, MADISON, MILWAUKEE, House, booking
from builders import house as run_house
from comity.acts.journal import Journal
from comity.bootstrap import Exchange
from comity.domain import entries as e
from comity.domain.ids import ExchangeId, GrantId, OrderId, RecordId
from comity.domain.log import Entry, Topic
from comity.domain.posting import Grant
from comity.domain.rows import Exchange as Founded
from comity.errors import Halted, NotPermitted
from comity.settings import Settings
from comity.wire.booking import sealed
from comity.wire.signing import SigningKey
from exchange import RememberedFaces

ELSEWHERE = ExchangeId("x-elsewhere")


def abroad(exchange: Exchange) -> Journal:
    """Return a pen that signs for another exchange."""
    return Journal(exchange.log, exchange.keyring.signer("exchange"), exchange.now, ELSEWHERE)


def granted(exchange: Exchange, name: str) -> e.ShareGranted:
    expires = exchange.now() + timedelta(days=30)
    return e.ShareGranted(
        GrantId(name), MILWAUKEE, MADISON, (e.RecordClass.BOOKING,), ("serious-crime",), ("search",), expires, ""
    )


def refusals(house: House, party: str) -> list[tuple[str, str | None, str]]:
    found = house.intake(party, "clerk").get("/v1/refusals").json()
    return [(r["reason"], r["event_id"], r["message"]) for r in found]


def test_anybody_may_ask_which_exchange_this_is(house: House) -> None:
    told = TestClient(house.intake_app).get("/v1/exchange")
    assert told.status_code == 200
    assert told.json()["exchange_id"] == house.exchange.journal.exchange_id
    keys = {key["role"]: key["kid"] for key in told.json()["keys"]}
    assert keys == {role: house.exchange.keyring.signer(role).kid for role in ("administrator", "exchange")}
    assert set(told.json()["signing"]["header"]) == {"alg", "kid", "aud"}


def test_an_order_for_another_exchange_is_refused_at_intake_and_by_the_ledger(house: House) -> None:
    exchange, signer = house.exchange, house.exchange.keyring.signer(MILWAUKEE)
    entry = abroad(exchange).entry(granted(exchange, "g-abroad"), key="k", signer=signer)
    with pytest.raises(NotPermitted, match="another exchange") as caught:
        exchange.orders.submit(entry)
    assert caught.value.details["reason"] == "other-exchange"
    assert exchange.journal.exchange_id in caught.value.advice
    exchange.log.append(Topic.JOURNAL, entry, timeout_seconds=5)
    house.settle()
    assert exchange.ledger.rows(Grant, grant_id="g-abroad") == ()
    assert [told[:2] for told in refusals(house, MILWAUKEE)][:1] == [("other-exchange", "g-abroad")]


def test_an_enrolment_for_another_exchange_is_refused_at_intake_and_by_the_encoder(house: House) -> None:
    exchange, own = house.exchange, booking(3, "AUD-1")
    issued = exchange.enrol.prepare(own.owner, own.numbers(), own.digests())
    event = sealed(own, issued.record_id, issued.data_key, issued.indexes)
    entry = abroad(exchange).entry(event, key=issued.record_id, signer=exchange.keyring.signer(MILWAUKEE), own_id="e-abroad")
    with pytest.raises(NotPermitted):
        exchange.enrol.submit(entry)
    exchange.log.append(Topic.ENROLMENTS, entry, timeout_seconds=5)
    house.settle()
    standing = house.intake(MILWAUKEE, "agency-writer").get(f"/v1/records/{issued.record_id}").json()
    assert standing["state"] == "waiting"  # whoever sent it again is not the agency: nothing is said in its name
    assert ("other-exchange", "e-abroad") in [told[:2] for told in refusals(house, MILWAUKEE)]


def test_templates_for_another_exchange_are_passed_over(house: House) -> None:
    (record,) = house.admit(booking(4, "AUD-2"))
    exchange, before = house.exchange, len(house.exchange.gallery)
    block = e.SealedTemplate(0, b"x" * 100, 50.0)
    event = e.TemplatesExtracted(RecordId(record), MILWAUKEE, e.RecordClass.BOOKING, 2, "m", (block,))
    exchange.log.append(Topic.TEMPLATES, abroad(exchange).entry(event, key=record), timeout_seconds=5)
    house.settle()
    assert len(exchange.gallery) == before


# --- who is told ---


def harmed(entry: Entry, **changed: bytes) -> Entry:
    return replace(entry, headers=tuple((name, changed.get(name, octets)) for name, octets in entry.headers))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"ce_time": b"yesterday"}, "ce_time is no RFC 3339 time"),
        ({"ce_specversion": b"0.3"}, "ce_specversion"),
        ({"ce_type": b"comity.v1.RecordsExpunged"}, "ce_type"),
        ({"content-type": b"application/json"}, "content-type"),
        ({"ce_id": b"another"}, "send own-order as ce_id"),
    ],
)
def test_a_court_reads_why_its_order_had_no_effect(house: House, changed: dict[str, bytes], says: str) -> None:
    """FC-39: it was refused, the person stayed findable, and the court's list was empty."""
    exchange, court = house.exchange, house.exchange.keyring.signer(COURT)
    order = e.RecordsSealed(OrderId("own-order"), "COURT_ORDER_ONLY", "wi-973.015", (), (), exchange.now(), b"")
    entry = harmed(exchange.journal.entry(order, key="k", signer=court), **changed)
    place = exchange.log.append(Topic.JOURNAL, entry, timeout_seconds=5)
    house.settle()
    found = house.intake(COURT, "clerk").get("/v1/refusals").json()
    (told,) = [r for r in found if r["position"] == place.position]
    assert says in told["message"]
    assert told["event_id"] == changed.get("ce_id", b"own-order").decode()
    assert [r for r in house.intake(MILWAUKEE, "clerk").get("/v1/refusals").json() if r["position"] == place.position] == []


def test_who_names_a_key_by_another_id_is_told_the_registered_one(house: House) -> None:
    """FC-40."""
    exchange, court = house.exchange, house.exchange.keyring.signer(COURT)
    order = e.RecordsSealed(OrderId("named"), "COURT_ORDER_ONLY", "wi-973.015", (), (), exchange.now(), b"")
    entry = exchange.journal.entry(order, key="k", signer=court.named("lakeside-2026-01"))
    with pytest.raises(NotPermitted, match="lakeside-2026-01") as caught:
        exchange.orders.submit(entry)
    assert court.kid in caught.value.advice
    exchange.log.append(Topic.JOURNAL, entry, timeout_seconds=5)
    house.settle()
    reason, event_id, message = refusals(house, COURT)[0]
    assert (reason, event_id) == ("unknown-key", "named")
    assert court.kid in message


def test_nobody_is_told_of_what_another_signed_in_their_name(house: House) -> None:
    exchange, before = house.exchange, refusals(house, COURT)
    order = e.RecordsSealed(OrderId("forged"), "COURT_ORDER_ONLY", "wi-973.015", (), (), exchange.now(), b"")
    stranger = SigningKey.generate()
    honest = exchange.journal.entry(order, key="k", signer=exchange.keyring.signer(COURT))
    header = dict(honest.headers)["jws"].split(b".")[0]
    signature = stranger.sign(honest.value or b"", exchange.journal.exchange_id).encode().split(b".")[2]
    exchange.log.append(Topic.JOURNAL, harmed(honest, jws=header + b".." + signature), timeout_seconds=5)
    house.settle()
    assert refusals(house, COURT) == before


# --- founding ---


def test_a_home_remembers_its_id_by_the_journal_alone_and_a_new_one_has_another(tmp_path: Path) -> None:
    with run_house(tmp_path / "first", RememberedFaces()) as first:
        exchange = first.exchange
        own = exchange.journal.exchange_id
        event = granted(exchange, "g-old")
        old = exchange.journal.entry(event, key="k", signer=exchange.keyring.signer(MILWAUKEE))
        exchange.orders.submit(old)
        exchange.orders.submit(
            exchange.journal.entry(e.ShareRevoked(event.grant_id), key="k", signer=exchange.keyring.signer(MILWAUKEE))
        )
    (tmp_path / "first" / "ledger.db").unlink()
    with Exchange(Settings(home=tmp_path / "first"), face_encoder=RememberedFaces()) as again:
        assert again.journal.exchange_id == own
        assert [row.exchange_id for row in again.ledger.rows(Founded)] == [own]
    shutil.copytree(tmp_path / "first" / "keys", tmp_path / "second" / "keys")
    with run_house(tmp_path / "second", RememberedFaces()) as second:
        assert second.exchange.journal.exchange_id != own
        second.exchange.log.append(Topic.JOURNAL, old, timeout_seconds=5)
        second.settle()
        assert second.exchange.ledger.rows(Grant) == ()


def test_nothing_is_signed_before_the_exchange_is_founded(tmp_path: Path) -> None:
    unfounded = Exchange(Settings(home=tmp_path / "home"), face_encoder=RememberedFaces())
    try:
        with pytest.raises(Halted, match="not founded"):
            unfounded.journal.entry(e.ClockTicked(unfounded.now()), key="k")
    finally:
        unfounded.stop()
