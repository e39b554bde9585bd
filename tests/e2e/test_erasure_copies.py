"""Copies of a record's bytes that are not its own: probes that are its photographs, and templates that others hold as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import photograph
from comity.domain.entries import IndexKind
from comity.duties.purge import certify
from comity.duties.purge.jobs import TEMPLATE, Job, pieces_of
from erased import certificates, enrolled, kept_of, until
from exchange import RememberedFaces, enrol, holding, order, running, search, settle
from journals import A

BOOKED = {IndexKind.BOOKING: "A-1"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_a_probe_that_is_the_records_own_photograph_goes_with_it_and_is_not_kept_later(
    home: Path, faces: RememberedFaces
) -> None:
    """A search with the very file keeps a copy of it; a search with another picture of the person keeps its own."""
    with running(home, faces) as exchange:
        enrol(exchange, "A-1", 1, 1, owner=A)
        settle(exchange)
        copy = search(exchange, photograph(1, 1), A).search_id
        other = search(exchange, photograph(1, 2), A).search_id
        assert exchange.probes.open(copy) == photograph(1, 1)
        order(exchange, "expunge", BOOKED, A)
        settle(exchange)
        late = search(exchange, photograph(1, 1), A).search_id
        assert [exchange.probes.open(one) for one in (copy, late)] == [None, None]
        assert exchange.probes.open(other) == photograph(1, 2)
        assert len([name for name in exchange.photos.names() if name.startswith("probe-of/")]) == 1


@pytest.mark.parametrize("when", ["never admitted", "behind its order", "a correction"])
def test_a_probe_that_is_the_photograph_of_a_rejected_enrolment_goes_and_is_not_kept_later(
    home: Path, faces: RememberedFaces, when: str
) -> None:
    """The ledger has no row of what was rejected; here the second photograph cannot be used, and the first one can."""
    shot, other = photograph(1, 2), photograph(2, 1)
    with running(home, faces) as exchange:
        if when == "a correction":
            enrol(exchange, "A-1", 1, 1, owner=A)
        _, _, append = enrolled(exchange, "A-1", version=2, photographs=(shot, b"no picture at all" * 50))
        settle(exchange)
        kept = [search(exchange, one, A).search_id for one in (shot, other)]
        if when == "behind its order":
            order(exchange, "expunge", BOOKED, A)
        append()
        settle(exchange)
        if when != "behind its order":
            assert [exchange.probes.open(one) for one in kept] == [shot, other]
            order(exchange, "expunge", BOOKED, A)
        settle(exchange)
        late = search(exchange, shot, A).search_id
        assert [exchange.probes.open(one) for one in (*kept, late)] == [None, other, None]
        assert [name for name in exchange.photos.names() if name.startswith("rejected/")] == []


def test_a_template_that_another_record_holds_as_well_is_told_apart_and_goes_with_that_one(
    home: Path, faces: RememberedFaces
) -> None:
    """One photograph under two booking numbers is one template, byte for byte, and nobody ordered the other one destroyed."""
    shot = (photograph(1, 1),)
    with running(home, faces) as exchange:
        first, second = (enrolled(exchange, number, photographs=shot) for number in ("A-1", "A-2"))
        first[2]()
        second[2]()
        settle(exchange)
        (template,) = exchange.gallery.held([second[0]])
        order(exchange, "expunge", BOOKED, A)
        settle(exchange)
        assert exchange.purge.sweep().found == 0
        for certificate in certificates(exchange):
            assert (certificate.records, certificate.found, certificate.templates_erased) == ((first[0],), 0, 1)
            assert any("other records hold as well" in what for what in certificate.not_scanned)
            assert "template" not in {sought.kind for sought in certificate.sought}
        assert set(kept_of(exchange, second[0])) >= {"key", "memory", "store"}
        said, name = len(certificates(exchange)), certificates(exchange)[0].order
        alone = {first[0]: {TEMPLATE: pieces_of(TEMPLATE, [template.tobytes()])}}
        job = Job("nothing-of-its-own", name, 0, 9, (first[0],), (A,), needles=alone)
        exchange.purge.jobs.keep(job)
        exchange.purge.certifier.take([job])
        settle(exchange)
        assert len(certificates(exchange)) == said, "nothing to look for, no certificate"
        order(exchange, "expunge", {IndexKind.BOOKING: "A-2"}, A)
        settle(exchange)
        assert exchange.purge.sweep().found == 0
        assert not holding(home, template.tobytes()[:24])
        *_, last = certificates(exchange)
        assert {"template"} <= {sought.kind for sought in last.sought}
        assert exchange.status()["erasures"] == {"waiting": {}, "wanting": []}


def test_a_template_of_a_destroyed_record_that_stayed_is_found_whoever_else_was_destroyed(
    home: Path, faces: RememberedFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is told apart is what records hold that stand: not what stayed of this order's, nor of another's."""
    monkeypatch.setattr(certify, "SCAN_TRIES", 3)
    shot = (photograph(1, 1),)
    with running(home, faces) as exchange:
        for number in ("A-1", "A-2"):
            enrolled(exchange, number, photographs=shot)[2]()
        settle(exchange)
        monkeypatch.setattr(exchange.store, "forget", lambda _: 0)
        order(exchange, "expunge", {IndexKind.BOOKING: "A-2"}, A)
        until(lambda: certificates(exchange))
        order(exchange, "expunge", BOOKED, A)
        until(lambda: len({c.order.order_id for c in certificates(exchange)}) == 2)
        assert certificates(exchange)[-1].found > 0
