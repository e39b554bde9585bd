"""What an order would bind, shown to the clerk who would enter it: a disclosure, so released and entered as any other.

It is computed by ``domain/judge`` for this signer: a court's order binds any agency's records, an agency's its own alone. So an
agency's clerk learns of no other agency's record by it, not by their number either.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from comity.acts.journal import Journal
from comity.acts.pace import Pace, looks
from comity.acts.release import OrderDisclosure, OrderProposal, Release, suppressions
from comity.acts.tokens import EXPUNGE
from comity.domain import entries as e
from comity.domain import provisional
from comity.domain.ids import KeyId, OrderId, Ori, PartyId, PreviewId, RecordId, UserId, preview_key
from comity.domain.judge import Facts, bound
from comity.domain.policy import MODES
from comity.domain.posting import Agency, Court, Preview, Record, Signer, index_target, record_target
from comity.domain.record import State
from comity.errors import InvalidInput, NotAppended, NotPermitted
from comity.ports import KeyVault, LedgerView
from comity.wire import sealing

RECORDS_MAX = 1_000  # in one order; a bulk order is many of them
SALT_BYTES = 16
OWN_ALONE = "An agency's order binds its own records alone. What other agencies hold takes a court's order."
OTHERS_BOOKING = "This booking number is another agency's: no order of yours can cover it, now or later."
KIN = "only by a booking number or a photograph shared with what the order names: hidden with that."
OWNER_SEARCHES = "Under this mode the agency that holds a record goes on finding it; nobody else does."


@dataclass(frozen=True, slots=True)
class Covered:
    """A record that an order would cover: whose it is, and where it stands now."""

    record_id: RecordId
    owner: str
    record_class: str
    state: str
    named: bool = True  # else it is kin: hidden with what the order names, and not destroyed


@dataclass(frozen=True, slots=True)
class Asked:
    """The order that somebody is about to enter: by what law, naming what, on behalf of whom."""

    what: str
    statute: str
    mode: str
    indexes: tuple[e.BlindIndex, ...] = field(repr=False)
    party: PartyId
    user: UserId
    whose: Ori | None = None  # the agency that the booking number belongs to, where it is found by one
    lapses_at: datetime | None = None  # of a provisional seal


@dataclass(frozen=True, slots=True)
class Bound:
    """What it would bind: the order to enter, its records and where each stands now, and what it would not reach."""

    order: e.Cover
    covers: tuple[Covered, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Previews:
    """Shows clerks what their orders would bind."""

    journal: Journal
    ledger: LedgerView
    vault: KeyVault
    release: Release
    looks: Pace = field(default_factory=looks)  # by whatever door: the desk's and the API's are one

    def __call__(self, asked: Asked, own: str | None = None) -> Bound:
        """Show what this order would bind, entered as a disclosure first.

        Asked for again under ``own`` as its number, it is a further attempt of the same preview, judged anew.

        Raises NotPermitted for a party that enters no orders, InvalidInput for too many records,
        TooMany, and as a release does.
        """
        signer = Signer(asked.party, self._role(asked.party), KeyId(""))  # no key has signed: a preview stands for none
        preview = PreviewId(own or secrets.token_hex(12))
        first = 0 if own is None else self._next(preview)
        self.looks.take(asked.party)
        attempts: list[int] = []

        def propose(attempt: int) -> OrderProposal:
            order, records = self._choose(asked, signer)
            key = self.vault.issue(preview_key(preview))
            attempts.append(attempt)
            entry = _entry(asked, preview, first + attempt, key, records)
            return OrderProposal(entry, preview, order, signer, frozenset(records))

        def render(disclosure: OrderDisclosure) -> Bound:
            facts = disclosure.facts
            rows = disclosure.records
            targets = {*map(record_target, disclosure.order.records), *map(index_target, disclosure.order.indexes)}
            covers = tuple(_covered(facts, row, targets) for row in rows)
            return Bound(disclosure.order, covers, _reach(asked, signer, covers))

        try:
            return self.release.order(propose, render)
        except NotAppended:
            if first == 0 and len(attempts) == 1:  # no entry is encrypted under it
                self.vault.shred([preview_key(preview)])
            raise

    def _next(self, preview: PreviewId) -> int:
        """Return the number of the next attempt: a look that is asked for again goes on where it was."""
        self.release.catch_up()
        return 1 + max((row.attempt for row in self.ledger.rows(Preview, preview_id=preview)), default=-1)

    def _role(self, party: PartyId) -> e.Role:
        if self.ledger.rows(Court, court_id=party):
            return e.Role.COURT
        if self.ledger.rows(Agency, ori=party):
            return e.Role.AGENCY
        raise NotPermitted("Only a court or an agency enters orders.", advice="Sign in as somebody of theirs.")

    def _choose(self, asked: Asked, signer: Signer) -> tuple[e.Cover, list[RecordId]]:
        """Return the order as it would be entered now, and the records that it would bind."""
        at = self.journal.now()
        facts = self.ledger.reach([index_target(index) for index in asked.indexes], self.ledger.progress().next)
        bearing = suppressions(_order(asked, (), at), signer, facts.applied, at)
        named = {row.target for row in bearing}
        bearers = (r.record_id for r in bound(facts, bearing, facts.applied) if named & facts.own(r.record_id, facts.applied))
        order = _order(asked, tuple(bearers), at)
        records = bound(facts, suppressions(order, signer, facts.applied, at), facts.applied)
        if len(records) > RECORDS_MAX:
            raise InvalidInput(f"{len(records)} records are too many for one order.", advice="Narrow it by a number more.")
        return order, [record.record_id for record in records]


def _order(asked: Asked, records: tuple[RecordId, ...], at: datetime) -> e.Cover:
    own = OrderId(secrets.token_hex(12))
    if asked.what == EXPUNGE:
        return e.RecordsExpunged(own, asked.statute, records, asked.indexes, at)
    if asked.lapses_at is not None:
        return e.RecordsProvisionallySealed(own, asked.statute, records, asked.indexes, asked.lapses_at)
    return e.RecordsSealed(own, asked.mode, asked.statute, records, asked.indexes, at)


def _entry(asked: Asked, preview: PreviewId, attempt: int, key: bytes, records: Sequence[RecordId]) -> e.OrderPreviewed:
    salts = [secrets.token_bytes(SALT_BYTES) for _ in records]
    rows = [[record, salt.hex()] for record, salt in zip(records, salts, strict=True)]
    covers = sealing.seal(key, json.dumps(rows).encode(), context=f"{preview_key(preview)}/{attempt}".encode())
    commitments = tuple(sealing.commitment(salt, record) for record, salt in zip(records, salts, strict=True))
    return e.OrderPreviewed(preview, attempt, asked.party, asked.user, asked.what, asked.statute, commitments, covers)


def _reach(asked: Asked, signer: Signer, covers: Sequence[Covered]) -> tuple[str, ...]:
    """Return what the order would not reach, and why: the same words whatever other agencies hold."""
    notes = []
    if signer.role is e.Role.AGENCY and asked.whose is not None and PartyId(asked.whose) != asked.party:
        notes.append(OTHERS_BOOKING)
    elif not covers:
        whose = "of your agency's " if signer.role is e.Role.AGENCY else ""
        notes.append(f"No record {whose}bears this number here now. The order will stand, and cover it should it come.")
    if kin := sum(not one.named for one in covers):
        notes.append(f"{kin} of these {KIN}{' It is not destroyed.' if asked.what == EXPUNGE else ''}")
    if signer.role is e.Role.AGENCY:
        notes.append(OWN_ALONE)
    if (mode := MODES.get(asked.mode)) is not None and mode.owner_searches and asked.what != EXPUNGE:
        notes.append(OWNER_SEARCHES)
    return (*notes, *(provisional.NOTES if asked.lapses_at is not None else ()))


def _covered(facts: Facts, record: Record, targets: set[str]) -> Covered:
    named = not targets.isdisjoint(facts.own(record.record_id, facts.applied))
    return Covered(record.record_id, record.owner, record.record_class, state(facts, record), named)


def state(facts: Facts, record: Record) -> str:
    """Return where a record stands, for a person to read."""
    kinds = {order.kind for order in facts.covering(record, facts.applied)}
    for kind, word in (("expungement", State.EXPUNGED), ("seal", State.SEALED), ("provisional", State.PROVISIONAL)):
        if kind in kinds:
            return word
    return State.ADMITTED
