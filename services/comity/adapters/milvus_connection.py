"""One client of Milvus, and the embedded engine behind it where there is one: opened, asked, closed, opened again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

from comity.adapters.milvus_lite_engine import MilvusLiteEngine
from comity.errors import Unavailable

CONNECT_SECONDS = 10.0
CALL_SECONDS = 60.0  # the client tries again until then: long for any call on one shard, short for whoever waits
# Never through a proxy that the environment names: what is sent are faces, and it is not encrypted.
CHANNEL = {"grpc.enable_http_proxy": 0}
# The client would ping every ten seconds, the embedded server takes one in five minutes and answers the third with GOAWAY, which
# gRPC prints. Within one process nothing drops an idle connection, so none is needed.
EMBEDDED_CHANNEL = {**CHANNEL, "grpc.keepalive_time_ms": 2**31 - 1, "grpc.keepalive_permit_without_calls": 0}
NOISY = ("pymilvus", "pymilvus.milvus_client", "milvus_lite.adapter.grpc.servicer", "grpc._server")

T = TypeVar("T")


class MilvusConnection:
    """Calls go through ``ask``. Not thread-safe: the store takes turns."""

    def __init__(self, where: Path | str) -> None:
        from pymilvus.exceptions import MilvusException  # noqa: PLC0415 -- takes 2 s, most of it for pandas

        for noisy in NOISY:
            # They log every failing call with its traceback, and with it what was sent; each comes out as an error anyway.
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        self._failure: type[Exception] = MilvusException
        self._where = where
        self._engine: MilvusLiteEngine | None = None
        self._client: Any = None

    @property
    def folder(self) -> Path | None:
        """Return the embedded engine's folder; None where Milvus is a server."""
        return None if isinstance(self._where, str) and "://" in self._where else Path(self._where)

    @property
    def is_open(self) -> bool:
        """Say whether it can be asked."""
        return self._client is not None

    def open(self) -> None:
        """Start the engine where it is embedded, and connect. Raises Unavailable."""
        from pymilvus import MilvusClient  # noqa: PLC0415 -- imported by the constructor already

        try:
            self._engine = MilvusLiteEngine(self.folder) if self.folder else None
            uri = self._engine.uri if self._engine else str(self._where)
            options = EMBEDDED_CHANNEL if self._engine else CHANNEL
            self._client = self.guarded(lambda: MilvusClient(uri, timeout=CONNECT_SECONDS, grpc_options=options))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the client, the engine and its lock; idempotent."""
        client, engine = self._client, self._engine
        self._client = self._engine = None
        if client:
            client.close()
        if engine:
            engine.close()

    def ask(self, method: str, *arguments: object, **options: object) -> Any:  # noqa: ANN401 -- pymilvus is untyped
        """Call the client. Raises Unavailable."""
        return self.guarded(lambda: getattr(self._client, method)(*arguments, timeout=CALL_SECONDS, **options))

    def guarded(self, act: Callable[[], T]) -> T:
        """Do it; whatever Milvus raises comes out as Unavailable."""
        try:
            return act()
        except self._failure as failure:
            # Its text may quote what was sent, and what was sent are faces: keep what stands before the first bracket.
            reason = str(getattr(failure, "message", "")).split("[", 1)[0][:200]
            raise Unavailable(
                f"The template store failed: {type(failure).__name__} {getattr(failure, 'code', '')} {reason}".rstrip(),
                advice="Check that Milvus runs and its disk has room, then try again; nothing was lost.",
            ) from None

    def sweep(self, names: Collection[str]) -> None:
        """Remove what a crash left of collections half dropped."""
        if self._engine:
            self._engine.sweep(names)

    def settle(self, name: str, since: float) -> None:
        """Synchronise a collection's files with the disk, where they are ours."""
        if self._engine:
            self._engine.settle(name, since)
