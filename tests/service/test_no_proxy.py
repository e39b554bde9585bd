"""No proxy that the environment names reads a token or a photograph: not of the commands, not of an agency's publisher."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from comity.adapters.onnx_faces import OnnxFaces
from comity.cli import connect
from comity.client.connection import http_client
from comity.client.publisher import Publisher
from comity.domain.ids import Ori
from comity.errors import NotSignedIn
from comity.settings import Settings
from comity.wire.signing import SigningKey
from commands import MILWAUKEE, SEARCH, Cli, served
from pages import ROOT
from proxies import recording

PHOTOGRAPH = ROOT / "infra" / "demo" / "people"


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, encoder: OnnxFaces) -> Iterator[Cli]:
    with served(tmp_path_factory.mktemp("home"), encoder) as one:
        yield one


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    with recording(monkeypatch) as noted:
        yield noted


def test_commands_ask_no_proxy(cli: Cli, seen: list[bytes]) -> None:
    person = min(path.name for path in PHOTOGRAPH.iterdir() if path.is_dir())
    cli.enrol(person, "A-1")
    cli.json("search", PHOTOGRAPH / person / "1.jpg", "--as", "Iris", *SEARCH)
    assert connect.running(Settings(home=cli.home)) is not None
    assert seen == []


def test_a_command_that_opens_the_home_itself_asks_no_proxy(tmp_path: Path, seen: list[bytes]) -> None:
    one = Cli(tmp_path / "home", None)  # type: ignore[arg-type]
    one.json("init")
    one.json("agency", "add", MILWAUKEE, "Milwaukee Police", "--class", "municipal")
    assert seen == []


def test_a_publisher_on_the_exchanges_machine_asks_no_proxy(cli: Cli, seen: list[bytes]) -> None:
    url = connect.running(Settings(home=cli.home))
    assert url
    for host in ("127.0.0.1", "localhost"):
        address = url.replace("127.0.0.1", host)
        with Publisher(address, "no-session", SigningKey.generate(), Ori(MILWAUKEE)) as publisher, pytest.raises(NotSignedIn):
            publisher.revoke("g-1")
    assert seen == []


@pytest.mark.parametrize("url", ["http://exchange.invalid", "http://192.0.2.1:9", "https://localhost:9", "https://[::1]:9"])
def test_what_a_proxy_could_read_or_is_here_goes_past_it(seen: list[bytes], url: str) -> None:
    with http_client(url, timeout=1.0) as client, pytest.raises(Exception):  # noqa: B017, PT011 -- nobody is there
        client.get("/", headers={"authorization": "Bearer secret"})
    assert seen == []


def test_a_proxy_may_carry_what_it_cannot_read(seen: list[bytes]) -> None:
    with http_client("https://exchange.invalid") as client, pytest.raises(httpx2.ProxyError):
        client.get("/", headers={"authorization": "Bearer secret"})
    (asked,) = seen
    assert asked.startswith(b"CONNECT exchange.invalid:443 ")
    assert b"secret" not in asked
