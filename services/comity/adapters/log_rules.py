"""What both logs refuse and how both place an entry, so that one history lies alike in either of them."""

from __future__ import annotations

from zlib import crc32

from comity.domain.log import Entry, Stream, Topic
from comity.errors import InvalidInput, TooLarge
from comity.wire.limits import VALUE_BYTES_MAX

KEY_BYTES_MAX = 1024  # ids are 32 characters; a stranger's key is kept in quarantine, not refused there
HEADERS_BYTES_MAX = 64 * 1024  # eight CloudEvents attributes and one signature are under 1 KiB
FRAME_BYTES_MAX = 4096  # record and batch framing around the three above, rounded up
RECORD_BYTES_MAX = VALUE_BYTES_MAX + HEADERS_BYTES_MAX + KEY_BYTES_MAX + FRAME_BYTES_MAX
BATCH_BYTES_MAX = 64 * 1024 * 1024  # what one poll may hold in memory, one entry above it

COMPACTED_PARTITIONS = 3  # a stream for each of three encoders; the journal has one on purpose (DESIGN.md §3)


def streams(topic: Topic) -> tuple[Stream, ...]:
    """Return the topic's streams, in order of their partitions."""
    return tuple(Stream(topic, partition) for partition in range(COMPACTED_PARTITIONS if topic.compacted else 1))


def stream_of(topic: Topic, key: bytes | None) -> Stream:
    """Return the stream that entries of this key keep: crc32 of the key over the partitions."""
    return Stream(topic, crc32(key or b"") % len(streams(topic)))


def name_bytes(name: str) -> bytes:
    """Return a header's name as bytes; a stranger's name that was no UTF-8 comes back as it was (PEP 383)."""
    return name.encode("utf-8", "surrogateescape")


def admit(topic: Topic, entry: Entry, stream: Stream | None = None) -> Stream:
    """Return where the entry goes: to its key's own stream, if no other is named.

    Raises InvalidInput for an entry with neither key nor value, or without a key in a compacted topic; TooLarge for one over a
    limit: nothing was appended.
    """
    if topic.compacted and entry.key is None:
        raise InvalidInput(f"an entry of {topic} needs a key", advice="Give the record's id as its key.")
    if entry.key is None and entry.value is None:
        raise InvalidInput("an entry needs a key or a value", advice="Give one of them.")
    try:
        headers_bytes = sum(len(name_bytes(name)) + len(value) for name, value in entry.headers)
    except UnicodeEncodeError as error:
        raise InvalidInput("a header's name is no text", advice="Give names that can be written in UTF-8.") from error
    for what, size, limit in (
        ("value", len(entry.value or b""), VALUE_BYTES_MAX),
        ("key", len(entry.key or b""), KEY_BYTES_MAX),
        ("headers", headers_bytes, HEADERS_BYTES_MAX),
    ):
        if size > limit:
            raise TooLarge(f"the entry's {what} has {size} bytes", advice=f"At most {limit} bytes.", size=size, limit=limit)
    return stream or stream_of(topic, entry.key)
