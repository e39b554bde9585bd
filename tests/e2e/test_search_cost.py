"""Sealed and never there cost a searcher the same (R32, F29): the same steps, counted; the milliseconds are in the benches."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any

import pytest
from sqlalchemy import event

from builders import photograph
from comity.bootstrap import Exchange
from exchange import RememberedFaces, enrol, listed, running, sealing, search, settle, share
from journals import A

PROBE = photograph(1, 2)


@contextmanager
def statements(exchange: Exchange, counted: Counter[str]) -> Iterator[None]:
    """Count what this thread asks the ledger's file: a method that is called as often may yet ask it once more."""
    own = get_ident()

    def out(connection: sqlite3.Connection, *_: object) -> None:
        if get_ident() == own:
            connection.set_trace_callback(lambda sql: counted.update([f"SQL {sql.split(maxsplit=1)[0]}"]))

    def back(connection: sqlite3.Connection, *_: object) -> None:
        connection.set_trace_callback(None)

    event.listen(exchange.engine, "checkout", out)
    event.listen(exchange.engine, "checkin", back)
    try:
        yield
    finally:
        event.remove(exchange.engine, "checkout", out)
        event.remove(exchange.engine, "checkin", back)


def steps(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return how often a search does each thing that takes time."""
    counted: Counter[str] = Counter()

    def noted(what: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*args: Any, **named: Any) -> Any:  # noqa: ANN401
            counted[what] += 1
            return real(*args, **named)

        return noting

    with monkeypatch.context() as patched:
        for owner, names in (
            (exchange.ledger, ("facts", "rows", "every", "found", "prospect", "reach", "progress")),
            (exchange.gallery, ("nearest",)),
            (exchange.vault, ("issue", "open")),
            (exchange.photos, ("get", "put")),
            (exchange.journal, ("enter",)),
        ):
            for name in names:
                patched.setattr(owner, name, noted(f"{type(owner).__name__}.{name}", getattr(owner, name)))
        with statements(exchange, counted):
            search(exchange, PROBE)
    return counted


def test_a_sealed_record_costs_a_search_no_step_more(
    tmp_path: Path, faces: RememberedFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path / "home", faces) as exchange:
        exchange.clock.stop()  # it enters too
        for person in range(2, 6):
            enrol(exchange, f"A-{person}", person, owner=A)
        share(exchange, A)
        settle(exchange)
        exchange.clock.tick()
        search(exchange, PROBE)  # the first one of an agency issues its index key
        never = steps(exchange, monkeypatch)
        record, _ = enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
        assert any(score > 0.6 for _, score, _ in listed(search(exchange, PROBE)))
        sealing(exchange, "s", record)
        settle(exchange)
        assert not any(score > 0.6 for _, score, _ in listed(search(exchange, PROBE)))
        assert steps(exchange, monkeypatch) == never
        assert never["SqlLedger.facts"] == 3  # what is shared, what stands, and the release
        assert never["SQL SELECT"] > 0  # they are counted
