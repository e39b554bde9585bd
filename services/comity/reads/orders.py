"""A party's orders as they stand now: what each covers by itself, whether it still stands, and what came with it.

All of it is read from the ledger and the journal when it is asked for, so a receipt opened after a lift says so. What an order
covers is computed as its preview was (``judge.bound``): an agency is told of its own records alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from comity.domain import entries as e
from comity.domain import provisional
from comity.domain.entries import OrderName
from comity.domain.erasure import erasure
from comity.domain.ids import KeyId, Ori, PartyId, UserId
from comity.domain.judge import Facts, bound
from comity.domain.policy import MODES, STATUTES, destruction
from comity.domain.posting import Index, Lift, Record, Suppression
from comity.domain.standing import certificates, revocations_of
from comity.errors import NotFound
from comity.ports import LedgerView
from comity.reads.journal import Entries

STANDS, LIFTED, LAPSED = "stands", "lifted", "lapsed"
SEALS, PROVISIONAL, EXPUNGES = "seal", "provisional", "expungement"
KIND_NAMES = {SEALS: "Seal", PROVISIONAL: "Provisional seal", EXPUNGES: "Expungement"}
OWN_ALONE = "An agency's order binds its own records alone; what other agencies hold takes a court's order."
OWNER_SEARCHES = "The agency that holds a record goes on finding it under this mode; nobody else does."
NOTHING_YET, NOTHING = "No record here yet. It will cover those that come.", "No record."
NEVER = "No record, now or later: the booking number is another agency's."
DUE = "Its day to lapse has come. It stands until the exchange's clock has confirmed that, ten minutes at least."


def iso(at: datetime) -> str:
    """Return a time as documents and commands write it, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Ended:
    """How an order ended: lifted by whom, on what authority, where; or lapsed by itself."""

    at: datetime
    how: str
    by: OrderName | None = None
    authority: str = ""
    clerk: UserId | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order, and whether it stands."""

    name: OrderName
    kind: str
    statute: str
    mode: str
    position: int
    entered_at: datetime
    kid: KeyId
    clerk: UserId | None
    numbers: bytes = field(repr=False)  # as they were typed, encrypted; ``acts/papers`` opens them
    document: bytes  # its keyed digest; empty where none came with the order
    lapses_at: datetime | None
    ended: Ended | None
    owner_only: Ori | None = None
    due: bool = False  # its day to lapse has come, and it stands: no lapse hangs on a single reading of the clock

    @property
    def state(self) -> str:
        """Return whether it stands, in one word."""
        return STANDS if self.ended is None else self.ended.how

    def now(self, moment: Callable[[datetime], str] = iso, party: Callable[[str], str] = str) -> str:
        """Return whether it stands, as a sentence's beginning: the same on pages, in documents and by commands.

        ``moment``, ``party``: how times and parties are written there.
        """
        if self.ended is not None:
            by = f" by {party(self.ended.by.party)}" if self.ended.by else ""
            return f"{self.ended.how.capitalize()} on {moment(self.ended.at)}{by}"
        if self.lapses_at is None:
            return "Stands"
        return f"Stands, lapses on {moment(self.lapses_at)}{' once the clock has confirmed that' if self.due else ''}"

    @property
    def owner_finds(self) -> bool:
        """Say whether the agency that holds a record goes on finding it."""
        mode = MODES.get(self.mode)
        return self.kind != EXPUNGES and mode is not None and mode.owner_searches

    def notes(self) -> tuple[str, ...]:
        """Return what the order does not reach, and what becomes of the bytes: sentences for its clerk."""
        told = [OWN_ALONE] if self.owner_only else []
        if self.owner_finds:
            told.append(OWNER_SEARCHES)
        if self.kind == PROVISIONAL and self.ended is None:
            told += provisional.NOTES
        if self.due:
            told.append(DUE)
        if self.kind == SEALS and (becomes := destruction(self.statute)):
            told.append(becomes)
        return tuple(told)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What one order covers by itself now, or covered until it ended: per agency, counted."""

    named: Mapping[str, int]
    kin: Mapping[str, int]

    @property
    def total(self) -> int:
        """Return how many records that is."""
        return sum(self.named.values()) + sum(self.kin.values())


@dataclass(frozen=True, slots=True)
class Receipt:
    """All that a party holds of one of its orders."""

    order: Order
    sha256: bytes
    covers: Coverage
    erasure: str  # how far its erasure is proven; empty for an order that destroys nothing
    certificates: tuple[e.ErasureCertified, ...]

    def covered(self, numbers: Mapping[str, str], party: Callable[[str], str] = str) -> str:
        """Return what it covers by itself, per agency: an order that ended covers nothing that comes.

        ``numbers``: as they were typed; an agency's order for another agency's booking alone never covers anything.
        """
        if (counted := _counted(self.covers.named, party)) or self.order.ended is not None:
            return counted or NOTHING
        own = self.order.owner_only
        return NEVER if own and set(numbers) == {"booking", "agency"} and numbers["agency"] != own else NOTHING_YET

    def hidden_with_it(self, party: Callable[[str], str] = str) -> str:
        """Return what is hidden because it is kin to that, per agency; empty where nothing is."""
        if not (kin := _counted(self.covers.kin, party)):
            return ""
        destroyed = ", and are not destroyed" if self.order.kind == EXPUNGES else ""
        return f"{kin}. They share a booking number or a photograph{destroyed}."


class OrderBook:
    """Reads a party's orders. Thread-safe."""

    def __init__(self, ledger: LedgerView, entries: Entries) -> None:
        self._ledger, self._entries = ledger, entries

    def list(self, party: PartyId, *, before: int | None = None, count: int) -> tuple[Order, ...]:
        """Return a party's newest orders, newest first; ``before``: only those entered before this position."""
        rows = self._ledger.orders(party, before=before, count=count)
        facts = self._ending(rows)
        return tuple(self._order(row, facts) for row in rows)

    def receipt(self, name: OrderName) -> Receipt:
        """Return an order of this name. Raises NotFound."""
        rows = self._ledger.rows(Suppression, entered_by=name.party, order_id=name.order_id)
        seen = self._ledger.seen(name.party, name.order_id)
        if not rows or seen is None:
            raise NotFound("There is no such order of yours.", advice="Open it from your list of orders.")
        order = self._order(rows[0], self._ending(rows[:1]))
        certified = self._certificates(name)
        named, kin = self._covered(rows, order.ended)
        proven = str(erasure(certified, {record.record_id for record in named})) if order.kind == EXPUNGES else ""
        covers = Coverage(Counter(record.owner for record in named), Counter(record.owner for record in kin))
        return Receipt(order, seen[0], covers, proven, certified)

    def _ending(self, orders: Sequence[Suppression]) -> Facts:
        """Return the facts that say of these orders whether they ended: lifts, revocations, the clock."""
        now = self._ledger.facts("", [], self._ledger.progress().next)
        names = dict.fromkeys((row.entered_by, row.order_id) for row in orders)
        lifts = [lift for party, order in names for lift in self._ledger.rows(Lift, party=party, order_id=order)]
        return replace(now, lifts=tuple(lifts), revocations=tuple(revocations_of(self._ledger, lifts)))

    def _order(self, row: Suppression, facts: Facts) -> Order:
        entry = self._entries.at(row.entered)
        cover = entry if isinstance(entry, e.Cover) else None
        ended, latest = self._ended(row, facts), _latest(facts)
        return Order(
            name=OrderName(row.entered_by, row.order_id),
            kind=row.kind,
            statute=row.statute,
            mode=row.mode,
            position=row.entered,
            entered_at=row.entered_at,
            kid=row.kid,
            clerk=row.clerk,
            numbers=cover.numbers if cover else b"",
            document=cover.document if cover else b"",
            lapses_at=row.lapses_at,
            ended=ended,
            owner_only=row.owner_only,
            due=ended is None and row.lapses_at is not None and latest is not None and row.lapses_at <= latest,
        )

    def _covered(self, rows: Sequence[Suppression], ended: Ended | None) -> tuple[Sequence[Record], Sequence[Record]]:
        """Return the records that an order covers by itself, or covered until it ended: those it names, and their kin."""
        targets = {row.target for row in rows}
        facts = _until(self._ledger.reach(targets, self._ledger.progress().next), ended)
        unending = [replace(row, lapses_at=None) for row in rows]
        covered = bound(facts, unending, facts.applied)
        named = tuple(record for record in covered if targets & facts.own(record.record_id, facts.applied))
        return named, tuple(record for record in covered if record not in named)

    def _ended(self, row: Suppression, facts: Facts) -> Ended | None:
        """Return how an order ended, by the verdict's own words: what the judge lets be found, no receipt calls in force."""
        lift = facts.lifted(row, facts.applied)
        if lift is not None and not self._lapsed_before(row, lift.entered):
            by = OrderName(lift.lifted_by, lift.lift_id)
            return Ended(lift.entered_at, LIFTED, by, lift.authority, lift.clerk, lift.entered)
        if row.lapses_at is not None and not facts.stands(row, facts.applied):
            return Ended(row.lapses_at, LAPSED)
        return None

    def _lapsed_before(self, row: Suppression, place: int) -> bool:
        """Say whether a provisional seal had lapsed, by what was settled, when it was lifted at a place."""
        return row.lapses_at is not None and self._ledger.facts("", [], place).lapsed(row, place)

    def _certificates(self, name: OrderName) -> tuple[e.ErasureCertified, ...]:
        """Return what was certified of an order, oldest first."""
        rows = certificates(self._ledger, name)
        found = (self._entries.at(row.entered) for row in sorted(rows, key=lambda row: row.entered))
        return tuple(event for event in found if isinstance(event, e.ErasureCertified))


def _latest(facts: Facts) -> datetime | None:
    clock = facts.clock(facts.applied)
    return clock.latest if clock else None


def _until(facts: Facts, ended: Ended | None) -> Facts:
    """Return the facts without what came after an order's end: it never covered that."""
    if ended is None:
        return facts

    def before(row: Record | Index) -> bool:
        return row.entered_at <= ended.at if ended.position is None else row.entered < ended.position

    return replace(facts, records=tuple(filter(before, facts.records)), indexes=tuple(filter(before, facts.indexes)))


def _counted(counts: Mapping[str, int], party: Callable[[str], str]) -> str:
    return ", ".join(f"{count} of {party(owner)}" for owner, count in sorted(counts.items()))


def law(statute: str) -> str:
    """Return a statute's title, or its own name where the tables do not have it."""
    return STATUTES[statute].title if statute in STATUTES else statute
