"""A machine whose clock is wrong, or that was off: the whole exchange, its log wrong beside it, restarted and rebuilt (F17)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builders import photograph
from comity.adapters.sqlite_log import SqliteLog
from comity.bootstrap import Exchange
from comity.domain import entries as e
from comity.domain.ids import OrderId
from comity.domain.log import JOURNAL
from comity.settings import Settings
from comity.wire.envelope import from_entry
from exchange import RememberedFaces, enrol, listed, read, search, settle, submitted
from journals import AGENCIES, COURT, A, B, grant

PROBE = photograph(1, 2)


class Machine:
    """A machine with one clock, which its exchange and its log both read."""

    def __init__(self, home: Path) -> None:
        self.home, self.off, self.faces = home, timedelta(0), RememberedFaces()

    def now(self) -> datetime:
        """Return what its clock says."""
        return datetime.now(UTC) + self.off

    def exchange(self) -> Exchange:
        """Return its exchange, to be started."""
        return Exchange(Settings(home=self.home, tick_seconds=30), now=self.now, face_encoder=self.faces)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path / "home")
    opened = SqliteLog.__init__

    def ms() -> int:
        return round(machine.now().timestamp() * 1000)

    monkeypatch.setattr(SqliteLog, "__init__", lambda log, path: opened(log, path, clock_ms=ms))
    with machine.exchange() as exchange:
        for ori in AGENCIES:
            exchange.register.agency(ori, f"Agency {ori}", "county", exchange.keyring.issue(ori).public_bytes)
        exchange.register.court(COURT, "Court", exchange.keyring.issue(COURT).public_bytes)
        record, _ = enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
        submitted(exchange, grant("g1", A, B, expires_at=machine.now() + timedelta(days=300)), A)
        assert listed(search(exchange, PROBE))
        lapses_at = machine.now() + timedelta(hours=2)
        submitted(exchange, e.RecordsProvisionallySealed(OrderId("p1"), "ca-pc-851.91", (record,), (), lapses_at), COURT)
    return machine


def kinds(exchange: Exchange) -> list[str]:
    return [alarm["kind"] for alarm in exchange.status()["alarms"]]


def test_a_wrong_clock_opens_nothing_and_an_outage_waits_for_a_word(machine: Machine) -> None:
    with machine.exchange() as exchange:
        place = exchange.log.end(JOURNAL)
        machine.off = timedelta(days=365)
        exchange.clock.tick()
        machine.off = timedelta(0)
        exchange.clock.tick()
        settle(exchange)
        assert not listed(search(exchange, PROBE))
        assert {"clock-jumped", "clock-ahead"} <= set(kinds(exchange))
        exchange.time_keeping.void(place, place, "a wrong clock")
        assert not {"clock-jumped", "clock-ahead"} & set(kinds(exchange))
    machine.off = timedelta(hours=5)
    with machine.exchange() as exchange:
        for _ in range(4):
            machine.off += timedelta(minutes=4)
            exchange.clock.tick()
        settle(exchange)
        assert not listed(search(exchange, PROBE))
        assert "clock-jumped" in kinds(exchange)
    with machine.exchange() as exchange:
        jumped = exchange.time_keeping.show().held_by
        assert jumped is not None
        exchange.time_keeping.confirm(jumped, "it was off")
        assert listed(search(exchange, PROBE))
        exchange.rebuild("ledger")
        settle(exchange)
        assert listed(search(exchange, PROBE))
        assert exchange.fsck() == ()


def test_whoever_searches_after_an_idle_hour_or_a_machines_sleep_is_judged_by_the_time_now(machine: Machine) -> None:
    """R8: the clock need not run on for it. A grant that ended meanwhile shows nothing; the time is entered first."""
    with machine.exchange() as exchange:
        place = exchange.log.end(JOURNAL)
        machine.off = timedelta(minutes=59)
        submitted(exchange, grant("g2", A, B, expires_at=machine.now() + timedelta(days=200)), A)
        search(exchange, PROBE)
        said = [type(from_entry(placed.entry).event).__name__ for placed in read(exchange, JOURNAL)[place:]]
        assert said.index("ClockTicked") < said.index("SearchPerformed")
        machine.off = timedelta(days=301)
        assert not listed(search(exchange, PROBE))
        assert exchange.status()["clock_age_seconds"] < 60
