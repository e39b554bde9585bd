"""A producer of kafka-python 3.0 that bounds its memory and is replaced when it will never send again.

After an entry expired whose first try was cut off, the library asks the broker for a new producer id. If that question is lost
too, as in a broker's death, it waits for ever: nothing is sent, nothing expires, ``close`` raises (tests/faults).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from typing import Any

from kafka import KafkaProducer
from kafka import errors as kafka_errors

from comity.adapters import log_rules
from comity.adapters.kafka_lenient import build

ASK_SECONDS_MAX = 5.0
DELIVERY_SECONDS_MAX = 10.0  # after this an entry that was not acknowledged is given up
STUCK_SECONDS = 3.0  # and after this much more without an end the producer is
BUFFER_BYTES_MAX = 64 * 1024 * 1024  # of entries under way: four of the largest, or 16,000 small ones
CLOSE_SECONDS_MAX = 5.0
AWAY_SECONDS = 1.0  # for so long nobody asks again for a broker that was just not found


class _Buffer:
    """Bounds the bytes under way."""

    def __init__(self, bytes_max: int) -> None:
        self._free, self._changed = bytes_max, threading.Condition()

    def take(self, size: int, seconds: float) -> bool:
        with self._changed:
            if not self._changed.wait_for(lambda: self._free >= size, max(0.0, seconds)):
                return False
            self._free -= size
            return True

    def give(self, size: int) -> None:
        with self._changed:
            self._free += size
            self._changed.notify_all()


class Producer:
    """Sends entries; thread-safe. Raises KafkaError where no broker can be reached to begin with."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings, self._lock = settings, threading.Lock()
        self._buffer = _Buffer(BUFFER_BYTES_MAX)
        self._under_way: dict[Any, float] = {}  # oldest first
        self._away_until = 0.0
        self._current: KafkaProducer | None = self._make()

    def warm(self, topics: list[str]) -> None:
        """Learn the topics' leaders, else each topic's first entry would wait for it."""
        producer = self._producer()
        for topic in topics:
            with contextlib.suppress(kafka_errors.BrokerResponseError):  # a topic that this client may not see
                producer.partitions_for(topic)

    def reserve(self, size: int, seconds: float) -> bool:
        """Take room for an entry, waiting up to ``seconds``; `send` gives it back when the entry has ended."""
        return self._buffer.take(size, seconds)

    def send(self, topic: str, partition: int, size: int, fields: Mapping[str, Any]) -> tuple[Any, KafkaProducer]:
        """Hand an entry over and return its future and its producer, for `retire`. What raises here was sent to no broker."""
        try:
            producer = self._producer()
            producer.partitions_for(topic)  # here, for its own `send` would return this failure like a broker's
            future = producer.send(topic, partition=partition, **fields)
        except BaseException:
            self._buffer.give(size)
            raise
        with self._lock:
            self._under_way[future] = time.monotonic()
        future.add_both(lambda _: self._ended(future, size))
        return future, producer

    def retire(self, producer: KafkaProducer) -> None:
        """Begin anew with the next entry; what is under way in this producer fails, its outcome unknown. Idempotent."""
        with self._lock:
            if self._current is not producer:
                return  # another entry of it failed before
            self._current = None
        _end(producer)

    def close(self) -> None:
        """Send what is under way, for up to 5 s."""
        with self._lock:
            producer, self._current = self._current, None
        if producer is not None:
            with contextlib.suppress(kafka_errors.KafkaError):
                producer.flush(CLOSE_SECONDS_MAX)
            _end(producer)

    def _producer(self) -> KafkaProducer:
        with self._lock:
            oldest, current = next(iter(self._under_way.values()), None), self._current
        if current and oldest and time.monotonic() - oldest > DELIVERY_SECONDS_MAX + STUCK_SECONDS:
            self.retire(current)
        with self._lock:
            if self._current is None and time.monotonic() < self._away_until:
                raise kafka_errors.KafkaConnectionError("no broker was found just now")
            self._current = self._current or self._make()
            return self._current

    def _ended(self, future: object, size: int) -> None:
        with self._lock:
            self._under_way.pop(future, None)
        self._buffer.give(size)

    def _make(self) -> KafkaProducer:
        try:
            return build(
                KafkaProducer,
                **self._settings,
                acks="all",
                linger_ms=0,
                metrics_enabled=False,
                delivery_timeout_ms=int(1000 * DELIVERY_SECONDS_MAX),
                max_block_ms=int(1000 * ASK_SECONDS_MAX),
                max_request_size=log_rules.RECORD_BYTES_MAX,
                allow_auto_create_topics=False,
            )
        except kafka_errors.KafkaError:
            self._away_until = time.monotonic() + AWAY_SECONDS
            raise


def _end(producer: KafkaProducer) -> None:
    """Close a producer, whatever is under way: its own `close` raises before it closed anything."""
    sender = producer._sender  # type: ignore[attr-defined]  # noqa: SLF001
    sender.force_close()
    sender.join(CLOSE_SECONDS_MAX)
    with contextlib.suppress(kafka_errors.KafkaError):
        producer.close(timeout=0)
