"""A broker that was started here knows those who can read its secret, and nobody else, on each of its ports."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from another_account import family, listening, tried
from comity.adapters import local_kafka
from comity.adapters.kafka_log import KafkaLog
from comity.adapters.local_kafka import LocalKafka
from comity.domain.log import JOURNAL, Entry, Topic
from comity.errors import Unavailable

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
SECONDS = 10.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("open to others") / "kafka"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture(scope="module")
def own(folder: Path) -> Iterator[LocalKafka]:
    with LocalKafka(folder) as kafka:
        log = KafkaLog(kafka.bootstrap, security=kafka.security)
        log.append(Topic.JOURNAL, Entry(b"k", b"v", ()), timeout_seconds=SECONDS)
        log.close()
        yield kafka


def ports(folder: Path) -> list[int]:
    (node,) = json.loads((folder / "cluster.json").read_text())["nodes"]
    return [node["port"], node["controller_port"]]


def test_it_listens_on_two_ports_of_loopback(own: LocalKafka, folder: Path) -> None:
    assert {port for _, port in listening(os.getpid())} >= set(ports(folder))
    assert {address for address, _ in listening(_pid(folder))} == {"127.0.0.1"}
    assert {port for _, port in listening(_pid(folder))} == set(ports(folder))
    assert own.bootstrap == [f"127.0.0.1:{ports(folder)[0]}"]


def _pid(folder: Path) -> int:
    return int((folder / "1" / "pid").read_text())


LIST_TOPICS = """
    for port in sys.argv[1:]:
        settings = {"bootstrap_servers": "127.0.0.1:" + port, "bootstrap_timeout_ms": 1500, "request_timeout_ms": 1500}
        guesses = {"security_protocol": "SASL_PLAINTEXT", "sasl_plain_username": "comity", "sasl_plain_password": "comity"}
        for more in ({}, *({**guesses, "sasl_mechanism": one} for one in ("PLAIN", "SCRAM-SHA-256"))):
            try:
                print("came in:", KafkaAdminClient(**settings, **more).list_topics())
            except KafkaError:
                print("kept out")
"""


def test_another_account_is_kept_out_of_each_port(own: LocalKafka, folder: Path) -> None:
    imports = "from kafka import KafkaAdminClient\nfrom kafka.errors import KafkaError"
    said = tried(LIST_TOPICS, *map(str, ports(folder)), imports=imports)
    assert said.splitlines() == ["kept out"] * 6
    client = KafkaAdminClient(bootstrap_servers=own.bootstrap, **own.security)
    assert Topic.JOURNAL in client.list_topics()
    client.close()


def test_no_file_of_it_and_no_command_line_shows_the_password(own: LocalKafka, folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    secrets = [(folder / "secret").read_text(), own.security["sasl_plain_password"]]
    holders = [path for path in folder.rglob("*") if path.is_file() and any(s.encode() in path.read_bytes() for s in secrets)]
    assert {path.name for path in holders} >= {"secret", "server.properties", "client.properties", "format.arguments"}
    assert {path.name for path in holders if stat.S_IMODE(path.stat().st_mode) != 0o600} == set()
    for process in family(_pid(folder)):
        lines = Path(f"/proc/{process}/cmdline").read_bytes() + Path(f"/proc/{process}/environ").read_bytes()
        assert not any(secret.encode() in lines for secret in secrets)


def test_no_command_line_tells_it_while_the_folder_is_formatted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every account reads command lines, also one that lasts a second."""
    ran: list[str] = []

    def refused(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        ran.extend(command)
        return subprocess.CompletedProcess(command, 1, b"", b"")

    monkeypatch.setattr("comity.adapters.local_kafka.subprocess.run", refused)
    monkeypatch.setattr(local_kafka, "classpath", lambda *_: "")
    kafka = LocalKafka(tmp_path)
    with pytest.raises(Unavailable, match="not formatted"):
        kafka.start()
    assert "format" in ran
    assert kafka.security["sasl_plain_password"] not in " ".join(ran)


def test_the_next_start_knows_its_clients_again(own: LocalKafka, folder: Path) -> None:
    own.kill()
    own.restart()
    log = KafkaLog(own.bootstrap, security=LocalKafka(folder).security)
    with log.open({JOURNAL: 0}) as reader:
        (batch,) = reader.poll(timeout_seconds=SECONDS, entries_max=1).values()
    assert [placed.entry.value for placed in batch.entries] == [b"v"]
    log.close()


def test_a_folder_whose_secret_is_gone_says_so(tmp_path: Path) -> None:
    LocalKafka(tmp_path)
    data = tmp_path / "1" / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").touch()
    (tmp_path / "secret").unlink()
    with pytest.raises(Unavailable, match="secret") as told:
        LocalKafka(tmp_path)
    assert "copy" in told.value.advice
    assert not (tmp_path / "secret").exists()
