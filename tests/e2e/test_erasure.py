"""Erasure that cannot be overtaken: whatever comes, is put or is kept behind an expungement goes too, and its proof survives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from builders import booking
from comity.domain import entries as e
from comity.domain.entries import IndexKind
from comity.domain.ids import OrderId, RecordId, record_key
from comity.domain.log import Topic
from comity.domain.posting import Certificate, Record, Suppression
from comity.duties.purge import certify, rejected
from comity.duties.purge.destroy import READING_SECONDS
from comity.duties.scan import Scanned, scan
from comity.ports import Picture
from erased import certificates, enrolled, kept_of, pieces_of, until
from exchange import RememberedFaces, enrol, held, holding, order, running, settle, submitted
from journals import COURT, A

BOOKED = {IndexKind.BOOKING: "A-1"}
WAIT_SECONDS = 20.0


class Interrupted:
    """Faces that let something happen while the encoder looks at a photograph."""

    def __init__(self, faces: RememberedFaces) -> None:
        self.faces, self.meanwhile = faces, list[Callable[[], None]]()

    @property
    def model(self) -> str:
        return self.faces.model

    def open(self, photograph: bytes) -> Picture:
        picture = self.faces.open(photograph)
        if self.meanwhile and threading.current_thread().name == "comity-encoder":
            self.meanwhile.pop()()
        return picture


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_an_expungement_while_its_record_is_encoded_destroys_it(home: Path, faces: RememberedFaces) -> None:
    """F04: the order finds nothing yet; the encoder must not keep, nor admit, what it covers."""
    between = Interrupted(faces)
    with running(home, between) as exchange:  # type: ignore[arg-type]
        between.meanwhile.append(lambda: (order(exchange, "expunge", BOOKED, A), None)[1])
        record, event, append = enrolled(exchange, "A-1")
        append()
        settle(exchange)
        assert exchange.ledger.rows(Suppression, kind="expungement")
        assert kept_of(exchange, record) == {}
        assert not exchange.ledger.rows(Record, record_id=record)
        (certificate,) = certificates(exchange)
        assert certificate.records == (record,)
        assert (certificate.found, {s.kind for s in certificate.sought}) == (0, {"ciphertext", "wrapped key"})
        assert holding(home, *pieces_of(event)) == {}


def test_what_is_admitted_behind_its_expungement_is_destroyed_and_certified(
    home: Path, faces: RememberedFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order comes in the last moment, between the encoder's check and its admission."""
    with running(home, faces) as exchange:
        record, event, append = enrolled(exchange, "A-1")
        enter = exchange.journal.enter

        def overtaken(said: e.Event, **how: object) -> object:
            if isinstance(said, e.RecordsAdmitted):
                monkeypatch.setattr(exchange.journal, "enter", enter)
                order(exchange, "expunge", BOOKED, A)
                until(lambda: exchange.purge.duty._behind.next > 0 and exchange.followers["purge"].lag() == 0)
            return enter(said, **how)  # type: ignore[arg-type]

        monkeypatch.setattr(exchange.journal, "enter", overtaken)
        append()
        settle(exchange)
        (row,) = exchange.ledger.rows(Record, record_id=record)
        assert row.entered > exchange.ledger.rows(Suppression, kind="expungement")[0].entered
        assert kept_of(exchange, record) == {}
        (certificate,) = certificates(exchange)
        assert (certificate.records, certificate.found) == ((record,), 0)
        assert {s.kind for s in certificate.sought} >= {"ciphertext", "wrapped key"}
        assert holding(home, *pieces_of(event)) == {}


def test_a_second_version_that_is_encoded_meanwhile_goes_too(home: Path, faces: RememberedFaces) -> None:
    between = Interrupted(faces)
    with running(home, between) as exchange:  # type: ignore[arg-type]
        record, _ = enrol(exchange, "A-1", 1, 1, owner=A)
        settle(exchange)
        between.meanwhile.append(lambda: (order(exchange, "expunge", BOOKED, A), None)[1])
        _, event, append = enrolled(exchange, "A-1", version=2)
        append()
        settle(exchange)
        assert kept_of(exchange, record) == {}
        assert holding(home, *pieces_of(event)) == {}
        assert {c.order.party for c in certificates(exchange)} == {COURT}


def test_a_version_that_comes_long_after_its_expungement_leaves_no_byte(home: Path, faces: RememberedFaces) -> None:
    """Past intake, to the log itself: neither the enrolments nor the quarantine keep it."""
    with running(home, faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, 1, owner=A)
        settle(exchange)
        _, event, append = enrolled(exchange, "A-1", version=2)
        order(exchange, "expunge", BOOKED, A)
        settle(exchange)
        append()
        settle(exchange)
        assert kept_of(exchange, record) == {}
        assert holding(home, *pieces_of(event)) == {}
        (aside,) = held(exchange, Topic.QUARANTINE)
        assert dict(aside.entry.headers)["comity_reason"] == b"suppressed"


def test_the_same_bytes_sent_again_after_their_erasure_leave_none(home: Path, faces: RememberedFaces) -> None:
    with running(home, faces) as exchange:
        record, event, append = enrolled(exchange, "A-1")
        append()
        settle(exchange)
        order(exchange, "expunge", BOOKED, A)
        settle(exchange)
        append()
        settle(exchange)
        assert kept_of(exchange, record) == {}
        assert holding(home, *pieces_of(event)) == {}


def test_a_rejected_version_leaves_no_byte_once_its_record_is_expunged(home: Path, faces: RememberedFaces) -> None:
    with running(home, faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, 1, owner=A)
        settle(exchange)
        _, event, append = enrolled(exchange, "A-1", version=2, photographs=(b"no picture at all" * 50,))
        append()
        settle(exchange)
        order(exchange, "expunge", BOOKED, A)
        settle(exchange)
        assert kept_of(exchange, record) == {}
        assert holding(home, *pieces_of(event)) == {}


def test_an_enrolment_that_was_never_admitted_is_found_by_the_numbers_that_it_bears(home: Path, faces: RememberedFaces) -> None:
    """Rejected, so nobody ever finds it; its ciphertexts lie in the log, and an order that names it destroys them."""
    with running(home, faces) as exchange:
        record, event, append = enrolled(exchange, "A-1", photographs=(b"no picture at all" * 50,), court_case="24-CF-7")
        append()
        settle(exchange)
        assert set(kept_of(exchange, record)) >= {"key", "enrolments"}
        order(exchange, "expunge", {IndexKind.COURT_CASE: "24-CF-7"})
        settle(exchange)
        assert kept_of(exchange, record) == {}
        assert holding(home, *pieces_of(event)) == {}
        assert [name for name in exchange.photos.names() if name.startswith("rejected/")] == []
        (certificate,) = certificates(exchange)
        assert (certificate.records, certificate.found) == ((record,), 0)


def test_an_expungement_while_its_record_is_rejected_destroys_it(
    home: Path, faces: RememberedFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order finds neither a record nor the mark of a rejected one yet: whoever leaves the mark looks for orders after it."""
    with running(home, faces) as exchange:
        record, event, append = enrolled(exchange, "A-1", photographs=(b"no picture at all" * 50,))
        remember = rejected.remember

        def late(*args: Any) -> None:  # noqa: ANN401
            order(exchange, "expunge", BOOKED, A)
            until(lambda: exchange.followers["purge"].lag() == 0)
            remember(*args)

        monkeypatch.setattr(rejected, "remember", late)
        append()
        settle(exchange)
        assert kept_of(exchange, record) == {}
        assert holding(home, *pieces_of(event)) == {}
        (certificate,) = certificates(exchange)
        assert (certificate.records, certificate.found) == ((record,), 0)


def test_a_photograph_under_another_number_is_destroyed_but_no_record_that_stands(home: Path, faces: RememberedFaces) -> None:
    """An encoder's rejection shreds only what an expungement covers; kin that stand are hidden, and nobody's to destroy."""
    with running(home, faces) as exchange:
        again, event, append = enrolled(exchange, "A-77")
        other, _ = enrol(exchange, "A-2", 2, owner=A)
        shot = booking(1, "A-1").photographs
        _, _, append_kin = enrolled(exchange, "A-2", version=2, photographs=shot)
        enrol(exchange, "A-1", 1, 1, owner=A)
        settle(exchange)
        order(exchange, "expunge", BOOKED, A)
        settle(exchange)
        append()
        append_kin()
        settle(exchange)
        assert kept_of(exchange, again) == {}
        assert holding(home, *pieces_of(event)) == {}
        assert set(kept_of(exchange, other)) >= {"key", "photographs", "memory", "store"}


@pytest.fixture
def flaky(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, int]]]:
    """Let the first byte scan fail; yields what each try looked for."""
    asked: list[dict[str, int]] = []

    def once(places: Sequence[Path], needles: Mapping[str, frozenset[bytes]], stop: threading.Event | None = None) -> Scanned:
        asked.append({name: len(wanted) for name, wanted in needles.items()})
        if len(asked) == 1:
            raise OSError("the scan ended with -7")
        return scan(places, needles, stop)

    monkeypatch.setattr(certify, "scan", once)
    return asked  # type: ignore[return-value]


def test_a_scan_that_failed_looks_for_the_same_again(home: Path, faces: RememberedFaces, flaky: list[dict[str, int]]) -> None:
    """F06: a certificate that looked for nothing proves nothing."""
    with running(home, faces) as exchange:
        enrol(exchange, "A-1", 1, 1, owner=A)
        settle(exchange)
        order(exchange, "expunge", BOOKED, A)
        until(lambda: exchange.followers["erasure"].failure)
        assert "ended with -7" in str(exchange.status()["erasures"]["wanting"])
        settle(exchange)
        assert flaky[0] == flaky[1]
        (certificate,) = certificates(exchange)
        assert {s.kind: s.count > 0 for s in certificate.sought} == {"ciphertext": True, "template": True, "wrapped key": True}
        assert (certificate.keys_shredded, certificate.templates_erased) == (1, 1)
        assert exchange.status()["erasures"]["wanting"] == []


def test_the_sweep_finds_a_copy_says_so_and_is_not_done(home: Path, faces: RememberedFaces) -> None:
    with running(home, faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, 1, owner=A)
        settle(exchange)
        (home / "leftover.bin").write_bytes(exchange.photos.get(f"record/{record}/1/0") or b"")
        order(exchange, "expunge", BOOKED, A)
        settle(exchange)
        assert [(c.scope, c.found) for c in certificates(exchange)] == [("directed", 0)]
        assert exchange.purge.sweep().found == 1
        assert [(c.scope, c.found) for c in certificates(exchange)][1:] == [("sweep", 1)]
        assert exchange.status()["erasures"]["wanting"][0]["state"] == "bytes still found"
    with running(home, faces) as exchange:
        assert exchange.status()["erasures"]["wanting"][0]["state"] == "bytes still found"
        assert exchange.purge.sweep().found == 1
        (home / "leftover.bin").unlink()
        assert exchange.purge.sweep().found == 0
        assert [(c.scope, c.found) for c in certificates(exchange)] == [("directed", 0), ("sweep", 1), ("sweep", 0)]
        assert exchange.status()["erasures"] == {"waiting": {}, "wanting": []}
        assert not list((home / "erasures").rglob("*.sealed"))
        assert exchange.purge.sweep().jobs == 0


def test_the_sweep_goes_on_until_old_values_of_the_log_are_seen_to_be_gone(
    home: Path, faces: RememberedFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that nobody here can look into may take hours to compact."""
    with running(home, faces) as exchange:
        enrol(exchange, "A-1", 1, 1, owner=A)
        settle(exchange)
        gone = exchange.log.settle
        read: list[float] = []

        def not_yet(*args: Any, reading_seconds: float, **how: Any) -> bool:  # noqa: ANN401  # as the log has it
            read.append(reading_seconds)
            return gone(*args, **how) and False

        monkeypatch.setattr(exchange.log, "settle", not_yet)
        order(exchange, "expunge", BOOKED, A)
        settle(exchange)
        for _ in range(2):  # twice the same: said once
            swept = exchange.purge.sweep()
            assert (swept.jobs, swept.found) == (1, 0)
        assert "compaction of" in str(exchange.followers["erasure"].failure)
        assert (read[0], read[-1]) == (0, READING_SECONDS)  # a night has time to read a whole topic, a first certificate has not
        monkeypatch.setattr(exchange.log, "settle", gone)
        exchange.purge.sweep()
        told = [(c.scope, any("not seen yet" in what for what in c.not_scanned)) for c in certificates(exchange)]
        assert told == [("directed", True), ("sweep", True), ("sweep", False)]
        assert exchange.status()["erasures"] == {"waiting": {}, "wanting": []}
        assert exchange.purge.sweep().jobs == 0


def test_what_is_looked_for_survives_a_stop_and_lies_nowhere_in_clear(
    home: Path, faces: RememberedFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> Scanned:
        raise OSError("not now")

    monkeypatch.setattr(certify, "scan", never)
    with running(home, faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, 1, owner=A)
        settle(exchange)
        fingerprints = exchange.purge.fingerprints([record])
        order(exchange, "expunge", BOOKED, A)
        until(lambda: exchange.followers["erasure"].failure)
        assert exchange.purge.scan(fingerprints).clean
        assert certificates(exchange) == []
    monkeypatch.setattr(certify, "scan", scan)
    with running(home, faces) as exchange:
        settle(exchange)
        (certificate,) = certificates(exchange)
        assert {s.kind: s.count for s in certificate.sought} == {kind: len(found) for kind, found in fingerprints.items()}


def admitted(first: int, last: int, index: e.BlindIndex) -> e.RecordsAdmitted:
    numbers = range(first, last)
    return e.RecordsAdmitted(
        tuple(e.AdmittedRecord(RecordId(f"{n:032x}"), A, e.RecordClass.BOOKING, 1, (index,), bytes(32)) for n in numbers)
    )


def test_an_order_of_more_than_a_thousand_is_certified_in_parts(home: Path, faces: RememberedFaces) -> None:
    """F13: and keeps nobody waiting."""
    with running(home, faces) as exchange:
        case = exchange.indexer.index(IndexKind.COURT_CASE, "MASS-1", A)
        for first, last in ((1, 501), (501, 1002)):
            for number in range(first, last):
                exchange.vault.issue(record_key(RecordId(f"{number:032x}")))
            exchange.journal.enter(admitted(first, last, case), key="k")
        record, _ = enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
        big = e.RecordsExpunged(OrderId("big"), "wi-165.84", (), (case,), exchange.now(), b"", None, b"")
        small = e.RecordsExpunged(OrderId("small"), "wi-165.84", (record,), (), exchange.now(), b"", None, b"")
        submitted(exchange, big, COURT)
        submitted(exchange, small, COURT)
        settle(exchange)
        told = [(c.order.order_id, c.part, len(c.records), c.found) for c in certificates(exchange)]
        assert sorted(told) == [("big", 0, 1000, 0), ("big", 1, 1, 0), ("small", 0, 1, 0)]
        assert kept_of(exchange, record) == {}


def test_an_order_with_nothing_to_look_for_gets_no_certificate_and_stops_no_other(home: Path, faces: RememberedFaces) -> None:
    with running(home, faces) as exchange:
        case = exchange.indexer.index(IndexKind.COURT_CASE, "MASS-1", A)
        exchange.journal.enter(admitted(1, 3, case), key="k")
        record, _ = enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
        submitted(exchange, e.RecordsExpunged(OrderId("bare"), "wi-165.84", (), (case,), exchange.now(), b"", None, b""), COURT)
        submitted(exchange, e.RecordsExpunged(OrderId("o"), "wi-165.84", (record,), (), exchange.now(), b"", None, b""), COURT)
        settle(exchange)
        assert [c.order.order_id for c in certificates(exchange)] == ["o"]
        (told,) = exchange.status()["erasures"]["wanting"]
        assert (told["order"], told["state"]) == ("bare", "nothing was left to look for")


def test_keys_go_at_once_however_long_certificates_take(
    home: Path, faces: RememberedFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(home, faces) as exchange:
        records = [enrol(exchange, f"A-{n}", n, owner=A)[0] for n in (1, 2)]
        settle(exchange)
        entered = threading.Event()

        def stuck(*_: object) -> Scanned:
            entered.set()
            exchange.purge.certifier._stop.wait(WAIT_SECONDS)
            raise OSError("stopped")

        monkeypatch.setattr(certify, "scan", stuck)
        order(exchange, "expunge", BOOKED, A)
        assert entered.wait(WAIT_SECONDS)
        order(exchange, "expunge", {IndexKind.BOOKING: "A-2"}, A)
        until(lambda: exchange.vault.wrapped(record_key(records[1])) is None)
        assert not exchange.ledger.rows(Certificate)


def test_two_parties_expunge_one_record_and_each_gets_a_certificate(home: Path, faces: RememberedFaces) -> None:
    """The second finds nothing itself: it looks for what the first took down."""
    with running(home, faces) as exchange:
        record, _ = enrol(exchange, "A-1", 1, owner=A)
        settle(exchange)
        for party in (A, COURT):
            event = e.RecordsExpunged(OrderId("one"), "wi-165.84", (record,), (), exchange.now(), b"", None, b"")
            submitted(exchange, event, party)
            settle(exchange)
        told = certificates(exchange)
        assert [(c.order.party, c.part, c.records, c.found) for c in told] == [(A, 0, (record,), 0), (COURT, 0, (record,), 0)]
        assert told[0].sought == told[1].sought
        assert exchange.purge.sweep().jobs == 2
        assert exchange.status()["erasures"] == {"waiting": {}, "wanting": []}
