"""milvus-lite in this process: its server on a Unix socket that its owner alone can reach, and its directory with the lock.

Not through ``MilvusClient("….db")``: that listens on a loopback port, where every account of the machine may read and drop
all (decision 37), hides why it failed, shares one server among all clients of a path in this process, and its ``close()``
stops neither the server nor the lock.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comity.adapters import private_files
from comity.errors import Unavailable

if TYPE_CHECKING:
    import grpc

CALLS_AT_ONCE = 4  # the store takes turns; a call that was given up may still be running
MESSAGE_BYTES_MAX = 256 * 1024**2  # as a Milvus server has it: forty times a page of rows
STOP_SECONDS = 1.0
SOCKET = ".sock"  # such files are ours to remove


class MilvusLiteEngine:
    """The embedded engine over one directory; ``uri`` is where a client in this process finds it.

    Raises Unavailable with advice where another process, or another store of this one, has the directory.
    """

    def __init__(self, directory: Path) -> None:
        private_files.make_folder(directory)  # before anything listens in it
        self._collections = directory / "collections"
        with ExitStack() as opened:
            engine = _engine(directory)
            opened.callback(engine.close)
            for left in directory.glob(f"*{SOCKET}"):  # by a process that was killed: the directory is ours now
                left.unlink()
            # By this process's own descriptor: a socket's path ends after 107 bytes, and gRPC reads it as a URI. A new name
            # each time, since the client remembers what it learnt under one.
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.callback(os.close, descriptor)
            self.uri = f"unix:/proc/self/fd/{descriptor}/{secrets.token_hex(4)}{SOCKET}"
            server = _server(engine, self.uri)
            opened.callback(lambda: server.stop(grace=STOP_SECONDS).wait())
            self._opened = opened.pop_all()

    def sweep(self, names: Collection[str]) -> None:
        """Remove what a crash left of collections half dropped, which Milvus no longer lists."""
        for directory in self._collections.iterdir():
            if directory.is_dir() and directory.name not in names:
                shutil.rmtree(directory)

    def settle(self, name: str, since: float) -> None:
        """Synchronise a collection's files written ``since`` (Unix time) with the disk: lite does so for its manifest only."""
        for folder, _, files in os.walk(self._collections / name):
            for path in (*(Path(folder, file) for file in files), Path(folder)):
                with suppress(FileNotFoundError):  # lite has just merged it into another file
                    if path.stat().st_mtime >= since:
                        self._synchronise(path)

    @staticmethod
    def _synchronise(path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Stop the server, whose socket goes with it, and release the directory; idempotent."""
        self._opened.close()


def _engine(directory: Path) -> Any:  # noqa: ANN401 -- milvus-lite is untyped
    from milvus_lite.db import MilvusLite  # noqa: PLC0415 -- takes 0.7 s
    from milvus_lite.exceptions import DataDirLockedError  # noqa: PLC0415

    try:
        return MilvusLite(str(directory.absolute()))
    except DataDirLockedError:
        raise Unavailable(
            f"Another process holds the template store at {directory}.",
            advice="Stop it, or send the command to it: a running `comity up` holds its home until it ends.",
        ) from None


def _server(engine: Any, uri: str) -> grpc.Server:  # noqa: ANN401 -- milvus-lite is untyped
    """Serve the engine at this address. Raises Unavailable where its file system has no sockets."""
    import grpc  # noqa: PLC0415 -- with what stands below it takes a second
    from milvus_lite.adapter.grpc.servicer import MilvusServicer  # noqa: PLC0415
    from pymilvus.grpc_gen import milvus_pb2_grpc  # noqa: PLC0415

    limits = [(f"grpc.max_{way}_message_length", MESSAGE_BYTES_MAX) for way in ("receive", "send")]
    server = grpc.server(ThreadPoolExecutor(CALLS_AT_ONCE), options=limits)
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(MilvusServicer(engine), server)
    try:
        server.add_insecure_port(uri)
    except RuntimeError:
        raise Unavailable(
            "The template store cannot listen on a socket in its own folder.",
            advice="Keep the home on a local file system, and look whether its disk has room.",
        ) from None
    server.start()
    return server
