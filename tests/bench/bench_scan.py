"""What a byte scan costs: many needles against one, and against merely reading the files."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from comity.duties.scan import scan

MEGABYTES = 256
NEEDLES = 3_500  # 14,000 pieces: an order of a thousand records
GOAL = 6.0  # times a scan for one needle; it was over 200 when each piece was looked for by itself


def seconds(folder: Path, needles: int) -> float:
    wanted = {"ciphertext": [os.urandom(1_000) for _ in range(needles)]}
    began = time.perf_counter()
    assert scan([folder], wanted).clean
    return time.perf_counter() - began


def main() -> int:
    """Print ratios; return the exit status."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for number in range(8):
            (folder / str(number)).write_bytes(os.urandom(MEGABYTES // 8 << 20))
        bare = min(seconds(folder, 0) for _ in range(3))
        one = min(seconds(folder, 1) for _ in range(3))
        many = seconds(folder, NEEDLES)
    print(f"scan of {MEGABYTES} MB: {NEEDLES:,} needles / one {many / one:.1f} (goal <= {GOAL})   one / reading {one / bare:.1f}")
    print(f"           here: reading {bare:.2f} s, one needle {one:.2f} s, {NEEDLES:,} needles {many:.2f} s")
    return 0 if many / one <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
