"""Debian's Chromium, which the browser's tests drive: installed where that may be done, else said how."""

from __future__ import annotations

import os
import shutil
import subprocess

from told import Advised, say

PACKAGES = ("chromium", "fonts-dejavu-core")
LEFT_OUT = "The browser's tests are left out: no Chromium is here. To add them say: {} apt-get install chromium"


def ensure_chromium() -> None:
    """Install Chromium, as root on Debian; raises Advised where it is not there afterwards."""
    if shutil.which("chromium"):
        return
    root = os.geteuid() == 0
    if root and shutil.which("apt-get"):
        say("installing Debian's chromium, for the browser's tests")
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=quiet, check=False)  # noqa: S607  # wherever Debian has it
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
        subprocess.run(install, env=quiet, stdout=subprocess.DEVNULL, check=False)
    if not shutil.which("chromium"):
        raise Advised(" ".join(LEFT_OUT.format("" if root else "sudo").split()))
