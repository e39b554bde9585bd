"""Every short history of a machine whose clock goes wrong and right again, with an administrator who says what is true (rule 8).

One machine, so its log is wrong together with its clock: nothing in the journal says the true time but the administrator.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import product

from comity.domain import entries as e
from journals import BASE
from ticks import HOUR, MINUTE, SECOND, YEAR, Poster, Said

STEP = 5 * MINUTE
SLOW = 50 * MINUTE  # wrong by less than a jump
MOVES = ("tick", "far", "near", "right", "other", "outage", "void", "confirm")
LENGTH = 5


class Machine(Poster):
    """A machine with a clock, and what is true beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.true, self.off = BASE, timedelta(0)
        self.said: dict[int, tuple[datetime, timedelta]] = {}  # readings by place, and by how much each was wrong
        self.void: set[int] = set()
        for _ in range(3):
            self.tick()

    def do(self, move: str) -> None:
        """Make one move."""
        if move in ("far", "near", "right"):
            self.off = {"far": YEAR, "near": SLOW, "right": timedelta(0)}[move]
        elif move == "outage":
            self.true += 2 * HOUR
        elif move == "other":
            self.true += SECOND
            self.enter(None)
        elif move == "tick":
            self.tick()
        else:
            self.rule(move)

    def tick(self) -> None:
        """Let five minutes pass, and tick."""
        self.true += STEP
        self.said[self.place] = (self.true + self.off, self.off)
        self.enter(e.ClockTicked(self.true + self.off))

    def rule(self, move: str) -> None:
        """Say what is true: of all wrong ticks that stand, or of the newest right one."""
        wrong = [place for place, (_, off) in self.said.items() if off and place not in self.void]
        if move == "void" and wrong:
            within = [wrong[0]]
            while within[-1] + 1 in wrong:
                within.append(within[-1] + 1)
            self.void |= set(within)
            self.enter(e.TicksVoided(within[0], within[-1], "wrong"))
        elif move == "confirm":
            right = [place for place, (_, off) in self.said.items() if not off]
            self.enter(e.ClockConfirmed(right[-1], "right"))

    def enter(self, event: e.ClockTicked | e.TicksVoided | e.ClockConfirmed | None) -> None:
        """Enter it, and look at what is believed then."""
        self.post(Said(self.true + self.off, event))
        self.commit()
        self.check()

    def check(self) -> None:
        """Nothing loosens before its time, and everything tightens at once."""
        row = self.ticks[-1]
        stands = [at for place, (at, _) in self.said.items() if place not in self.void]
        assert row.latest == max(stands), "what tightens does so at once"
        if row.settled is not None:
            assert row.settled <= self.true + self.excuse(), "loosened before its time"

    def excuse(self) -> timedelta:
        """Return by how much settled time may be ahead: a clock that is wrong by less than a jump for three ticks is believed."""
        run = longest = 0
        for _, off in self.said.values():
            run = run + 1 if off else 0
            longest = max(longest, run)
        return SLOW if longest >= 3 else timedelta(0)

    def mend(self) -> None:
        """Set the clock right, say what was wrong and that it is right now, and let it run."""
        self.do("right")
        while any(off and place not in self.void for place, (_, off) in self.said.items()):
            self.do("void")
        self.tick()
        self.do("confirm")
        for _ in range(2):
            self.tick()


def test_no_short_history_loosens_before_its_time_and_each_can_be_mended() -> None:
    """Rule 8, F17: 32,768 histories."""
    for moves in product(MOVES, repeat=LENGTH):
        machine = Machine()
        for move in moves:
            machine.do(move)
        machine.mend()
        row = machine.ticks[-1]
        assert (row.alarm, row.latest) == (None, machine.true), moves
        assert row.settled == machine.true - 2 * STEP, moves
