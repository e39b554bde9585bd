"""What is kept of what cannot be used, whatever it is, and who is told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from comity.acts.journal import Journal
from comity.adapters import log_rules
from comity.adapters.sql.engine import open_engine
from comity.adapters.sql.refusals import ROWS_MAX, SqlRefusals
from comity.adapters.sqlite_log import SqliteLog
from comity.domain.entries import Role
from comity.domain.ids import PartyId
from comity.domain.log import JOURNAL, Batch, Entry, Placed, Stream, Topic
from comity.domain.posting import Key
from comity.duties.quarantine import HEADERS_KEPT, Quarantine, QuarantineDuty, kept
from comity.errors import NotAppended, TooLarge
from comity.ports import LedgerView, Posted, RefusedEntry, Watch
from comity.wire.limits import VALUE_BYTES_MAX
from comity.wire.signing import SigningKey

ENROLMENTS = Stream(Topic.ENROLMENTS, 2)
NAMES = st.one_of(st.text(max_size=40), st.binary(max_size=40).map(lambda b: b.decode("utf-8", "surrogateescape")))
GARBAGE = st.builds(
    Entry,
    st.one_of(st.none(), st.binary(max_size=20), st.integers(1_000, 70_000).map(lambda n: b"k" * n)),
    st.one_of(st.none(), st.binary(max_size=200), st.sampled_from([0, 1, 5]).map(lambda n: bytes(VALUE_BYTES_MAX + n))),
    st.lists(st.tuples(NAMES, st.one_of(st.binary(max_size=50), st.integers(0, 90_000).map(bytes))), max_size=120).map(tuple),
)


class Keys:
    """A ledger that knows keys and refusals alone."""

    def __init__(self, *keys: Key, refused: tuple[Posted, ...] = ()) -> None:
        self.keys, self.refused = keys, refused

    def signing_keys(self) -> tuple[Key, ...]:
        return self.keys


class Small:
    """A log whose quarantine takes entries of a few bytes, as a topic that others made may."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max, self.taken = bytes_max, list[Entry]()

    def append(self, topic: Topic, entry: Entry, *, timeout_seconds: float, stream: Stream | None = None) -> Placed:
        del timeout_seconds, stream
        if len(entry.value or b"") > self.bytes_max:
            raise TooLarge("too large")
        self.taken.append(entry)
        return Placed(entry, Stream(topic), len(self.taken), 0)


def placed(entry: Entry, stream: Stream = ENROLMENTS) -> Placed:
    return Placed(entry, stream, 7, 0)


def journal(log: object) -> Journal:
    return Journal(log, SigningKey.generate(), lambda: datetime.now(UTC))  # type: ignore[arg-type]


@pytest.fixture
def refusals(tmp_path: Path) -> Iterator[SqlRefusals]:
    engine = open_engine(tmp_path / "ledger.db")
    yield SqlRefusals(engine)
    engine.dispose()


def quarantine(log: object, refusals: SqlRefusals, *keys: Key) -> Quarantine:
    return Quarantine(journal=journal(log), ledger=Keys(*keys), refusals=refusals)  # type: ignore[arg-type]


def known(signer: SigningKey, party: str = "WI0130000") -> Key:
    return Key(entered=1, key_id=signer.kid, party=PartyId(party), role=Role.AGENCY, public_key=signer.public_bytes)


@example(Entry(b"", b"", (("", b""),) * 5_000), "")
@given(GARBAGE, st.text(max_size=2_000))
def test_whatever_it_is_every_log_takes_what_is_kept_of_it(entry: Entry, message: str) -> None:
    for value_bytes_max in (VALUE_BYTES_MAX, 1_000, 0):
        made = kept(placed(entry), "garbage", message, value_bytes_max)
        log_rules.admit(Topic.QUARANTINE, made)
        told = dict(made.headers)
        assert len(made.headers) <= HEADERS_KEPT + 10
        value = entry.value or b""
        assert made.value == value[:value_bytes_max]
        assert ("comity_value" in told) == (entry.value is None)
        if len(value) > value_bytes_max:
            assert told["comity_value_sha256"] == hashlib.sha256(value).hexdigest().encode()
        if entry.key is not None and len(entry.key) > len(made.key or b""):
            assert told["comity_key_sha256"] == hashlib.sha256(entry.key).hexdigest().encode()
        if len(entry.headers) > len([name for name, _ in made.headers if not name.startswith("comity_")]):
            assert "comity_headers_sha256" in told
        assert told["comity_place"] == b"comity.enrolments/2/7"


@pytest.mark.parametrize("bytes_max", [600_000, 20_000, 100])
def test_a_topic_that_takes_less_gets_less_and_nothing_is_raised(refusals: SqlRefusals, bytes_max: int) -> None:
    log = Small(bytes_max)
    quarantine(log, refusals).put_aside(placed(Entry(b"k", bytes(700_000))), "garbage", "no")
    (made,) = log.taken
    assert len(made.value or b"") <= bytes_max
    assert dict(made.headers)["comity_value_sha256"] == hashlib.sha256(bytes(700_000)).hexdigest().encode()


def test_a_log_that_is_away_is_waited_for(refusals: SqlRefusals, tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    log.close()
    with pytest.raises(NotAppended):
        quarantine(log, refusals).put_aside(placed(Entry(b"k", b"v")), "garbage", "no")


def test_who_signed_the_very_bytes_is_told_even_if_nobody_can_read_them(refusals: SqlRefusals) -> None:
    signer, other = SigningKey.generate(), SigningKey.generate()
    headers = (("jws", signer.sign(b"\x07garbage", "x-1").encode()), ("ce_id", b"mine-1"))
    quarantine(Small(100), refusals, known(other, "CA0010000"), known(signer)).put_aside(
        placed(Entry(b"k", b"\x07garbage", headers)), "undecodable", "no schema"
    )
    digest = hashlib.sha256(b"\x07garbage").digest()
    assert refusals.of("WI0130000") == (
        RefusedEntry("comity.enrolments", 2, 7, "WI0130000", "mine-1", "undecodable", "no schema", digest),
    )
    assert refusals.of("CA0010000") == ()


@pytest.mark.parametrize(
    "headers",
    [
        lambda s: (("jws", s.sign(b"other bytes", "x-1").encode()),),
        lambda _: (("jws", b"\xff"),),
        lambda _: (("jws", b"a..b"),),
        lambda _: (),
    ],
)
def test_nobody_is_told_of_what_he_did_not_sign(refusals: SqlRefusals, headers: object) -> None:
    signer = SigningKey.generate()
    entry = Entry(b"k", b"garbage", headers(signer))  # type: ignore[operator]
    quarantine(Small(100), refusals, known(signer)).put_aside(placed(entry), "undecodable", "no schema")
    quarantine(Small(100), refusals, known(signer)).put_aside(placed(Entry(b"k", None, entry.headers)), "undecodable", "")
    assert refusals.of("WI0130000") == ()


def test_of_one_partys_refusals_the_newest_are_kept_and_a_place_is_told_once(refusals: SqlRefusals) -> None:
    for position in range(ROWS_MAX + 5):
        refusals.add(RefusedEntry("comity.enrolments", 0, position, "A", None, "r", "m", b"%d" % position))
    refusals.add(RefusedEntry("comity.enrolments", 0, ROWS_MAX, "A", None, "again", "m", b"other"))
    found = refusals.of("A")
    assert len(found) == ROWS_MAX
    assert found[0].position == ROWS_MAX + 4
    assert sum(one.position == ROWS_MAX for one in found) == 1


def test_the_same_bytes_appended_again_push_out_nothing(refusals: SqlRefusals) -> None:
    """Whoever may append can append a party's bytes as often as they like."""
    for position in range(ROWS_MAX + 5):
        digest = b"mine" if position == 0 else b"again"
        refusals.add(RefusedEntry("comity.enrolments", 0, position, "A", None, "r", "m", digest))
    assert [one.value_sha256 for one in refusals.of("A")] == [b"again", b"mine"]


def test_the_first_of_a_batch_behind_a_gap_is_reported(refusals: SqlRefusals) -> None:
    """A transaction's marker takes a position and holds no entry."""
    asked: list[tuple[int, int]] = []

    class Ledger(Keys):
        def refusals_between(self, first: int, next_: int) -> tuple[Posted, ...]:
            asked.append((first, next_))
            return ()

    class Ready:
        def wait(self, *_: object) -> bool:
            return True

    class Nowhere:
        def save(self, *_: object, **__: object) -> None: ...

    ledger: LedgerView = Ledger()  # type: ignore[assignment]
    watch: Watch = Ready()  # type: ignore[assignment]
    made = Quarantine(journal=journal(Small(9)), ledger=ledger, refusals=refusals)
    entries = tuple(Placed(Entry(b"k", b"v"), JOURNAL, position, 0) for position in (4, 8))
    QuarantineDuty(made, watch, Nowhere()).apply(JOURNAL, Batch(entries, 12))  # type: ignore[arg-type]
    assert asked == [(4, 12)]
