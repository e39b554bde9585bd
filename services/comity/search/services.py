"""What the search service is made from: the acts that its routes translate, and nothing else of the exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from comity.acts.review import Examine
from comity.acts.search import Search
from comity.acts.watermark import Watermarks
from comity.ports import FaceEncoder, Identity
from comity.web.once import Once

BASE = "/search/v1"  # where its routes are, for the addresses in its answers


@dataclass(frozen=True, kw_only=True)
class SearchServices:
    """Everything that the routes may reach. ``watermarks`` make places in the journal opaque for callers (rule 5)."""

    search: Search
    examine: Examine
    encoder: FaceEncoder
    identity: Identity
    watermarks: Watermarks
    once: Once = field(default_factory=Once)


def _services(request: Request) -> SearchServices:
    services: SearchServices = request.app.state.search
    return services


Services = Annotated[SearchServices, Depends(_services)]
