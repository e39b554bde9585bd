"""What is said of an order: whether it stands now, who ended it, what it covers by itself, what it does not reach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from comity.adapters.sql.engine import open_engine
from comity.adapters.sql.ledger import SqlLedger
from comity.domain import entries as e
from comity.domain.entries import OrderName
from comity.domain.ids import OrderId, PartyId, UserId
from comity.domain.provisional import LAPSES
from comity.errors import NotFound, Unavailable
from comity.reads import documents
from comity.reads.journal import Entries
from comity.reads.orders import LAPSED, LIFTED, OWN_ALONE, STANDS, OrderBook, Receipt, iso
from journals import BASE, COURT, A, B, Core, admission, expungement, lift, minutes, named, provisional, seal, tag, unseal

OTHER_COURT = "dane-circuit-court"


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    engine = open_engine(tmp_path / "ledger.db")
    yield Core(SqlLedger(engine)).found()
    engine.dispose()


def held(core: Core, order: str, party: str = COURT) -> Receipt:
    core.apply()
    return OrderBook(core.ledger, Entries(core.log)).receipt(OrderName(PartyId(party), OrderId(order)))


def move(core: Core, minute: int) -> None:
    core.now = core.log.now = minutes(minute)


def tick(core: Core, minute: int) -> None:
    move(core, minute)
    core.say(e.ClockTicked(minutes(minute)))


def test_an_order_stands_until_its_own_lift_and_says_by_whom_it_ended(core: Core) -> None:
    """A receipt opened after the lift must not say that the order stands."""
    core.say(admission(1))
    move(core, 1)
    core.say(replace(seal("o1", 1), clerk=UserId("u-1")), COURT)
    before = held(core, "o1")
    assert (before.order.state, before.order.ended, before.order.clerk) == (STANDS, None, "u-1")
    assert before.order.entered_at == minutes(1)
    move(core, 2)
    place = core.say(replace(unseal("u1", "o1"), clerk=UserId("u-2")), COURT)
    after = held(core, "o1")
    ended = after.order.ended
    assert ended is not None
    assert (after.order.state, ended.by, ended.at, ended.clerk, ended.position) == (
        LIFTED,
        *named(COURT, "u1"),
        minutes(2),
        "u-2",
        place,
    )
    assert after.covers == before.covers  # what it covered, for the record


def test_anothers_order_of_the_same_number_is_another_order(core: Core) -> None:
    core.say(admission(1))
    core.say(seal("o1", 1), COURT)
    core.say(seal("o1", 1), A)
    core.say(unseal("u1", "o1"), COURT)
    assert held(core, "o1").order.state == LIFTED
    assert held(core, "o1", A).order.state == STANDS
    with pytest.raises(NotFound):
        held(core, "o1", B)


def test_a_court_that_ends_anothers_order_is_named_with_its_authority(core: Core) -> None:
    core.say(admission(1))
    core.say(seal("o1", 1), A)
    core.say(unseal("u1", "o1", of=A, authority="Order of 3 March, 2026CV000012"), COURT)
    ended = held(core, "o1", A).order.ended
    assert ended is not None
    assert ended.by == OrderName(PartyId(COURT), OrderId("u1"))
    assert "2026CV000012" in ended.authority


def test_a_provisional_seal_says_when_it_lapses_and_then_that_it_lapsed(core: Core) -> None:
    core.say(admission(1))
    core.say(provisional("p1", 1, lapses_at=minutes(30)), COURT)
    assert (held(core, "p1").order.state, held(core, "p1").order.lapses_at) == (STANDS, minutes(30))
    assert LAPSES in held(core, "p1").order.notes()
    for minute in range(30, 62, 2):
        tick(core, minute)
    found = held(core, "p1")
    assert found.order.state == LAPSED
    assert found.order.now() == f"Lapsed on {iso(minutes(30))}"
    assert LAPSES not in found.order.notes()
    assert found.order.ended is not None
    assert found.order.ended.at == minutes(30)
    assert found.covers.named == {A: 1}


def test_a_lift_that_came_before_the_lapse_is_what_ended_it(core: Core) -> None:
    core.say(admission(1))
    core.say(provisional("p1", 1, lapses_at=minutes(30)), COURT)
    move(core, 5)
    core.say(lift("l1", "p1"), COURT)
    for minute in range(30, 62, 2):
        tick(core, minute)
    assert held(core, "p1").order.state == LIFTED


def test_an_order_for_a_number_covers_what_comes_later_and_says_so(core: Core) -> None:
    """Receipts of orders that name numbers alone stayed at "no record here yet"."""
    number = tag(e.IndexKind.ATN, "7")
    core.say(seal("o1", indexes=[number]), COURT)
    assert held(core, "o1").covers.total == 0
    core.say(admission(1, A, number))
    assert held(core, "o1").covers.named == {A: 1}


def test_each_order_counts_what_it_covers_by_itself(core: Core) -> None:
    for one in (1, 2):
        core.say(admission(one))
    core.say(seal("o1", 1), COURT)
    core.say(seal("o2", 2), COURT)
    assert [held(core, order).covers.total for order in ("o1", "o2")] == [1, 1]


def test_an_agencys_order_covers_its_own_and_says_what_it_does_not_reach(core: Core) -> None:
    number = tag(e.IndexKind.ATN, "9")
    core.say(admission(1, A, number))
    core.say(admission(2, B, number))
    core.say(seal("own", indexes=[number]), A)
    core.say(seal("court", indexes=[number]), COURT)
    assert held(core, "own", A).covers.named == {A: 1}
    assert OWN_ALONE in held(core, "own", A).order.notes()
    assert held(core, "court").covers.named == {A: 1, B: 1}
    assert OWN_ALONE not in held(core, "court").order.notes()


def test_an_expungement_tells_kin_apart_that_it_hides_and_does_not_destroy(core: Core) -> None:
    kin = tag(e.IndexKind.PHOTOGRAPH, "3")
    core.say(admission(1, A, kin))
    core.say(admission(2, A, kin))
    core.say(expungement("x1", 1), COURT)
    covers = held(core, "x1").covers
    assert (covers.named, covers.kin) == ({A: 1}, {A: 1})


def test_orders_are_listed_newest_first_with_what_stands_now(core: Core) -> None:
    core.say(admission(1))
    for order in ("o1", "o2", "o3"):
        core.say(seal(order, 1), COURT)
    core.say(unseal("u1", "o2"), COURT)
    core.apply()
    book = OrderBook(core.ledger, Entries(core.log))
    found = book.list(PartyId(COURT), count=2)
    assert [(one.name.order_id, one.state) for one in found] == [("o3", STANDS), ("o2", LIFTED)]
    assert [one.name.order_id for one in book.list(PartyId(COURT), before=found[-1].position, count=2)] == ["o1"]


def test_a_certificate_is_read_back_whole_and_found_bytes_are_no_success(core: Core) -> None:
    core.say(admission(1))
    core.say(expungement("x1", 1), COURT)
    event = e.ErasureCertified(
        certificate_id="c-1",
        order=OrderName(PartyId(COURT), OrderId("x1")),
        part=0,
        scope="directed",
        records=(),
        keys_shredded=1,
        templates_erased=2,
        sought=(e.Sought("template", 2),),
        files_scanned=3,
        bytes_scanned=4,
        found=1,
        not_scanned=("backups",),
        checked_at=BASE + timedelta(minutes=1),
    )
    core.say(event)
    receipt = held(core, "x1")
    assert receipt.certificates == (event,)
    told = documents.of_receipt(receipt, {})["certificates"][0]
    assert (told["found"], told["sought"], told["not_scanned"]) == (1, {"template": 2}, ["backups"])


def test_a_journal_that_does_not_give_an_entry_back_is_an_error_and_no_empty_receipt(core: Core) -> None:
    with pytest.raises(Unavailable):
        Entries(core.log).at(10_000)


def test_another_entry_is_never_taken_for_the_one_that_was_asked_for(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log with a gap gives back what follows it."""
    opened = core.log.open
    monkeypatch.setattr(core.log, "open", lambda starts: opened(dict.fromkeys(starts, 2)))
    with pytest.raises(Unavailable):
        Entries(core.log).at(1)
