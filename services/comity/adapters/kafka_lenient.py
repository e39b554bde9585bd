"""What needs private parts of kafka-python 3.0, in one place; a later 3.x may have moved them.

Two faults put right: headers whose names are no UTF-8 (the contract suite's poison test says so at once should its record reader
have changed), and sockets left open, by the place where it lets proxies be plugged in. Two things asked that it knows and does
not tell: a topic's id, and a leader's epoch for a position (tests/faults/test_log_that_went_back.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch

_Client = TypeVar("_Client")


class _Name(str):
    """A header's name that is no UTF-8: its bytes come back from it (PEP 383), where kafka-python encodes it again."""

    __slots__ = ()

    def encode(self, _encoding: str = "utf-8", _errors: str = "strict") -> bytes:
        return str.encode(self, "utf-8", "surrogateescape")


class _Bytes(bytes):
    """Bytes whose text is read leniently."""

    def __getitem__(self, at: Any) -> Any:  # noqa: ANN401  # as bytes has it
        got = super().__getitem__(at)
        return _Bytes(got) if isinstance(got, bytes) else got

    def decode(self, _encoding: str = "utf-8", _errors: str = "strict") -> str:
        return _Name(super().decode("utf-8", "surrogateescape"))


class _LenientBatch(DefaultRecordBatch):
    """Reads a header's name that is no UTF-8.

    kafka-python takes it for a corrupt batch and meets it again at every poll, though the broker stores it and its checksum is
    right: one entry of a stranger would stop every reader for ever.
    """

    __slots__ = ()

    def _read_msg(self, *arguments: Any) -> Any:  # noqa: ANN401  # as the library has it
        try:
            return super()._read_msg(*arguments)  # type: ignore[misc]
        except UnicodeDecodeError:  # its position is where it was: read the record again
            self._buffer: bytes = _Bytes(self._buffer)
            return super()._read_msg(*arguments)  # type: ignore[misc]


class _Records(MemoryRecords):
    __slots__ = ()

    def next_batch(self, *arguments: Any) -> Any:  # noqa: ANN401  # as the library has it
        batch = super().next_batch(*arguments)  # type: ignore[no-untyped-call]
        if isinstance(batch, DefaultRecordBatch):
            batch.__class__ = _LenientBatch
        return batch


class _PartitionRecords(Fetcher.PartitionRecords):
    def _unpack_records(self, tp: TopicPartition, records: MemoryRecords, *arguments: Any) -> Any:  # noqa: ANN401
        records.__class__ = _Records
        return super()._unpack_records(tp, records, *arguments)  # type: ignore[misc]


def header(name: str) -> str:
    """Return a header's name in the form that kafka-python can send, whatever its bytes were."""
    return name if name.isascii() else _Name(name)


def make_lenient(consumer: KafkaConsumer) -> None:
    """Let a consumer read what strangers may write. There is no public place for it."""
    consumer._fetcher.PartitionRecords = _PartitionRecords  # type: ignore[attr-defined]  # noqa: SLF001


def topic_id(consumer: KafkaConsumer, name: str) -> object:
    """Return the id that a topic had when this consumer last learnt of it, or None. There is no public place for it."""
    return consumer._cluster.topic_id(name)  # type: ignore[attr-defined]  # noqa: SLF001


def seek_in_epoch(consumer: KafkaConsumer, partition: TopicPartition, at: int, epoch: int) -> None:
    """Seek to a position, and say in which leader's time the entry before it was given: the broker compares."""
    consumer.seek(partition, at)
    consumer._subscription.assignment[partition].seek(OffsetAndMetadata(at, "", epoch))  # type: ignore[attr-defined]  # noqa: SLF001


class _ClosingSocket(KafkaNetSocket):
    """Connects directly, and closes the socket of a connection that was refused.

    The library leaves it to the garbage collector, once a second and client while a broker is away.
    """

    SCHEMES = ("direct",)

    async def sock_connect(self, net: Any, sock: Any, sockaddr: Any, timeout_at: Any = None) -> Any:  # noqa: ANN401  # as it has it
        try:
            return await super().sock_connect(net, sock, sockaddr, timeout_at=timeout_at)  # type: ignore[no-untyped-call]
        except BaseException:
            sock.close()
            raise


CLOSING_SOCKETS = {"proxy_url": "direct://"}  # a client's setting: its "proxy" is the class above


def build(make: Callable[..., _Client], **settings: Any) -> _Client:  # noqa: ANN401  # whatever the client takes
    """Make a client; where no broker is found, leave nothing open: the library leaves a thread and two sockets."""
    made: list[KafkaNetClient] = []

    def connections(**configs: Any) -> KafkaNetClient:  # noqa: ANN401
        made.append(KafkaNetClient(**configs))
        return made[-1]

    try:
        return make(**settings, kafka_client=connections)
    except BaseException:
        for one in made:
            one.close()
        raise
