"""What an agency's system relies on: the same bytes again after a 503, errors it can read, and no receipt for other bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import httpx2
import pytest
import stamina

from comity import errors
from comity.client.publisher import Publisher
from comity.domain.ids import Ori, RecordId
from comity.wire.signing import SigningKey, header_of

MILWAUKEE = Ori("WI0130000")
NOW_MS = 1_700_000_000_000


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=5):
        yield


def publisher(answer: Callable[[httpx2.Request], httpx2.Response]) -> Publisher:
    client = httpx2.Client(transport=httpx2.MockTransport(answer), base_url="https://exchange.example")
    return Publisher("", "token", SigningKey.generate(), MILWAUKEE, exchange_id="x-1", client=client, clock_ms=lambda: NOW_MS)


def problem(status: int, kind: str, **details: object) -> httpx2.Response:
    body = {"type": f"urn:comity:problem:{kind}", "title": "T", "status": status, "detail": "Why.", "advice": "Do.",
            "trace_id": "0" * 32, "details": details}  # fmt: skip
    return httpx2.Response(status, json=body, headers={"content-type": "application/problem+json"})


def receipt(value: bytes) -> httpx2.Response:
    where = {"topic": "comity.journal", "partition": 0, "position": 7, "appended_at": "2023-11-14T22:13:20Z", "repeated": False}
    return httpx2.Response(200, json={"event_id": "e", "sha256": hashlib.sha256(value).hexdigest(), **where})


def test_after_a_503_the_very_same_bytes_go_again() -> None:
    sent: list[tuple[bytes, str, str]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append((request.content, request.headers["jws"], request.headers["ce-id"]))
        return problem(503, "outcome-unknown") if len(sent) < 3 else receipt(request.content)

    with publisher(answer) as own:
        placed = own.revoke("g-1")
    assert len(sent) == 3
    assert len(set(sent)) == 1
    assert (placed.position, placed.repeated) == (7, False)


def test_what_will_not_change_is_not_tried_again() -> None:
    asked: list[int] = []

    def answer(_: httpx2.Request) -> httpx2.Response:
        asked.append(1)
        return problem(403, "not-permitted")

    with publisher(answer) as own, pytest.raises(errors.NotPermitted):
        own.revoke("g-1")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (problem(409, "suppressed"), errors.SuppressedRecord),
        (problem(422, "photograph-refused", reason="no-face", faces=0), errors.PhotographRefused),
        (problem(422, "invalid-input", fields=[{"loc": ["body"], "msg": "m"}]), errors.InvalidInput),
        (problem(503, "ledger-behind"), errors.LedgerBehind),
        (problem(418, "something-new"), errors.ComityError),
        (httpx2.Response(502, text="<h1>Bad gateway</h1>"), errors.Unavailable),
        (httpx2.Response(413, json=[]), errors.TooLarge),
        (httpx2.Response(401, text="{", headers={"content-type": "application/problem+json"}), errors.NotSignedIn),
    ],
)
def test_a_problem_becomes_the_error_that_it_was(response: httpx2.Response, kind: type[errors.ComityError]) -> None:
    with publisher(lambda _: response) as own, pytest.raises(kind) as caught:
        own.revoke("g-1")
    assert type(caught.value) is kind
    assert caught.value.advice


def test_a_receipt_for_other_bytes_is_no_receipt() -> None:
    with publisher(lambda _: receipt(b"other")) as own, pytest.raises(errors.ComityError, match="other bytes"):
        own.revoke("g-1")


def test_an_event_that_breaks_a_limit_is_never_sent() -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        raise AssertionError

    with publisher(answer) as own, pytest.raises(errors.InvalidInput):
        own.revoke("")


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("https://exchange.example", "https://exchange.example/intake/v1/events"),
        ("https://exchange.example/", "https://exchange.example/intake/v1/events"),
        ("https://exchange.example/intake", "https://exchange.example/intake/v1/events"),
        ("https://proxy.example/comity/", "https://proxy.example/comity/intake/v1/events"),
    ],
)
def test_the_address_that_is_documented_is_the_exchanges_own(given: str, asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    urls: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        urls.append(str(request.url))
        return receipt(request.content)

    plain = httpx2.Client
    monkeypatch.setattr(httpx2, "Client", lambda **more: plain(**more | {"transport": httpx2.MockTransport(answer)}))
    with Publisher(given, "token", SigningKey.generate(), MILWAUKEE, exchange_id="x-1") as own:
        own.revoke("g-1")
    assert urls == [asked]


def test_the_exchange_is_asked_once_which_one_it_is() -> None:
    """F33: what is signed is good there alone."""
    asked: list[tuple[str, str]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append((request.method, request.url.path))
        if request.url.path == "/intake/v1/exchange":
            return httpx2.Response(200, json={"exchange_id": "x-42"})
        assert header_of(request.headers["jws"]).audience == ("x-42",)
        return receipt(request.content)

    client = httpx2.Client(transport=httpx2.MockTransport(answer), base_url="https://exchange.example")
    with Publisher("", "token", SigningKey.generate(), MILWAUKEE, client=client) as own:
        own.revoke("g-1")
        own.revoke("g-2")
    assert asked == [("GET", "/intake/v1/exchange"), ("POST", "/intake/v1/events"), ("POST", "/intake/v1/events")]


ELSEWHERE = {
    "a proxy's page": httpx2.Response(200, text="<html>Sign in to the network"),
    "nothing": httpx2.Response(204),
    "half of it": httpx2.Response(200, content=b'{"record_id": "0', headers={"content-type": "application/json"}),
    "a list": httpx2.Response(200, json=[1]),
    "another's JSON": httpx2.Response(200, json={"error": "none"}),
    "no text": httpx2.Response(200, content=b"\xff\xfe\x00", headers={"content-type": "application/json"}),
}


@pytest.mark.parametrize("what", ELSEWHERE)
def test_what_no_exchange_wrote_is_told_as_that(what: str) -> None:
    with publisher(lambda _: ELSEWHERE[what]) as own:
        for ask in (lambda: own.revoke("g-1"), lambda: own.standing(RecordId("0" * 32))["state"]):
            with pytest.raises(errors.Unavailable, match="no exchange") as told:
                ask()
            assert "proxy" in told.value.advice
