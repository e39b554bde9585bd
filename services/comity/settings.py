"""What an installation may set, by ``COMITY_…`` variables or options; every default works embedded, on one machine."""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _listed(text: Any) -> Any:  # noqa: ANN401 - whatever was given, for pydantic to judge
    """Return the parts of a text with commas: a variable holds no list."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) if isinstance(text, str) else text


def _host(text: str) -> str:
    """Return a host's name or address, an IPv6 one without its brackets. Raises ValueError, with what to name instead."""
    name = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    with suppress(ValueError):
        ipaddress.ip_address(name)
        return name
    if name is not text or len(name) > HOST_CHARS_MAX or not _HOST.fullmatch(name):
        raise ValueError(
            "a host is a name or an address alone, without scheme, port, path or star, such as exchange.example;"
            " one in another script is named as browsers send it (xn--…)"
        )
    return name


def _proxy(text: str) -> str:
    """Return a proxy's address, or a network of them. Raises ValueError, with what to name instead."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(
            "a proxy is named by its address, or by its network, such as 192.0.2.7 or 192.0.2.0/24: by what it connects from"
        ) from None
    return text


HOST_CHARS_MAX = 253  # of a name in the DNS
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")

Host = Annotated[str, AfterValidator(_host)]
Hosts = Annotated[tuple[Host, ...], NoDecode, BeforeValidator(_listed)]
Proxies = Annotated[tuple[Annotated[str, AfterValidator(_proxy)], ...], NoDecode, BeforeValidator(_listed)]


def _named(folder: Any) -> Any:  # noqa: ANN401 - whatever was given, for pydantic to judge
    """Return a folder that has a name. Raises ValueError for "": a variable that a script left empty is no folder."""
    if folder == "":
        raise ValueError('a folder has a name: leave the setting out for its default, or say "." for the folder you are in')
    return folder


Folder = Annotated[Path, BeforeValidator(_named)]


class Settings(BaseSettings):
    """The settings of one exchange."""

    model_config = SettingsConfigDict(env_prefix="COMITY_", extra="forbid", hide_input_in_errors=True)

    home: Folder = Field(default=Path("comity-home"), description="Everything that comity keeps lies under this folder.")
    kafka: str | None = Field(default=None, description="HOST:PORT of a broker, `local` to start one, nothing for SQLite.")
    kafka_prefix: str = Field(default="", description="Put before every topic's name.")
    anchor: Folder | None = Field(
        default=None, description="Folder of the anchor, best on another disk; default ~/.local/state/comity."
    )
    host: Host = Field(default="127.0.0.1", description="The address to serve on.")
    port: int = Field(default=8765, ge=0, le=65535, description="The port to serve on; 0 picks a free one.")
    hosts: Hosts = Field(default=(), description="Host names that it is known by besides the address, such as a proxy's: `a,b`.")
    proxies: Proxies = Field(
        default=("127.0.0.1", "::1"),
        description="Addresses of proxies whose X-Forwarded-Proto and -For are believed: `a,b`.",
    )
    master_key: SecretStr | None = Field(default=None, description="32 bytes in hex or base64; else a 0600 file in the home.")
    cache: Folder | None = Field(default=None, description="Folded models and Kafka's jars; default ~/.cache/comity.")
    maven: str | None = Field(default=None, description="A mirror's address for Kafka's jars; default Maven Central.")
    probe_days: float = Field(
        default=30.0,
        gt=0,
        le=365,
        description="How long a search's probe is kept for review, by what the journal's clock settled.",
    )
    tick_seconds: float = Field(
        default=30.0, ge=1, le=30, description="How old the clock's newest entry may be for a search; then one is entered."
    )
    sweep_hour: int = Field(default=3, ge=0, le=23, description="The hour (UTC) at which every file is looked through.")
