"""A checker of the release: the real release, projection and ledger under drawn schedules; and each guard taken away (R15, R53).

One schedule is one seed. Searches, orders and the projector take turns at every point where a thread could be interrupted: before
a choice, between choice and place, after it, while the ledger is waited for, before it is read, and when it publishes.

What is checked, by an oracle that knows only what orders mean (the letters are those of the protocol's model):

a  no answer holds a record that is covered, not granted or not admitted as of the answer's own place in the journal;
k  no answer holds a record that the judging ledger already knew to be so;
b  over an exact gallery the answer is the first k of what stands at its place, of all that could be proposed when it was chosen.
"""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from comity.acts import journal as journal_module
from comity.acts import release as release_module
from comity.domain import entries as e
from comity.domain.entries import IndexKind
from comity.domain.ids import GrantId, PartyId, RecordId
from comity.domain.judge import Facts, Question, Verdict, verdict
from comity.domain.log import JOURNAL, Entry, Placed, Stream, Topic
from comity.errors import ComityError, Unavailable
from comity.ports import Ledger
from comity.projection import ledger as projection_module
from journals import (
    ADMINISTRATOR,
    BASE,
    BOOKINGS,
    COURT,
    EXCHANGE,
    EXCHANGE_ID,
    OTHER_COURT,
    A,
    B,
    Core,
    ListLog,
    admission,
    expungement,
    founding,
    grant,
    key,
    proposed,
    provisional,
    record,
    registered,
    seal,
    signed,
    tag,
    unseal,
)  # fmt: skip
from ticks import DAY, HOUR, MINUTE, Said, Told, plainly

NUMBERS = range(1, 7)
PRESENT = (1, 2, 3, 4)  # admitted at the start; 5 and 6 may come later, but the gallery proposes them at any time
KIN = {1: 6, 6: 1}  # the same photograph file
SHOWN, SLACK = 2, 1
COURTS_THIEF, AGENCYS_THIEF = "court-1's second key", "agency-a's second key"  # keys that may be found stolen (rule 13)
PARTY = {COURTS_THIEF: str(COURT), AGENCYS_THIEF: str(A)}
QUESTION = Question(B, "serious-crime", "search", BOOKINGS)


FIRST_TICK = e.ClockTicked(BASE)
STEPS, STEP_WEIGHTS = (5 * MINUTE, 10 * MINUTE, 50 * MINUTE, 3 * HOUR), (5, 3, 1, 1)  # from tick to tick
FAR = BASE + timedelta(days=30)
WRONG = 2 * DAY  # how far ahead the machine's clock, and its log's with it, is for one tick


def admitted(number: int, version: int = 1) -> e.RecordsAdmitted:
    photograph = min(number, KIN.get(number, number))
    return admission(number, A, booking(number), tag(IndexKind.PHOTOGRAPH, str(photograph)), version=version)


def booking(number: int) -> e.BlindIndex:
    return tag(IndexKind.BOOKING, str(number))


@dataclass
class Parts:
    """What a world is made of; a mutant exchanges one part."""

    release: type[Any] = release_module.Release
    projection: type[Any] = projection_module.LedgerProjection
    journal: type[Any] = journal_module.Journal
    patches: list[tuple[object, str, Any]] = field(default_factory=list)


def founded() -> Core:
    """Return a journal in which B may search A's records."""
    core = Core()
    core.say(founding()[0][0], ADMINISTRATOR)
    for agency in (A, B):
        core.say(e.AgencyRegistered(agency, "an agency", "county"), ADMINISTRATOR)
    for court in (COURT, OTHER_COURT):
        core.say(e.CourtRegistered(court, "a court"), ADMINISTRATOR)
    for party, role in ((EXCHANGE, e.Role.EXCHANGE), (A, e.Role.AGENCY), (B, e.Role.AGENCY), (COURT, e.Role.COURT)):
        core.say(registered(party, role), ADMINISTRATOR)
    core.say(registered(OTHER_COURT, e.Role.COURT), ADMINISTRATOR)
    for thief, victim, role in ((COURTS_THIEF, COURT, e.Role.COURT), (AGENCYS_THIEF, A, e.Role.AGENCY)):
        core.say(e.KeyRegistered(key(thief).kid, PartyId(victim), role, key(thief).public_bytes), ADMINISTRATOR)
    core.say(FIRST_TICK)
    for number in PRESENT:
        core.say(admitted(number))
    core.say(grant("g0", A, B), A)
    return core


BEGINNING = founded()


class World:
    """One schedule: everything happens in one thread, in an order that the seed draws."""

    def __init__(self, seed: int, parts: Parts, ledger: Ledger | None = None, *, exact: bool) -> None:
        self.draw, self.exact, self.depth, self.applying = random.Random(seed), exact, 0, False  # noqa: S311
        self.core = Core(ledger)
        self.core.log = copy.copy(BEGINNING.log)
        self.core.log._held = {JOURNAL: list(BEGINNING.log.held())}
        log, watch = self.core.log, self.core.watch
        self.core.journal = parts.journal(log, key(EXCHANGE), lambda: log.now, EXCHANGE_ID)
        self.core.projection = parts.projection(log, self.core.ledger, watch)
        self.core.projection.starts()
        self.core.apply()
        self.release = parts.release(self.core.journal, self.core.ledger, watch)
        self.orders: list[tuple[str, str]] = []  # whose, and the id: both courts use the same ids
        self.early: dict[int, tuple[str, str]] = {}  # where an order was ended that was yet to come, and which
        self.grants = ["g0"]
        self.said: dict[int, tuple[e.JournalEntry, str]] = {}
        first = next(one.position for one in log.held() if one.entry == signed(FIRST_TICK, EXCHANGE))
        self.clocked: dict[int, e.ClockTicked | e.TicksVoided | e.ClockConfirmed] = {first: FIRST_TICK}
        self.judged = 0
        self.searches = 0
        self.found: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self._interrupt(log, watch, self.core.ledger)

    def _interrupt(self, log: ListLog, watch: Any, ledger: Any) -> None:  # noqa: ANN401 - instances are patched
        append, wait, publish, facts = log.append, watch.wait, watch.publish, ledger.facts

        def interrupted_append(topic: Topic, entry: Entry, *, timeout_seconds: float, stream: Stream | None = None) -> Placed:
            del stream
            self.turns()
            placed = append(topic, entry, timeout_seconds=timeout_seconds)
            self.turns()
            return replace(placed, position=-1) if self.draw.random() < 0.05 else placed

        def interrupted_wait(position: int, timeout_seconds: float) -> bool:
            del timeout_seconds
            self.turns()
            if not self.applying and self.draw.random() < 0.9:
                self.apply(self.core.lag())
            return bool(wait(position, 0))

        def interrupted_publish(position: int) -> None:
            publish(position)
            if self.applying and self.depth == 0 and self.draw.random() < 0.3:
                self.search()

        def interrupted_facts(requester: str, records: Collection[RecordId], as_of: int) -> Facts:
            self.turns()
            read: Facts = facts(requester, records, as_of)
            self.judged = read.applied
            return read

        self.append = append
        log.append = interrupted_append  # type: ignore[method-assign]
        watch.wait, watch.publish, ledger.facts = interrupted_wait, interrupted_publish, interrupted_facts
        self.restore: Callable[[], None] = lambda: setattr(ledger, "facts", facts)

    # --- the environment's turns ---

    def turns(self) -> None:
        """Let others act, as often as the seed says."""
        while self.draw.random() < 0.35:
            moves = [self.cover, self.end, self.enrol, self.share, self.revoke, self.noise, self.project, self.rebuild]
            moves += [self.tick, self.rule, self.again, self.end_early]
            self.draw.choices(moves, [6, 3, 2, 1.5, 1.5, 1, 3, 0.2, 4, 1, 0.7, 0.4])[0]()

    def say(self, event: e.JournalEntry, party: str) -> None:
        placed = self.append(Topic.JOURNAL, signed(event, party), timeout_seconds=1)
        self.said[placed.position] = (event, party)

    def cover(self) -> None:
        """Order by one of two courts, which number alike."""
        number, party = self.draw.choice(NUMBERS), self.draw.choice((COURT, OTHER_COURT))
        name = f"o{sum(whose == party for whose, _ in self.orders)}"
        kinds: list[e.Cover] = [seal(name, number), seal(name, indexes=[booking(number)]), expungement(name, number)]
        kinds.append(provisional(name, number, lapses_at=self.soon()))
        self.orders.append((party, name))
        self.say(self.draw.choices(kinds, [4, 4, 1, 6])[0], party)

    def soon(self) -> datetime:
        return self.core.log.now + self.draw.choice((timedelta(0), 10 * MINUTE, 30 * MINUTE, DAY))

    def tick(self) -> None:
        """Let time pass and tick; sometimes by a clock that is wrong, with a log that is wrong beside it, and right again."""
        log = self.core.log
        log.now += self.draw.choices(STEPS, STEP_WEIGHTS)[0]
        right, wrong = log.now, self.draw.random() < 0.15
        if wrong:
            log.now += WRONG
            if self.draw.random() < 0.5:
                self.noise()
        said = e.ClockTicked(log.now)
        self.clocked[self.append(Topic.JOURNAL, signed(said, EXCHANGE), timeout_seconds=1).position] = said
        log.now = right

    def rule(self) -> None:
        """Void some tick, or confirm it."""
        place = self.draw.choice([place for place, said in self.clocked.items() if isinstance(said, e.ClockTicked)])
        said = self.draw.choice((e.TicksVoided(place, place, "wrong"), e.ClockConfirmed(place, "right")))
        self.clocked[self.append(Topic.JOURNAL, signed(said, ADMINISTRATOR), timeout_seconds=1).position] = said

    def end(self) -> None:
        """End an order of one's own, sometimes with the key that may be stolen; sometimes another court's, by authority."""
        if self.orders:
            whose, name = self.draw.choice(self.orders)
            by = self.draw.choice((whose, COURTS_THIEF if whose == COURT else whose))
            authority = ""
            if self.draw.random() < 0.2:
                by, authority = self.draw.choice((COURT, OTHER_COURT)), "an order of the higher court"
            self.say(unseal(f"u{len(self.said)}", name, of=whose, authority=authority), by)

    def end_early(self) -> None:
        """End an order that is yet to come: that is refused, and must not lie in wait."""
        party = self.draw.choice((COURT, OTHER_COURT))
        name = f"o{sum(whose == party for whose, _ in self.orders)}"
        self.say(unseal(f"u{len(self.said)}", name, of=party), party)
        self.early[max(self.said)] = (party, name)

    def again(self) -> None:
        """Append once more, byte for byte, what somebody said: whoever may append can, and it must change nothing."""
        early = [place for place, order in self.early.items() if order in self.orders]  # and it is there by now
        if self.said:
            place = self.draw.choice(early or sorted((*self.said, *self.clocked))[-20:])
            self.append(Topic.JOURNAL, self.core.log.held()[place].entry, timeout_seconds=1)

    def revoke(self) -> None:
        """Find a key stolen, since some position or from now on."""
        since = self.draw.choice((None, self.draw.randrange(len(self.core.log.held()) + 1)))
        self.say(e.KeyRevoked(key(self.draw.choice((COURTS_THIEF, AGENCYS_THIEF))).kid, since), ADMINISTRATOR)

    def enrol(self) -> None:
        self.say(admitted(self.draw.choice(NUMBERS), version=self.draw.randint(1, 3)), EXCHANGE)

    def share(self) -> None:
        if self.draw.random() < 0.5:
            self.say(e.ShareRevoked(GrantId(self.draw.choice(self.grants))), A)
        else:
            self.grants.append(f"g{len(self.grants)}")
            until = self.draw.choice((BASE + timedelta(days=30), self.soon() + MINUTE))
            self.say(grant(self.grants[-1], A, B, expires_at=until), self.draw.choice((str(A), AGENCYS_THIEF)))

    def noise(self) -> None:
        garbage = Entry(b"k", self.draw.randbytes(9), ())
        self.append(Topic.JOURNAL, garbage, timeout_seconds=1)

    def project(self) -> None:
        if not self.applying and self.core.lag():
            self.apply(self.draw.randint(1, self.core.lag()))

    def rebuild(self) -> None:
        if not self.applying:
            self.core.watch.publish(0)
            self.core.ledger.reset()
            self.core.projection.starts()
            self.apply(self.draw.randint(0, self.core.lag()))

    def apply(self, count: int) -> None:
        if count:
            self.applying = True
            self.core.apply(count)
            self.applying = False

    # --- a search ---

    def search(self) -> None:
        """Search once, and look at the answer."""
        self.depth, self.searches = self.depth + 1, self.searches + 1
        name, ranked, judged = f"s{self.searches}", list[int](), [0]

        def propose(attempt: int) -> release_module.Proposal:
            self.turns()
            ranked[:], complete, cut = self.choose()
            proposal = proposed(name, attempt, ranked[:cut], shown_max=SHOWN, complete=complete)
            self.turns()
            return proposal

        def render(disclosure: release_module.Disclosure) -> list[int]:
            judged[0] = self.judged
            return [int(r, 16) for r in disclosure.records]

        try:
            answer = self.release(QUESTION, propose, render)
            self.check(name, answer, ranked, judged[0])
            self.outcomes["answered" if answer else "empty"] += 1
        except Unavailable as error:
            self.outcomes[error.kind] += 1
        self.depth -= 1

    def choose(self) -> tuple[list[int], bool, int]:
        """Return what could be proposed, whether it is all there is, and how much of it is: what ``acts/search`` does."""
        if not self.exact:
            return self.draw.sample(NUMBERS, len(NUMBERS)), True, len(NUMBERS)
        facts = self.core.ledger.facts(B, [record(n) for n in NUMBERS], 0)
        ranked = [n for n in NUMBERS if verdict(facts, QUESTION, record(n), facts.applied) is Verdict.STANDS]
        return ranked, len(ranked) <= SHOWN + SLACK, SHOWN + SLACK

    def check(self, name: str, answer: Sequence[int], ranked: Sequence[int], judged: int) -> None:
        mine = [at for at, entry in enumerate(self.core.log.held()) if self.is_attempt(entry, name)]
        place = mine[-1] if mine else -1
        self.found["a"] += any(self.forbidden(n, place) for n in answer)
        self.found["k"] += any(self.forbidden(n, judged) for n in answer)
        if self.exact:
            self.found["b"] += list(answer) != [n for n in ranked if not self.forbidden(n, place)][:SHOWN]

    def is_attempt(self, placed: Placed, name: str) -> bool:
        return name.encode() in (placed.entry.value or b"")[:12]

    # --- the oracle ---

    def forbidden(self, number: int, place: int) -> bool:
        """Say by what was entered before a place whether B may not be shown this record; it knows no rows."""
        known, granted, covers, revoked = set(PRESENT), {"g0": FAR}, dict[tuple[str, str], e.Cover](), set[str]()
        for at in sorted(at for at in self.said if at < place):
            event, signer = self.said[at]
            if signer in revoked or (isinstance(event, e.RecordsUnsealed | e.ShareGranted) and self.void(at, place)):
                continue
            match event:
                case e.RecordsAdmitted(records):
                    known.add(int(records[0].record_id, 16))
                case e.ShareGranted(grant_id):
                    granted[grant_id] = event.expires_at
                case e.ShareRevoked(grant_id):
                    granted.pop(grant_id, None)
                case e.RecordsSealed(order_id) | e.RecordsProvisionallySealed(order_id) | e.RecordsExpunged(order_id) as order:
                    covers[signer, order_id] = order
                case e.RecordsUnsealed(_, ends):
                    ended = {(str(name.party), str(name.order_id)) for name in ends}
                    covers = {k: o for k, o in covers.items() if k not in ended or isinstance(o, e.RecordsExpunged)}
                case e.KeyRevoked(kid):
                    revoked |= {name for name in PARTY if key(name).kid == kid}
        clock = self.clock(place)
        standing = [o for o in covers.values() if not self.lapsed(o, clock)]
        covered = {n for n in NUMBERS for o in standing if record(n) in o.records or booking(n) in o.indexes}
        kin, shared = KIN.get(number), any(clock.latest is not None and until > clock.latest for until in granted.values())
        return number not in known or not shared or number in covered or (kin in covered and kin in known)

    def clock(self, place: int) -> Told:
        """Say what the clock is at a place, by the rules said plainly."""
        held = self.core.log.held()[: max(place, 0)]
        return plainly([Said(one.appended_at, self.clocked.get(one.position)) for one in held])

    def lapsed(self, order: e.Cover, clock: Told) -> bool:
        lapses_at = order.lapses_at if isinstance(order, e.RecordsProvisionallySealed) else None
        return lapses_at is not None and clock.settled is not None and lapses_at <= clock.settled

    def void(self, at: int, place: int) -> bool:
        """Say whether a key's revocation, entered before a place, reaches back to what it signed at ``at`` (rule 13)."""
        kid = key(self.said[at][1]).kid
        revoked = (event for later, (event, _) in self.said.items() if later < place and isinstance(event, e.KeyRevoked))
        return any(event.kid == kid and event.void_from is not None and event.void_from <= at for event in revoked)


def explore(parts: Parts, seeds: range, *, until: str = "", ledger: Callable[[], Ledger | None] = lambda: None) -> World:
    """Run schedules, until a property is broken; return the last world, with all that was found and how searches ended."""
    found, outcomes = Counter[str](), Counter[str]()
    for seed in seeds:
        world = World(seed, parts, ledger(), exact=bool(seed % 2))
        try:
            for _ in range(3):
                world.turns()
                world.search()
        except ComityError as error:  # a mutant may well stop itself
            world.outcomes[error.kind] += 1
        world.restore()
        found += world.found
        outcomes += world.outcomes
        if until and found[until]:
            break
    world.found, world.outcomes = found, outcomes
    return world
