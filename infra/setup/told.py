"""What the person who ran make is told: one sentence that says what to do."""

from __future__ import annotations

import sys


class Advised(Exception):
    """Nothing more can be done here. The text is for a person, and says what to do."""


def say(sentence: str) -> None:
    """Say what is being done, on stderr, so that nothing read from stdout is mixed with it."""
    print(sentence, file=sys.stderr, flush=True)
