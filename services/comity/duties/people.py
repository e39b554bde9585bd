"""Shuts out at start whom the journal shut out: the file of people may be an older copy, or a crash came between.

Only what tightens: nobody is let in, and nobody given a role, by an entry. How far it was read stands in the file itself, so an
older copy brings its own mark back, and a start reads what was entered since the last one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from comity.acts.machines import ADDED as MACHINE_ADDED
from comity.acts.machines import REVOKED
from comity.acts.people import ADDED, REMOVED, ROLES_GIVEN, SIGNED_OUT
from comity.acts.register import EXCHANGE
from comity.domain import entries as e
from comity.domain.ids import UserId
from comity.domain.log import JOURNAL, Placed
from comity.errors import Unavailable
from comity.ports import EventLog, Identity, LedgerView
from comity.wire import codec
from comity.wire.codec import Undecodable
from comity.wire.envelope import from_entry

READ_SECONDS = 5.0
ENTRIES_MAX = 1_000


@dataclass
class _Said:
    """What the entries since the mark come to: of each person and machine, the last word."""

    out: set[UserId] = field(default_factory=set)
    revoked: set[UserId] = field(default_factory=set)
    added: set[UserId] = field(default_factory=set)
    roles: dict[UserId, frozenset[str]] = field(default_factory=dict)
    signed_out: dict[UserId, datetime] = field(default_factory=dict)

    def take(self, event: e.PersonAdministered, at: datetime) -> None:
        """Take one entry."""
        if event.action == REMOVED:
            self.out.add(event.user)
        elif event.action == REVOKED:
            self.revoked.add(event.user)
        elif event.action in {ADDED, MACHINE_ADDED}:
            self.added.add(event.user)
        elif event.action == ROLES_GIVEN:
            self.roles[event.user] = frozenset(event.roles)
        elif event.action == SIGNED_OUT:
            self.signed_out[event.user] = at


def shut_out_again(log: EventLog, ledger: LedgerView, identity: Identity, *, from_start: bool) -> bool:
    """Shut out whom the journal shut out, now that the ledger has read it; return whether the file was behind.

    ``from_start``: its mark counts for nothing, as after a loss of the journal's end. Raises Unavailable.
    """
    end = ledger.progress().next
    start = identity.read_until()
    said = _Said()
    for event, at in _administered(log, ledger, 0 if from_start or start > end else start, end):
        said.take(event, at)
    behind = _carry_out(identity, said)
    identity.read_to(end)
    return behind


def _carry_out(identity: Identity, said: _Said) -> bool:
    """Return whether anything had still to be done, or somebody is missing."""
    held = {person.user_id: person.roles for person in identity.people()}
    machines = {machine.person.user_id: machine for machine in identity.machines.all()}
    former = {person.user_id for person in identity.people(former=True)}
    behind = bool(said.added - said.out - said.revoked - former - machines.keys())
    for user in said.out & held.keys():
        identity.remove(user)
        behind = True
    for user in said.revoked & machines.keys():
        behind |= not machines[user].revoked
        identity.machines.revoke(user)
    for user in said.roles.keys() & held.keys() - said.out:
        if held[user] - said.roles[user]:
            identity.give(user, held[user] & said.roles[user])
            behind = True
    for user, at in said.signed_out.items():
        behind |= identity.end_sessions(user, begun_before=at) > 0
    return behind


def _administered(log: EventLog, ledger: LedgerView, at: int, end: int) -> Iterator[tuple[e.PersonAdministered, datetime]]:
    """Read what counts, with its time: entered by the exchange, taken by the ledger, and each for the first time."""
    with log.open({JOURNAL: at}) as reader:
        while at < end:
            batch = reader.poll(timeout_seconds=READ_SECONDS, entries_max=min(ENTRIES_MAX, end - at)).get(JOURNAL)
            if batch is None or batch.next <= at:
                raise Unavailable("The journal could not be read for who was shut out.", advice="Start again in a moment.")
            for placed in batch.entries:
                event = _read(placed)
                if event is not None and _counts(ledger, event, placed.position):
                    yield event, placed.appended_at
            at = batch.next


def _read(placed: Placed) -> e.PersonAdministered | None:
    value = placed.entry.value
    try:
        if value is None or codec.type_of(value) is not e.PersonAdministered:  # nearly all: not decoded
            return None
        event = from_entry(placed.entry).event
    except Undecodable:
        return None
    return event if isinstance(event, e.PersonAdministered) else None


def _counts(ledger: LedgerView, event: e.PersonAdministered, position: int) -> bool:
    taken = ledger.seen(EXCHANGE, event.act_id)
    return taken is not None and taken.position == position and not taken.refused
