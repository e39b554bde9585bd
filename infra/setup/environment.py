"""The virtual environment: made whole or made anew, and never taken for whole when it is not.

The order of a making, under a lock that ends with its process: the mark is emptied, the libraries are installed, and the mark is
written again, in one stroke: which Python, for which folder, from which locks. A crash before that leaves an empty mark,
and an empty mark, another Python, a moved folder, a Python that no longer runs: each has the next make begin anew.
Other locks alone change what is there in place.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import network
from told import Advised, say

MARK = ".comity"
# What an environment holds, each level what those before it hold as well: the files of infra/locks, in one installation.
LEVELS = {"uv": ("uv",), "runtime": ("uv", "build", "runtime"), "dev": ("uv", "build", "dev")}
FREE_BYTES_MIN = 2 * 10**9  # libraries and uv's cache together come to 1.3 GB where they lie on one disk
SPEAK_SECONDS_MAX = 30  # 0.03 s; a folder on a sleeping network disk takes long
NETWORK_ADVICE = "behind a proxy, a mirror or a network that inspects TLS do what infra/network.md says, and run make again."
# What an environment's Python says of itself: it must run, on the Python that it was made of, and know its own folder.
WHO = "import json, sys, sysconfig; print(json.dumps([sysconfig.get_config_var('SOABI'), sys.base_prefix, sys.prefix]))"


def identity() -> list[str]:
    """Return which Python this is: implementation, version and machine in one word, and where it is installed."""
    return [str(sysconfig.get_config_var("SOABI")), sys.base_prefix]


@dataclass(frozen=True, slots=True)
class Environment:
    """The environment in ``folder``, for the checkout at ``root``."""

    root: Path
    folder: Path

    @property
    def python(self) -> Path:
        """The environment's Python."""
        return self.folder / "bin" / "python"

    @property
    def uv(self) -> Path:
        """The environment's uv."""
        return self.folder / "bin" / "uv"

    @property
    def bundle(self) -> Path:
        """What ``make bundle`` put beside the checkout, where this checkout is one."""
        return self.root / "bundle"

    def prepare(self, level: str, *, named: bool) -> None:
        """Have the environment hold a level; ``named``: by this very Python, since a person chose it."""
        if self.is_made(level, named=named):
            return
        with alone(self.root):
            if not self.is_made(level, named=named):  # another process may have made it meanwhile
                self._make(level, named=named)

    def is_made(self, level: str, *, named: bool) -> bool:
        """Say whether nothing is left to do: cheap, since every ``make`` asks."""
        mark = self._read_mark()
        if not self._stands(mark, named=named):
            return False
        kept = str(mark["level"])
        return deeper(level, kept) == kept and self._digest(kept) == mark["locks"]

    def told(self) -> dict[str, str]:
        """Return how files are fetched here: from the bundle alone, else as pip was told."""
        wheels = self.bundle / "wheels"
        if wheels.is_dir():
            return network.bundled(wheels)
        listing = run([self.python, "-I", "-m", "pip", "config", "list"], os.environ, listen=True)
        return network.told_to_pip(listing)

    def run_uv(self, words: Sequence[str | Path], told: Mapping[str, str]) -> None:
        """Run uv with pip's settings; raises CalledProcessError."""
        run([self.uv, *words, *network.options_of_uv(told)], network.for_uv(told, os.environ))

    def _make(self, level: str, *, named: bool) -> None:
        mark = self._read_mark()
        if self._stands(mark, named=named):
            level = deeper(level, mark["level"])
            self._write_mark({})
        else:
            self._begin_anew()
        try:
            self._install(level)
        except subprocess.CalledProcessError as error:
            raise Advised(self._why_not_installed()) from error
        python, base = identity() if named else self.speak()
        made = {"level": level, "python": python, "base": base, "folder": str(self.folder), "locks": self._digest(level)}
        self._write_mark(made)

    def _install(self, level: str) -> None:
        if level != "uv":
            say("setting up: the locked libraries (half a minute, once)")
        told = self.told()
        quiet = ["--quiet", "--require-hashes"]
        uv_lock = self._lock("uv")
        run([self.python, "-I", "-m", "pip", "install", *quiet, "--no-deps", "-r", uv_lock], network.for_pip(told, os.environ))
        if level == "uv":
            return
        self.run_uv(["pip", "sync", "--python", self.python, *quiet, *map(self._lock, LEVELS[level])], told)
        own = ["--quiet", "--no-deps", "--no-build-isolation", "--editable", str(self.root)]
        self.run_uv(["pip", "install", "--python", self.python, *own], told)

    def _begin_anew(self) -> None:
        """Empty the folder, mark last, and make an environment in it without libraries."""
        refuse_this_python(self.bundle)
        self._refuse_what_is_not_ours()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_mark({})
        for path in self.folder.iterdir():
            if path.name != MARK:
                remove(path)
        try:
            run([sys.executable, "-I", "-m", "venv", self.folder], os.environ)
        except subprocess.CalledProcessError as error:
            advice = f"{sys.executable} could not make a virtual environment, as is said above: {venv_advice()}"
            raise Advised(self._no_room() or advice) from error

    def _refuse_what_is_not_ours(self) -> None:
        """Stop before anything is removed that no Python made."""
        if not self.folder.exists():
            return
        if not self.folder.is_dir():
            raise Advised(f"{self.folder} is there and is no folder: move it away, and run make again.")
        there = {path.name for path in self.folder.iterdir()}
        if there and not there & {MARK, "pyvenv.cfg"}:
            raise Advised(f"{self.folder} is there and is no virtual environment: move it away, and run make again.")

    def _stands(self, mark: Mapping[str, str], *, named: bool) -> bool:
        """Say whether the environment is whole, for this folder, and runs on the Python that it was made of."""
        if mark.get("folder") != str(self.folder):
            return False
        made_of = [mark["python"], mark["base"]]
        return (not named or made_of == identity()) and made_of == self.speak()

    def speak(self) -> list[str]:
        """Return the identity that the environment's own Python tells; nothing where it does not run, or is another folder's."""
        try:
            python, base, prefix = map(str, json.loads(run([self.python, "-I", "-c", WHO], os.environ, listen=True)))
        except (OSError, subprocess.SubprocessError, ValueError, TypeError):
            return []
        return [python, base] if Path(prefix).resolve() == self.folder else []

    def _lock(self, name: str) -> Path:
        return self.root / "infra" / "locks" / f"{name}.txt"

    def _digest(self, level: str) -> str:
        """Return one digest over everything that a level is made from."""
        digest = hashlib.sha256()
        for path in (*(self._lock(name) for name in LEVELS[level]), self.root / "pyproject.toml"):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def _read_mark(self) -> dict[str, Any]:
        try:
            mark = json.loads((self.folder / MARK).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return mark if isinstance(mark, dict) and mark.get("level") in LEVELS else {}

    def _write_mark(self, mark: Mapping[str, str]) -> None:
        beside = self.folder / f"{MARK}.new"
        with beside.open("w", encoding="utf-8") as file:
            json.dump(mark, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.folder / MARK)

    def _no_room(self) -> str:
        """Return what to do where the disk is too small, and nothing where it is not: programs fail there in many ways."""
        free = shutil.disk_usage(self.folder).free
        if free >= FREE_BYTES_MIN:
            return ""
        return f"{self.folder} has {free / 1e9:.1f} GB free, and setting up needs 2: make room, and run make again."

    def _why_not_installed(self) -> str:
        if full := self._no_room():
            return full
        if self.bundle.is_dir():
            return "The bundle does not hold what the locks name: make it again, with `make bundle`, where there is a network."
        return f"The libraries could not be fetched: {NETWORK_ADVICE}"


def deeper(one: str, other: str) -> str:
    """Return the level that holds both."""
    return max(one, other, key=list(LEVELS).index)


def refuse_this_python(bundle: Path) -> None:
    """Stop where this Python cannot make an environment, before anything is touched."""
    tag, _ = identity()
    if sys.implementation.name != "cpython":
        kind = sys.implementation.name
        raise Advised(f"comity needs CPython, and {sys.executable} is {kind}: say make PYTHON=/usr/bin/python3.")
    try:
        import ensurepip  # noqa: PLC0415  # Debian keeps it in a package of its own

        ensurepip.version()
    except (ImportError, AttributeError):  # absent; or an empty folder of that name
        raise Advised(f"{sys.executable} cannot make virtual environments: {venv_advice()}") from None
    made = bundle / "made.json"
    tags = json.loads(made.read_text(encoding="utf-8"))["pythons"] if made.is_file() else [tag]
    if tag not in tags:
        known = " or ".join(tags)
        raise Advised(f"This bundle is for {known}, and {sys.executable} is {tag}: say make PYTHON=… with such a Python.")


def venv_advice() -> str:
    """Return what to do where Python lacks a part of itself."""
    package = f"python3.{sys.version_info.minor}-venv"
    return f"on Debian and Ubuntu say apt-get install {package} (as root, or with sudo), and run make again."


def advice_on(error: OSError, environment: Environment) -> str:
    """Return what a person can do about a disk that does not take what is written."""
    what = f"{error.filename or environment.folder}: {error.strerror}"
    if error.errno == errno.EACCES and str(error.filename) == str(environment.uv):
        return f"{what}. No program may run on this disk (noexec): copy the checkout to another one, and run make there."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{what}. Setting up needs 2 GB: make room, and run make again."
    if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{what}. Mend that, and run make again."
    if os.access(environment.root, os.W_OK):
        return f"{what}. It is another account's: remove it (sudo rm -rf '{environment.folder}'), and run make again."
    return (
        f"{what}. This checkout cannot be written: copy it to a folder of yours "
        f"(cp -r --no-preserve=mode '{environment.root}' ~/comity), and run make there."
    )


def remove(path: Path) -> None:
    """Remove a file or a folder, and no more of a link than the link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def run(words: Sequence[str | Path], environ: Mapping[str, str], *, listen: bool = False) -> str:
    """Run a program to its end, and return what it printed where one listens; raises CalledProcessError."""
    out = subprocess.PIPE if listen else None
    error = subprocess.DEVNULL if listen else None
    limit = SPEAK_SECONDS_MAX if listen else None  # downloads take what they take: whoever waits sees them
    done = subprocess.run(words, env=dict(environ), stdout=out, stderr=error, timeout=limit, text=True, check=True)
    return done.stdout or ""


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Let one process at a time set a checkout up. The lock is on the folder itself, and ends with the process."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another make is setting up here: waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            say("this disk has no locks: run one make at a time")
        yield
    finally:
        os.close(descriptor)
