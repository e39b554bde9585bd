"""Names and addresses: what a server prints, what it answers to, and what its settings take."""

from __future__ import annotations

import pytest

from comity.cli.context import State
from comity.cli.up import check_port
from comity.errors import InvalidInput
from comity.settings import Settings
from comity.web.hosts import address, is_loopback


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8765"),
        ("::1", "http://[::1]:8765"),
        ("0.0.0.0", "http://127.0.0.1:8765"),  # noqa: S104 - what is printed for it
        ("::", "http://[::1]:8765"),
        ("exchange.example", "http://exchange.example:8765"),
    ],
)
def test_the_address_that_is_printed_can_be_opened(host: str, url: str) -> None:
    assert address(host, 8765) == url


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.5", "::1", "localhost"])
def test_loopback_is_reached_from_here_alone(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "exchange.example", "2001:db8::1"])  # noqa: S104
def test_other_addresses_are_reached_from_elsewhere(host: str) -> None:
    assert not is_loopback(host)


def test_names_and_proxies_are_listed_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMITY_HOSTS", "a.example, b.example,")
    monkeypatch.setenv("COMITY_PROXIES", "192.0.2.7")
    settings = Settings()
    assert settings.hosts == ("a.example", "b.example")
    assert settings.proxies == ("192.0.2.7",)


WRONG_HOSTS = [
    *("a.example:8443", "https://a.example", "a.example/", "a.example/desk", "*.example", "*", "a..b", ".example", "-a.example"),
    *("a b", "a.example;b.example", "münchen.example", "x@a.example", "[a.example]", "[::1]:8765", "127.0.0.1:80", "a" * 64),
]


@pytest.mark.parametrize("given", WRONG_HOSTS)
@pytest.mark.parametrize("name", ["COMITY_HOSTS", "COMITY_HOST"])
def test_a_host_that_no_request_would_name_is_refused_at_start(monkeypatch: pytest.MonkeyPatch, name: str, given: str) -> None:
    """It would start, and answer 400 to everybody."""
    monkeypatch.setenv(name, given if name == "COMITY_HOST" else f"b.example,{given}")
    with pytest.raises(InvalidInput) as told:
        State().settings()
    assert told.value.message == f"A setting cannot be used: {name}."
    assert "such as exchange.example" in told.value.advice


@pytest.mark.parametrize(
    "given",
    ["exchange.example", "EXCHANGE.example.", "exchange", "a_b.example", "xn--mnchen-3ya.example", "192.0.2.7", "2001:db8::1"],
)
def test_a_name_or_an_address_is_taken(given: str) -> None:
    assert Settings(hosts=given).hosts == (given,)  # type: ignore[arg-type]
    assert Settings(host=given).host == given


def test_brackets_around_an_address_are_taken_off() -> None:
    settings = Settings(host="[::1]", hosts="[2001:db8::1]")  # type: ignore[arg-type]
    assert (settings.host, settings.hosts) == ("::1", ("2001:db8::1",))


@pytest.mark.parametrize("given", ["proxy.example", "*", "192.0.2.7:80", "192.0.2.300", "http://192.0.2.7"])
def test_a_proxy_that_nobody_would_be_known_by_is_refused_at_start(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """A name is compared with addresses, and a star would believe everybody."""
    monkeypatch.setenv("COMITY_PROXIES", given)
    with pytest.raises(InvalidInput, match="COMITY_PROXIES"):
        State().settings()
    assert Settings(proxies="192.0.2.0/24, ::1").proxies == ("192.0.2.0/24", "::1")  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["no-such-host.invalid", "203.0.113.77", "a..b", "2001:db8::77"])
def test_an_address_that_is_not_this_machines_is_not_blamed_on_the_port(host: str) -> None:
    with pytest.raises(InvalidInput) as told:
        check_port(host, 8765)
    assert told.value.message.startswith(f"{host} is no address of this machine")
    assert "--host" in told.value.advice
    assert "--port" not in told.value.advice
