"""Who reaches the embedded template store: this process and nobody else, by no port and by no proxy."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from another_account import listening, tried
from comity.adapters import milvus_lite_engine
from comity.adapters.milvus_store import MilvusStore
from comity.errors import Unavailable
from gallery import templates
from proxies import recording

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that every account may enter and list, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="comity-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def sockets(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if stat.S_ISSOCK(path.lstat().st_mode)]


def rows(store: MilvusStore) -> int:
    return sum(len(batch) for batch in store.all())


def test_it_listens_on_no_port(tmp_path: Path) -> None:
    before = listening(os.getpid())
    with closing(MilvusStore(tmp_path / "gallery.db")) as store:
        store.put(templates(3))
        assert listening(os.getpid()) == before
        assert len(sockets(tmp_path / "gallery.db")) == 1
    assert sockets(tmp_path / "gallery.db") == []


def test_a_directory_that_was_open_to_others_is_closed_before_anything_listens_in_it(folder: Path) -> None:
    directory = folder / "gallery.db"
    directory.mkdir()
    directory.chmod(0o777)
    with closing(MilvusStore(directory)):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


TRY = """
    path = sys.argv[1]
    try:
        MilvusClient("unix:" + path, timeout=2, grpc_options={"grpc.enable_http_proxy": 0}).list_collections()
        print("came in")
    except MilvusException:
        print("kept out")
    for act in (os.listdir, os.unlink):
        try:
            act(os.path.dirname(path) if act is os.listdir else path)
            print("came in")
        except PermissionError:
            print("kept out")
"""


def test_another_account_reaches_no_template(folder: Path) -> None:
    directory = folder / "gallery.db"
    directory.mkdir()
    directory.chmod(0o777)
    with closing(MilvusStore(directory)) as store:
        store.put(templates(3))
        (path,) = sockets(directory)
        imports = "from pymilvus import MilvusClient\nfrom pymilvus.exceptions import MilvusException"
        assert tried(TRY, str(path), imports=imports).split("\n") == ["kept out"] * 3 + [""]
        assert rows(store) == 3


@pytest.mark.parametrize("name", ["with space", "per%41cent", "ha#sh", "q?m", "ö", "global-cluster", "long" * 50])
def test_a_home_may_be_called_anything(tmp_path: Path, name: str) -> None:
    with closing(MilvusStore(tmp_path / name / "gallery.db")) as store:
        store.put(templates(3))
        assert rows(store) == 3


KILLED = """
import os, signal, sys
from pathlib import Path
from comity.adapters.milvus_store import MilvusStore
MilvusStore(Path(sys.argv[1]))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    directory = tmp_path / "gallery.db"
    assert subprocess.run([sys.executable, "-c", KILLED, str(directory)], check=False, timeout=60).returncode == -signal.SIGKILL
    assert len(sockets(directory)) == 1
    with closing(MilvusStore(directory)):
        assert len(sockets(directory)) == 1
    assert sockets(directory) == []


def test_where_no_socket_can_be_made_it_says_so_and_lets_the_directory_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(milvus_lite_engine, "SOCKET", "x" * 200)
        with pytest.raises(Unavailable, match="socket") as told:
            MilvusStore(tmp_path / "gallery.db")
    assert "local file system" in told.value.advice
    MilvusStore(tmp_path / "gallery.db").close()


def test_no_proxy_is_asked_for_the_embedded_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with recording(monkeypatch) as seen, closing(MilvusStore(tmp_path / "gallery.db")) as store:
        store.put(templates(3))
        assert rows(store) == 3
    assert seen == []


def test_no_proxy_is_asked_for_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from milvus_lite.adapter.grpc.server import start_server_in_thread  # noqa: PLC0415 -- takes 0.7 s

    server, engine, port = start_server_in_thread(str(tmp_path / "server"), host="127.0.0.1", port=0)
    try:
        with recording(monkeypatch) as seen, closing(MilvusStore(f"http://127.0.0.1:{port}")) as store:
            store.put(templates(3))
            assert rows(store) == 3
        assert seen == []
    finally:
        server.stop(grace=1).wait()
        engine.close()
