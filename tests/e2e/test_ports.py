"""Every port that a running exchange and its engines listen on is known, and stands in SECURITY.md with who reaches it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from another_account import listening, named, receiving, tried
from pages import ROOT

pytestmark = pytest.mark.timeout(200)
COMITY = Path(sys.executable).parent / "comity"
LOOPBACK = "127.0.0.1"
ROW = re.compile(r"\| (?P<name>[^|]+) \|")
KAFKA = {"Kafka's clients", "Kafka's controller"}


@contextmanager
def served(home: Path, *words: str) -> Iterator[tuple[int, str]]:
    """Run ``comity up``; yield its process and its address."""
    command = [str(COMITY), "--home", str(home), *words, "up", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as exchange:
        try:
            assert exchange.stdout
            lines = iter(exchange.stdout.readline, "")
            said = ""
            for line in lines:
                said += line
                if line.startswith("}"):
                    break
            yield exchange.pid, json.loads(said)["url"]
        finally:
            exchange.send_signal(signal.SIGTERM)
            exchange.communicate()


def listed() -> set[str]:
    """Return the names in SECURITY.md's table of ports."""
    section = (ROOT / "SECURITY.md").read_text(encoding="utf-8").partition("## Ports\n")[2].partition("\n## ")[0]
    rows = [found["name"] for line in section.splitlines() if (found := ROW.match(line))]
    assert rows[:2] == ["port", "---"]
    return set(rows[2:])


def ports(home: Path, url: str) -> dict[tuple[str, int], str]:
    """Return what each port that is known is called."""
    known = {(LOOPBACK, urlsplit(url).port or 0): "HTTP"}
    cluster = home / "kafka" / "cluster.json"
    for node in json.loads(cluster.read_text(encoding="utf-8"))["nodes"] if cluster.exists() else ():
        known[LOOPBACK, node["port"]] = "Kafka's clients"
        known[LOOPBACK, node["controller_port"]] = "Kafka's controller"
    return known


def found(pid: int, home: Path, url: str) -> set[str]:
    """Return the names of all that these processes listen on. Fails at what has none."""
    known = ports(home, url)
    sockets = named(pid)
    assert receiving(pid) == set()
    assert listening(pid) == set(known), "a port that nobody described: who reaches it, and what then?"
    assert {re.sub(r"[0-9a-f]{8}", "*", Path(path).name) for path in sockets} == {"*.sock"}
    return {*known.values(), *("template store" for _ in sockets)}


def test_on_sqlite_it_listens_by_http_and_on_one_socket(tmp_path: Path) -> None:
    with served(tmp_path / "home") as (pid, url):
        assert found(pid, tmp_path / "home", url) == listed() - KAFKA


@pytest.mark.kafka
def test_on_a_local_kafka_it_listens_on_the_brokers_two_ports_besides(tmp_path: Path) -> None:
    with served(tmp_path / "home", "--kafka", "local") as (pid, url):
        assert found(pid, tmp_path / "home", url) == listed()


SIGNED_OUT = """
    for path in sys.argv[2:]:
        try:
            print(path, build_opener(ProxyHandler({})).open(sys.argv[1] + path, timeout=10).status)
        except HTTPError as refused:
            print(path, refused.code)
"""


def test_another_account_that_is_not_signed_in_learns_nothing_by_http(tmp_path: Path) -> None:
    closed = ["/operations/v1/status", "/operations/v1/journal", "/search/v1/searches", "/intake/v1/refusals"]
    with served(tmp_path / "home") as (_, url):
        imports = "from urllib.error import HTTPError\nfrom urllib.request import ProxyHandler, build_opener"
        said = tried(SIGNED_OUT, url, *closed, "/healthz", "/intake/v1/exchange", imports=imports)
    assert said.splitlines() == [*(f"{path} 401" for path in closed), "/healthz 200", "/intake/v1/exchange 200"]
