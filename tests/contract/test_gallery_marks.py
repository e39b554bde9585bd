"""A template store carries its versions, and how far it has read: restored together, or lost together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.adapters.milvus_store import MilvusStore
from comity.ports import Marks
from gallery import template, units

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MilvusStore]:
    store = MilvusStore(tmp_path / "gallery.db")
    yield store
    store.close()


def again(store: MilvusStore, home: Path) -> MilvusStore:
    store.close()
    return MilvusStore(home / "gallery.db")


def test_versions_and_marks_come_back_with_the_store(store: MilvusStore, tmp_path: Path) -> None:
    assert store.marks() is None
    store.put([template(1, units(1)[0], version=7)])
    store.mark(Marks(1, "log-1", {"comity.templates/0": 12}))
    store = again(store, tmp_path)
    assert [row.version for batch in store.all() for row in batch] == [7]
    assert store.marks() == Marks(1, "log-1", {"comity.templates/0": 12})
    store.clear()
    assert store.marks() == Marks(2, "", {})
    store = again(store, tmp_path)
    assert store.marks() == Marks(2, "", {})
    store.close()


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"format": 9}', b'{"format": 1, "generation": 1, "source": "", "next": 3}']
)
def test_marks_that_cannot_be_read_are_none(store: MilvusStore, tmp_path: Path, damage: bytes) -> None:
    store.mark(Marks(1, "log-1", {}))
    (tmp_path / "gallery.db" / "comity.json").write_bytes(damage)
    assert store.marks() is None
