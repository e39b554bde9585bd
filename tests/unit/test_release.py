"""The one way out: append, wait, judge (promise 1 and 4, rules 3-5 and 8, R15, R37)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import pytest

from comity.acts import release as module
from comity.acts.release import ATTEMPTS_MAX, Disclosure, OrderProposal, Release
from comity.domain import entries as e
from comity.domain import posting as p
from comity.domain.ids import GrantId, KeyId, PartyId, PreviewId, RecordId, UserId
from comity.domain.judge import Question
from comity.domain.log import Topic
from comity.domain.posting import Signer
from comity.errors import Halted, LedgerBehind, NotAppended, OutcomeUnknown, Unavailable
from comity.ports import Posted, Progress
from comity.wire.envelope import from_entry
from journals import (
    ADMINISTRATOR,
    BASE,
    BOOKINGS,
    COURT,
    EXCHANGE,
    A,
    B,
    Core,
    PureLedger,
    admission,
    grant,
    key,
    minutes,
    proposed,
    record,
    seal,
    unseal,
)

QUESTION = Question(B, "serious-crime", "search", BOOKINGS)


@pytest.fixture
def core() -> Core:
    """Return a journal in which B may search A's records 1 to 5."""
    core = Core().found()
    for number in range(1, 6):
        core.say(admission(number))
    core.say(grant("g1"), A)
    core.apply()
    return core


@pytest.fixture
def keeps_up(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the projector apply whatever is waited for."""
    waits = core.watch.wait

    def wait(position: int, timeout_seconds: float) -> bool:
        core.apply()
        return waits(position, timeout_seconds)

    monkeypatch.setattr(core.watch, "wait", wait)


class Asked:
    """A search of records by number, which remembers each attempt; ``between`` happens after a choice, before its place."""

    def __init__(self, core: Core, numbers: tuple[int, ...], between: Callable[[int], object] = lambda _: None) -> None:
        self.core, self.numbers, self.between = core, numbers, between
        self.attempts: list[int] = []
        self.rendered: list[Disclosure] = []

    def __call__(self, *, shown_max: int = 2, complete: bool = True) -> list[int]:
        def propose(attempt: int) -> module.Proposal:
            self.attempts.append(attempt)
            proposal = proposed("s1", attempt, self.numbers, shown_max=shown_max, complete=complete)
            self.between(attempt)
            return proposal

        def render(disclosure: Disclosure) -> list[int]:
            self.rendered.append(disclosure)
            return [int(r, 16) for r in disclosure.records]

        release = Release(self.core.journal, self.core.ledger, self.core.watch)
        return release(QUESTION, propose, render)


def said(core: Core) -> list[str]:
    return [type(from_entry(placed.entry).event).__name__ for placed in core.log.held()]


@pytest.mark.usefixtures("keeps_up")
def test_the_answer_is_the_first_k_that_stand_at_its_own_place(core: Core) -> None:
    """Rule 5: k and some slack are proposed, the first k that stand are shown."""
    search = Asked(core, (3, 1, 9, 2))
    assert search() == [3, 1]
    assert search.rendered[0].place == len(core.log.held()) - 1
    assert said(core)[-1] == "SearchPerformed"


@pytest.mark.usefixtures("keeps_up")
def test_an_attempt_is_in_the_journal_before_it_is_judged(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 1: it first takes its place, durably."""
    told: list[str] = []
    judged = core.ledger.facts

    def facts(requester: str, records: tuple[RecordId, ...], as_of: int) -> object:
        told.append(said(core)[as_of])
        return judged(requester, records, as_of)

    monkeypatch.setattr(core.ledger, "facts", facts)
    assert Asked(core, (1,))() == [1]
    assert told == ["SearchPerformed"]


@pytest.mark.parametrize("error", [NotAppended("disk full"), OutcomeUnknown("timed out")])
def test_what_has_no_place_is_neither_judged_nor_shown(core: Core, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """R37: what cannot be entered does not happen; an unknown outcome is no place."""

    def append(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(core.log, "append", append)
    monkeypatch.setattr(core.ledger, "facts", lambda *_: pytest.fail("judged"))
    search = Asked(core, (1,))
    with pytest.raises(type(error)):
        search()
    assert not search.rendered


def test_a_negative_position_is_no_place(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 11: kafka-python can answer -1 for a duplicate sequence."""
    taken = core.log.append

    def append(topic: Topic, entry: object, *, timeout_seconds: float) -> object:
        placed = taken(topic, entry, timeout_seconds=timeout_seconds)  # type: ignore[arg-type]
        return type(placed)(placed.entry, placed.stream, -1, placed.appended_at_ms)

    monkeypatch.setattr(core.log, "append", append)
    search = Asked(core, (1,))
    with pytest.raises(OutcomeUnknown):
        search()
    assert not search.rendered


def test_a_release_waits_until_the_ledger_has_come_to_its_place(core: Core) -> None:
    """Promise 4: an order that stands before it is waited for."""
    core.say(seal("o1", 1), COURT)
    projector = threading.Timer(0.1, core.apply)
    projector.start()
    assert Asked(core, (1, 2))() == [2]
    projector.join()


def test_a_ledger_that_does_not_come_to_the_place_discloses_nothing(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 4: 503, never stale."""
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)
    core.say(seal("o1", 1), COURT)
    search = Asked(core, (1, 2))
    with pytest.raises(LedgerBehind):
        search()
    assert not search.rendered


def test_a_projector_that_failed_discloses_nothing(core: Core) -> None:
    """Promise 4: it does not even wait for the deadline."""
    core.watch.fail("the disk is gone")
    search = Asked(core, (1, 2))
    with pytest.raises(Halted):
        search()
    assert not search.rendered


@pytest.mark.usefixtures("keeps_up")
def test_a_ledger_that_went_back_while_it_was_read_discloses_nothing(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 4: the position is part of the snapshot that is judged."""
    ledger = core.ledger
    assert isinstance(ledger, PureLedger)
    old = ledger.facts(B, (), 0)
    monkeypatch.setattr(ledger, "facts", lambda *_: old)
    core.say(seal("o1", 1), COURT)
    search = Asked(core, (1, 2))
    with pytest.raises(LedgerBehind, match="went back"):
        search()
    assert not search.rendered


@pytest.mark.usefixtures("keeps_up")
def test_without_a_fresh_tick_nothing_is_disclosed(core: Core) -> None:
    """Rule 8: the last tick's value is over 60 s old."""
    search = Asked(core, (1,))
    core.now = core.log.now = minutes(1)
    assert search() == [1]
    core.now = core.log.now = minutes(1) + timedelta(milliseconds=1)
    with pytest.raises(Unavailable, match="clock"):
        search()
    core.say(e.ClockTicked(core.now))
    assert search() == [1]


@pytest.mark.usefixtures("keeps_up")
@pytest.mark.usefixtures("keeps_up")
@pytest.mark.parametrize("between", [True, False])
def test_an_entry_whose_signer_the_ledger_refuses_is_no_answer(core: Core, between: bool) -> None:  # noqa: FBT001
    """Rules 3 and 13: the exchange's own key is judged like any other, also where it falls just before the entry."""

    def revoke(_attempt: int = 0) -> None:
        core.say(e.KeyRevoked(key(EXCHANGE).kid), ADMINISTRATOR)

    if not between:
        revoke()
    asked = Asked(core, (1, 2), revoke if between else lambda _: None)
    with pytest.raises(Unavailable, match="own key"):
        asked()
    assert asked.rendered == []
    assert core.ledger.rows(p.Search) == ()


def test_a_tick_after_the_place_does_not_make_an_old_clock_fresh(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 8: judged by the ticks before the place."""
    core.now = core.log.now = BASE + timedelta(hours=1)
    waits = core.watch.wait

    def wait(position: int, timeout_seconds: float) -> bool:
        core.say(e.ClockTicked(core.now))
        return waits(position, timeout_seconds)

    monkeypatch.setattr(core.watch, "wait", wait)
    with pytest.raises(Unavailable, match="clock"):
        Asked(core, (1,))()


@pytest.mark.usefixtures("keeps_up")
def test_an_order_between_choice_and_place_is_filled_from_the_slack(core: Core) -> None:
    """Rule 5: no second attempt, and no shorter list (promise 2)."""
    search = Asked(core, (1, 2, 3), lambda _: core.say(seal("o1", 1), COURT))
    assert search() == [2, 3]
    assert search.attempts == [0]


@pytest.mark.usefixtures("keeps_up")
def test_an_order_after_the_place_that_is_known_already_makes_a_new_attempt(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 4: what the ledger knows is honoured too."""
    waits, orders = core.watch.wait, iter([seal("o1", 1)])

    def wait(position: int, timeout_seconds: float) -> bool:
        for order in orders:
            core.say(order, COURT)
        return waits(position, timeout_seconds)

    monkeypatch.setattr(core.watch, "wait", wait)
    search = Asked(core, (1, 2, 3))
    assert search() == [2, 3]
    assert search.attempts == [0, 1]
    assert said(core)[-3:] == ["SearchPerformed", "RecordsSealed", "SearchPerformed"]


@pytest.mark.usefixtures("keeps_up")
def test_an_order_that_stood_at_the_place_and_was_ended_since_still_withholds(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 4: judged as of the place first."""
    core.say(seal("o1", 1), COURT)
    waits, lifts = core.watch.wait, iter([unseal("u1", "o1")])

    def wait(position: int, timeout_seconds: float) -> bool:
        for order in lifts:
            core.say(order, COURT)
        return waits(position, timeout_seconds)

    monkeypatch.setattr(core.watch, "wait", wait)
    assert Asked(core, (1, 2))() == [2]


@pytest.mark.usefixtures("keeps_up")
def test_too_few_that_stand_of_a_cut_proposal_make_a_new_attempt_and_of_a_whole_one_an_answer(core: Core) -> None:
    """Promise 2: a short list would betray a sealed person."""
    search = Asked(core, (1, 9))
    assert search(complete=True) == [1]
    with pytest.raises(Unavailable):
        search(complete=False)
    assert search.attempts == [0, *range(ATTEMPTS_MAX)]


@pytest.mark.usefixtures("keeps_up")
def test_attempts_are_bounded_and_the_journal_says_that_the_search_was_given_up(core: Core) -> None:
    """Rule 5: then 503, and SearchWithheld."""
    search = Asked(core, (1, 2, 3), lambda n: core.say(seal(f"o{n}", 1, 2, 3), COURT))
    with pytest.raises(Unavailable, match="faster"):
        search(complete=False)
    assert said(core).count("SearchPerformed") == ATTEMPTS_MAX
    assert said(core)[-1] == "SearchWithheld"
    assert not search.rendered


@pytest.mark.usefixtures("keeps_up")
def test_an_answer_older_than_a_second_is_released_again(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 4: judged anew at a new place, so what fell meanwhile is gone."""
    times = iter([0.0, 1.01, 10.0, 11.0])
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(times)))
    search = Asked(core, (1, 2, 3), lambda n: n and core.say(seal("o1", 1), COURT))
    assert search() == [2, 3]
    assert [int(d.records[0], 16) for d in search.rendered] == [1, 2]


def test_a_disclosure_is_made_by_the_release_alone(core: Core) -> None:
    """R33: photographs travel only inside a released answer."""
    facts = core.ledger.facts(B, (), 0)
    with pytest.raises(TypeError, match="acts/release alone"):
        Disclosure(object(), proposed("s", 0, (1,)), 3, facts, QUESTION, (record(1),))


@pytest.mark.usefixtures("keeps_up")
def test_a_disclosure_opens_what_it_shows_and_as_far_as_the_grant_goes(core: Core) -> None:
    """R20: rights are separate, judged at the same place."""
    core.say(e.ShareRevoked(GrantId("g1")), A)
    core.say(grant("g2", rights=("search", "view")), A)
    search = Asked(core, (1, 2, 3))
    search(shown_max=1)
    (disclosure,) = search.rendered
    assert disclosure.allows(record(1), "view")
    assert not disclosure.allows(record(1), "reveal")
    assert not disclosure.allows(record(2), "view")
    assert (disclosure.owner(record(1)), disclosure.version(record(1))) == (A, 1)
    with pytest.raises(KeyError):
        disclosure.owner(record(2))


@pytest.mark.parametrize("right", ["view", "reveal"])
@pytest.mark.usefixtures("keeps_up")
def test_a_right_that_is_known_to_be_taken_back_is_not_used(core: Core, right: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 4: what the ledger knows already counts for each right, as it does for the record itself."""
    core.say(grant("g2", rights=(right,)), A)
    waits, revocations = core.watch.wait, iter([e.ShareRevoked(GrantId("g2"))])

    def wait(position: int, timeout_seconds: float) -> bool:
        for revocation in revocations:
            core.say(revocation, A)
        return waits(position, timeout_seconds)

    core.say(e.ShareRevoked(GrantId("g1")), A)
    core.say(grant("g3", rights=("search",)), A)
    search = Asked(core, (1, 2, 3))
    search()
    assert search.rendered[-1].allows(record(1), right)
    monkeypatch.setattr(core.watch, "wait", wait)
    search()
    disclosure = search.rendered[-1]
    assert disclosure.records == (record(1), record(2))
    assert not disclosure.allows(record(1), right)


@pytest.mark.usefixtures("keeps_up")
def test_a_search_that_failed_after_it_was_entered_is_withheld(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """No audit counts as a disclosure what nobody was told."""
    search = Asked(core, (1,))
    core.now = core.log.now = minutes(2)
    with pytest.raises(Unavailable, match="clock"):
        search()
    assert said(core)[-2:] == ["SearchPerformed", "SearchWithheld"]
    monkeypatch.setattr(core.log, "append", lambda *_, **__: (_ for _ in ()).throw(NotAppended("disk full")))
    with pytest.raises(NotAppended):
        search()
    assert said(core)[-2:] == ["SearchPerformed", "SearchWithheld"]


@pytest.mark.usefixtures("keeps_up")
def test_a_preview_says_what_stood_at_its_place_and_its_entry_says_the_same(core: Core) -> None:
    """Rule 5 for previews: a record that was admitted between choice and place makes a new attempt."""
    court, order = Signer(PartyId(COURT), e.Role.COURT, KeyId("")), seal("o9", 1, 6)
    late, proposals = iter([admission(6)]), list[OrderProposal]()

    def propose(attempt: int) -> OrderProposal:
        there = frozenset(r for r in (record(1), record(6)) if core.ledger.rows(p.Record, record_id=r))
        entry = e.OrderPreviewed(PreviewId("p1"), attempt, PartyId(COURT), UserId("u-1"), "seal", "law", (), b"")
        proposals.append(OrderProposal(entry, "p1", order, court, there))
        for event in late:
            core.say(event)
        return proposals[-1]

    release = Release(core.journal, core.ledger, core.watch)
    shown = release.order(propose, lambda disclosure: [row.record_id for row in disclosure.records])
    assert shown == [record(1), record(6)]
    assert [len(proposal.bound) for proposal in proposals] == [1, 2]
    assert said(core)[-2:] == ["OrderPreviewed", "OrderPreviewed"]


def test_a_projector_of_an_older_epoch_applies_nothing(core: Core) -> None:
    """Rule 11: the fake keeps the real ledger's contract."""
    seen = core.ledger.progress()
    core.ledger.claim(seen.topic_id)
    with pytest.raises(Halted):
        core.ledger.apply(seen, Progress(seen.next, seen.epoch, seen.topic_id, seen.frontier), [Posted(0, "")])
