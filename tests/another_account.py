"""What another account of this machine can do, and which ports listen: asked of the machine itself."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65534
LISTENS = "0A"  # a socket's state in /proc/net/tcp
SECONDS_MAX = 60
_GIVE_UP_ROOT = f"import os, sys\nos.setgroups([])\nos.setgid({NOBODY})\nos.setuid({NOBODY})\n"


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
    inodes = {inode for one in family(pid) for inode in _sockets(one)}
    found: set[tuple[str, int]] = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENS and fields[9] in inodes:
                address, _, port = fields[1].partition(":")
                found.add((_address(address), int(port, 16)))
    return found


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
    return str(ipaddress.ip_address(b"".join(words)))
