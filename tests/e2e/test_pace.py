"""Every act that appends for a party takes from the one measure of what the ledger can bear."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from builders import photograph
from comity.acts import pace
from comity.acts.register import ADMINISTRATOR
from comity.bootstrap import Exchange
from comity.domain import entries as e
from comity.domain.ids import PartyId
from comity.domain.log import JOURNAL
from comity.errors import TooMany
from comity.wire.envelope import from_entry
from exchange import RememberedFaces, enrol, order, read, running, search, settle, share, submitted
from journals import COURT, A, B, key, seal


def entered(exchange: Exchange) -> list[str]:
    """Return what stands in the journal, but for the clock's and what is entered once for an index key: nobody paces these."""
    types = [type(from_entry(placed.entry).event).__name__ for placed in read(exchange, JOURNAL)]
    return [one for one in types if one not in ("ClockTicked", "IndexKeyIssued")]


def test_every_act_that_appends_for_a_party_takes_from_it(tmp_path: Path, faces: RememberedFaces) -> None:
    with running(tmp_path / "home", faces) as exchange:
        enrol(exchange, "PACE-1", 1)
        share(exchange, A, B)
        settle(exchange)
        empty = pace.Pace(lambda: 0.0, per_second=1, burst=pace.ENTRY_TARGETS)
        exchange.journal.pace = empty
        before = entered(exchange)
        empty.take(A, pace.ENTRY_TARGETS)
        empty.take(B, pace.ENTRY_TARGETS)
        empty.take(COURT, pace.ENTRY_TARGETS)
        empty.take(ADMINISTRATOR, pace.ENTRY_TARGETS)
        acts: tuple[Callable[[], object], ...] = (
            lambda: enrol(exchange, "PACE-2", 2),
            lambda: share(exchange, A, B, "g-pace"),
            lambda: submitted(exchange, seal("pace", 1), COURT),
            lambda: search(exchange, photograph(1, 2)),
            lambda: exchange.register.court(PartyId("another-court"), "Another", key("another-court").public_bytes),
            lambda: order(exchange, "seal", {e.IndexKind.BOOKING: "PACE-1"}, A),
        )
        for act in acts:
            with pytest.raises(TooMany):
                act()
        assert entered(exchange) == before
