"""What strangers write under a record's key: it touches nothing of the owner's, and the record's own entry is put back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256

import pytest

from builders import booking, photograph
from comity.adapters.log_rules import KEY_BYTES_MAX, stream_of
from comity.adapters.sqlite_log import SqliteLog
from comity.bootstrap import Exchange
from comity.domain import entries as e
from comity.domain.entries import IndexKind
from comity.domain.ids import RecordId, record_key
from comity.domain.log import Entry, Stream, Topic
from comity.domain.posting import Record
from comity.errors import InvalidInput
from comity.wire.booking import sealed
from comity.wire.envelope import from_entry
from exchange import RememberedFaces, enrol, held, listed, order, prepared, running, search, settle, share
from journals import A, B
from strangers import PLAIN, ThroughSqlite, Thrown

PUSHERS: dict[str, Callable[[Exchange, RecordId], Entry]] = {
    "a tombstone": lambda _, record: Entry(record.encode(), None),
    "nothing": lambda _, record: Entry(record.encode(), b""),
    "garbage": lambda _, record: Entry(record.encode(), b"\x00garbage", (("ce_id", b"\xff"),)),
    "an enrolment by another agency": lambda x, record: foreign(x, record, 1),
    "something else": lambda x, record: x.journal.entry(e.ClockTicked(x.now()), key=record, signer=x.keyring.signer(B)),
    "a rejection by the exchange": lambda x, record: x.journal.entry(
        e.EnrolmentRejected(record, A, 9, None, "said once", "by the exchange itself"), key=record
    ),
}


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory, faces: RememberedFaces) -> Iterator[Exchange]:
    with running(tmp_path_factory.mktemp("strangers") / "home", faces) as running_exchange:
        yield running_exchange


def foreign(exchange: Exchange, record: RecordId, version: int = 1, particulars: bytes | None = None) -> Entry:
    """Return an enrolment of B's own booking, signed by B, under another agency's record id."""
    one = booking(20, f"FOREIGN-{version}", owner=B, version=version)
    issued = exchange.enrol.prepare(B, one.numbers(), one.digests())
    event = sealed(one, record, issued.data_key, issued.indexes)
    event = event if particulars is None else replace(event, particulars=particulars)
    return exchange.journal.entry(event, key=record, signer=exchange.keyring.signer(B), source=B)


def newest(exchange: Exchange, topic: Topic, record: RecordId) -> Entry:
    settle(exchange)
    return [one.entry for one in held(exchange, topic) if one.entry.key == record.encode()][-1]


def told(exchange: Exchange, entry: Entry) -> str:
    with pytest.raises(InvalidInput) as caught:
        exchange.enrol.submit(entry)
    return str(caught.value)


def test_another_agencys_record_is_refused_before_it_is_appended_and_looks_like_one_that_never_was(exchange: Exchange) -> None:
    admitted, _ = enrol(exchange, "OWN-1", 1)
    issued, own = prepared(exchange, booking(2, "OWN-2"))
    settle(exchange)
    before = newest(exchange, Topic.ENROLMENTS, admitted)
    copied = from_entry(own).event
    assert isinstance(copied, e.RecordEnrolled)
    refused = [
        told(exchange, foreign(exchange, admitted)),
        told(exchange, foreign(exchange, issued)),
        told(exchange, foreign(exchange, RecordId("0" * 32))),
        told(exchange, foreign(exchange, issued, particulars=copied.particulars)),
    ]
    assert len(set(refused)) == 1
    assert newest(exchange, Topic.ENROLMENTS, admitted) == before
    assert exchange.enrol.submit(own)


@pytest.mark.parametrize("topic", [Topic.ENROLMENTS, Topic.TEMPLATES])
@pytest.mark.parametrize("what", PUSHERS)
def test_what_pushes_a_records_own_entry_out_is_put_aside_and_the_own_one_put_back(
    exchange: Exchange, topic: Topic, what: str
) -> None:
    record, _ = enrol(exchange, f"PUSHED-{topic[7]}-{what}", 3)
    own = newest(exchange, topic, record)
    pusher = PUSHERS[what](exchange, record)
    exchange.journal.append(topic, pusher)
    assert newest(exchange, topic, record) == own
    aside = [x.entry for x in held(exchange, Topic.QUARANTINE) if x.entry.key == record.encode()]
    assert [x.value for x in aside] == [pusher.value or b""]
    assert any(alarm.kind == f"put-back-{topic}" for alarm in exchange.alarms.all())
    assert exchange.vault.wrapped(record_key(record)) is not None
    assert exchange.rejections.of(A, record) == () or "by the exchange" in what


def bare(own: Entry) -> Entry:
    return replace(own, headers=())


def unsigned(own: Entry) -> Entry:
    return replace(own, headers=tuple((n, o[:-8] + b"AAAAAAAA" if n == "jws" else o) for n, o in own.headers))


def typed(own: Entry) -> Entry:
    return replace(own, headers=tuple((n, b"comity.v1.ClockTicked" if n == "ce_type" else o) for n, o in own.headers))


def moved(own: Entry) -> Entry:
    return replace(own, key=(own.key or b"") + b"-elsewhere")


def put_aside(exchange: Exchange, entry: Entry) -> list[Entry]:
    """Return what lies in the quarantine under this entry's key."""
    settle(exchange)
    return [x.entry for x in held(exchange, Topic.QUARANTINE) if x.entry.key == entry.key]


@pytest.mark.parametrize("topic", [Topic.ENROLMENTS, Topic.TEMPLATES])
@pytest.mark.parametrize("change", [bare, unsigned, typed])
def test_its_own_bytes_under_other_headers_are_no_records_entry(
    exchange: Exchange, topic: Topic, change: Callable[[Entry], Entry]
) -> None:
    """The signature lies in the headers: what is made anew from the log would pass such an entry over, and its record with it."""
    record, _ = enrol(exchange, f"HEADERS-{topic[7]}-{change.__name__}", 3)
    own = newest(exchange, topic, record)
    exchange.journal.append(topic, change(own))
    assert newest(exchange, topic, record) == own


@pytest.mark.parametrize("topic", [Topic.ENROLMENTS, Topic.TEMPLATES])
@pytest.mark.parametrize("change", [bare, unsigned, moved])
@pytest.mark.parametrize("when", ["before its erasure", "after it"])
def test_the_quarantine_keeps_no_copy_of_a_records_bytes(
    exchange: Exchange, topic: Topic, change: Callable[[Entry], Entry], when: str
) -> None:
    """Nothing takes them out of there for ninety days: an erasure would find them, and never be certified."""
    number = f"COPY-{topic[7]}-{change.__name__}-{when[:2]}"
    person = 12 + 3 * (topic is Topic.TEMPLATES) + (bare, unsigned, moved).index(change)  # an expunged photograph stays away
    record, _ = enrol(exchange, number, person, 2 if when == "after it" else 1)
    copy = change(newest(exchange, topic, record))
    if when == "after it":
        order(exchange, "expunge", {IndexKind.BOOKING: number}, A)
        settle(exchange)
    exchange.journal.append(topic, copy)
    (aside,) = put_aside(exchange, copy)
    assert aside.value == b""
    assert dict(aside.headers)["comity_value_sha256"] == sha256(copy.value or b"").hexdigest().encode()
    if when == "after it" or change is moved:
        assert newest(exchange, topic, RecordId((copy.key or b"").decode())).value is None


def test_templates_that_the_log_lost_are_put_back_when_the_gallery_is_made_anew(exchange: Exchange) -> None:
    """A topic of the broker that was made anew is empty: the command that is advised must not lose the records for good."""
    record, _ = enrol(exchange, "LOST-1", 28)
    erased, _ = enrol(exchange, "LOST-2", 29)
    share(exchange, A, name="g-lost")
    settle(exchange)
    before = listed(search(exchange, photograph(28, 2)))
    assert before
    order(exchange, "expunge", {IndexKind.BOOKING: "LOST-2"}, A)
    settle(exchange)
    forget(exchange, Topic.TEMPLATES)
    exchange.rebuild("gallery")
    settle(exchange)
    assert listed(search(exchange, photograph(28, 2))) == before
    there = {template.record_id for batch in exchange.store.all() for template in batch}
    assert (record in there, erased in there) == (True, False)
    assert [finding for finding in exchange.fsck() if "gallery" in finding.what] == []


def forget(exchange: Exchange, topic: Topic) -> None:
    """Lose every entry of a topic, unseen by its followers."""
    assert isinstance(exchange.log, SqliteLog)
    with exchange.log._writing(5) as connection:
        for stream in exchange.log.streams(topic):
            number = exchange.log._numbers[stream]
            connection.execute("DELETE FROM newest WHERE stream = ?", (number,))
            connection.execute("DELETE FROM entries WHERE place >= ? AND place < ?", (number << 48, number + 1 << 48))


def elsewhere(exchange: Exchange, topic: Topic, key: bytes) -> Stream:
    """Return a stream that is not the key's own: foreign producers choose as they like."""
    return next(stream for stream in exchange.log.streams(topic) if stream != stream_of(topic, key))


def values(exchange: Exchange, key: bytes) -> list[Entry]:
    """Return what still stands under a key, in whatever stream."""
    settle(exchange)
    came = [x.entry for topic in (Topic.ENROLMENTS, Topic.TEMPLATES) for x in held(exchange, topic)]
    return [entry for entry in came if entry.key == key and entry.value is not None]


def test_an_enrolment_in_another_stream_than_its_keys_own_is_erased_there(exchange: Exchange) -> None:
    record, own = prepared(exchange, booking(9, "STREAM-1"))
    key = record.encode()
    exchange.log.append(Topic.ENROLMENTS, own, timeout_seconds=5, stream=elsewhere(exchange, Topic.ENROLMENTS, key))
    assert len(values(exchange, key)) == 2
    assert exchange.ledger.rows(Record, record_id=record)
    order(exchange, "expunge", {IndexKind.BOOKING: "STREAM-1"}, A)
    deadline = time.monotonic() + 20
    while values(exchange, key):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("topic", [Topic.ENROLMENTS, Topic.TEMPLATES])
def test_a_strangers_entry_is_taken_out_where_it_lies(exchange: Exchange, topic: Topic) -> None:
    key = b"a stranger's"
    exchange.log.append(topic, Entry(key, b"garbage"), timeout_seconds=5, stream=elsewhere(exchange, topic, key))
    assert values(exchange, key) == []


def test_the_quarantine_keeps_no_copy_of_what_was_never_admitted(exchange: Exchange) -> None:
    """A forged copy that came first, and one of a rejected enrolment: no ciphertext is kept that they could be compared with."""
    _, own = prepared(exchange, booking(6, "NEVER-1", photographs=(b"no picture",)))
    exchange.journal.append(Topic.ENROLMENTS, unsigned(own))
    settle(exchange)
    exchange.enrol.submit(own)
    settle(exchange)
    exchange.journal.append(Topic.ENROLMENTS, unsigned(own))
    assert [aside.value for aside in put_aside(exchange, own)] == [b"", b"", b""]


def test_an_older_version_once_more_does_not_push_the_newer_out(exchange: Exchange) -> None:
    record, _ = enrol(exchange, "OLDER-1", 4)
    older = {topic: newest(exchange, topic, record) for topic in (Topic.ENROLMENTS, Topic.TEMPLATES)}
    enrol(exchange, "OLDER-1", 4, version=2)
    for topic, entry in older.items():
        newer = newest(exchange, topic, record)
        exchange.journal.append(topic, entry)
        assert newest(exchange, topic, record) == newer != entry


def test_nothing_of_a_waiting_record_is_shredded_rejected_or_overwritten(exchange: Exchange) -> None:
    """Its key was issued and its owner has not sent it yet; the stranger names a tag that an expungement covers."""
    record, own = prepared(exchange, booking(5, "WAITING-1"))
    order(exchange, "expunge", {IndexKind.BOOKING: "FOREIGN-7"}, B)
    one = booking(20, "FOREIGN-7", owner=B)
    covered = exchange.indexer.indexes(B, one.numbers(), one.digests())
    event = from_entry(foreign(exchange, record)).event
    assert isinstance(event, e.RecordEnrolled)
    entries = [
        exchange.journal.entry(replace(event, indexes=covered), key=record, signer=exchange.keyring.signer(B)),
        exchange.journal.entry(replace(event, owner=A), key=record, signer=exchange.keyring.signer(B)),  # says it were A's
    ]
    waiting = exchange.vault.waiting(record_key(record))
    for entry in entries:
        exchange.journal.append(Topic.ENROLMENTS, entry)
        settle(exchange)  # one by one: together, the second would push the first out before it is read
    assert exchange.vault.waiting(record_key(record)) == waiting is not None
    assert exchange.rejections.of(A, record) == ()
    assert [r.reason for r in exchange.rejections.of(B, record)] == ["cannot-decrypt"]
    assert not [x for x in held(exchange, Topic.TEMPLATES) if x.entry.key == record.encode()]
    exchange.enrol.submit(own)
    settle(exchange)
    assert [row.owner for row in exchange.ledger.rows(Record, record_id=record)] == [A]


@pytest.mark.parametrize("topic", [Topic.ENROLMENTS, Topic.TEMPLATES])
def test_a_key_that_our_own_log_would_not_take_stops_nothing(exchange: Exchange, topic: Topic) -> None:
    """A broker takes longer ones: no tombstone goes under it, an alarm says so, and whatever comes behind is read."""
    assert isinstance(exchange.log, SqliteLog)
    key = b"k" * (KEY_BYTES_MAX + 1)
    ThroughSqlite(exchange.log).write(Thrown(topic, 0, key, b"garbage", (), None, PLAIN))
    record, _ = enrol(exchange, f"BEHIND-{topic[7]}", 7)
    settle(exchange)
    assert {name: f.failure for name, f in exchange.followers.items() if f.failure} == {}
    assert exchange.ledger.rows(Record, record_id=record)
    assert any(alarm.kind == f"not-taken-out-{topic}" for alarm in exchange.alarms.all())


def test_an_agencys_rejection_stands_whatever_another_sends_under_its_record(exchange: Exchange) -> None:
    record, entry = prepared(exchange, booking(6, "BOTH-1", photographs=(b"no picture",)))
    exchange.enrol.submit(entry)
    settle(exchange)
    exchange.journal.append(Topic.ENROLMENTS, foreign(exchange, record))
    settle(exchange)
    assert [r.reason for r in exchange.rejections.of(A, record)] == ["not-an-image"]
    assert [r.reason for r in exchange.rejections.of(B, record)] == ["cannot-decrypt"]


def test_templates_that_were_pushed_out_before_their_admission_are_put_back(exchange: Exchange) -> None:
    record, _ = enrol(exchange, "EARLY-1", 7)
    own = newest(exchange, Topic.TEMPLATES, record)
    standing = exchange.keeper._standing
    try:
        object.__setattr__(exchange.keeper, "_standing", lambda _: None)
        exchange.journal.append(Topic.TEMPLATES, Entry(record.encode(), b"garbage"))
        assert newest(exchange, Topic.TEMPLATES, record) == own
    finally:
        object.__setattr__(exchange.keeper, "_standing", standing)


def test_what_is_put_back_is_never_put_back_again_even_if_its_signer_is_no_longer_known(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, _ = enrol(exchange, "LOOP-1", 11)
    own = newest(exchange, Topic.TEMPLATES, record)
    monkeypatch.setattr(exchange.ledger, "signing_keys", tuple)
    exchange.journal.append(Topic.TEMPLATES, Entry(record.encode(), None))
    assert newest(exchange, Topic.TEMPLATES, record) == own
    assert len([x for x in held(exchange, Topic.QUARANTINE) if x.entry.key == record.encode()]) <= 2


def test_what_was_put_back_is_enough_to_make_the_gallery_anew(exchange: Exchange) -> None:
    record, _ = enrol(exchange, "REBUILT-1", 8)
    share(exchange, A, name="g-rebuilt")
    settle(exchange)
    before = listed(search(exchange, photograph(8, 2)))
    assert before
    for topic in (Topic.ENROLMENTS, Topic.TEMPLATES):
        exchange.journal.append(topic, Entry(record.encode(), None))
    settle(exchange)
    exchange.rebuild("gallery")
    settle(exchange)
    assert record in {t.record_id for batch in exchange.store.all() for t in batch}
    assert listed(search(exchange, photograph(8, 2))) == before


def test_an_erased_records_tombstone_counts_and_nothing_is_put_back(exchange: Exchange) -> None:
    record, _ = enrol(exchange, "ERASED-1", 9)
    settle(exchange)
    order(exchange, "expunge", {IndexKind.BOOKING: "ERASED-1"}, A)
    settle(exchange)
    for topic in (Topic.ENROLMENTS, Topic.TEMPLATES):
        exchange.journal.append(topic, Entry(record.encode(), None))
        assert newest(exchange, topic, record).value is None
    assert not [name for name in exchange.photos.names() if record in name]


def test_an_erasure_that_overtakes_a_putting_back_gets_its_tombstone_behind_it(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, _ = enrol(exchange, "RACE-1", 10)
    settle(exchange)
    append = exchange.journal.append

    def overtaken(topic: Topic, entry: Entry) -> object:
        if entry.key == record.encode() and entry.value and topic is Topic.ENROLMENTS:
            exchange.vault.shred([record_key(record)])
        return append(topic, entry)

    monkeypatch.setattr(exchange.journal, "append", overtaken)
    append(Topic.ENROLMENTS, Entry(record.encode(), b"garbage"))
    assert newest(exchange, Topic.ENROLMENTS, record).value is None


def test_what_is_kept_again_is_a_records_own_alone(exchange: Exchange) -> None:
    """The photo store was lost; a stranger has appended the record's bytes under headers that prove nothing."""
    record, _ = enrol(exchange, "LOST-1", 12)
    settle(exchange)
    kept = {name: exchange.photos.get(name) for name in exchange.photos.under(f"record/{record}") if name.count("/") == 2}
    assert len(kept) == 2
    for name in kept:
        exchange.photos.delete(name)
    own = [
        one for topic in (Topic.ENROLMENTS, Topic.TEMPLATES) for one in held(exchange, topic) if one.entry.key == record.encode()
    ]
    for one in own:
        headers = tuple((name, octets[:-8] + b"AAAAAAAA" if name == "jws" else octets) for name, octets in one.entry.headers)
        exchange.keeper.keep_lost(replace(one, entry=Entry(one.entry.key, one.entry.value, headers)))
        exchange.keeper.keep_lost(replace(one, entry=Entry(one.entry.key, one.entry.value, ())))
    assert not [name for name in kept if exchange.photos.get(name)]
    for one in own:
        exchange.keeper.keep_lost(one)
    assert {name: exchange.photos.get(name) for name in kept} == kept
