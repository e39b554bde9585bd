"""What every test may ask for."""

import atexit
import os
import shutil
import tempfile

import pytest
from hypothesis import HealthCheck, settings

# Anchors lie outside homes: never in the state folder of whoever runs the tests. Children inherit it.
os.environ["COMITY_ANCHOR"] = tempfile.mkdtemp(prefix="comity-anchors-")
atexit.register(shutil.rmtree, os.environ["COMITY_ANCHOR"], ignore_errors=True)

pytest_plugins = ["brokers"]
BROKER = "kafka"

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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the files be shared out among processes whole, and all that needs the broker go to one of them, first of all."""
    for item in items:
        group = BROKER if item.get_closest_marker(BROKER) else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: item.get_closest_marker(BROKER) is None)
