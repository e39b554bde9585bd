"""The demo itself, on both logs: the story that a new user is told, every line of it checked by itself (R51)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMITY = Path(sys.executable).parent / "comity"


def told(tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the demo as a user does; it ends with 0 only where every check held."""
    command = [str(COMITY), "demo", "--once", *options]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    del environment["COMITY_ANCHOR"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert not list(tmp_path.glob("comity-demo-*")), "the demo's home is removed"
    assert not (tmp_path / "state").exists(), "and nothing of it is kept in the user's own folder"
    return done


def check_story(story: str) -> None:
    """Look for what the story must have shown."""
    assert "every check held" in story
    assert "✗" not in story
    for shown in ("ErasureCertified", "← sealed", "no-face", "several-faces", "immigration-enforcement", "press → receipt"):
        assert shown in story


def test_the_demo_holds_on_the_embedded_log(tmp_path: Path) -> None:
    check_story(told(tmp_path).stdout)


def test_the_demo_for_machines_is_one_object_with_every_step_and_the_story_on_stderr(tmp_path: Path) -> None:
    done = told(tmp_path, "--json")
    answer = json.loads(done.stdout)
    check_story(done.stderr)
    assert [step["step"] for step in answer["steps"]] == list(range(1, 9))
    checks = [check for step in answer["steps"] for check in step["checks"]]
    assert len(checks) == done.stderr.count("✓")
    assert answer["held"] is True
    assert all(check["held"] is True and check["what"] for check in checks)


@pytest.mark.kafka
@pytest.mark.timeout(600)
def test_the_demo_holds_on_a_real_kafka(tmp_path: Path) -> None:
    check_story(told(tmp_path, "--kafka", "local").stdout)
