"""Setting up recovers from whatever went before, or says in one sentence what to do (R58).

Real make, Python, pip and uv, on checkouts of a few bytes.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import checkouts
from checkouts import MIRROR, Checkout, tool

pytestmark = pytest.mark.timeout(180)
LOOK_SECONDS = 0.02
APPEAR_SECONDS_MAX = 60.0


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkouts.wheels(tmp_path_factory.mktemp("setup") / "wheels")


@pytest.fixture(scope="module")
def made(wheels: Path) -> Checkout:
    """Set a checkout up, in a folder whose name has a space: looked at by all, changed by none."""
    laid = checkouts.checkout(wheels.parent / "a checkout", wheels, checkouts.from_folder(wheels))
    code, said = laid.make("dev")
    assert code == 0, said
    return laid


@pytest.fixture
def laid(wheels: Path, tmp_path: Path) -> Checkout:
    """Lay a checkout that was never set up."""
    return checkouts.checkout(tmp_path / "checkout", wheels, checkouts.from_folder(wheels))


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if "__pycache__" not in path.parts}


def test_what_is_set_up_works_and_is_left_alone(made: Checkout) -> None:
    before = made.mark.stat().st_mtime_ns
    assert made.works()
    assert made.make("dev") == (0, "")
    assert made.make("runtime") == (0, ""), "a development environment holds the runtime"
    assert made.mark.stat().st_mtime_ns == before


def test_another_lock_changes_the_environment_in_place(made: Checkout, wheels: Path) -> None:
    lock = made.root / "infra" / "locks" / "dev.txt"
    kept, stranger = lock.read_text(), made.root / ".venv" / "a-mark-of-the-same-environment"
    stranger.touch()
    lock.write_text(checkouts.locked(wheels, "pebble", "flint"))
    assert made.make("runtime")[0] == 0
    assert list((made.root / ".venv").rglob("flint.py")), "asked for the runtime, it stays one for development"
    lock.write_text(kept)
    assert made.make("dev")[0] == 0
    assert not list((made.root / ".venv").rglob("flint.py"))
    assert stranger.exists()
    stranger.unlink()


def test_a_moved_checkout_is_set_up_anew(made: Checkout, tmp_path: Path) -> None:
    moved = replace(made, root=tmp_path / "moved")
    shutil.copytree(made.root, moved.root, symlinks=True)
    shutil.move(moved.root, tmp_path / "moved-again")
    moved = replace(made, root=tmp_path / "moved-again")
    code, said = moved.make("dev")
    assert code == 0, said
    shutil.rmtree(tmp_path / "moved", ignore_errors=True)
    assert moved.works()
    assert f"#!{moved.root}" in (moved.root / ".venv/bin/comity").read_text()


def test_set_up_killed_at_any_moment_is_done_by_the_next_make(laid: Checkout) -> None:
    """Begun on what Debian's Python leaves without python3-venv: a Python without pip."""
    folder = laid.root / ".venv"
    subprocess.run([laid.person / "bin/python3", "-m", "venv", "--without-pip", folder], check=True)
    for moment in ("bin/pip", "bin/uv"):
        kill_at(laid, folder / moment)
        assert json.loads(laid.mark.read_text()) == {}, "nothing says that it is done"
    both = [laid.start("dev"), laid.start("dev")]
    for process in both:
        said, _ = process.communicate(timeout=checkouts.MAKE_SECONDS_MAX)
        assert process.returncode == 0, said
    assert laid.works()


def kill_at(laid: Checkout, path: Path) -> None:
    """Start make, and kill it with its children when a file appears."""
    process = laid.start("dev")
    until = time.monotonic() + APPEAR_SECONDS_MAX
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, f"no {path}"
        time.sleep(LOOK_SECONDS)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("answer", ["exit 1", "exit 127"], ids=["an older one", "none"])
def test_a_python_that_is_too_old_is_named_before_anything_is_made(laid: Checkout, answer: str) -> None:
    old = laid.person / "python3.10"
    old.write_text(f"#!/bin/sh\n{answer}\n")
    old.chmod(0o755)
    code, said = laid.make("dev", f"PYTHON={old}")
    assert code
    assert said.startswith(f"comity needs Python 3.11 or newer, which {old} is not: ")
    assert not (laid.root / ".venv").exists()


@pytest.mark.parametrize("kind", ["a file", "a folder"])
def test_what_stands_in_the_way_is_not_removed(laid: Checkout, kind: str) -> None:
    folder = laid.root / ".venv"
    if kind == "a file":
        folder.touch()
    else:
        folder.mkdir()
        (folder / "letters.txt").touch()
    before = files(laid.root)
    code, said = laid.make("dev")
    assert code
    assert said.startswith(f"{folder} is there and is no ")
    assert "move it away, and run make again" in said
    assert files(laid.root) == before


def test_a_checkout_that_cannot_be_written_says_what_works(laid: Checkout, tmp_path: Path) -> None:
    code, said = read_only(laid)
    assert code
    copy = said[said.index("cp -r ") : said.index("), and run make there")].replace("~/comity", str(tmp_path / "mine"))
    subprocess.run(shlex.split(copy), check=True)
    code, said = replace(laid, root=tmp_path / "mine").make("dev")
    assert code == 0, said


def read_only(laid: Checkout) -> tuple[int, str]:
    """Run make where nothing can be written: root writes everywhere but on a mount that is for reading."""
    if os.geteuid():
        laid.root.chmod(0o555)
        answer = laid.make("dev")
        laid.root.chmod(0o755)
        return answer
    here = shlex.quote(str(laid.root))
    script = f"mount --bind {here} {here} && mount -o remount,bind,ro {here} && cd {here} && exec make dev"
    done = subprocess.run(
        [tool("unshare"), "--mount", "sh", "-c", script], env=laid.environ(), capture_output=True, text=True, check=False
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("mounts are not allowed here")
    return done.returncode, done.stderr


def test_a_bundle_sets_up_without_a_network(made: Checkout, tmp_path: Path) -> None:
    bundle = tmp_path / "a bundle"
    code, said = made.make("bundle", f"BUNDLE={bundle}")
    assert code == 0, said
    assert not (bundle / ".venv").exists()
    nowhere = {"PIP_INDEX_URL": "https://127.0.0.1:1/simple", "UV_INDEX_URL": "https://127.0.0.1:1/simple"}
    carried = replace(made, root=bundle, settings={**nowhere, "UV_NO_CACHE": "1"})
    code, said = carried.make("dev")
    assert code == 0, said
    assert carried.works()


def test_a_bundle_for_another_python_says_so(laid: Checkout) -> None:
    (laid.root / "bundle").mkdir()
    (laid.root / "bundle/made.json").write_text('{"pythons": ["cpython-399-somewhere"]}')
    code, said = laid.make("dev")
    assert code
    assert said.startswith("This bundle is for cpython-399-somewhere, and ")
    assert not (laid.root / ".venv").exists()


@pytest.fixture
def house(wheels: Path, tmp_path: Path) -> Iterator[tuple[Path, int, list[str]]]:
    """Serve as a house whose mirror is reached by its proxy alone, and vouched for by its own authority."""
    authority, whole = checkouts.certificate(tmp_path)
    with checkouts.mirror(wheels, whole) as port, checkouts.proxy(port) as (door, asked):
        yield authority, door, asked


def test_pips_own_settings_reach_uv(wheels: Path, tmp_path: Path, house: tuple[Path, int, list[str]]) -> None:
    authority, door, asked = house
    config = tmp_path / "pip.conf"
    config.write_text(
        f"[global]\nindex-url = https://{MIRROR}/simple\ncert = {authority}\n[install]\nproxy = http://127.0.0.1:{door}\n"
    )
    laid = checkouts.checkout(tmp_path / "checkout", wheels, {"PIP_CONFIG_FILE": str(config), "UV_NO_CACHE": "1"})
    code, said = laid.make("dev")
    assert code == 0, said
    assert laid.works()
    assert set(asked) == {f"{MIRROR}:443"}
    assert len(asked) > 1, "pip's connection, and uv's"


def test_without_the_houses_certificate_nothing_is_set_up_and_the_page_is_named(
    wheels: Path, tmp_path: Path, house: tuple[Path, int, list[str]]
) -> None:
    _, door, _ = house
    settings = {"PIP_INDEX_URL": f"https://{MIRROR}/simple", "PIP_PROXY": f"http://127.0.0.1:{door}", "PIP_RETRIES": "0"}
    laid = checkouts.checkout(tmp_path / "checkout", wheels, settings)
    code, said = laid.make("dev")
    assert code
    assert "infra/network.md" in said.splitlines()[-2]
    assert json.loads(laid.mark.read_text()) == {}


def test_this_python_is_the_one_that_was_tried(made: Checkout) -> None:
    assert json.loads(made.mark.read_text())["base"] == sys.base_prefix
