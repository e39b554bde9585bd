"""What another account of this machine can do, and which ports listen: asked of the machine itself."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
import textwrap
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pytest

NOBODY = 65534
LISTENS, UNCONNECTED = "0A", "07"  # a socket's states in /proc/net
ACCEPTS = 0x10000  # a flag in /proc/net/unix
SECONDS_MAX = 60
# What is imported later must lie where nobody may read: Python itself may lie in root's own home.
_GIVE_UP_ROOT = f"import encodings.idna, os, sys\nos.setgroups([])\nos.setgid({NOBODY})\nos.setuid({NOBODY})\n"


def tried(code: str, *words: str, imports: str = "") -> str:
    """Run code as the account nobody, after these imports; return what it printed. Skips where only root could."""
    if os.geteuid() != 0:
        pytest.skip("only root becomes another account: what it would be refused was not tried")
    program = textwrap.dedent(imports) + "\n" + _GIVE_UP_ROOT + textwrap.dedent(code)
    ran = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def family(pid: int) -> Iterator[int]:
    """Yield a process and all that it started, in whatever session."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text(encoding="ascii").split():
            yield from family(int(child))


def listening(pid: int) -> set[tuple[str, int]]:
    """Return the addresses and ports on which these processes listen; the address as the kernel shows it."""
    return set(_internet(pid, ("tcp", "tcp6"), {LISTENS}))


def receiving(pid: int) -> set[tuple[str, int]]:
    """Return the addresses and ports at which these processes take datagrams."""
    return set(_internet(pid, ("udp", "udp6", "raw", "raw6"), {LISTENS, UNCONNECTED}))


def named(pid: int) -> set[str]:
    """Return the Unix sockets on which these processes listen: paths, or names that begin with @, which have no owner."""
    inodes = _inodes(pid)
    lines = Path(f"/proc/{pid}/net/unix").read_text(encoding="utf-8").splitlines()[1:]
    found = [line.split(maxsplit=7) for line in lines]
    return {one[7] if len(one) > 7 else "@" for one in found if int(one[3], 16) & ACCEPTS and one[6] in inodes}


def _internet(pid: int, tables: Sequence[str], states: Collection[str]) -> Iterator[tuple[str, int]]:
    inodes = _inodes(pid)
    for table in tables:
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] in states and fields[9] in inodes:
                address, _, port = fields[1].partition(":")
                yield _address(address), int(port, 16)


def _inodes(pid: int) -> set[str]:
    return {inode for one in family(pid) for inode in _sockets(one)}


def _sockets(pid: int) -> Iterator[str]:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            yield target[len("socket:[") : -1]


def _address(shown: str) -> str:
    """Return an address as people write it: the kernel shows each 32 bits in the machine's own order."""
    words = [bytes.fromhex(shown[at : at + 8])[:: -1 if sys.byteorder == "little" else 1] for at in range(0, len(shown), 8)]
    address = ipaddress.ip_address(b"".join(words))
    return str(getattr(address, "ipv4_mapped", None) or address)
