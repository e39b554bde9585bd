"""The ledger: who may see what, as of a position."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from comity.domain.authority import Refusal
from comity.domain.clock import Stretch
from comity.domain.ids import KeyId, OrderName, Ori, RecordId
from comity.domain.judge import Facts
from comity.domain.merkle import Frontier
from comity.domain.posting import Change, Key, Record, Row, Suppression, Tick
from comity.domain.rows import UNSIGNED

RowT = TypeVar("RowT", bound=Row)

REJECTIONS_MAX = 1_000  # read at once: an agency mends what it can see, and asks for the next page


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the ledger is (``next``: the position to apply next), of which journal, under which writer's epoch.

    Positions may have gaps, leaves have none: ``frontier`` counts the entries. ``newest`` are the positions and leaf hashes of
    the last few, by which the journal's end is known again.
    """

    next: int
    epoch: int
    topic_id: str
    frontier: Frontier
    newest: tuple[tuple[int, bytes], ...] = ()
    stretch: Stretch | None = None  # append times since the newest tick


@dataclass(frozen=True, slots=True)
class Posted:
    """What one journal entry comes to: changes, or a refusal. ``event_id`` is told with a refusal.

    ``taken``: the id under which it counts once for ever, refused or not (rule 10): no replay makes a refused word good.
    """

    position: int
    signer: str
    changes: tuple[Change, ...] = ()
    refused: Refusal | None = None
    event_id: str | None = None
    taken: str | None = None
    value_sha256: bytes = b""
    kid: KeyId = UNSIGNED


class Taken(NamedTuple):
    """What an id stands for, once for ever: the digest of the bytes, where they stand, and by which key (rule 10)."""

    value_sha256: bytes
    position: int
    kid: KeyId
    refused: bool = False


class LedgerView(Protocol):
    """What the acts read of the ledger. Thread-safe."""

    def facts(self, requester: str, records: Collection[RecordId], as_of: int) -> Facts:
        """Return, from one snapshot, every row that bears on judging these records for this requester.

        The clock is given as of two positions only: ``as_of``, and the newest applied.
        """
        ...

    def prospect(self, targets: Collection[str]) -> Facts:
        """Return the rows that bear on a record not admitted yet, which would have these targets."""
        ...

    def reach(self, targets: Collection[str], as_of: int) -> Facts:
        """Return, from one snapshot, every row that bears on what an order of these targets would bind from ``as_of`` on."""
        ...

    def orders(self, party: str, *, before: int | None = None, count: int) -> tuple[Suppression, ...]:
        """Return one row of each of a party's newest covering orders, newest first; ``before``: a position."""
        ...

    def found(self, targets: Collection[str]) -> tuple[RecordId, ...]:
        """Return the records that bear one of these targets (a record's own, or a blind index)."""
        ...

    def rows(self, kind: type[RowT], /, **where: str | int) -> tuple[RowT, ...]:
        """Return all rows of one kind with these values, oldest first: for kinds of which there are few."""
        ...

    def every(self, kind: type[RowT], /, **where: str | int) -> Iterator[RowT]:
        """Yield the rows of one kind with these values, oldest first, in parts."""
        ...

    def ticks_before(self, position: int, count: int) -> tuple[Tick, ...]:
        """Return the newest ticks and rulings' rows entered before a position, oldest first."""
        ...

    def ticks_from(self, position: int, count: int) -> tuple[Tick, ...]:
        """Return the first ticks and rulings' rows entered at a position or after it, oldest first."""
        ...

    def newest(self, kind: type[RowT], count: int) -> tuple[RowT, ...]:
        """Return the newest rows of one kind, newest first."""
        ...

    def signing_keys(self) -> tuple[Key, ...]:
        """Return every signing key, past ones too."""
        ...

    def ticked(self, kid: KeyId, at: datetime) -> int | None:
        """Return the position at which this key entered a tick of this time, or None."""
        ...

    def ends(self, after: datetime, until: datetime) -> bool:
        """Say whether a grant or a provisional seal comes to its end after one time, and no later than another."""
        ...

    def order(self, name: OrderName) -> Suppression | None:
        """Return one row of a covering order, or None where there is none of this name."""
        ...

    def versions(self, records: Collection[RecordId]) -> tuple[Record, ...]:
        """Return every version of these records, void ones too."""
        ...

    def admitted(self, records: Collection[RecordId]) -> tuple[Record, ...]:
        """Return the versions of these records that count now: admitted by a key that was not revoked from before (rule 13)."""
        ...

    def seen(self, signer: str, event_id: str) -> Taken | None:
        """Return the digest, the position and the key of what was taken under this id."""
        ...

    def refusals(self, signer: str | None = None) -> tuple[Posted, ...]:
        """Return the newest entries that had no effect (up to 1,000), of one signer or of all."""
        ...

    def refusals_between(self, first: int, next_: int) -> tuple[Posted, ...]:
        """Return the entries without effect at these positions (``next_`` excluded)."""
        ...

    def progress(self) -> Progress:
        """Return how far the ledger is."""
        ...


class Ledger(LedgerView, Protocol):
    """The ledger's writer, held by its projector alone."""

    def claim(self, topic_id: str) -> Progress:
        """Take a new epoch, so that an older writer's next transaction rolls back. Raises Halted if the journal is another."""
        ...

    def apply(self, seen: Progress, after: Progress, posted: Sequence[Posted]) -> None:
        """Execute changes and move the position, in one transaction. Raises Halted unless the position is still ``seen``."""
        ...

    def reset(self) -> None:
        """Forget every row, before a rebuild from position 0."""
        ...


@dataclass(frozen=True, slots=True)
class Rejection:
    """An enrolment that the encoder could not use, for its agency to read and act on (R6)."""

    record_id: RecordId
    owner: Ori
    version: int
    photo: int | None
    reason: str
    advice: str
    place: int = 0  # in the order in which they came; set where one is read back


class Rejections(Protocol):
    """What the encoder rejected, for the agencies."""

    def add(self, rejection: Rejection) -> None:
        """Remember a rejection; another of the same record and version replaces it."""
        ...

    def of(
        self, owner: Ori, record: RecordId | None = None, *, before: int | None = None, count: int = REJECTIONS_MAX
    ) -> tuple[Rejection, ...]:
        """Return an agency's newest rejections, or one record's: newest first, without what was corrected since.

        ``before``: only those that came before this ``place``, for the next page. At most ``REJECTIONS_MAX`` at once.
        """
        ...


@dataclass(frozen=True, slots=True)
class RefusedEntry:
    """An entry of another topic than the journal that was put aside, for whoever signed it: where it stood, and why.

    ``value_sha256``: of the bytes that were signed, which anybody may append again.
    """

    topic: str
    partition: int
    position: int
    signer: str
    event_id: str | None
    reason: str
    message: str
    value_sha256: bytes


class Refusals(Protocol):
    """What was put aside of a party's entries, for the party; the journal's own are the ledger's."""

    def add(self, refusal: RefusedEntry) -> None:
        """Remember a refusal; the same place replaces it, and so do the same bytes. The newest 1,000 of a party are kept."""
        ...

    def of(self, signer: str) -> tuple[RefusedEntry, ...]:
        """Return a party's refusals, newest first."""
        ...
