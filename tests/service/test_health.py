"""Whether an exchange is well: in a second, part by part, whoever asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib import metadata

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from builders import House
from comity.bootstrap import Exchange
from comity.domain.log import Stream
from comity.errors import Unavailable
from comity.operations import health
from comity.serving import http


@pytest.fixture
def operator(house: House) -> TestClient:
    _, token = house.person("exchange", "operator", name="Olga")
    return TestClient(http(house.exchange, ("testserver",)), headers={"authorization": f"Bearer {token}"})


@pytest.fixture
def web(house: House, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(health, "KEPT_SECONDS", 0.0)
    return TestClient(http(house.exchange, ("testserver",)))


class Failed:
    """A follower that stands still."""

    name, failure = "failed", "a secret reason"

    def __init__(self) -> None:
        self.positions: dict[Stream, int] = {}

    def start(self) -> None:
        """Do nothing."""

    stop = start

    def lag(self) -> int:
        return 1


def _away(_stream: object) -> int:
    raise Unavailable("away")


def test_the_status_comes_in_a_second_though_the_log_hangs(
    house: House, operator: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    freed = threading.Event()

    def hangs(_stream: object) -> int:
        freed.wait(30)
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(house.exchange.log, "end", hangs)
        for _ in range(3):  # one question is open, however often it is asked
            began = time.monotonic()
            now = operator.get("/operations/v1/status").json()
            assert time.monotonic() - began < 5
            assert now["journal"]["end"] is None
        assert [thread.name for thread in threading.enumerate()].count("comity-asking") == 1
    freed.set()
    next(thread for thread in threading.enumerate() if thread.name == "comity-asking").join(30)
    assert operator.get("/operations/v1/status").json()["journal"]["end"]


def test_the_status_names_what_runs_and_where(house: House, operator: TestClient) -> None:
    now = operator.get("/operations/v1/status").json()
    assert now["version"] == metadata.version("comity")
    assert now["home"] == str(house.exchange.home.root)
    assert now["disk_free_bytes"] > 0


def test_health_is_told_part_by_part_to_whoever_asks(house: House, web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A monitor signs in nowhere; why a part fails is told to those who do."""
    assert web.get("/livez").status_code == 204
    healthy = web.get("/healthz")
    assert (healthy.status_code, set(healthy.json().values())) == (200, {"works"})
    assert {"log", "ledger", "clock", "gallery", "encoder", "purge"} <= set(healthy.json())
    assert set(web.get("/readyz").json()) == {"log", "ledger", "clock", "gallery"}
    monkeypatch.setitem(house.exchange.followers, "encoder", Failed())
    ill = web.get("/healthz")
    assert (ill.status_code, ill.json()["encoder"]) == (503, "fails")
    assert "secret" not in ill.text
    assert web.get("/readyz").status_code == 200, "searches are answered"
    monkeypatch.setitem(house.exchange.followers, "gallery", Failed())
    ready = web.get("/readyz")
    assert (ready.status_code, ready.json()["gallery"]) == (503, "fails")
    assert web.get("/livez").status_code == 204


@pytest.mark.parametrize(
    ("stands", "part"),
    [
        (lambda x: x.watch.fail("halted"), "ledger"),
        (lambda x: setattr(x.log, "end", _away), "log"),
        (lambda x: setattr(x.journal, "now", lambda: datetime.now(UTC) + timedelta(hours=2)), "clock"),
    ],
)
def test_a_part_that_searches_need_makes_it_unready(
    house: House, web: TestClient, stands: Callable[[Exchange], None], part: str
) -> None:
    x = house.exchange
    end, now, position = x.log.end, x.journal.now, x.watch.position
    try:
        stands(x)
        ready = web.get("/readyz")
        assert (ready.status_code, ready.json()[part]) == (503, "fails")
        assert list(ready.json().values()).count("fails") == 1
    finally:
        x.log.end, x.journal.now = end, now  # type: ignore[method-assign]
        x.watch.publish(position)
    assert web.get("/readyz").status_code == 200


def test_whoever_asks_in_a_loop_makes_the_exchange_look_once_a_second() -> None:
    looked = list[int]()

    def parts() -> dict[str, bool]:
        looked.append(1)
        time.sleep(0.05)
        return {"log": True}

    web = TestClient(Starlette(routes=health.routes(parts)))
    began = time.monotonic()
    with ThreadPoolExecutor(4) as strangers:
        told = list(strangers.map(lambda n: web.get(("/readyz", "/healthz")[n % 2]).json(), range(40)))
    assert told == [{"log": "works"}] * 40
    assert len(looked) <= 1 + (time.monotonic() - began) / health.KEPT_SECONDS
    time.sleep(health.KEPT_SECONDS)
    web.get("/readyz")
    assert looked.count(1) >= 2, "what is told is a second old at most"
