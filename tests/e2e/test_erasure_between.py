"""Erasure between two enrolments of one record, or two threads: nothing goes that nobody ordered, and nothing goes unnamed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import booking
from comity.bootstrap import Exchange
from comity.domain.entries import IndexKind
from comity.domain.ids import record_key
from comity.domain.log import Batch, Topic
from comity.domain.posting import Record, Suppression
from comity.duties.purge import certify, sweep
from comity.duties.purge.jobs import Job
from comity.duties.scan import Scanned, scan
from erased import certificates, enrolled, kept_of, until
from exchange import RememberedFaces, enrol, order, prepared, running, settle
from journals import A

BOOKED = {IndexKind.BOOKING: "A-1"}
NO_PICTURE = (b"no picture at all" * 50,)


@pytest.fixture
def exchange(tmp_path: Path, faces: RememberedFaces) -> Iterator[Exchange]:
    with running(tmp_path / "home", faces) as running_exchange:
        yield running_exchange


def test_a_correction_that_is_covered_takes_no_version_along_that_waits_in_the_same_batch(exchange: Exchange) -> None:
    """The second version bears an expunged photograph; the first, read with it, is not in the ledger yet, and stands."""
    enrol(exchange, "A-1", 1, 1, owner=A)
    settle(exchange)
    order(exchange, "expunge", BOOKED, A)
    settle(exchange)
    shot = booking(1, "A-1").photographs
    record, first = prepared(exchange, booking(2, "A-2", owner=A))
    _, second = prepared(exchange, booking(1, "A-2", owner=A, version=2, photographs=shot))
    exchange.followers["encoder"].stop()
    placed = [exchange.journal.append(Topic.ENROLMENTS, entry) for entry in (first, second)]
    exchange.encoding.apply(placed[0].stream, Batch(tuple(placed), placed[-1].position + 1))
    assert [row.version for row in exchange.ledger.rows(Record, record_id=record)] == [1]
    assert exchange.vault.wrapped(record_key(record)) is not None
    assert set(kept_of(exchange, record)) >= {"photographs", "enrolments"}


def test_the_marks_of_an_earlier_rejection_go_with_the_record(exchange: Exchange) -> None:
    record, _, append = enrolled(exchange, "A-1", photographs=NO_PICTURE, court_case="24-CF-7")
    append()
    settle(exchange)
    _, _, append = enrolled(exchange, "A-1", photographs=NO_PICTURE, court_case="24-CF-8", version=2)
    append()
    settle(exchange)
    order(exchange, "expunge", BOOKED, A)
    settle(exchange)
    assert kept_of(exchange, record) == {}
    assert [name for name in exchange.photos.names() if name.startswith("rejected/")] == []


def test_two_threads_give_no_part_of_an_order_twice(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder destroys what came late while the follower carries the order out: each of them is certified."""
    enrol(exchange, "A-1", 1, 1, owner=A)
    settle(exchange)
    _, late, _ = enrolled(exchange, "A-1", version=2)
    duty, keep = exchange.purge.duty, exchange.purge.jobs.keep
    others: list[threading.Thread] = []

    def interrupted(job: Job) -> None:
        if not others:
            others.append(threading.Thread(target=duty.overtaken, args=[late]))
            others[0].start()
            others[0].join(1.0)
        keep(job)

    monkeypatch.setattr(exchange.purge.jobs, "keep", interrupted)
    order(exchange, "expunge", BOOKED, A)
    settle(exchange)
    others[0].join()
    settle(exchange)
    assert exchange.ledger.rows(Suppression, kind="expungement")
    assert sorted(certificate.part for certificate in certificates(exchange)) == [0, 1]


def test_files_that_cannot_be_read_prove_nothing(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate of nothing found would stand for good, though what was looked for may lie in them."""
    closed = ["photographs"]

    def partly(*asked: Any) -> Scanned:  # noqa: ANN401
        return replace(scan(*asked), unreadable=tuple(closed))

    monkeypatch.setattr(certify, "scan", partly)
    monkeypatch.setattr(certify, "SCAN_TRIES", 1)
    monkeypatch.setattr(sweep, "scan", partly)
    enrol(exchange, "A-1", 1, 1, owner=A)
    settle(exchange)
    order(exchange, "expunge", BOOKED, A)
    until(lambda: exchange.followers["erasure"].failure)
    assert certificates(exchange) == []
    closed.clear()
    until(lambda: not exchange.followers["erasure"].failure)  # entered, and noted
    closed.append("photographs")
    exchange.purge.sweep()
    assert [c.scope for c in certificates(exchange)] == ["directed"]
    assert "cannot be read" in exchange.status()["erasures"]["wanting"][0]["failure"]
    closed.clear()
    exchange.purge.sweep()
    assert [(c.scope, c.found) for c in certificates(exchange)] == [("directed", 0), ("sweep", 0)]
    assert not [told for c in certificates(exchange) for told in c.not_scanned if "unreadable" in told]
