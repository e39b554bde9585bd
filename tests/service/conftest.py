"""One running exchange for a file of tests: starting it takes longer than most of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from builders import COURT, MILWAUKEE, House
from builders import house as run_house
from comity.adapters.onnx_faces import OnnxFaces
from desk_world import World, world


@pytest.fixture(scope="session")
def encoder() -> OnnxFaces:
    return OnnxFaces()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, encoder: OnnxFaces) -> Iterator[House]:
    with run_house(tmp_path_factory.mktemp("home"), encoder) as running:
        yield running


# --- clients of intake ---


@pytest.fixture
def writer(house: House) -> TestClient:
    return house.intake(MILWAUKEE, "agency-writer")


@pytest.fixture
def registrar(house: House) -> TestClient:
    return house.intake(COURT, "clerk")


@pytest.fixture
def chief(house: House) -> TestClient:
    return house.intake(MILWAUKEE, "agency-administrator")


@pytest.fixture
def administrator(house: House) -> TestClient:
    return house.intake("administrator", "administrator")


# --- browsers at the desk ---


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("home")) as made:
        yield made


@pytest.fixture
def clerk(desk: World) -> Iterator[TestClient]:
    with desk.signed_in(desk.clerk) as client:
        yield client


@pytest.fixture
def investigator(desk: World) -> Iterator[TestClient]:
    with desk.signed_in(desk.investigator) as client:
        yield client


@pytest.fixture
def examiner(desk: World) -> Iterator[TestClient]:
    with desk.signed_in(desk.examiner) as client:
        yield client
