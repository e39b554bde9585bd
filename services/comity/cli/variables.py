"""Variables of the environment that look like settings and are none: told at start, each with the nearest real one."""

from __future__ import annotations

import os
from difflib import SequenceMatcher
from functools import partial

PREFIX = "COMITY_"
COMMANDS_OWN = ("COMITY_AS", "COMITY_DEBUG")  # what commands read besides the settings
OF_THE_TESTS = "COMITY_TEST_"
TOLD_MAX = 5  # an environment of somebody else's making must not bury the answer


def warn() -> None:
    """Say on stderr which variables are ignored, by their names: what stands in one may be a secret."""
    named = sorted(name for name in os.environ if name.upper().startswith(PREFIX))
    if not named:
        return  # help comes at once: nothing else is read for it
    from comity.cli.output import note  # noqa: PLC0415
    from comity.settings import Settings  # noqa: PLC0415

    real = [f"{PREFIX}{field.upper()}" for field in Settings.model_fields]
    known = {*real, *COMMANDS_OWN}
    unknown = [n for n in named if n not in known and n.upper() not in real and not n.startswith(OF_THE_TESTS)]
    for name in unknown[:TOLD_MAX]:
        nearest = max(sorted(known), key=partial(_likeness, name.upper()))
        note(f"Warning: {name} is no setting and is ignored. Is {nearest} meant?")


def _likeness(name: str, real: str) -> float:
    return SequenceMatcher(None, name, real).ratio()
