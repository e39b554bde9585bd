"""What every test may ask for."""

import os

from hypothesis import HealthCheck, settings

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
