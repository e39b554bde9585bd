"""One real broker for the whole test session, shared by all xdist workers; or the one that COMITY_TEST_KAFKA names.

A broker that cannot be started fails the tests that need it: they are never skipped.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from comity.adapters.local_kafka import LocalKafka

FETCH_JARS = "from comity.adapters.kafka_jars import cache_folder, classpath; classpath(cache_folder())"

_LEFT_TO_THE_LAST: list[LocalKafka] = []  # a process that is still running must not be collected: that would be a warning


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the session's broker listens, its data (None for one that is not ours to look into), what it asks of clients."""

    bootstrap: list[str]
    data: Path | None
    security: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def client(self) -> dict[str, Any]:
        """Return what every client of kafka-python is given."""
        return {"bootstrap_servers": self.bootstrap, **self.security}

    def prefix(self) -> str:
        """Return a new prefix, so that each test has its own topics."""
        return f"{uuid.uuid4().hex[:12]}."


def fetch_jars() -> None:
    """Fetch Kafka's jars in a process of its own: inside the tests sockets lead nowhere but here."""
    subprocess.run([sys.executable, "-c", FETCH_JARS], check=True, timeout=300)


@contextlib.contextmanager
def _counted(folder: Path, change: int) -> Iterator[int]:
    """Change the number of workers that use the broker, one at a time; yields the number afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "users").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        users = int(file.read() or 0) + change
        yield users
        file.truncate(0)
        file.write(str(users))


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    if given := os.environ.get("COMITY_TEST_KAFKA"):
        yield Broker(given.split(","), None)
        return
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kafka"
    with _counted(folder, +1) as users:
        if users == 1:
            fetch_jars()
        kafka = LocalKafka(folder)
        if users == 1:
            kafka.start()
    try:
        yield Broker(kafka.bootstrap, kafka.data(), kafka.security)
    finally:
        with _counted(folder, -1) as users:
            if users == 0:
                kafka.stop()
            else:
                _LEFT_TO_THE_LAST.append(kafka)
