"""What every implementation of ``Candidates`` does; and what the resident scan promises about memory and threads."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from comity.adapters import resident_scan
from comity.adapters.resident_scan import TIE_MARGIN, ResidentScan
from comity.domain.ids import RecordId
from comity.ports import Block, Candidates, Edition, Near, StoredTemplate, Vector
from gallery import ALAMEDA, MILWAUKEE, MILWAUKEE_MISSING, record, template, templates, units

BLOCKS = (MILWAUKEE, MILWAUKEE_MISSING, ALAMEDA)


@pytest.fixture(params=[ResidentScan])
def candidates(request: pytest.FixtureRequest) -> Candidates:
    make: Callable[[], Candidates] = request.param
    return make()


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident_scan, "CHUNK_ROWS", 8)
    monkeypatch.setattr(resident_scan, "FIRST_CHUNK_ROWS", 2)
    monkeypatch.setattr(resident_scan, "BUCKETS", 4)


def found(near: Near) -> list[tuple[RecordId, int]]:
    return [(hit.record_id, hit.photo) for hit in near.hits]


def exact(held: Sequence[StoredTemplate], probe: Vector) -> list[tuple[float, StoredTemplate]]:
    """Score in float64 and rank, by definition."""
    scored = [(float(probe.astype(np.float64) @ each.vector.astype(np.float64)), each) for each in held]
    return sorted(scored, key=lambda pair: -pair[0])


def test_an_empty_gallery_is_exhausted(candidates: Candidates) -> None:
    assert candidates.nearest(units(1)[0], BLOCKS, 5) == Near((), exhausted=True)
    assert len(candidates) == 0


def test_a_record_says_which_version_of_it_is_held(candidates: Candidates) -> None:
    first, second, third = units(3)
    candidates.put([template(8, first, of=1, version=2), template(9, second, of=1, version=2), template(16, third, of=2)])
    assert candidates.edition(record(1)) == Edition(2, 9)
    assert candidates.edition(record(2)) == Edition(1, 16)
    assert candidates.edition(record(3)) is None
    assert {(hit.record_id, hit.version) for hit in candidates.nearest(first, BLOCKS, 3).hits} == {(record(1), 2), (record(2), 1)}


def test_keeping_some_drops_all_others(candidates: Candidates) -> None:
    held = templates(40)
    candidates.put(held)
    assert candidates.keep(np.array([3, 7, 99], np.int64)) == 38
    assert {name for name, _ in found(candidates.nearest(held[3].vector, BLOCKS, 40))} == {record(3), record(7)}


def test_the_nearest_come_first_and_carry_their_vectors(candidates: Candidates) -> None:
    held = templates(100)
    candidates.put(held)
    near = candidates.nearest(held[7].vector, [MILWAUKEE], 3)
    assert found(near)[0] == (record(7), 0)
    assert np.array_equal(near.hits[0].vector, held[7].vector)
    assert len(near.hits) == 3
    assert not near.exhausted


def test_all_of_a_small_scope_is_exhausted(candidates: Candidates) -> None:
    candidates.put(templates(10))
    assert candidates.nearest(units(1)[0], [MILWAUKEE], 10).exhausted
    assert candidates.nearest(units(1)[0], [MILWAUKEE], 99).exhausted
    assert not candidates.nearest(units(1)[0], [MILWAUKEE], 9).exhausted


def test_only_the_chosen_blocks_are_searched(candidates: Candidates) -> None:
    for number, block in enumerate(BLOCKS):
        candidates.put(templates(5, first=10 * number, block=block))
    near = candidates.nearest(units(1)[0], [MILWAUKEE_MISSING, MILWAUKEE_MISSING], 99)
    assert {name for name, _ in found(near)} == {record(10 + row) for row in range(5)}
    assert candidates.nearest(units(1)[0], [], 99) == Near((), exhausted=True)


def test_the_same_ids_again_change_nothing(candidates: Candidates) -> None:
    held = templates(4)
    candidates.put([*held, held[0]])
    candidates.put(held)
    assert len(candidates) == 4
    assert len(candidates.nearest(held[0].vector, BLOCKS, 99).hits) == 4


def test_one_record_may_have_many_photographs(candidates: Candidates) -> None:
    candidates.put([template(photo, vector, of=1, photo=photo) for photo, vector in enumerate(units(8))])
    candidates.put([template(8, units(9)[8], of=2)])
    assert candidates.forget([record(1)]) == 8
    assert found(candidates.nearest(units(1)[0], BLOCKS, 99)) == [(record(2), 0)]


def test_what_is_forgotten_is_not_found_and_may_come_again(candidates: Candidates) -> None:
    held = templates(20)
    candidates.put(held)
    assert candidates.forget([record(3), record(3), record(4), record(999)]) == 2
    assert {name for name, _ in found(candidates.nearest(held[3].vector, BLOCKS, 99))} == {
        each.record_id for each in held if each.record_id not in (record(3), record(4))
    }
    assert candidates.forget([record(3)]) == 0
    candidates.put([held[3]])
    assert found(candidates.nearest(held[3].vector, BLOCKS, 1)) == [(record(3), 0)]


def test_a_cleared_gallery_is_empty(candidates: Candidates) -> None:
    candidates.put(templates(20))
    candidates.clear()
    assert len(candidates) == 0
    assert candidates.nearest(units(1)[0], BLOCKS, 1) == Near((), exhausted=True)
    candidates.put(templates(2))
    assert len(candidates) == 2


@pytest.mark.usefixtures("small_chunks")
def test_everything_within_the_tie_margin_of_the_cut_comes_too(candidates: Candidates) -> None:
    probe = np.zeros(128, np.float32)
    probe[0] = 1.0
    # At a cut after two, 0.8: three that may tie with it, two of them in a later chunk, and those that cannot.
    scores = [0.9, 0.8, 0.8, 0.1, 0.1, 0.1, 0.79995, 0.7999, 0.7998, 0.5]
    for number, score in enumerate(scores):
        vector = np.zeros(128, np.float32)
        vector[0], vector[number + 1] = score, np.sqrt(1.0 - score * score)
        candidates.put([template(number, vector)])
    names = {name for name, _ in found(candidates.nearest(probe, [MILWAUKEE], 2))}
    assert names == {record(number) for number in (0, 1, 2, 6, 7)}


@pytest.mark.parametrize(
    "spoiled",
    [np.full(128, np.nan), np.full(128, np.inf), np.zeros(128), np.ones(128), np.ones(64) / 8, np.ones((2, 128)) / 128**0.5],
    ids=["nan", "infinite", "zero", "not normalised", "short", "two"],
)
def test_a_spoiled_template_is_refused_whole(candidates: Candidates, spoiled: NDArray[np.float64]) -> None:
    vector = spoiled.astype(np.float32)
    with pytest.raises(ValueError, match="template"):
        candidates.nearest(vector, BLOCKS, 1)
    with pytest.raises(ValueError, match=r"template|shape"):
        candidates.put([*templates(3), template(3, vector)])
    assert len(candidates) == 0


def test_other_limits_are_refused(candidates: Candidates) -> None:
    with pytest.raises(ValueError, match="count"):
        candidates.nearest(units(1)[0], BLOCKS, 0)
    with pytest.raises(ValueError, match="record id"):
        candidates.forget([RecordId("x")])
    with pytest.raises(ValueError, match="range"):
        candidates.put([template(0, units(1)[0], of=0, photo=-1)])
    with pytest.raises(ValueError, match="range"):
        candidates.put([template(2**63, units(1)[0], of=0)])


def test_nothing_prints_a_vector(candidates: Candidates) -> None:
    held = templates(2)
    candidates.put(held)
    shown = repr(candidates) + repr(held) + repr(candidates.nearest(held[0].vector, BLOCKS, 2))
    assert "array" not in shown
    assert f"{held[0].vector[0]:.4f}"[:6] not in shown


# Vectors on a coarse grid, so that equal scores and scores just apart are common.
GRID = [
    vector / np.linalg.norm(vector)
    for vector in np.array(list(itertools.product([-1.0, 0.0, 1e-4, 1.0], repeat=4)))
    if vector.any()
]
numbers = st.integers(0, 40)
rows = st.tuples(numbers, st.integers(0, len(GRID) - 1), st.sampled_from(BLOCKS))
steps = st.tuples(st.sampled_from(["put", "put", "forget"]), st.lists(rows, max_size=30))
Step = tuple[str, list[tuple[int, int, Block]]]


@pytest.mark.usefixtures("small_chunks")
@settings(deadline=None, max_examples=150)
@given(
    history=st.lists(steps, max_size=8),
    searches=st.lists(st.tuples(st.integers(0, len(GRID) - 1), st.sets(st.sampled_from(BLOCKS)), st.integers(1, 12)), max_size=4),
)
def test_it_agrees_with_the_definition(
    history: list[Step],
    searches: list[tuple[int, set[Block], int]],
) -> None:
    scan, model = ResidentScan(dimension=4), dict[int, StoredTemplate]()
    for act, things in history:
        if act == "put":
            drawn = [
                template(number, GRID[which].astype(np.float32), of=number // 3, block=block, photo=number % 3)
                for number, which, block in things
            ]
            scan.put(drawn)
            for each in drawn:
                model.setdefault(each.template_id, each)
        else:
            records = [record(number) for number, _, _ in things[:6]]
            gone = [number for number, each in model.items() if each.record_id in records]
            assert scan.forget(records) == len(gone)
            for number in gone:
                del model[number]
    assert len(scan) == len(model)
    for which, blocks, count in searches:
        probe = GRID[which].astype(np.float32)
        ranked = exact([each for each in model.values() if each.block in blocks], probe)
        near = scan.nearest(probe, blocks, count)
        cut = ranked[count - 1][0] if len(ranked) >= count else -2.0
        must = {(each.record_id, each.photo) for score, each in ranked if score >= cut - 1.05e-4}
        may = {(each.record_id, each.photo) for score, each in ranked if score >= cut - TIE_MARGIN - 1e-5}
        assert must <= set(found(near)) <= may
        assert len(near.hits) == len(set(found(near)))
        assert near.exhausted == (len(near.hits) == len(ranked))


@pytest.mark.usefixtures("small_chunks")
def test_the_bytes_of_a_forgotten_template_are_gone_when_forget_returns() -> None:
    scan, held = ResidentScan(), templates(50, first=1)
    scan.put(held)
    everything = [chunk.vectors for chunk in scan._chunks.values()]  # also of chunks that will be given back
    for each in held[::3]:
        assert any(each.vector.tobytes() in block.tobytes() for block in everything)
        scan.forget([each.record_id])
        assert not any(each.vector.tobytes() in block.tobytes() for block in everything)
        named = [row for chunk in scan._chunks.values() for row in chunk.records.tolist()]
        assert [0, each.template_id] not in named
    scan.clear()
    assert not any(block.any() for block in everything)


@pytest.mark.usefixtures("small_chunks")
def test_a_scan_keeps_dense_and_gives_empty_chunks_back() -> None:
    scan, held = ResidentScan(), templates(100)
    for _ in range(3):
        scan.put(held)
        chunks = len(scan._chunks)
        scan.forget([each.record_id for each in held[:90]])
        assert len(scan._chunks) < chunks
        scan.forget([each.record_id for each in held[90:]])
        assert (len(scan), len(scan._chunks)) == (0, 0)
        assert not scan._heads.any()


def test_a_score_does_not_depend_on_what_stands_beside_it() -> None:
    rows, probe = units(500, seed=3), units(1, seed=4)[0]
    whole = np.vecdot(rows, probe)
    for start, end in [(0, 1), (1, 4), (7, 500), (499, 500), (100, 117)]:
        assert np.array_equal(np.vecdot(rows[start:end], probe), whole[start:end])


def test_a_reader_whose_row_is_forgotten_under_its_hands_reads_again(monkeypatch: pytest.MonkeyPatch) -> None:
    scan, held, score = ResidentScan(), templates(20), np.vecdot
    scan.put(held)

    def score_and_lose(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 -- as numpy has it
        scores = score(*arguments, **options)
        scan.forget([record(3)])  # between scoring and copying: row 3 is another template now
        return scores

    monkeypatch.setattr(np, "vecdot", score_and_lose)
    near = scan.nearest(held[3].vector, [MILWAUKEE], 1)
    best = exact([*held[:3], *held[4:]], held[3].vector)[0][1]
    assert found(near) == [(best.record_id, 0)]
    assert np.array_equal(near.hits[0].vector, best.vector)


@pytest.mark.usefixtures("small_chunks")
def test_a_search_that_begins_after_forget_returned_never_finds_it() -> None:
    """Seekers search for what was forgotten last, and for one that always stays, while records come and go."""
    scan, held = ResidentScan(), templates(300)
    scan.put(held)
    stays = held[-1]
    forgotten: list[int] = []  # appended after forget returned
    done = threading.Event()
    faults: list[str] = []

    def seek() -> None:
        while not done.is_set():
            known = len(forgotten)
            if not known:
                continue
            sought = held[forgotten[known - 1]]
            names = {hit.record_id for hit in scan.nearest(sought.vector, [MILWAUKEE], 3).hits}
            if sought.record_id in names:
                faults.append("found what was forgotten")
            near = scan.nearest(stays.vector, [MILWAUKEE], 1)
            if near.hits[0].record_id != stays.record_id or not np.array_equal(near.hits[0].vector, stays.vector):
                faults.append("missed or misread what stays")

    seekers = [threading.Thread(target=seek) for _ in range(3)]
    for seeker in seekers:
        seeker.start()
    for row in range(len(held) - 1):
        scan.forget([held[row].record_id])
        forgotten.append(row)
        scan.put([template(10_000 + row, units(1, seed=10_000 + row)[0])])
    done.set()
    for seeker in seekers:
        seeker.join()
    assert faults == []


def test_a_reader_whose_chunk_always_changes_takes_its_turn() -> None:
    scan = ResidentScan()
    scan.put(templates(5))
    chunk = next(iter(scan._chunks.values()))
    chunk.version += 1  # as if a writer never left
    assert len(scan.nearest(units(1)[0], [MILWAUKEE], 99).hits) == 5


@pytest.mark.usefixtures("small_chunks")
def test_a_records_templates_are_handed_out_for_a_byte_scan_until_they_are_forgotten(candidates: Candidates) -> None:
    """Rule 9: an erasure knows what it must not find afterwards."""
    held = templates(30)
    candidates.put([*held, template(99, held[3].vector, of=7, photo=1)])
    assert {vector.tobytes() for vector in candidates.held([record(7)])} == {held[7].vector.tobytes(), held[3].vector.tobytes()}
    candidates.forget([record(7)])
    assert candidates.held([record(7)]) == []
    assert len(candidates.held([record(3), record(8)])) == 2
