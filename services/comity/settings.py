"""What an installation may set, by ``COMITY_…`` variables or options; every default works embedded, on one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _listed(text: Any) -> Any:  # noqa: ANN401 - whatever was given, for pydantic to judge
    """Return the parts of a text with commas: a variable holds no list."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) if isinstance(text, str) else text


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


class Settings(BaseSettings):
    """The settings of one exchange."""

    model_config = SettingsConfigDict(env_prefix="COMITY_", extra="forbid", hide_input_in_errors=True)

    home: Path = Field(default=Path("comity-home"), description="Everything that comity keeps lies under this folder.")
    kafka: str | None = Field(default=None, description="HOST:PORT of a broker, `local` to start one, nothing for SQLite.")
    kafka_prefix: str = Field(default="", description="Put before every topic's name.")
    anchor: Path | None = Field(
        default=None, description="Folder of the anchor, best on another disk; default ~/.local/state/comity."
    )
    host: str = Field(default="127.0.0.1", description="The address to serve on.")
    port: int = Field(default=8765, ge=0, le=65535, description="The port to serve on; 0 picks a free one.")
    hosts: Names = Field(default=(), description="Host names that it is known by besides the address, such as a proxy's: `a,b`.")
    proxies: Names = Field(
        default=("127.0.0.1", "::1"),
        description="Addresses of proxies whose X-Forwarded-Proto and -For are believed: `a,b`.",
    )
    master_key: SecretStr | None = Field(default=None, description="32 bytes in hex or base64; else a 0600 file in the home.")
    cache: Path | None = Field(default=None, description="Folded models and Kafka's jars; default ~/.cache/comity.")
    probe_days: float = Field(default=30.0, gt=0, le=365, description="How long a search's probe is kept for review.")
    tick_seconds: float = Field(default=10.0, ge=1, le=30, description="How often the exchange's clock is entered.")
    sweep_hour: int = Field(default=3, ge=0, le=23, description="The hour (UTC) at which every file is looked through.")
