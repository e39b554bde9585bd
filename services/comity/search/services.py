"""What the search service is made from: the acts that its routes translate, and nothing else of the exchange."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from comity.acts.review import Examine
from comity.acts.search import Search
from comity.ports import FaceEncoder, Identity


@dataclass(frozen=True, kw_only=True)
class SearchServices:
    """Everything that the routes may reach. ``watermark`` makes a place in the journal opaque for callers (rule 5)."""

    search: Search
    examine: Examine
    encoder: FaceEncoder
    identity: Identity
    watermark: Callable[[int], str]


def _services(request: Request) -> SearchServices:
    services: SearchServices = request.app.state.search
    return services


Services = Annotated[SearchServices, Depends(_services)]
