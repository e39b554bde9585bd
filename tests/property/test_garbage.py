"""Every kind of garbage at every topic, on both logs: every follower goes on, and what stands behind it takes effect."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from brokers import Broker
from builders import photograph
from comity.adapters.kafka_log import KafkaLog
from comity.adapters.log_rules import stream_of
from comity.adapters.sqlite_log import SqliteLog
from comity.bootstrap import Exchange
from comity.domain.ids import RecordId
from comity.domain.log import Topic
from comity.domain.posting import Record, Suppression
from comity.settings import Settings
from exchange import RememberedFaces, enrol, held, listed, search, settle, share, submitted
from journals import AGENCIES, COURT, A, seal
from strangers import CODECS, PLAIN, PLANS, Plan, Stranger, ThroughSqlite, Thrown, through_kafka

EXAMPLES = {"sqlite": 20, "kafka": 12}
PLANS_MAX = 6
FOLLOWED = (Topic.ENROLMENTS, Topic.TEMPLATES, Topic.JOURNAL)
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # what was written once stands: a smaller example is another history


@dataclass
class World:
    """An exchange, a stranger, and the records whose keys the stranger knows."""

    name: str
    exchange: Exchange
    stranger: Stranger
    victims: list[RecordId] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def good(self) -> None:
        """Enter a good entry in each topic that is followed, and see what it does."""
        number = next(self.numbers)
        record, _ = enrol(self.exchange, f"GOOD-{number}", 1 + number % 20)
        submitted(self.exchange, seal(f"good-{number}", 1), COURT)
        settle(self.exchange)
        failures = {name: follower.failure for name, follower in self.exchange.followers.items() if follower.failure}
        assert not failures
        assert self.exchange.ledger.rows(Record, record_id=record)
        assert record in {t.record_id for batch in self.exchange.store.all() for t in batch}
        assert self.exchange.ledger.rows(Suppression, order_id=f"good-{number}")

    def victims_stand(self) -> None:
        """See that no record lost what stood under its key, and can still be found."""
        for topic in (Topic.ENROLMENTS, Topic.TEMPLATES):
            # An entry in another stream than its key's pushes nothing out.
            own = [placed for placed in held(self.exchange, topic) if placed.stream == stream_of(topic, placed.entry.key)]
            newest = {placed.entry.key: placed.entry for placed in own}
            for record in self.victims:
                assert newest[record.encode()].value == self.before[topic, record], (topic, record)
        assert [score for _, score, _ in listed(search(self.exchange, photograph(30, 2)))]

    def remember(self) -> None:
        """Remember what stands under the victims' keys."""
        settle(self.exchange)
        self.before = {
            (topic, record): [p.entry.value for p in held(self.exchange, topic) if p.entry.key == record.encode()][-1]
            for topic in (Topic.ENROLMENTS, Topic.TEMPLATES)
            for record in self.victims
        }


@contextmanager
def world(name: str, home: Path, faces: RememberedFaces, broker: Broker | None) -> Iterator[World]:
    prefix = broker.prefix() if broker else ""
    kafka = {"kafka": ",".join(broker.bootstrap), "kafka_prefix": prefix} if broker else {}
    # An exchange has no settings yet for what brokers elsewhere ask of their clients.
    with_password = partial(KafkaLog, security=broker.security if broker else None)
    with (
        patch("comity.adapters.kafka_log.KafkaLog", with_password),
        Exchange(Settings(home=home, **kafka), face_encoder=faces) as exchange,  # type: ignore[arg-type]
    ):
        for ori in AGENCIES:
            exchange.register.agency(ori, f"Agency {ori}", "county", exchange.keyring.issue(ori).public_bytes)
        exchange.register.court(COURT, "Circuit Court", exchange.keyring.issue(COURT).public_bytes)
        if broker is None:
            assert isinstance(exchange.log, SqliteLog)
            made = World(name, exchange, ThroughSqlite(exchange.log))
            yield fill(made)
            return
        with through_kafka(broker.client, prefix) as stranger:
            yield fill(World(name, exchange, stranger))


def fill(world: World) -> World:
    """Enrol the records that strangers write at, and let them be searched."""
    world.victims = [enrol(world.exchange, f"VICTIM-{n}", 30)[0] for n in range(3)]
    share(world.exchange, A)
    world.remember()
    return world


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world("sqlite", tmp_path_factory.mktemp("garbage") / "home", RememberedFaces(), None) as made:
        yield made


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[World]:
    with world("kafka", tmp_path_factory.mktemp("garbage") / "home", RememberedFaces(), broker) as made:
        yield made


def throw(world: World, plans: list[Plan]) -> None:
    entries = {topic: [placed.entry for placed in held(world.exchange, topic)] for topic in Topic}
    for plan in plans:
        world.stranger.write(plan.thrown(entries, [record.encode() for record in world.victims]))
    world.good()
    world.victims_stand()


@given(plans=st.lists(PLANS, min_size=1, max_size=PLANS_MAX))
@settings(max_examples=EXAMPLES["sqlite"], suppress_health_check=list(HealthCheck), phases=PHASES)
def test_whatever_strangers_write_to_the_embedded_log_everything_goes_on(sqlite: World, plans: list[Plan]) -> None:
    throw(sqlite, plans)


@pytest.mark.kafka
@given(plans=st.lists(PLANS, min_size=1, max_size=PLANS_MAX))
@settings(max_examples=EXAMPLES["kafka"], suppress_health_check=list(HealthCheck), phases=PHASES)
def test_whatever_strangers_write_to_a_broker_everything_goes_on(kafka: World, plans: list[Plan]) -> None:
    throw(kafka, plans)


@pytest.mark.kafka
def test_a_null_headers_value_is_read_as_an_empty_one(kafka: World) -> None:
    kafka.stranger.write(Thrown(Topic.QUARANTINE, 0, b"null header", b"v", (("ce_id", None),), None, PLAIN))
    (found,) = [placed.entry for placed in held(kafka.exchange, Topic.QUARANTINE) if placed.entry.key == b"null header"]
    assert found.headers == (("ce_id", b""),)


@pytest.mark.kafka
@pytest.mark.parametrize("codec", CODECS)
def test_the_largest_record_that_a_broker_takes_goes_by_with_every_codec(kafka: World, codec: str | None) -> None:
    """A key and headers that no entry of ours may have, too."""
    headers = tuple((f"h{n}", bytes(1_000)) for n in range(50))
    for topic in (Topic.JOURNAL, Topic.ENROLMENTS, Topic.TEMPLATES):
        kafka.stranger.write(Thrown(topic, 0, b"k" * 9_000, bytes(16 * 1024 * 1024), headers, codec, PLAIN))
    kafka.good()


def test_an_exchange_that_met_all_of_it_starts_again_on_a_fresh_ledger(tmp_path: Path) -> None:
    """Each kind once, then a ledger made anew from the journal: the same rows, and fsck finds nothing."""
    faces = RememberedFaces()
    with world("sqlite", tmp_path / "home", faces, None) as made:
        keys = (made.victims[0].encode(), b"k" * 70_000, b"")
        for key in keys:
            for value in (None, b"", b"\x00garbage", bytes(17 * 1024 * 1024)):
                for topic in Topic:
                    made.stranger.write(Thrown(topic, 0, key, value, (("ce_id", b"\xff"),) * 2, None, PLAIN))
        made.good()
        made.victims_stand()
        aside = [placed.entry for placed in held(made.exchange, Topic.QUARANTINE)]
        found = {
            (dict(one.headers)["comity_place"].decode().split("/")[0], (one.key or b"")[:1024])
            for one in aside
            if "comity_place" in dict(one.headers)
        }
        assert found >= {(topic, key[:1024]) for topic in FOLLOWED for key in keys}
        records = set(made.exchange.ledger.rows(Record))
    for path in (tmp_path / "home").glob("ledger.db*"):
        path.unlink()
    with Exchange(Settings(home=tmp_path / "home"), face_encoder=faces) as again:
        settle(again)
        assert set(again.ledger.rows(Record)) == records
        assert again.fsck() == ()
