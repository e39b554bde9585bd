"""What is not taken in, and how its agency learns of it: duplicates, older versions, minors, bad photographs, forgeries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from builders import booking, photograph
from comity.bootstrap import Exchange
from comity.domain import entries as e
from comity.domain.entries import IndexKind, RecordClass
from comity.domain.log import JOURNAL, Entry, Placed, Topic
from comity.domain.posting import Record, Suppression
from comity.errors import Conflict, InvalidInput, NotPermitted
from comity.wire.booking import record_class, sealed
from comity.wire.envelope import from_entry
from comity.wire.limits import VALUE_BYTES_MAX
from exchange import RememberedFaces, enrol, held, listed, prepared, read, running, search, settle, submitted
from journals import COURT, A, B, admission, seal, unseal


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory, faces: RememberedFaces) -> Iterator[Exchange]:
    with running(tmp_path_factory.mktemp("intake") / "home", faces) as running_exchange:
        yield running_exchange


@pytest.fixture(autouse=True)
def settled(exchange: Exchange) -> None:
    settle(exchange)


def versions(exchange: Exchange, number: str) -> list[int]:
    settle(exchange)
    rows = exchange.ledger.rows(Record, record_id=exchange.indexer.record_id(A, number))
    return sorted(row.version for row in rows)


def aside(exchange: Exchange, entry: Entry) -> str:
    """Return the reason for which these very bytes were put aside; of a record's own enrolment their digest alone."""
    settle(exchange)
    digest = hashlib.sha256(entry.value or b"").hexdigest().encode()
    aside = held(exchange, Topic.QUARANTINE)
    found = [x for x in aside if x.entry.value == entry.value or dict(x.entry.headers).get("comity_value_sha256") == digest]
    assert found, "neither the original bytes nor their digest are in quarantine"
    return dict(found[-1].entry.headers)["comity_reason"].decode()


def own_score(exchange: Exchange, person: int) -> float:
    """Return the best score that A finds for one of the people, by another photograph."""
    return max((score for _, score, _ in listed(search(exchange, photograph(person, 4), A))), default=0.0)


def test_the_same_event_twice_is_a_no_op(exchange: Exchange) -> None:
    """R2: also when it is appended past intake."""
    _, entry = prepared(exchange, booking(6, "D-1"))
    for _ in range(2):
        exchange.enrol.submit(entry)
        settle(exchange)
    before, templates = read(exchange, JOURNAL), len(exchange.gallery)
    exchange.journal.append(Topic.ENROLMENTS, entry)
    assert versions(exchange, "D-1") == [1]
    assert len(exchange.gallery) == templates
    admissions = [x for x in read(exchange, JOURNAL)[len(before) :] if isinstance(event(x), e.RecordsAdmitted)]
    assert admissions == []


def test_an_older_version_never_overwrites_a_newer_one(exchange: Exchange) -> None:
    """R2: in whatever order they come, one after the other or in one batch."""
    record, first = prepared(exchange, booking(7, "V-1"))
    _, second = prepared(exchange, booking(7, "V-1", version=2, photographs=(photograph(7, 2),)))
    exchange.enrol.submit(second)
    settle(exchange)
    exchange.enrol.submit(first)
    assert versions(exchange, "V-1") == [2]
    assert [t.photo for batch in exchange.store.all() for t in batch if t.record_id == record] == [0]


def test_versions_in_one_batch_are_told_apart(exchange: Exchange) -> None:
    """R2: the encoder reads ahead of the ledger within its batch."""
    number = "V-2"
    _, second = prepared(exchange, booking(8, number, version=2, photographs=(photograph(8, 2),)))
    record, first = prepared(exchange, booking(8, number))
    _, other = prepared(exchange, booking(8, number, version=2, photographs=(photograph(8, 3),)))
    stream = exchange.log.streams(Topic.TEMPLATES)[0]
    now_ms = round(exchange.now().timestamp() * 1000)  # an enrolment is judged by the keys of its own time
    placed = [
        Placed(entry, replace(stream, topic=Topic.ENROLMENTS), 900 + n, now_ms) for n, entry in enumerate((second, first, other))
    ]
    waiting: list[e.AdmittedRecord] = []
    for one in placed:
        admitted = exchange.encoding._encode(one, waiting)
        waiting += [admitted] if isinstance(admitted, e.AdmittedRecord) else []
    assert [(r.record_id, r.version) for r in waiting] == [(record, 2)]
    assert aside(exchange, other) == "same-version"


def test_other_bytes_of_the_same_version_are_refused_and_what_stands_stays_also_through_a_rebuild(exchange: Exchange) -> None:
    """R2, R46: a rejection does not push the standing templates out of the log."""
    record, _ = enrol(exchange, "S-1", 9)
    settle(exchange)
    score = own_score(exchange, 9)
    assert score > 0.5
    _, again = prepared(exchange, booking(9, "S-1", name="Another name"))
    exchange.enrol.submit(again)
    assert aside(exchange, again) == "same-version"
    assert [r.reason for r in exchange.rejections.of(A, record)] == ["same-version"]
    _, blank = prepared(exchange, booking(9, "S-1", version=2, photographs=(grey(),)))
    exchange.enrol.submit(blank)
    assert aside(exchange, blank) == "no-face"
    exchange.rebuild_gallery()
    settle(exchange)
    assert sum(t.record_id == record for batch in exchange.store.all() for t in batch) == 1
    assert own_score(exchange, 9) == score


def test_a_newer_version_replaces_the_photographs_of_the_older(exchange: Exchange) -> None:
    """R2."""
    record, _ = enrol(exchange, "N-1", 10, 1, 2)
    settle(exchange)
    enrol(exchange, "N-1", 10, 3, version=2)
    assert versions(exchange, "N-1") == [1, 2]
    assert sum(t.record_id == record for batch in exchange.store.all() for t in batch) == 1


@pytest.mark.parametrize("age", [17, None])
def test_a_minor_is_one_whatever_the_sender_says(exchange: Exchange, age: int | None) -> None:
    """R3: by the age in the encrypted particulars, which the exchange reads itself."""
    number = f"M-{age}"
    one = booking(11, number, age_at_capture=age, photographs=(photograph(11, 1 if age else 2),))
    issued = exchange.enrol.prepare(A, one.numbers(), one.digests())
    event_ = replace(sealed(one, issued.record_id, issued.data_key, issued.indexes), record_class=RecordClass.BOOKING)
    exchange.enrol.submit(exchange.journal.entry(event_, key=issued.record_id, signer=exchange.keyring.signer(A), source=A))
    settle(exchange)
    (row,) = exchange.ledger.rows(Record, record_id=issued.record_id)
    assert row.record_class is RecordClass.MINOR
    assert own_score(exchange, 11) < 0.5


def test_applicants_have_no_class() -> None:
    """R3: refused at the door, with the reason."""
    with pytest.raises(InvalidInput, match="Applicants"):
        record_class("applicant-teacher")


def grey() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (400, 500), (128, 128, 128)).save(buffer, "JPEG")
    return buffer.getvalue()


def two_faces() -> bytes:
    pictures = [Image.open(BytesIO(photograph(n))).convert("RGB").resize((300, 400)) for n in (12, 13)]
    both = Image.new("RGB", (600, 400))
    for n, picture in enumerate(pictures):
        both.paste(picture, (300 * n, 0))
    buffer = BytesIO()
    both.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


@pytest.mark.parametrize(("number", "reason"), [("F-0", "no-face"), ("F-2", "several-faces"), ("F-x", "format")])
def test_a_photograph_that_cannot_be_used_is_rejected_with_a_reason_for_its_agency(
    exchange: Exchange, number: str, reason: str
) -> None:
    """R6, R1: the reason to read, the original bytes in quarantine."""
    shot = {"F-0": grey(), "F-2": two_faces(), "F-x": b"GIF89a" + bytes(200)}[number]
    record, entry = prepared(exchange, booking(12, number, photographs=(photograph(12), shot)))
    exchange.enrol.submit(entry)
    assert aside(exchange, entry) in (reason, "not-an-image")
    (rejection,) = exchange.rejections.of(A, record)
    assert rejection.photo == 1
    assert rejection.advice
    assert versions(exchange, number) == []


def test_a_forged_enrolment_is_refused_at_intake_and_put_aside_past_it(exchange: Exchange) -> None:
    """R1, R33: the signature is over the exact bytes."""
    _, entry = prepared(exchange, booking(14, "X-1"))
    _, other = prepared(exchange, booking(14, "X-1"))
    forged = replace(entry, value=other.value)
    with pytest.raises(NotPermitted, match="signature"):
        exchange.enrol.submit(forged)
    exchange.journal.append(Topic.ENROLMENTS, forged)
    assert aside(exchange, forged) == "forged"
    assert versions(exchange, "X-1") == []


def test_another_agencys_record_is_refused_at_intake_and_put_aside_past_it(exchange: Exchange) -> None:
    """R33: an agency enrols its own records only."""
    _, entry = prepared(exchange, booking(15, "X-2"), exchange.keyring.signer(B))
    with pytest.raises(NotPermitted, match="own records"):
        exchange.enrol.submit(entry)
    exchange.journal.append(Topic.ENROLMENTS, entry)
    assert aside(exchange, entry) == "wrong-agency"
    assert versions(exchange, "X-2") == []


@pytest.mark.parametrize("value", [b"not avro at all", b"", None])
def test_what_cannot_be_read_is_kept_byte_for_byte_and_stops_nobody(exchange: Exchange, value: bytes | None) -> None:
    """R1, rule 7."""
    exchange.journal.append(Topic.ENROLMENTS, Entry(b"stranger", value, (("x", b"y" * 65_500), ("z", b"w"))))
    if value is not None:
        assert aside(exchange, Entry(b"", value)) == "undecodable"
    enrol(exchange, f"after-{value!r:.8}", 16, len(value or b"") % 3 + 1)
    settle(exchange)
    assert all(follower.failure is None for follower in exchange.followers.values())


@pytest.mark.parametrize(
    "entry",
    [Entry(b"k" * 70_000, b"x"), Entry(b"k", bytes(VALUE_BYTES_MAX + 1)), Entry(b"k", b"v", (("h", bytes(90_000)),) * 40)],
    ids=["key", "value", "headers"],
)
def test_what_no_log_takes_back_is_cut_and_kept_and_stops_nobody(exchange: Exchange, entry: Entry) -> None:
    """Rule 7: a broker hands over what this exchange itself could not append."""
    placed = Placed(entry, exchange.log.streams(Topic.ENROLMENTS)[0], 0, 0)
    exchange.encoding.quarantine.put_aside(placed, "undecodable", "too large to be read")
    kept = held(exchange, Topic.QUARANTINE)[-1].entry
    assert any(name.startswith("comity_") and name.endswith("_sha256") for name, _ in kept.headers)


def test_a_sender_reads_what_was_put_aside_even_if_it_could_not_be_read(exchange: Exchange) -> None:
    """Rule 7: whoever signed the very bytes is told."""
    value = b"\x00\x00\x00\xff\xffno schema of ours"
    signed = (("jws", exchange.keyring.signer(A).sign(value, exchange.journal.exchange_id).encode()), ("ce_id", b"feed-4711"))
    placed = exchange.journal.append(Topic.ENROLMENTS, Entry(b"stranger", value, signed))
    settle(exchange)
    (told,) = [r for r in exchange.refusals.of(A) if r.event_id == "feed-4711"]
    assert (told.topic, told.partition, told.position) == (Topic.ENROLMENTS, placed.stream.partition, placed.position)
    assert told.reason == "undecodable"
    assert told.message
    assert not [r for r in exchange.refusals.of(B) if r.event_id == "feed-4711"]


def test_particulars_that_are_nested_too_deep_are_rejected(exchange: Exchange) -> None:
    """Rule 7: only storage errors stop a follower."""
    from comity.domain.ids import particulars_name  # noqa: PLC0415 - this test alone
    from comity.wire import sealing as aead  # noqa: PLC0415

    one = booking(17, "P-1")
    issued = exchange.enrol.prepare(A, one.numbers(), one.digests())
    event_ = sealed(one, issued.record_id, issued.data_key, issued.indexes)
    deep = aead.seal(issued.data_key, b"[" * 500_000, context=particulars_name(issued.record_id, 1).encode())
    entry = exchange.journal.entry(replace(event_, particulars=deep), key=issued.record_id, signer=exchange.keyring.signer(A))
    with pytest.raises(InvalidInput, match="not issued"):
        exchange.enrol.submit(entry)
    exchange.journal.append(Topic.ENROLMENTS, entry)
    assert aside(exchange, entry) == "cannot-decrypt"


def test_indexes_that_leave_out_what_an_order_could_name_are_rejected(exchange: Exchange) -> None:
    """Promise 3: computed again from what was encrypted."""
    one = booking(18, "I-1", court_case="24-CF-18")
    issued = exchange.enrol.prepare(A, one.numbers(), one.digests())
    event_ = sealed(one, issued.record_id, issued.data_key, issued.indexes)
    fewer = tuple(index for index in event_.indexes if index.kind is not IndexKind.COURT_CASE)
    entry = exchange.journal.entry(
        replace(event_, indexes=fewer), key=issued.record_id, signer=exchange.keyring.signer(A), source=A
    )
    exchange.enrol.submit(entry)
    assert aside(exchange, entry) == "indexes-differ"


def event(placed: Placed) -> Any:  # noqa: ANN401 - any event
    return from_entry(placed.entry).event


def refusals(exchange: Exchange, position: int) -> list[str]:
    settle(exchange)
    told = [event(x) for x in read(exchange, JOURNAL)[position + 1 :]]
    return [x.reason for x in told if isinstance(x, e.OrderRefused) and x.position == position]


def test_a_refused_journal_entry_keeps_its_place_and_its_sender_is_told(exchange: Exchange) -> None:
    """Rule 7, R18a: an agency's unseal of a court's order stands there without effect; a forged order is reported."""
    entry = exchange.journal.entry(seal("refused-1", 1), key="k", signer=exchange.keyring.signer(COURT))
    lift = exchange.journal.entry(unseal("u", "x"), key="k")
    placed = exchange.journal.append(Topic.JOURNAL, replace(entry, value=lift.value))
    assert refusals(exchange, placed.position) == ["undecodable"]
    other = exchange.journal.entry(seal("refused-1", 2), key="k", signer=exchange.keyring.signer(COURT))
    placed = exchange.journal.append(Topic.JOURNAL, replace(entry, value=other.value))
    assert refusals(exchange, placed.position) == ["forged"]
    foreign = exchange.journal.entry(e.RecordsAdmitted((admitted(),)), key="k", signer=exchange.keyring.signer(A))
    placed = exchange.journal.append(Topic.JOURNAL, foreign)
    assert refusals(exchange, placed.position) == ["not-entitled"]
    assert aside(exchange, foreign) == "not-entitled"
    assert exchange.ledger.refusals(A)[0].position == placed.position
    assert not exchange.ledger.rows(Record, record_id=admitted().record_id)


def admitted() -> e.AdmittedRecord:
    return admission(99, A).records[0]


def test_an_order_that_the_ledger_refuses_gets_no_receipt(exchange: Exchange) -> None:
    """Promise 1: a receipt says that the order binds, so one under another id than was signed gets none."""
    event_ = seal("mine", 41)
    entry = exchange.journal.entry(event_, key="k", signer=exchange.keyring.signer(COURT))
    headers = tuple((n, b"other" if n == "ce_id" else v) for n, v in entry.headers)
    with pytest.raises((Conflict, InvalidInput)):
        exchange.orders.submit(replace(entry, headers=headers))
    assert not exchange.ledger.rows(Suppression, order_id="mine")


def test_the_same_order_again_gets_the_first_receipt_and_another_of_its_id_a_conflict(exchange: Exchange) -> None:
    """Rule 10."""
    first = submitted(exchange, seal("again", 41), COURT)
    second = submitted(exchange, seal("again", 41), COURT)
    assert (second.position, second.sha256, second.repeated) == (first.position, first.sha256, True)
    with pytest.raises(Conflict):
        submitted(exchange, seal("again", 42), COURT)
