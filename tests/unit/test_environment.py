"""When an environment is taken for whole, and what is said where none can be made."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import environment
from environment import MARK, Environment
from told import Advised

PYTHON, BASE = "cpython-311-somewhere", "/opt/python"


@pytest.fixture
def whole(tmp_path: Path) -> Environment:
    """Return what is marked as made for development, with a Python that answers as the one that it was made of."""
    for name in ("uv", "build", "runtime", "dev"):
        lock = tmp_path / "infra" / "locks" / f"{name}.txt"
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.write_text(name)
    (tmp_path / "pyproject.toml").write_text("")
    made = Environment(tmp_path, tmp_path / ".venv")
    made.python.parent.mkdir(parents=True)
    answer(made, [PYTHON, BASE, str(made.folder)])
    mark(made)
    return made


def answer(made: Environment, words: list[str]) -> None:
    """Have the environment's Python say who it is."""
    made.python.write_text(f"#!/bin/sh\necho '{json.dumps(words)}'\n")
    made.python.chmod(0o755)


def mark(made: Environment, **changes: str) -> None:
    told = {"level": "dev", "python": PYTHON, "base": BASE, "folder": str(made.folder), "locks": made._digest("dev")}
    (made.folder / MARK).write_text(json.dumps(told | changes))


def rewrite(name: str) -> Callable[[Environment], object]:
    return lambda made: (made.root / name).write_text("anew")


def test_a_whole_environment_is_one_for_every_level_that_it_holds(whole: Environment) -> None:
    assert all(whole.is_made(level, named=False) for level in ("uv", "runtime", "dev"))
    mark(whole, level="runtime", locks=whole._digest("runtime"))
    assert [whole.is_made(level, named=False) for level in ("uv", "runtime", "dev")] == [True, True, False]


def test_a_python_that_a_person_chose_must_be_the_one(whole: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not whole.is_made("dev", named=True)
    monkeypatch.setattr(environment, "identity", lambda: [PYTHON, BASE])
    assert whole.is_made("dev", named=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda made: (made.folder / MARK).unlink(),
        lambda made: (made.folder / MARK).write_text("{}"),
        lambda made: (made.folder / MARK).write_text('{"level": "dev", "fol'),
        lambda made: mark(made, folder="/elsewhere/.venv"),
        lambda made: mark(made, level="another"),
        lambda made: answer(made, ["cpython-313-somewhere", BASE, str(made.folder)]),
        lambda made: answer(made, [PYTHON, "/usr", str(made.folder)]),
        lambda made: answer(made, [PYTHON, BASE, "/elsewhere/.venv"]),
        lambda made: answer(made, []),
        lambda made: made.python.write_text("#!/bin/sh\nexit 1\n"),
        lambda made: made.python.write_text("#!/nowhere/python\n"),
        lambda made: made.python.unlink(),
        lambda made: made.python.chmod(0o600),
        rewrite("infra/locks/dev.txt"),
        rewrite("infra/locks/build.txt"),
        rewrite("infra/locks/uv.txt"),
        rewrite("pyproject.toml"),
    ],
    ids=[
        "no mark", "an empty mark", "half a mark", "another folder's mark", "a strange mark", "a newer Python", "another Python",
        "a copied Python", "an odd answer", "a broken Python", "a missing interpreter", "no Python", "cannot execute",
        "another lock", "another backend", "another uv", "another project",
    ],
)  # fmt: skip
def test_what_is_not_whole_is_not_taken_for_it(whole: Environment, change: Callable[[Environment], Any]) -> None:
    assert whole.is_made("dev", named=False)
    change(whole)
    assert not whole.is_made("dev", named=False)


@pytest.mark.parametrize("part", [None, type(sys)("ensurepip")], ids=["absent", "an empty folder"])
def test_a_python_without_venv_names_its_package(part: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", part)
    with pytest.raises(Advised, match=rf"apt-get install python3\.{sys.version_info.minor}-venv .*run make again"):
        environment.refuse_this_python(tmp_path)


def test_another_implementation_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.implementation, "name", "pypy")
    with pytest.raises(Advised, match="comity needs CPython"):
        environment.refuse_this_python(tmp_path)


@pytest.mark.parametrize(
    ("number", "writable", "advice"),
    [
        (errno.ENOSPC, True, "make room, and run make again"),
        (errno.EDQUOT, True, "make room, and run make again"),
        (errno.EACCES, True, "remove it (sudo rm -rf '{folder}'), and run make again"),
        (errno.EROFS, False, "cp -r --no-preserve=mode '{root}' ~/comity"),
        (errno.EIO, True, "Mend that, and run make again"),
    ],
)
def test_a_disk_that_takes_nothing_ends_in_one_sentence(
    number: int, *, writable: bool, advice: str, whole: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: writable)
    said = environment.advice_on(OSError(number, os.strerror(number), str(whole.folder / "lib")), whole)
    assert said.startswith(f"{whole.folder / 'lib'}: {os.strerror(number)}. ")
    assert advice.format(folder=whole.folder, root=whole.root) in said


@pytest.mark.parametrize("fails", ["the environment", "the libraries"])
def test_a_disk_that_is_full_is_named_whatever_failed_on_it(
    fails: str, whole: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(words: list[object], *_: object, **__: object) -> str:
        if "venv" in words or fails == "the libraries":
            raise subprocess.CalledProcessError(1, [])
        return ""

    monkeypatch.setattr(environment, "run", run)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**10, 10**10, 0))
    if fails == "the libraries":
        monkeypatch.setattr(Environment, "_begin_anew", lambda _: None)
    with pytest.raises(Advised, match=r"has 0\.0 GB free, and setting up needs 2: make room, and run make again"):
        whole._make("dev", named=True)


def test_a_disk_on_which_no_program_runs_is_told(whole: Environment) -> None:
    refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES), whole.uv)  # as subprocess raises it
    assert "noexec" in environment.advice_on(refused, whole)
