"""milvus-lite in this process: its server on a loopback port, and its directory with the lock.

Not through ``MilvusClient("….db")``: that hides why it failed, shares one server among all clients of a path in this process, and
its ``close()`` stops neither the server nor the lock.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from comity.errors import Unavailable


class MilvusLiteEngine:
    """The embedded engine over one directory; ``uri`` is where a client finds it.

    Raises Unavailable with advice where another process, or another store of this one, has the directory.
    """

    def __init__(self, directory: Path) -> None:
        from milvus_lite.adapter.grpc.server import start_server_in_thread  # noqa: PLC0415 -- takes 0.7 s
        from milvus_lite.exceptions import DataDirLockedError  # noqa: PLC0415

        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._collections = directory / "collections"
        try:
            self._server, self._engine, port = start_server_in_thread(str(directory.absolute()), host="127.0.0.1", port=0)
        except DataDirLockedError:
            raise Unavailable(
                f"Another process holds the template store at {directory}.",
                advice="Stop it, or send the command to it: a running `comity up` holds its home until it ends.",
            ) from None
        self.uri = f"http://127.0.0.1:{port}"

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
        """Stop the server and release the directory."""
        self._server.stop(grace=1).wait()
        self._engine.close()
