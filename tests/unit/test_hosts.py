"""Names and addresses: what a server prints, what it answers to, and what its settings take."""

from __future__ import annotations

import pytest

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
