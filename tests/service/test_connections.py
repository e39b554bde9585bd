"""What strangers and slow clients cost: raw sockets against the served exchange, half a request at a time."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest

from builders import MILWAUKEE, House
from comity.serving import Server
from comity.web import bodies, connections
from comity.web.connections import Waiting

SOON = 5.0
HALF = 8 * 1024 * 1024
UPLOADS = ("/intake/v1/enrolments", "/intake/v1/events", "/search/v1/searches", "/operations/v1/people", "/desk/search")


@pytest.fixture(scope="module")
def server(house: House) -> Iterator[Server]:
    with Server(house.exchange) as running:
        yield running


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def joined(server: Server, sockets: ExitStack) -> socket.socket:
    at = urlsplit(server.url)
    one = sockets.enter_context(socket.create_connection((str(at.hostname), int(at.port or 0)), timeout=SOON))
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one


def head(path: str, length: int, *, method: str = "POST", token: str | None = None, host: str = "127.0.0.1") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {length}", "Content-Type: application/json"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(one: socket.socket) -> bytes:
    """Return what is answered until the connection ends, or rests."""
    got = b""
    try:
        while piece := one.recv(65536):
            got += piece
            if b"\r\n\r\n" in got:
                return got
    except TimeoutError:
        return got
    except ConnectionResetError:
        return got
    return got


def is_ended(one: socket.socket, seconds: float) -> bool:
    """Say whether the other side ends the connection within this time."""
    one.settimeout(seconds)
    try:
        while one.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True
    return True


def is_cut_while_sending(one: socket.socket, piece: bytes) -> bool:
    """Say whether the other side ends the connection while we go on sending."""
    since = time.monotonic()
    while time.monotonic() < since + 2 * SOON:
        try:
            one.sendall(piece)
        except TimeoutError:
            pass
        except OSError:
            return True
        time.sleep(0.05)
    return False


# --- whose body it is, before it is read ---


@pytest.mark.parametrize("path", UPLOADS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
def test_nobody_signed_out_makes_any_service_read_a_body(server: Server, sockets: ExitStack, path: str, method: str) -> None:
    for token in (None, "invented"):
        one = joined(server, sockets)
        one.sendall(head(path, HALF, method=method, token=token) + b"x" * 1000)
        assert answer(one).startswith(b"HTTP/1.1 401 "), token


def test_a_body_without_a_length_is_refused_as_early(server: Server, sockets: ExitStack) -> None:
    one = joined(server, sockets)
    one.sendall(b"POST /intake/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n" + b"x" * 500)
    assert answer(one).startswith(b"HTTP/1.1 401 ")


def test_a_stranger_who_waits_to_be_asked_is_not_asked(server: Server, sockets: ExitStack) -> None:
    one = joined(server, sockets)
    one.sendall(head("/intake/v1/enrolments", HALF).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    assert answer(one).startswith(b"HTTP/1.1 401 ")


def test_where_signing_in_is_what_a_body_is_for_it_is_small(server: Server, sockets: ExitStack) -> None:
    big, small = joined(server, sockets), joined(server, sockets)
    big.sendall(head("/intake/v1/sessions", bodies.OPEN_BYTES_MAX + 1))
    assert answer(big).startswith(b"HTTP/1.1 413 ")
    content = json.dumps({"link": "invented"}).encode()
    small.sendall(head("/intake/v1/sessions", len(content)) + content)
    assert answer(small).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("path", ["/intake/v1/enrolments", "/intake/v1/events", "/search/v1/searches", "/operations/v1/people"])
def test_whoever_may_not_makes_nothing_read_a_body(house: House, server: Server, sockets: ExitStack, path: str) -> None:
    """An auditor searches, enrols and enters nothing: that is said before the body comes."""
    _, token = house.person(MILWAUKEE, "auditor", name="May not")
    one = joined(server, sockets)
    one.sendall(head(path, HALF, token=token).replace(b"application/json", b"application/avro") + b"x" * 1000)
    assert answer(one).startswith(b"HTTP/1.1 403 ")


def test_whoever_may_not_use_the_desk_makes_it_read_no_picture(house: House, server: Server, sockets: ExitStack) -> None:
    _, token = house.person(MILWAUKEE, "auditor", name="May not")
    one = joined(server, sockets)
    cookie = f"\r\nCookie: comity_session={token}\r\nSec-Fetch-Site: same-origin\r\n\r\n".encode()
    one.sendall(head("/desk/search", HALF).replace(b"\r\n\r\n", cookie) + b"x" * 1000)
    assert answer(one).startswith(b"HTTP/1.1 403 ")


def test_half_uploads_of_strangers_hold_neither_memory_nor_connections(
    server: Server, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.SECONDS_MAX, Waiting.REST, 0.3)
    held = [joined(server, sockets) for _ in range(12)]
    for one in held:
        one.sendall(head("/intake/v1/enrolments", HALF + 1))
    assert all(answer(one).startswith(b"HTTP/1.1 401 ") for one in held)
    assert all(is_ended(one, SOON) for one in held)
    assert bodies.ROOM._taken.total() == 0


def test_half_uploads_of_one_person_leave_room_for_others(
    house: House, server: Server, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "PIECE_SECONDS", 1.0)
    _, token = house.person(MILWAUKEE, "agency-writer", name="Floods")
    _, other = house.person(MILWAUKEE, "agency-writer", name="Waits")
    held = [joined(server, sockets) for _ in range(12)]
    for one in held:
        one.sendall(head("/intake/v1/records", bodies.BODY_BYTES_MAX, token=token) + b"x" * 1000)
    neighbour = joined(server, sockets)
    neighbour.sendall(head("/operations/v1/people", 2, token=other) + b"{}")
    assert answer(neighbour).startswith((b"HTTP/1.1 422 ", b"HTTP/1.1 403 "))
    statuses = sorted(answer(one)[9:12] for one in held)
    fit = bodies.SHARE_BYTES // bodies.BODY_BYTES_MAX
    assert statuses == [b"408"] * fit + [b"503"] * (12 - fit)
    assert bodies.ROOM._taken.total() == 0


def slow_sign_in(server: Server, sockets: ExitStack, path: str = "/intake/v1/sessions") -> socket.socket:
    """Return the connection of a stranger who begins to sign in, and goes on slowly."""
    one = joined(server, sockets)
    one.sendall(head(path, bodies.OPEN_BYTES_MAX - 1) + b"{")
    return one


def test_strangers_who_sign_in_slowly_lock_nobody_out(server: Server, sockets: ExitStack) -> None:
    """As many as there are places: pages are answered at once, and people sign in."""
    held = [slow_sign_in(server, sockets) for _ in range(connections.CONNECTIONS_MAX)]
    time.sleep(0.5)  # until all that was sent is read: a connection whose request has not come gives way by itself
    content = json.dumps({"link": "invented"}).encode()
    since = time.monotonic()
    for _ in range(3):
        one, other = joined(server, sockets), joined(server, sockets)
        one.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert answer(one).startswith(b"HTTP/1.1 204 ")
        other.sendall(head("/intake/v1/sessions", len(content)) + content)
        assert answer(other).startswith(b"HTTP/1.1 401 ")
        for stranger in held:
            with suppress(OSError):
                stranger.sendall(b" ")
    assert time.monotonic() - since < SOON


def test_of_slow_strangers_the_one_that_began_first_gives_way(
    server: Server, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "STRANGERS_MAX", 3)
    held = []
    for _ in range(4):
        held.append(slow_sign_in(server, sockets))
        time.sleep(0.2)
    assert answer(held[0]).startswith(b"HTTP/1.1 408 ")
    for one in held[1:]:
        one.settimeout(0.2)
        assert answer(one) == b""


def test_a_stranger_has_seconds_to_sign_in(server: Server, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "STRANGER_SECONDS", 0.5)
    assert answer(slow_sign_in(server, sockets)).startswith(b"HTTP/1.1 408 ")
    assert bodies.STRANGERS._waiting == {}


@pytest.mark.parametrize("closes", [b"", b"Connection: close\r\n"])
def test_strangers_who_take_no_answer_lock_nobody_out(
    server: Server, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch, closes: bytes
) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 3)
    asked = b"GET /intake/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    for _ in range(3):
        one = joined(server, sockets)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.settimeout(0.2)
        with suppress(TimeoutError):
            one.sendall((asked + b"\r\n") * 60 + asked + closes + b"\r\n")
    told, since = b"", time.monotonic()
    while not told.startswith(b"HTTP/1.1 204 "):  # a busy machine takes a moment to write what nobody takes
        assert time.monotonic() < since + 2 * SOON, told
        time.sleep(0.5)
        newest = joined(server, sockets)
        newest.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        told = answer(newest)


# --- deadlines ---


def test_a_body_that_drips_is_given_up(house: House, server: Server, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 1.0)
    _, token = house.person(MILWAUKEE, "agency-writer", name="Drips")
    one = joined(server, sockets)
    one.sendall(head("/intake/v1/records", HALF, token=token))
    one.settimeout(0.2)
    since, got = time.monotonic(), b""
    while not got and time.monotonic() < since + SOON:
        one.sendall(b"x")
        try:
            got = one.recv(65536)
        except TimeoutError:
            continue
    assert got.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("begun", [b"", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
def test_a_request_that_never_comes_is_not_waited_for(
    server: Server, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setitem(connections.SECONDS_MAX, Waiting.REQUEST, 0.3)
    monkeypatch.setitem(connections.SECONDS_MAX, Waiting.HEAD, 0.3)
    one = joined(server, sockets)
    one.sendall(begun)
    assert is_ended(one, SOON)


def test_a_head_that_drips_is_given_up(server: Server, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.SECONDS_MAX, Waiting.HEAD, 0.5)
    one = joined(server, sockets)
    one.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    assert is_cut_while_sending(one, b"x: y\r\n")


def test_a_second_request_may_come_after_the_first(server: Server, sockets: ExitStack) -> None:
    one = joined(server, sockets)
    for _ in range(3):
        one.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert answer(one).startswith(b"HTTP/1.1 204 ")
        time.sleep(0.1)


def test_an_answer_that_nobody_takes_is_given_up(server: Server, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.SECONDS_MAX, Waiting.TAKEN, 0.3)
    one = joined(server, sockets)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.settimeout(0.2)
    asked = b"GET /intake/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    assert is_cut_while_sending(one, asked * 20)


# --- how many ---


def test_where_all_places_are_taken_the_longest_idle_gives_way(
    server: Server, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 4)
    idle = [joined(server, sockets) for _ in range(4)]
    time.sleep(0.2)
    newest = joined(server, sockets)
    newest.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert answer(newest).startswith(b"HTTP/1.1 204 ")
    assert is_ended(idle[0], SOON)


def test_where_all_are_busy_the_newest_is_told_to_come_again(
    house: House, server: Server, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 1)
    _, token = house.person(MILWAUKEE, "agency-writer", name="Busy")
    time.sleep(0.2)
    busy = joined(server, sockets)
    busy.sendall(head("/intake/v1/records", 100, token=token))
    time.sleep(0.3)
    newest = joined(server, sockets)
    assert answer(newest).startswith(b"HTTP/1.1 503 ")


# --- names ---


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 204),
        ("localhost:80", 204),
        ("LOCALHOST.", 204),
        ("[::1]:8765", 204),
        ("evil.example", 400),
        ("evil.example:8765", 400),
        ("x@127.0.0.1", 400),
        ("127.0.0.1.evil.example", 400),
        ("", 400),
        ("0.0.0.0", 400),  # noqa: S104 - a name that is asked for
    ],
)
def test_only_names_of_its_own_are_answered(server: Server, sockets: ExitStack, host: str, status: int) -> None:
    one = joined(server, sockets)
    one.sendall(f"GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert answer(one).startswith(f"HTTP/1.1 {status} ".encode())


def test_a_proxys_word_counts_where_it_is_named(house: House, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cookie is for TLS alone where the proxy in front has TLS; nobody else's word is taken for that."""
    for proxies, secure in ((("127.0.0.1",), True), (("192.0.2.1",), False)):
        monkeypatch.setattr(house.exchange.settings, "proxies", proxies)
        person, _ = house.person(MILWAUKEE, "agency-writer", name=f"Proxied {secure}")
        with Server(house.exchange) as server:
            one = joined(server, sockets)
            path = f"/sign-in/{house.exchange.identity.link(person.user_id)}"
            one.sendall(head(path, 0).replace(b"\r\n\r\n", b"\r\nX-Forwarded-Proto: https\r\n\r\n"))
            said = answer(one)
        assert b"set-cookie: comity_session=" in said
        assert (b"; Secure" in said) is secure


def test_a_name_in_the_settings_is_answered(house: House, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.exchange.settings, "hosts", ("exchange.example",))
    with Server(house.exchange) as server:
        one = joined(server, sockets)
        one.sendall(b"GET /livez HTTP/1.1\r\nHost: exchange.example\r\n\r\n")
        assert answer(one).startswith(b"HTTP/1.1 204 ")


def test_an_ipv6_address_is_printed_so_that_it_can_be_opened(house: House) -> None:
    with Server(house.exchange, host="::1") as server:
        at = urlsplit(server.url)
        assert at.hostname == "::1"
        with socket.create_connection((at.hostname, int(at.port or 0)), timeout=SOON) as one:
            one.sendall(f"GET /livez HTTP/1.1\r\nHost: {at.netloc}\r\n\r\n".encode())
            assert answer(one).startswith(b"HTTP/1.1 204 ")
