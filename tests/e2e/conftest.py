"""One encoder for all journeys."""

from __future__ import annotations

import pytest

from exchange import RememberedFaces


@pytest.fixture(scope="session")
def faces() -> RememberedFaces:
    return RememberedFaces()
