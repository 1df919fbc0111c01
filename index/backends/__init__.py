"""Ways to run an embedding model."""

import os

# ONNX Runtime reports its use to its makers, and keeps an identifier in the home directory, from
# its import on.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
