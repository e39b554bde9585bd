"""Looks at the topics again and again while a log is open: what was well at start is changed by hand, or held up by others.

Readers meet neither: a retention that was set takes entries which were read long ago, and behind a transaction that is open
nothing comes, as if there were nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

import structlog
from kafka import IsolationLevel, KafkaAdminClient, OffsetSpec, TopicPartition
from kafka import errors as kafka_errors

from comity.adapters.kafka_shape import Difference
from comity.errors import Unavailable

logger = structlog.get_logger(__name__)

LOOK_SECONDS = 30.0
STOP_SECONDS = 10.0  # a look waits for brokers no longer


class Transactions:
    """Finds streams behind whose transaction nothing can be read."""

    def __init__(self, admin: KafkaAdminClient, partitions: Iterable[TopicPartition], bootstrap: str) -> None:
        self._admin, self._partitions, self._bootstrap = admin, tuple(partitions), bootstrap
        self._reached: Mapping[TopicPartition, int] = {}

    def held_up(self) -> Iterator[Difference]:
        """Yield what could be read no further than this although more stood there at the last look already."""
        readable, reached = self._ends(IsolationLevel.READ_COMMITTED), self._reached
        self._reached = self._ends(IsolationLevel.READ_UNCOMMITTED)
        for partition, end in readable.items():
            if end < reached.get(partition, 0):
                yield self._open(partition, end)

    def _ends(self, isolation: IsolationLevel) -> dict[TopicPartition, int]:
        wanted = dict.fromkeys(self._partitions, OffsetSpec.LATEST)
        return {where: int(found.offset) for where, found in self._admin.list_partition_offsets(wanted, isolation).items()}

    def _open(self, partition: TopicPartition, end: int) -> Difference:
        where = f"{partition.topic}/{partition.partition}"
        tool = f"kafka-transactions.sh --bootstrap-server {self._bootstrap}"
        what = f"{where}: a transaction was left open at {end}, nothing behind it can be read"
        command = (
            f"`{tool} describe-producers --topic {partition.topic} --partition {partition.partition}` shows whose; "
            f"`{tool} abort --topic {partition.topic} --partition {partition.partition} --start-offset {end}` ends it. "
            "Nobody needs transactions here: give no principal Write on a transactional id."
        )
        return Difference(partition.topic, what, command, endangers=False)


class Lookout:
    """A thread that looks, sounds what is new, and clears what is mended."""

    def __init__(
        self,
        look: Callable[[], Iterable[Difference]],
        sound: Callable[[Difference], None],
        clear: Callable[[Difference], None],
    ) -> None:
        self._look, self._sound, self._clear = look, sound, clear
        self._told: dict[str, Difference] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="comity-topics", daemon=True)

    def start(self, told: Iterable[Difference]) -> None:
        """Sound what was found already, and go on looking."""
        self._tell(told)
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; idempotent."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self._tell(tuple(self._look()))
            except (kafka_errors.KafkaError, Unavailable) as error:  # brokers are away: others say so
                logger.warning("topics not looked at", why=type(error).__name__)
            except Exception:  # it outlives whatever it met: the next look may find what is wrong
                logger.exception("topics not looked at")

    def _tell(self, found: Iterable[Difference]) -> None:
        now = {one.what: one for one in found}
        for what in now.keys() - self._told.keys():
            self._sound(now[what])
        for what in self._told.keys() - now.keys():
            self._clear(self._told[what])
        self._told = now
