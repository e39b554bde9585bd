"""What every test may ask for."""

import atexit
import os
import shutil
import tempfile

from hypothesis import HealthCheck, settings

# Anchors lie outside homes: never in the state folder of whoever runs the tests. Children inherit it.
os.environ["COMITY_ANCHOR"] = tempfile.mkdtemp(prefix="comity-anchors-")
atexit.register(shutil.rmtree, os.environ["COMITY_ANCHOR"], ignore_errors=True)

pytest_plugins = ["brokers"]

# The machines are shared: how long an example took says nothing of it. Printed blobs replay a failure. CI draws the same
# examples every time, so that a change is judged by what it changed; everybody else's runs go on exploring.
settings.register_profile(
    "comity",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("comity")
