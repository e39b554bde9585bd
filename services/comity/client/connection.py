"""The HTTP client of whoever speaks with an exchange: what is sent are tokens and photographs, and no proxy reads them."""

from __future__ import annotations

import ipaddress
from typing import Any

import httpx2


def http_client(url: str, **options: Any) -> httpx2.Client:  # noqa: ANN401 - whatever the client takes
    """Return a client for the exchange at this address.

    The proxy that the environment names is used where TLS keeps it from reading along: to another machine by https. Plain
    HTTP goes straight to the exchange, and so does whatever stays on this machine.
    """
    # A transport of one's own takes the environment's certificates (SSL_CERT_FILE) and none of its proxies.
    direct = None if _is_hidden_from_proxies(httpx2.URL(url)) else httpx2.HTTPTransport()
    return httpx2.Client(base_url=url, transport=direct, **options)


def _is_hidden_from_proxies(url: httpx2.URL) -> bool:
    return url.scheme == "https" and not _is_here(url.host)


def _is_here(host: str) -> bool:
    name = host.rstrip(".").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
