"""What the two logs add to the bare libraries below them: ``.venv/bin/python tests/bench/bench_log.py [sqlite|kafka]``.

One append of 300 bytes, acknowledged, in turns with the bare library, so that a busy machine slows both alike: ``SqliteLog``
against sqlite3's INSERT and COMMIT with the same pragmas, ``KafkaLog`` against ``KafkaProducer.send().get()`` on the same broker.
Exits 1 where a median is above its bound.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

from kafka import KafkaProducer

from comity.adapters.kafka_log import KafkaLog
from comity.adapters.local_kafka import LocalKafka
from comity.adapters.sqlite_log import SqliteLog
from comity.domain.log import Entry, Topic
from comity.ports import EventLog

VALUE = os.urandom(300)
WARMING, ROUNDS = 200, 1000
RATIO_MAX = {"sqlite": 1.5, "kafka": 1.3}


def compare(name: str, ours: Callable[[], object], bare: Callable[[], object]) -> float:
    """Print both latencies in milliseconds and return the medians' ratio."""
    taken: dict[str, list[float]] = {"ours": [], "bare": []}
    for _ in range(WARMING + ROUNDS):
        for which, append in (("ours", ours), ("bare", bare)):
            began = perf_counter()
            append()
            taken[which].append(1000 * (perf_counter() - began))
    ratio = median(taken["ours"][WARMING:]) / median(taken["bare"][WARMING:])
    for which, times in taken.items():
        cuts = quantiles(times[WARMING:], n=100)
        print(f"{name:7}{which}  p50 {cuts[49]:.2f}  p95 {cuts[94]:.2f}  p99 {cuts[98]:.2f} ms")
    print(f"{name:7}ratio of medians {ratio:.2f} (at most {RATIO_MAX[name]})")
    return ratio


def appender(log: EventLog) -> Callable[[], object]:
    return lambda: log.append(Topic.JOURNAL, Entry(b"key", VALUE), timeout_seconds=10)


def bench_sqlite(folder: Path) -> float:
    log, bare = SqliteLog(folder / "log.db"), sqlite3.connect(folder / "bare.db", isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
        bare.execute(f"PRAGMA {pragma}")
    bare.execute("CREATE TABLE entries (place INTEGER PRIMARY KEY, key BLOB, value BLOB)")

    def insert() -> None:
        bare.execute("BEGIN IMMEDIATE")
        bare.execute("INSERT INTO entries (key, value) VALUES (?, ?)", (b"key", VALUE))
        bare.execute("COMMIT")

    try:
        return compare("sqlite", appender(log), insert)
    finally:
        log.close()
        bare.close()


def sender(bare: KafkaProducer) -> Callable[[], object]:
    def send() -> object:
        future: Any = bare.send(Topic.JOURNAL.value, VALUE, b"key", partition=0)
        return future.get(10)

    return send


def bench_kafka(folder: Path) -> float:
    with LocalKafka(folder / "kafka") as kafka:
        log = KafkaLog(kafka.bootstrap, security=kafka.security)
        bare = KafkaProducer(bootstrap_servers=kafka.bootstrap, **kafka.security, acks="all", linger_ms=0, metrics_enabled=False)
        try:
            return compare("kafka", appender(log), sender(bare))
        finally:
            bare.close()
            log.close()


def main() -> int:
    """Run what the command line names, else both."""
    benches = {"sqlite": bench_sqlite, "kafka": bench_kafka}
    chosen = sys.argv[1:] or list(benches)
    with tempfile.TemporaryDirectory() as folder:
        ratios = {name: benches[name](Path(folder)) for name in chosen}
    return int(any(ratio > RATIO_MAX[name] for name, ratio in ratios.items()))


if __name__ == "__main__":
    sys.exit(main())
