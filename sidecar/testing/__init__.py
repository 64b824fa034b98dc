"""A running Dapr workflow sidecar for any test: no Docker, no Redis, ready in under a second.

running_sidecar   context manager that gives a RunningSidecar
RunningSidecar    its ports, and what a test can do to it: kill, restart, lose its state
Options           what the sidecar is like

`sidecar.testing.plugin` has pytest fixtures. The errors are in `sidecar.testing.errors`.
"""

from sidecar.testing.options import Options
from sidecar.testing.running import RunningSidecar, running_sidecar

__all__ = ["Options", "RunningSidecar", "running_sidecar"]
