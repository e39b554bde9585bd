"""R56: a whole demo runs without a file of another maker, a look-up or a connection but to this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

COMITY = Path(sys.executable).parent / "comity"
STRACE = shutil.which("strace")
TRACED = [f"{STRACE}", "--follow-forks", "--seccomp-bpf", "--trace=connect,sendto,sendmsg,sendmmsg", "--output"]
ADDRESS = re.compile(r'sin_port=htons\((?P<port>\d+)\), sin_addr=inet_addr\("(?P<address>[^"]+)"\)'
                     r'|sin6_port=htons\((?P<port6>\d+)\).*?inet_pton\(AF_INET6, "(?P<address6>[^"]+)"')  # fmt: skip
OWN = re.compile(r"127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+")
LOOKUP = 53  # the port of name servers, which may well be on this machine: they ask on
RESOLVERS = ("/nscd/", "/systemd/resolve/")  # sockets through which others look names up for a program


def ran(tmp_path: Path, *before: str, environment: dict[str, str] | None = None) -> Path:
    """Run the demo as a user with an empty home of their own, and return that home."""
    home = tmp_path / "user"
    home.mkdir()
    cache = Path(os.environ.get("COMITY_CACHE", Path.home() / ".cache/comity"))
    own = {"HOME": str(home), "COMITY_CACHE": str(cache), "TMPDIR": str(tmp_path), **(environment or {})}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    command = [*before, str(COMITY), "demo", "--once"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False, env={**kept, **own})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return home


def told(trace: str) -> Iterator[str]:
    """Yield the lines of a trace that speak with another machine, or ask for one by its name."""
    for line in trace.splitlines():
        if any(resolver in line for resolver in RESOLVERS) and " = 0" in line:
            yield line
        for found in ADDRESS.finditer(line):
            address, port = found["address"] or found["address6"], int(found["port"] or found["port6"])
            if not OWN.fullmatch(address) or port == LOOKUP:
                yield line


@pytest.mark.timeout(400)
def test_a_demo_speaks_with_no_other_machine_and_leaves_no_file_of_another_maker(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    before = [*TRACED, str(trace)] if STRACE else []
    home = ran(tmp_path, *before, environment={"ORT_DISABLE_TELEMETRY": "0"})
    assert [path for path in home.rglob("*") if path.is_file()] == []
    if not STRACE:
        pytest.skip("no strace here: only the files were looked at")
    lines = trace.read_text(errors="replace")
    assert "127.0.0.1" in lines, "the trace has seen the exchange's own connections"
    assert list(told(lines)) == []


V6 = 'sin6_port=htons(443), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0'


@pytest.mark.parametrize(
    "line",
    [
        '1 connect(3, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("203.0.113.9")}, 16) = 0',
        '1 connect(3, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("127.0.0.53")}, 16) = 0',
        f"1 connect(3, {{sa_family=AF_INET6, {V6}}}, 28) = -1 ENETUNREACH",
        '1 connect(3, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = 0',
    ],
)
def test_the_look_at_a_trace_can_fail(line: str) -> None:
    assert list(told(line)) == [line]
