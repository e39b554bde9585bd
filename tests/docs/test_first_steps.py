"""The README's first steps work, word for word, on a fresh home."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import pages

COMITY = Path(sys.executable).with_name("comity")
START_SECONDS, STEP_SECONDS = 90.0, 90.0


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Serve a fresh home in a process of its own, as a person would in another terminal."""
    folder = tmp_path / "home"
    up = subprocess.Popen([COMITY, "--home", folder, "up", "--port", "0"], cwd=pages.ROOT, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (folder / "url").exists():
            assert up.poll() is None, "comity up ended"
            assert time.monotonic() < deadline, "comity up did not start"
            time.sleep(0.1)
        yield folder
    finally:
        up.send_signal(signal.SIGINT)
        assert up.wait(START_SECONDS) == 0


def steps() -> list[str]:
    """Return the commands of the README's first steps, but for the one that serves."""
    readme = (pages.ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## First steps\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith("comity ") and line != "comity up"]


def run(step: str, home: Path, *options: str) -> str:
    """Run a command of the README on this home, and return what it prints."""
    command = [str(COMITY), *shlex.split(step)[1:], *options]
    environment = {**os.environ, "COMITY_HOME": str(home)}
    done = subprocess.run(
        command, cwd=pages.ROOT, env=environment, capture_output=True, text=True, timeout=STEP_SECONDS, check=False
    )
    assert done.returncode == 0, f"{step}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_first_steps_do_what_the_readme_says(home: Path) -> None:
    scores = []
    for step in steps():
        searches = step.startswith("comity search ")
        said = run(step, home, *(["--json"] if searches else []))
        if searches:
            scores.append([candidate["score"] for candidate in json.loads(said)["candidates"]])
    assert scores == [[0.78], []], "the README says: one candidate, then none"
