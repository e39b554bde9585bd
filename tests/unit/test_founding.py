"""A start goes on with its own journal alone: founded by its administrator's key, which holds in it as such (DESIGN §3)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from comity.acts.register import found
from comity.domain import entries as e
from comity.domain.ids import ExchangeId, PartyId
from comity.errors import Halted
from journals import ADMINISTRATOR, EXCHANGE, A, Core, key, registered

STRANGER = "stranger"


def registration(name: str, party: str, role: e.Role) -> e.KeyRegistered:
    return e.KeyRegistered(key(name).kid, PartyId(party), role, key(name).public_bytes)


@contextmanager
def applying(core: Core) -> Iterator[None]:
    """Apply what is entered, beside whoever waits for it."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(0.01):
            core.apply()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def started(core: Core, administrator: str = ADMINISTRATOR, exchange: str = EXCHANGE, *, known: bool = False) -> None:
    core.apply()
    with applying(core):
        found(core.journal, core.ledger, core.watch, key(administrator), key(exchange), known=known)


def test_an_empty_journal_is_founded_and_gone_on_with() -> None:
    core = Core()
    started(core)
    began = len(core.log.held())
    started(core)
    assert len(core.log.held()) == began == 3  # its founding, the policy, the exchange's key


def test_an_administrators_key_that_was_revoked_goes_on_with_nothing() -> None:
    core = Core().found()
    core.say(registration("second", ADMINISTRATOR, e.Role.ADMINISTRATOR), ADMINISTRATOR)
    core.say(e.KeyRevoked(key(ADMINISTRATOR).kid), "second")
    before = len(core.log.held())
    with pytest.raises(Halted, match="administrator's key was revoked"):
        started(core, known=True)
    assert len(core.log.held()) == before
    started(core, "second", known=True)


def test_an_administrators_key_that_is_another_partys_goes_on_with_nothing() -> None:
    core = Core().found()
    core.say(registration("ours", A, e.Role.AGENCY), ADMINISTRATOR)
    with pytest.raises(Halted, match="another administrator's key"):
        started(core, "ours", known=True)


def test_a_journal_that_a_stranger_founded_first_is_not_gone_on_with() -> None:
    """Though the stranger, its root of trust, registered our administrator's key as such."""
    core = Core()
    core.say(e.ExchangeFounded(ExchangeId("x-1"), key(STRANGER).kid, key(STRANGER).public_bytes), STRANGER)
    core.say(registered(ADMINISTRATOR, e.Role.ADMINISTRATOR), STRANGER)
    before = len(core.log.held()) + 2
    core.say(registered(EXCHANGE, e.Role.EXCHANGE), STRANGER)
    with pytest.raises(Halted, match="Somebody else's key founded"):
        started(core)
    assert len(core.log.held()) == before - 1
    started(core, known=True)  # an administrator whose key was changed: the anchor knows this journal


def test_a_key_of_the_exchange_that_is_another_partys_halts_the_start() -> None:
    core = Core().found()
    core.say(registration("new", A, e.Role.AGENCY), ADMINISTRATOR)
    with pytest.raises(Halted, match="registered as another's"):
        started(core, exchange="new")


def test_a_key_of_the_exchange_that_could_not_be_registered_halts_the_start() -> None:
    """The administrator's own key under another name: a key speaks for one party."""
    core = Core().found()
    alias = key(ADMINISTRATOR).named("alias")
    with applying(core), pytest.raises(Halted, match="was not registered"):
        found(core.journal, core.ledger, core.watch, key(ADMINISTRATOR), alias)
