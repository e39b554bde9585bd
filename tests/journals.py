"""Builders of journals for tests: parties with keys, what they say, a log and a ledger of plain lists, driven by hand."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import TypeVar, cast

from comity.acts.journal import Journal
from comity.acts.release import Proposal
from comity.domain import entries as e
from comity.domain import posting as p
from comity.domain.authority import event_id
from comity.domain.ids import ExchangeId, GrantId, OrderId, OrderName, Ori, PartyId, RecordId, SearchId, UserId
from comity.domain.judge import Facts, Question, Verdict, verdict
from comity.domain.log import JOURNAL, Batch, Entry, Placed, Stream, Topic
from comity.domain.merkle import Frontier
from comity.domain.standing import counted
from comity.errors import Halted
from comity.ports import Ledger, Posted, Progress, Taken
from comity.projection.ledger import LedgerProjection
from comity.projection.watch import PositionWatch
from comity.wire.envelope import to_entry
from comity.wire.signing import SigningKey

BASE = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
A, B, C = Ori("WI0130000"), Ori("WI0400000"), Ori("IL0160000")
STRANGER = Ori("TX9999999")  # never registered
COURT, OTHER_COURT = PartyId("court-1"), PartyId("court-2")
ADMINISTRATOR, EXCHANGE = "administrator", "exchange"
EXCHANGE_ID = ExchangeId("x-1")
AGENCIES, COURTS = (A, B, C), (COURT, OTHER_COURT)
BOOKINGS = frozenset({e.RecordClass.BOOKING})

RowT = TypeVar("RowT", bound=p.Row)


@cache
def key(party: str) -> SigningKey:
    """Return this party's signing key, the same in every run."""
    return SigningKey.from_bytes(hashlib.sha256(party.encode()).digest())


def record(number: int) -> RecordId:
    """Return the id of the record with this number."""
    return RecordId(f"{number:032x}")


def tag(kind: e.IndexKind, word: str) -> e.BlindIndex:
    """Return the blind index of a word."""
    return e.BlindIndex(kind, 1, hashlib.sha256(f"{kind}/{word}".encode()).hexdigest())


def minutes(count: float) -> datetime:
    """Return the time so many minutes after the base."""
    return BASE + timedelta(minutes=count)


# --- what parties say ---


def registered(party: str, role: e.Role) -> e.KeyRegistered:
    """Return the registration of this party's key."""
    return e.KeyRegistered(key(party).kid, PartyId(party), role, key(party).public_bytes)


def founded() -> e.ExchangeFounded:
    """Return the first entry of all."""
    return e.ExchangeFounded(EXCHANGE_ID, key(ADMINISTRATOR).kid, key(ADMINISTRATOR).public_bytes)


def founding() -> list[tuple[e.JournalEntry, str]]:
    """Return what a journal begins with: its founding, keys of the exchange, agencies and courts; each with its signer."""
    said: list[e.JournalEntry] = [founded(), registered(EXCHANGE, e.Role.EXCHANGE)]
    for agency in AGENCIES:
        said += [e.AgencyRegistered(agency, f"Agency {agency}", "county"), registered(agency, e.Role.AGENCY)]
    for court in COURTS:
        said += [e.CourtRegistered(court, f"Court {court}"), registered(court, e.Role.COURT)]
    return [(event, ADMINISTRATOR) for event in said]


def admission(
    number: int,
    owner: Ori = A,
    *indexes: e.BlindIndex,
    version: int = 1,
    record_class: e.RecordClass = e.RecordClass.BOOKING,
) -> e.RecordsAdmitted:
    """Return the admission of one record."""
    digest = hashlib.sha256(f"{number}/{version}".encode()).digest()
    return e.RecordsAdmitted((e.AdmittedRecord(record(number), owner, record_class, version, indexes, digest),))


def seal(order: str, *numbers: int, indexes: Iterable[e.BlindIndex] = (), mode: str = "COURT_ORDER_ONLY") -> e.RecordsSealed:
    """Return a sealing order over these records and indexes."""
    records = tuple(map(record, numbers))
    return e.RecordsSealed(OrderId(order), mode, "ny-cpl-160.50", records, tuple(indexes), BASE, b"")


def provisional(order: str, *numbers: int, lapses_at: datetime) -> e.RecordsProvisionallySealed:
    """Return a provisional seal of these records."""
    return e.RecordsProvisionallySealed(OrderId(order), "ca-pc-851.91", tuple(map(record, numbers)), (), lapses_at)


def expungement(order: str, *numbers: int, indexes: Iterable[e.BlindIndex] = ()) -> e.RecordsExpunged:
    """Return an expungement of these records."""
    return e.RecordsExpunged(OrderId(order), "wi-165.84", tuple(map(record, numbers)), tuple(indexes), BASE)


def named(party: str, *orders: str) -> tuple[OrderName, ...]:
    """Return the names of this party's orders."""
    return tuple(OrderName(PartyId(party), OrderId(order)) for order in orders)


def unseal(order: str, *ends: str, of: str = COURT, authority: str = "") -> e.RecordsUnsealed:
    """Return an unseal that ends these orders of one party."""
    return e.RecordsUnsealed(OrderId(order), named(of, *ends), authority)


def lift(order: str, *ends: str, of: str = COURT, authority: str = "") -> e.ProvisionalSealLifted:
    """Return a lift of these provisional seals of one party."""
    return e.ProvisionalSealLifted(OrderId(order), named(of, *ends), authority)


def grant(
    name: str,
    owner: Ori = A,
    grantee: Ori = B,
    *,
    expires_at: datetime = BASE + timedelta(days=30),
    classes: tuple[e.RecordClass, ...] = (e.RecordClass.BOOKING,),
    purposes: tuple[str, ...] = ("serious-crime",),
    rights: tuple[str, ...] = ("search", "view", "reveal"),
) -> e.ShareGranted:
    """Return a grant."""
    return e.ShareGranted(GrantId(name), owner, grantee, classes, purposes, rights, expires_at, "")


@lru_cache(maxsize=10_000)
def signed(event: e.Event, party: str) -> Entry:
    """Return an event encoded and signed by this party; the same bytes for the same event, since Ed25519 draws nothing."""
    named = event_id(event) or hashlib.sha256(repr(event).encode()).hexdigest()
    return to_entry(event, key=b"k", source="test", signer=key(party), audience=EXCHANGE_ID, event_id=named, at=BASE)


# --- a log and a ledger of plain lists ---


class ListReader:
    """Reads a list log."""

    def __init__(self, log: ListLog, starts: Mapping[Stream, int]) -> None:
        self._log, self._at = log, dict(starts)

    def poll(self, *, timeout_seconds: float, entries_max: int) -> Mapping[Stream, Batch]:
        del timeout_seconds
        found = {}
        for stream, at in self._at.items():
            entries = tuple(self._log.held(stream)[at : at + entries_max])
            found[stream] = Batch(entries, at + len(entries))
            self._at[stream] = at + len(entries)
        return found


class ListLog:
    """The log as lists; one stream a topic."""

    def __init__(self) -> None:
        self.name, self.now = "log-1", BASE
        self._held: dict[Stream, list[Placed]] = {}

    def held(self, stream: Stream = JOURNAL) -> list[Placed]:
        """Return what stands in a stream."""
        return self._held.setdefault(stream, [])

    def streams(self, topic: Topic) -> tuple[Stream, ...]:
        return (Stream(topic),)

    def append(self, topic: Topic, entry: Entry, *, timeout_seconds: float, stream: Stream | None = None) -> Placed:
        del timeout_seconds, stream  # there is one a topic
        held = self.held(Stream(topic))
        held.append(Placed(entry, Stream(topic), len(held), round(self.now.timestamp() * 1000)))
        return held[-1]

    def open(self, starts: Mapping[Stream, int]) -> AbstractContextManager[ListReader]:
        return contextlib.nullcontext(ListReader(self, starts))

    def end(self, stream: Stream) -> int:
        return len(self.held(stream))

    def settle(self, topic: Topic, keys: Collection[bytes], *, timeout_seconds: float, reading_seconds: float = 0.0) -> bool:
        del topic, keys, timeout_seconds, reading_seconds
        return True

    def identity(self, topic: Topic) -> str:
        return f"{self.name}/{topic}"

    def close(self) -> None:
        """Hold nothing."""


class PureLedger:
    """The ledger as ``MemoryLedger`` has it: every fact it returns is every row it holds."""

    def __init__(self) -> None:
        self.memory = p.MemoryLedger()
        self.order, self.versions, self.ticked = self.memory.order, self.memory.versions, self.memory.ticked
        self.ticks_before, self.ticks_from = self.memory.ticks_before, self.memory.ticks_from
        self.posted: list[Posted] = []
        self._progress = Progress(0, 0, "", Frontier())

    def _all(self, kind: type[RowT]) -> tuple[RowT, ...]:
        return cast("tuple[RowT, ...]", tuple(self.memory.rows[kind].values()))

    def facts(self, requester: str, records: Collection[RecordId], as_of: int) -> Facts:
        del requester, records, as_of
        return Facts(
            self._progress.next,
            records=self._all(p.Record),
            indexes=self._all(p.Index),
            suppressions=self._all(p.Suppression),
            lifts=self._all(p.Lift),
            revocations=self._all(p.Revocation),
            keys=self._all(p.Key),
            grants=self._all(p.Grant),
            agencies=self._all(p.Agency),
            ticks=self._all(p.Tick),
        )

    def prospect(self, targets: Collection[str]) -> Facts:
        del targets
        return self.facts("", (), 0)

    def reach(self, targets: Collection[str], as_of: int) -> Facts:
        del targets
        return self.facts("", (), as_of)

    def orders(self, party: str, *, before: int | None = None, count: int) -> tuple[p.Suppression, ...]:
        first: dict[int, p.Suppression] = {}
        for row in self._all(p.Suppression):
            if row.entered_by == party and (before is None or row.entered < before):
                first.setdefault(row.entered, row)
        return tuple(first[place] for place in sorted(first, reverse=True)[:count])

    def found(self, targets: Collection[str]) -> tuple[RecordId, ...]:
        bearing = {row.record_id for row in self._all(p.Index) if row.target in targets}
        named = {row.record_id for row in self._all(p.Record) if p.record_target(row.record_id) in targets}
        return tuple(sorted(bearing | named))

    def rows(self, kind: type[RowT], /, **where: str | int) -> tuple[RowT, ...]:
        return self.memory.those(kind, **where)

    def every(self, kind: type[RowT], /, **where: str | int) -> Iterator[RowT]:
        return iter(self.rows(kind, **where))

    def newest(self, kind: type[RowT], count: int) -> tuple[RowT, ...]:
        return tuple(reversed(self._all(kind)))[:count]

    def ends(self, after: datetime, until: datetime) -> bool:
        lapses = (row.lapses_at for row in self._all(p.Suppression))
        ends = (*lapses, *(row.expires_at for row in self._all(p.Grant)))
        return any(end is not None and after < end <= until for end in ends)

    def signing_keys(self) -> tuple[p.Key, ...]:
        return self._all(p.Key)

    def admitted(self, records: Collection[RecordId]) -> tuple[p.Record, ...]:
        return tuple(counted(self.versions(records), self._all(p.Revocation), self._progress.next))

    def seen(self, signer: str, event_id: str) -> Taken | None:
        taken = (x for x in self.posted if x.taken == event_id and x.signer == signer)
        return next((Taken(x.value_sha256, x.position, x.kid, x.refused is not None) for x in taken), None)

    def refusals(self, signer: str | None = None) -> tuple[Posted, ...]:
        return tuple(x for x in reversed(self.posted) if x.refused and signer in (None, x.signer))

    def refusals_between(self, first: int, next_: int) -> tuple[Posted, ...]:
        return tuple(x for x in self.posted if x.refused and first <= x.position < next_)

    def progress(self) -> Progress:
        return self._progress

    def claim(self, topic_id: str) -> Progress:
        held = self._progress
        if held.topic_id not in ("", topic_id):
            raise Halted("another journal")
        self._progress = Progress(held.next, held.epoch + 1, topic_id, held.frontier)
        return self._progress

    def apply(self, seen: Progress, after: Progress, posted: Sequence[Posted]) -> None:
        if (seen.next, seen.epoch) != (self._progress.next, self._progress.epoch):
            raise Halted("another projector")
        for entry in posted:
            self.memory.execute(entry.changes, entry.position)
        self.posted += posted
        self._progress = after

    def reset(self) -> None:
        self.__init__()  # type: ignore[misc]


class Core:
    """A journal, its ledger and its projection, moved by hand."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self.log, self.watch, self.now = ListLog(), PositionWatch(), BASE
        self.ledger: Ledger = ledger or PureLedger()
        self.journal = Journal(self.log, key(EXCHANGE), lambda: self.now, EXCHANGE_ID)
        self.projection = LedgerProjection(self.log, self.ledger, self.watch)
        self.projection.starts()

    def found(self) -> Core:
        """Enter what a journal begins with, and a first tick; apply it."""
        for event, party in founding():
            self.say(event, party)
        self.say(e.ClockTicked(BASE))
        self.apply()
        return self

    def say(self, event: e.Event, party: str = EXCHANGE) -> int:
        """Append an event as this party; return its position."""
        return self.append(signed(event, party))

    def tick(self, at: datetime) -> int:
        """Enter a tick when the log's clock says so too; return its position."""
        self.now = self.log.now = at
        return self.say(e.ClockTicked(at))

    def append(self, entry: Entry) -> int:
        """Append an entry as it is; return its position."""
        return self.log.append(Topic.JOURNAL, entry, timeout_seconds=1).position

    def lag(self) -> int:
        """Return how many entries are not applied."""
        return len(self.log.held()) - self.ledger.progress().next

    def apply(self, count: int | None = None) -> None:
        """Apply the next entries (all of them by default) in one batch."""
        start = self.ledger.progress().next
        entries = tuple(self.log.held()[start:] if count is None else self.log.held()[start : start + count])
        if entries:
            self.projection.apply(JOURNAL, Batch(entries, start + len(entries)))

    def batches(self, sizes: Iterable[int]) -> Iterator[int]:
        """Apply the journal in batches of these sizes, the rest in one."""
        for size in sizes:
            self.apply(size)
            yield self.ledger.progress().next
        self.apply()

    def verdict(
        self,
        number: int,
        requester: Ori = B,
        *,
        as_of: int | None = None,
        purpose: str = "serious-crime",
        right: str = "search",
        classes: frozenset[e.RecordClass] = BOOKINGS,
    ) -> Verdict:
        """Judge one record, as of a position or as of all that was appended; everything is applied first."""
        self.apply()
        place = len(self.log.held()) if as_of is None else as_of
        facts = self.ledger.facts(requester, [record(number)], place)
        return verdict(facts, Question(requester, purpose, right, classes), record(number), place)


def performed(search: str, attempt: int = 0, *, shown_max: int = 2, requester: Ori = B) -> e.SearchPerformed:
    """Return an attempt of a search; its candidates are told apart from it, in the proposal."""
    return e.SearchPerformed(
        search_id=SearchId(search),
        attempt=attempt,
        requester=requester,
        user=UserId("u-1"),
        purpose="serious-crime",
        threshold="warrant",
        offence="robbery",
        authority=b"sealed",
        case=tag(e.IndexKind.AGENCY_CASE, "24-100"),
        classes=(e.RecordClass.BOOKING,),
        shown_max=shown_max,
        model="none",
        commitments=(),
        candidates=b"",
        reopens=None,
    )


def proposed(
    search: str, attempt: int, numbers: Iterable[int], *, shown_max: int = 2, complete: bool = True, requester: Ori = B
) -> Proposal:
    """Return what an attempt proposes: records by number, best first."""
    entry = performed(search, attempt, shown_max=shown_max, requester=requester)
    return Proposal(entry, search, tuple(map(record, numbers)), shown_max, complete)
