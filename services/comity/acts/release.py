"""The one way out: append, wait, judge (DESIGN.md §4, rules 1-6).

Every act that discloses first takes its own place in the journal, durably, and is then judged by everything that stands before
it. The order of writing, and what a crash leaves:

1. the proposal is appended (``SearchPerformed`` and its like). A crash here: an entry that counts as disclosed, though nobody was
   told; the audit errs on the side of too much.
2. the ledger is waited for, judged in one snapshot as of the place; nothing is written.
3. the answer is rendered and leaves. Should a chosen record have fallen since, or more than a second have gone by, the next
   attempt appends anew; an attempt followed by a later one released nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from comity.acts.clock import Freshness
from comity.acts.journal import Journal
from comity.acts.pace import ENTRY_TARGETS
from comity.domain import entries as e
from comity.domain.ids import RecordId
from comity.domain.judge import Facts, Question, Verdict, bound, verdict
from comity.domain.posting import Enter, Record, Signer, Suppression, post
from comity.errors import ComityError, LedgerBehind, Unavailable
from comity.ports import LedgerView, Watch

ATTEMPTS_MAX = 6  # a storm of seals may upset some; then 503
WAIT_SECONDS = 2.0  # how long the ledger is waited for
AGE_SECONDS_MAX = 1.0  # an older answer is released again
EXHAUSTED, FAILED = "attempts-exhausted", "failed"  # why a search was withheld

Answer = TypeVar("Answer")
Said = TypeVar("Said", "Proposal", "OrderProposal")
Shown = TypeVar("Shown")
_TOKEN: Final = object()


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an attempt proposes: its entry, the records in the order of the answer, and how many may be shown.

    ``complete``: there is nothing further to propose, so fewer than ``shown_max`` may be answered.
    """

    entry: e.SearchPerformed | e.RecordRevealed | e.ReviewRecorded
    key: str
    records: tuple[RecordId, ...]
    shown_max: int
    complete: bool


@dataclass(frozen=True, slots=True)
class OrderProposal:
    """What a preview proposes: its entry, the order as it would be entered, by whom, and the records that it would bind."""

    entry: e.OrderPreviewed
    key: str
    order: e.Cover
    signer: Signer
    bound: frozenset[RecordId]


class OrderDisclosure:
    """Proof that a preview of these records was released at this place. Only ``Release`` can make one."""

    __slots__ = ("facts", "order", "place", "records")

    def __init__(self, token: object, order: e.Cover, place: int, facts: Facts, records: tuple[Record, ...]) -> None:
        if token is not _TOKEN:
            raise TypeError("a disclosure is made by acts/release alone")
        self.order, self.place, self.facts, self.records = order, place, facts, records


class Disclosure:
    """Proof that these records were released at this place. Only ``Release`` can make one."""

    __slots__ = ("_facts", "entry", "place", "question", "records")

    def __init__(
        self, token: object, proposal: Proposal, place: int, facts: Facts, question: Question, chosen: tuple[RecordId, ...]
    ) -> None:
        if token is not _TOKEN:
            raise TypeError("a disclosure is made by acts/release alone")
        self.entry, self.place, self.question, self.records, self._facts = proposal.entry, place, question, chosen, facts

    def allows(self, record_id: RecordId, right: str) -> bool:
        """Say whether this released record may also be viewed or revealed, judged by the same rows as its release.

        As there, what is known already counts beside what stood at the place: a right that was taken back since is honoured.
        """
        question = Question(self.question.requester, self.question.purpose, right, self.question.classes)
        return record_id in self.records and all(
            verdict(self._facts, question, record_id, as_of) is Verdict.STANDS for as_of in (self.place, self._facts.applied)
        )

    def owner(self, record_id: RecordId) -> str:
        """Return the agency that owns a released record."""
        return self._record(record_id).owner

    def version(self, record_id: RecordId) -> int:
        """Return the version of a released record that stood at the place."""
        return self._record(record_id).version

    def _record(self, record_id: RecordId) -> Record:
        record = self._facts.record(record_id, self.place) if record_id in self.records else None
        if record is None:
            raise KeyError(record_id)
        return record


class Release:
    """Appends, waits, judges; the only maker of disclosures. Thread-safe."""

    def __init__(self, journal: Journal, ledger: LedgerView, watch: Watch, tick: Callable[[], object] = lambda: None) -> None:
        """``tick`` enters the time, where that was not done a moment ago: what is judged is judged by it."""
        self._journal, self._ledger, self._watch, self._tick = journal, ledger, watch, tick
        self._fresh = Freshness(journal.now)

    def __call__(
        self,
        question: Question,
        propose: Callable[[int], Proposal],
        render: Callable[[Disclosure], Answer],
    ) -> Answer:
        """Release what stands of what is proposed, and return the rendered answer.

        ``propose(attempt)`` chooses anew each time; ``render`` does all the work that the answer needs, so that an order which
        comes meanwhile is honoured by the next attempt. Photographs that were drawn once are there in the next.
        Raises NotAppended, OutcomeUnknown, LedgerBehind, Halted, Unavailable or TooMany: then nothing was disclosed.
        """
        self._journal.pace.take(question.requester, ENTRY_TARGETS)
        return self._attempts(propose, lambda proposal, place: self._judge(question, proposal, place), render)

    def order(self, propose: Callable[[int], OrderProposal], render: Callable[[OrderDisclosure], Answer]) -> Answer:
        """Release what an order would bind, entered first and judged at its place as every disclosure is. Raises as a call."""

        def paced(attempt: int) -> OrderProposal:
            proposal = propose(attempt)
            if attempt == 0:
                self._journal.pace.take(proposal.signer.party, ENTRY_TARGETS)
            return proposal

        return self._attempts(paced, self._judge_order, render)

    def catch_up(self) -> None:
        """Wait until the ledger has applied what the journal's end is now. Raises LedgerBehind."""
        self._wait(self._journal.end())

    def _attempts(
        self, propose: Callable[[int], Said], judge: Callable[[Said, int], Shown | None], render: Callable[[Shown], Answer]
    ) -> Answer:
        entered: Proposal | OrderProposal | None = None
        try:
            for attempt in range(ATTEMPTS_MAX):
                proposal = propose(attempt)
                began = time.monotonic()
                self._tick()
                place = self._journal.enter(proposal.entry, key=proposal.key).position
                entered = proposal
                disclosure = judge(proposal, place)
                if disclosure is None:
                    continue
                answer = render(disclosure)
                if time.monotonic() - began <= AGE_SECONDS_MAX:
                    return answer
        except BaseException:
            with suppress(ComityError):
                self._give_up(entered, FAILED)
            raise
        self._give_up(entered, EXHAUSTED)
        raise Unavailable("The records changed faster than an answer could be made; nothing was disclosed.", advice="Try again.")

    def _judge(self, question: Question, proposal: Proposal, place: int) -> Disclosure | None:
        self._wait(place)
        facts = self._ledger.facts(question.requester, proposal.records, place)
        self._check(facts, place)
        standing = [r for r in proposal.records if verdict(facts, question, r, place) is Verdict.STANDS]
        chosen = tuple(standing[: proposal.shown_max])
        if len(chosen) < proposal.shown_max and not proposal.complete:
            return None
        if any(verdict(facts, question, r, facts.applied) is not Verdict.STANDS for r in chosen):
            return None  # an order that is known is honoured, though it came after the place
        return Disclosure(_TOKEN, proposal, place, facts, question, chosen)

    def _judge_order(self, proposal: OrderProposal, place: int) -> OrderDisclosure | None:
        self._wait(place)
        rows = suppressions(proposal.order, proposal.signer, place, self._journal.now())
        facts = self._ledger.reach([row.target for row in rows], place)
        self._check(facts, place)
        records = bound(facts, rows, place)
        if {record.record_id for record in records} != proposal.bound:
            return None  # the entry says what was shown, so it is entered anew
        return OrderDisclosure(_TOKEN, proposal.order, place, facts, records)

    def _wait(self, place: int) -> None:
        if not self._watch.wait(place, WAIT_SECONDS):
            raise LedgerBehind(
                "The ledger did not catch up in time; nothing was disclosed.", advice="Try again in a few seconds."
            )

    def _check(self, facts: Facts, place: int) -> None:
        if facts.applied < place:  # a ledger restored underneath: what was waited for is not what was read
            raise LedgerBehind("The ledger went back while it was read; nothing was disclosed.", advice="Try again.")
        self._fresh.check(facts.clock(place))
        self._check_key(facts, place)

    def _give_up(self, entered: Proposal | OrderProposal | None, reason: str) -> None:
        """Enter that a search was not answered after all, so that no audit counts it as a disclosure."""
        if entered is not None and isinstance(entered.entry, e.SearchPerformed):
            search = entered.entry.search_id
            self._journal.enter(e.SearchWithheld(search, entered.entry.attempt + 1, reason), key=search)

    def _check_key(self, facts: Facts, place: int) -> None:
        """Refuse to answer by an entry that the ledger refuses: its signer must speak for the exchange there, and still."""
        if not all(facts.speaks(self._journal.kid, at) for at in (place, facts.applied)):
            raise Unavailable(
                "The exchange's own key does not hold in the journal; nothing was disclosed.",
                advice="It was revoked: move keys/exchange.pem out of the home and start again, which registers a new one.",
            )


def suppressions(order: e.Cover, signer: Signer, place: int, at: datetime) -> tuple[Suppression, ...]:
    """Return the rows that an order would come to, entered by this signer at a place: as the ledger would post it."""
    rows = (change.row for change in post(order, place, signer, at) if isinstance(change, Enter))
    return tuple(row for row in rows if isinstance(row, Suppression))
