"""What every implementation of ``TemplateStore`` does; and what the embedded Milvus leaves in its files, and after a crash."""

from __future__ import annotations

import contextlib
import logging
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from comity.adapters import milvus_store
from comity.adapters.milvus_store import MilvusStore
from comity.domain.ids import Ori, RecordId
from comity.errors import Unavailable
from comity.ports import Block, StoredTemplate, TemplateStore
from gallery import MILWAUKEE, record, spread, template, templates, traces, units

pytestmark = pytest.mark.timeout(120)
Open = Callable[[], TemplateStore]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "gallery.db"


@pytest.fixture(params=["embedded"])
def reopen(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Open the store with small shards and pages; opening again closes the one before."""
    monkeypatch.setattr(milvus_store, "PAGE_ROWS", 3)
    monkeypatch.setattr(milvus_store, "IDS_PER_QUERY", 2)
    with contextlib.ExitStack() as opened:

        def again() -> MilvusStore:
            opened.close()
            store = MilvusStore(home, shard_rows=8)
            opened.callback(store.close)
            return store

        yield again


@pytest.fixture
def store(reopen: Open) -> TemplateStore:
    return reopen()


def as_put(rows: list[StoredTemplate]) -> dict[int, tuple[RecordId, Block, int, bytes]]:
    return {row.template_id: (row.record_id, row.block, row.photo, row.vector.tobytes()) for row in rows}


def everything(store: TemplateStore) -> dict[int, tuple[RecordId, Block, int, bytes]]:
    rows = [row for batch in store.all() for row in batch]
    found = as_put(rows)
    assert len(found) == len(rows), "a row came twice"
    assert all(row.vector.dtype == np.float32 for row in rows)
    return found


def names(store: TemplateStore) -> list[str]:
    assert isinstance(store, MilvusStore)
    return sorted(store._ask("list_collections"))


def test_what_was_put_comes_back_bit_for_bit_after_reopening_too(store: TemplateStore, reopen: Open) -> None:
    rows = spread()
    store.put(rows[:17])
    store.put(rows[17:])
    assert everything(store) == as_put(rows)
    assert everything(reopen()) == as_put(rows)


def test_the_same_ids_again_change_nothing(store: TemplateStore, reopen: Open) -> None:
    rows = spread()
    store.put([*rows, *rows])
    store.put(rows)
    store = reopen()
    store.put(rows)
    assert everything(store) == as_put(rows)
    for row in rows:
        assert sum(1 for found, _ in store.nearest(row.vector, 40) if found == row.record_id) == 2


def test_the_raw_engine_proposes_right_after_put_and_not_after_forget(store: TemplateStore, reopen: Open) -> None:
    rows = spread()
    store.put(rows)
    assert store.nearest(rows[5].vector, 1)[0][0] == rows[5].record_id
    scored = sorted((-float(row.vector @ rows[5].vector), row.record_id) for row in rows)
    ranked = store.nearest(rows[5].vector, 10)
    assert [score for _, score in ranked] == pytest.approx([-score for score, _ in scored[:10]], abs=1e-6)
    store.forget([rows[5].record_id])
    assert rows[5].record_id not in {found for found, _ in store.nearest(rows[5].vector, 40)}
    assert rows[5].record_id not in {found for found, _ in reopen().nearest(rows[5].vector, 40)}


def test_forgetting_takes_these_records_and_no_others(store: TemplateStore) -> None:
    rows = spread()
    store.put(rows)
    gone = {record(number) for number in (0, 3, 19)}
    assert store.forget([*gone, *gone, record(999)]) == 6
    left = [row for row in rows if row.record_id not in gone]
    assert everything(store) == as_put(left)
    assert store.forget(gone) == 0
    assert store.forget([]) == 0
    store.put(rows)  # an unseal: they may come again
    assert everything(store) == as_put(rows)


def test_forgetting_everyone_or_clearing_leaves_nothing(store: TemplateStore, reopen: Open) -> None:
    rows = spread()
    store.put(rows)
    assert store.forget([row.record_id for row in rows]) == 40
    assert names(store) == []
    store.put(rows)
    store.clear()
    assert not list(store.nearest(rows[0].vector, 5))
    assert everything(store) == everything(reopen()) == {}


def test_no_shard_grows_beyond_its_limit_and_room_is_used_again(store: TemplateStore) -> None:
    rows = templates(20)
    store.put(rows)
    assert names(store) == [f"templates_WI0130000_000{shard}_000001" for shard in (1, 2, 3)]
    store.forget([row.record_id for row in rows[:8]])
    store.forget([rows[8].record_id])
    store.put(templates(5, seed=1, first=100))
    assert names(store) == ["templates_WI0130000_0002_000002", "templates_WI0130000_0003_000001"]


def test_reading_all_goes_on_while_records_come_and_go(store: TemplateStore) -> None:
    rows = templates(20)
    store.put(rows)
    batches = store.all()
    seen = [row.template_id for row in next(batches)]
    store.forget([rows[0].record_id, rows[4].record_id, *(row.record_id for row in rows[16:])])
    store.put(templates(3, seed=1, first=100))
    seen += [row.template_id for batch in batches for row in batch]
    assert len(seen) == len(set(seen))
    assert set(range(20)) - {4, 16, 17, 18, 19} <= set(seen) <= (set(range(20)) | {100, 101, 102}) - {4}
    store.put(rows)
    store.put(templates(3, seed=1, first=100))
    assert set(everything(store)) == set(range(20)) | {100, 101, 102}


@pytest.mark.parametrize(
    "spoiled",
    [
        template(1, np.full(128, np.nan, np.float32)),
        template(1, np.full(128, np.inf, np.float32)),
        template(1, np.ones(128, np.float32)),
        template(1, units(1, dimension=64)[0]),
        template(1, units(1)[0], photo=-1),
        template(2**63, units(1)[0], of=1),
        template(1, units(1)[0], block=Block(Ori('WI0"130000'), "booking")),
        template(1, units(1)[0], block=Block(Ori("WI0130000"), 'booking"')),
        StoredTemplate(1, RecordId('" or id > 0 or record_id == "'), MILWAUKEE, 0, units(1)[0]),
    ],
    ids=["nan", "infinite", "length", "dimensions", "photo", "id", "agency", "class", "record"],
)
def test_what_cannot_be_right_is_refused_whole(store: TemplateStore, spoiled: StoredTemplate) -> None:
    with pytest.raises(ValueError, match=r"template|range|ORI|class|record id"):
        store.put([*templates(1), spoiled])
    assert everything(store) == {}


def test_a_malformed_record_id_erases_nothing(store: TemplateStore) -> None:
    store.put(templates(3))
    with pytest.raises(ValueError, match="record id"):
        store.forget([record(1), RecordId('x" or id > 0 or record_id == "')])
    assert len(everything(store)) == 3


def test_closing_twice_is_once_and_a_closed_store_says_so(store: TemplateStore) -> None:
    store.close()
    store.close()
    probe = units(1)[0]
    uses: list[Callable[[], object]] = [
        lambda: store.put([]), lambda: store.forget([]), lambda: list(store.all()), lambda: store.nearest(probe, 1), store.clear
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(Unavailable, match="closed"):
            use()


def test_a_failure_is_unavailable_and_quotes_no_vector(
    store: TemplateStore, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    store.put(templates(1))
    with pytest.raises(Unavailable, match="template store failed") as failure:
        store.nearest(units(1, dimension=64)[0], 1)
    told = "".join(capfd.readouterr()) + caplog.text + str(failure.value) + repr(failure.value.__cause__)
    assert "Traceback" not in told
    assert f"{units(1, dimension=64)[0][0]:.4f}"[:6] not in told


# What lies in the files of the embedded engine


def test_after_forget_no_file_holds_the_template(store: TemplateStore, reopen: Open, home: Path) -> None:
    rows = spread()
    for row in rows:  # many small flushes: segments, and compactions of them
        store.put([row])
    store.nearest(rows[0].vector, 1)
    gone = [row for row in rows if row.record_id in {record(2), record(11)}]
    assert {".parquet", ".idx"} <= set(traces(home, gone)), "the scan must be able to find them"
    assert store.forget([record(2), record(11)]) == 4
    assert traces(home, gone) == []
    assert set(traces(home, rows))
    reopen()
    assert traces(home, gone) == []


def test_the_log_of_an_insert_that_was_not_flushed_goes_too(store: TemplateStore, home: Path) -> None:
    assert isinstance(store, MilvusStore)
    rows = templates(4)
    store.put(rows[:3])
    store._ask("insert", "templates_WI0130000_0001_000001", [milvus_store._row(rows[3])])
    store._ids.clear()
    assert ".arrow" in traces(home, rows[3:])
    assert store.forget([record(3)]) == 1
    assert traces(home, rows[3:]) == []
    assert set(everything(store)) == {0, 1, 2}


# What a crash leaves, step by step (see the top of milvus_store.py)


@pytest.fixture
def collections(home: Path, reopen: Open) -> Path:
    """Leave a closed store with two shards in generation 1: eight templates and four."""
    store = reopen()
    store.put(templates(12))
    store.close()
    return home / "collections"


def test_a_crash_before_the_commit_leaves_the_old_generation(collections: Path, reopen: Open) -> None:
    shutil.copytree(collections / "templates_WI0130000_0002_000001", collections / "draft_WI0130000_0001_000002")
    store = reopen()
    assert set(everything(store)) == set(range(12))
    assert store.forget([record(0)]) == 1
    assert names(store) == ["templates_WI0130000_0001_000002", "templates_WI0130000_0002_000001"]
    assert set(everything(reopen())) == set(range(1, 12))


def test_a_crash_after_the_commit_leaves_the_new_generation(collections: Path, home: Path, reopen: Open) -> None:
    old = collections / "templates_WI0130000_0001_000001"
    shutil.copytree(old, home / "aside")
    store = reopen()
    store.forget([record(0)])
    store.close()
    shutil.move(home / "aside", old)
    store = reopen()
    assert set(everything(store)) == set(range(1, 12))
    assert names(store) == ["templates_WI0130000_0001_000002", "templates_WI0130000_0002_000001"]
    assert traces(home, templates(1)) == []


@pytest.mark.parametrize("removed", [[], ["manifest.json", "manifest.json.prev"], ["partitions"], ["schema.json"]])
def test_a_crash_while_the_old_one_is_dropped_leaves_no_trace(
    collections: Path, home: Path, reopen: Open, removed: list[str]
) -> None:
    dropped = collections / "dropped_WI0130000_0001_000001"
    (collections / "templates_WI0130000_0001_000001").rename(dropped)
    for name in removed:
        shutil.rmtree(dropped / name) if (dropped / name).is_dir() else (dropped / name).unlink(missing_ok=True)
    store = reopen()
    assert set(everything(store)) == {8, 9, 10, 11}
    assert not dropped.exists()
    assert traces(home, templates(8)) == []


@pytest.mark.parametrize("step", ["create_collection", "insert", "flush", "query", "rename_collection", "drop_collection"])
def test_a_step_that_fails_is_never_taken_for_an_erasure(
    reopen: Open, home: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    store = reopen()
    store.put(rows := templates(6))
    ask, forgetting = MilvusStore._ask, True

    def fail(self: MilvusStore, method: str, *arguments: object, **options: object) -> object:
        if forgetting and method == step and not str(options.get("filter")).startswith("record_id in"):
            raise Unavailable("as if the disk were full")
        return ask(self, method, *arguments, **options)

    monkeypatch.setattr(MilvusStore, "_ask", fail)
    with pytest.raises(Unavailable):
        store.forget([record(2)])
    forgetting = False
    store.forget([record(2)])  # asked again: it does it, without a restart
    assert traces(home, [rows[2]]) == []
    assert set(everything(store)) == {0, 1, 3, 4, 5}
    store = reopen()
    store.forget([record(2)])
    assert set(everything(store)) == {0, 1, 3, 4, 5}
    assert traces(home, [rows[2]]) == []


def test_a_put_that_failed_half_way_may_be_sent_again(reopen: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    store = reopen()
    store.put(rows := templates(6))
    ask, asked, failing = MilvusStore._ask, list[str](), True

    def fail(self: MilvusStore, method: str, *arguments: object, **options: object) -> object:
        asked.append(method)
        if failing and method == "flush":
            raise Unavailable("as if the disk were full")
        return ask(self, method, *arguments, **options)

    monkeypatch.setattr(MilvusStore, "_ask", fail)
    with pytest.raises(Unavailable):
        store.put(more := templates(2, seed=1, first=100))
    failing = False
    store.put(more)
    assert everything(store) == as_put([*rows, *more])
    assert asked.count("insert") == 1, "what is there must not be written twice"


# Processes


def child(code: str, home: Path) -> subprocess.Popen[str]:
    preamble = """
        import sys
        from pathlib import Path
        from comity.adapters.milvus_store import MilvusStore
        from comity.errors import Unavailable
        from gallery import record, templates
        home = Path(sys.argv[1])
    """
    program = textwrap.dedent(preamble) + textwrap.dedent(code)
    tests = str(Path(__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", f"import sys; sys.path.insert(0, {tests!r})\n{program}", str(home)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_only_one_process_has_the_directory_and_then_another_may(reopen: Open, home: Path) -> None:
    store = reopen()
    store.put(templates(3))
    with pytest.raises(Unavailable, match="Another process") as locked:
        MilvusStore(home)
    assert "comity up" in locked.value.advice
    code = """
        try:
            MilvusStore(home)
        except Unavailable as refused:
            print(refused.message, flush=True)
        import time
        while (home / "held").exists():
            time.sleep(0.05)
        store = MilvusStore(home)
        print(sum(len(batch) for batch in store.all()))
        store.put(templates(2, seed=1, first=100))
        # and ends without closing
    """
    (home / "held").touch()
    with child(code, home) as other:
        assert other.stdout
        assert other.stdout.readline().startswith("Another process holds the template store")
        store.close()
        (home / "held").unlink()
        assert other.stdout.readline() == "3\n"
        assert other.wait(30) == 0
    assert set(everything(reopen())) == {0, 1, 2, 100, 101}


def test_what_was_acknowledged_survives_kill_9(reopen: Open, home: Path) -> None:
    """A child puts and forgets and says so; it is killed in the middle of whatever it does then."""
    code = """
        store = MilvusStore(home, shard_rows=50)
        for turn in range(1000):
            store.put(templates(10, seed=turn, first=10 * turn))
            print("put", turn, flush=True)
            store.forget([record(10 * turn)])
            print("forgot", turn, flush=True)
    """
    with child(code, home) as victim:
        assert victim.stdout
        lines = [victim.stdout.readline().split() for _ in range(25)]
        victim.send_signal(signal.SIGKILL)
        lines += [line.split() for line in victim.stdout if line.endswith("\n")]
    turns = max(int(turn) for act, turn in lines if act == "put") + 1
    forgot = {10 * int(turn) for act, turn in lines if act == "forgot"}
    store = reopen()
    found = set(everything(store))
    # The last act had no answer: it may have happened or not.
    pending = set(range(10 * turns, 10 * turns + 10)) | {10 * (turns - 1)}
    assert found - pending == set(range(10 * turns)) - forgot - pending
    assert traces(home, [row for turn in range(turns) for row in templates(1, seed=turn) if 10 * turn in forgot]) == []
