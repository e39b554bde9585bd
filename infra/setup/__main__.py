"""Sets comity up: ``python3 infra/setup dev`` is what the Makefile's targets call.

The standard library alone, since nothing else is there yet, and any Python from 3.11 on.
It ends in a working environment, or in one sentence that says what to do.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import browser
import bundle
from environment import LEVELS, Environment, advice_on
from told import Advised, say

ROOT = Path(__file__).resolve().parents[2]


def main(words: list[str]) -> int:
    """Do what the Makefile asks, and return the exit code."""
    parser = argparse.ArgumentParser(prog="infra/setup")
    parser.add_argument("act", choices=[*LEVELS, "browser", "bundle", "run-uv"])
    parser.add_argument("--venv", type=Path, default=Path(".venv"))
    parser.add_argument("--named", action="store_true", help="a person chose this Python")
    parser.add_argument("words", nargs=argparse.REMAINDER, help="what uv is to do, or the folder of the bundle")
    asked = parser.parse_args(words)
    environment = Environment(ROOT, asked.venv.resolve())
    try:
        act(asked.act, environment, asked.words, named=asked.named)
    except Advised as advice:
        say(str(advice))
        return 1
    except OSError as error:
        say(advice_on(error, environment))
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode
    except KeyboardInterrupt:
        return 130
    return 0


def act(name: str, environment: Environment, words: list[str], *, named: bool) -> None:
    """Do one of the acts; raises Advised, OSError or CalledProcessError."""
    if name == "browser":
        browser.ensure_chromium()
        return
    level = {"bundle": "dev", "run-uv": "uv"}.get(name, name)
    environment.prepare(level, named=named)
    bundle.unpack_jars(environment)
    if name == "run-uv":
        environment.run_uv(words, environment.told())
    if name == "bundle":
        bundle.make(environment, Path(words[0]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
