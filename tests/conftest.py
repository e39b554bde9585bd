"""What every test may ask for."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["brokers"]

# The machines are shared: how long an example took says nothing of it. Printed blobs replay a failure.
settings.register_profile("comity", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("comity")
