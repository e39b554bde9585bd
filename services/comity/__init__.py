"""An exchange for booking photographs that honours sealing orders, and can prove it."""

import os

# onnxruntime tells its maker of every model that is loaded, and keeps an id of the device, unless this is said before it is
# imported. Nothing of comity is imported before this line, children inherit it, and nobody is asked whether they mind.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
