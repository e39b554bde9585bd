"""Builders of templates for tests: unit vectors that a seed repeats, and records by number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet
from numpy.typing import NDArray

from comity.domain.ids import Ori, RecordId
from comity.ports import Block, StoredTemplate, Vector

MILWAUKEE = Block(Ori("WI0130000"), "booking")
MILWAUKEE_MISSING = Block(Ori("WI0130000"), "missing")
ALAMEDA = Block(Ori("CA0010000"), "booking")


def record(number: int) -> RecordId:
    """Return the id of the record with this number."""
    return RecordId(f"{number:032x}")


def units(count: int, *, seed: int = 0, dimension: int = 128) -> NDArray[np.float32]:
    """Return (count, dimension) float32 vectors of length 1."""
    drawn = np.random.default_rng(seed).standard_normal((count, dimension), dtype=np.float32)
    lengths: NDArray[np.float32] = np.linalg.norm(drawn, axis=1, keepdims=True)
    return drawn / lengths


def template(
    number: int, vector: Vector, *, of: int | None = None, block: Block = MILWAUKEE, photo: int = 0, version: int = 1
) -> StoredTemplate:
    """Return the template with this id, of record ``of`` (by default one of the same number)."""
    return StoredTemplate(number, record(number if of is None else of), block, photo, vector, version)


def templates(count: int, *, seed: int = 0, first: int = 0, block: Block = MILWAUKEE) -> list[StoredTemplate]:
    """Return templates of as many records, numbered from ``first``."""
    return [template(first + row, vector, block=block) for row, vector in enumerate(units(count, seed=seed))]


def spread() -> list[StoredTemplate]:
    """Return 40 templates of two agencies and three blocks, several photographs to a record."""
    blocks = (MILWAUKEE, MILWAUKEE_MISSING, ALAMEDA)
    return [
        template(2**48 + row, vector, of=row // 2, block=blocks[row % 3], photo=row % 2) for row, vector in enumerate(units(40))
    ]


def traces(home: Path, rows: list[StoredTemplate]) -> list[str]:
    """Return the files that hold any 8 neighbouring numbers of these vectors, raw, or one whole vector once decoded."""
    windows = [row.vector[start : start + 8].tobytes() for row in rows for start in range(0, 121, 8)]
    found = []
    for path in (path for path in home.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if path.suffix == ".parquet":
            column = pyarrow.parquet.read_table(path).column("vector").to_pylist()
            content += np.array(column, np.float32).tobytes()
        if any(window in content for window in windows):
            found.append(path.suffix)
    return found
