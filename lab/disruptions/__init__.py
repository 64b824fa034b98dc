"""What can be done to a running stack: one disruption a module."""

from lab.disruptions.base import Disruption, DisruptionRecord
from lab.disruptions.nothing import Nothing
from lab.disruptions.sidecar_kill import SidecarKill

DISRUPTIONS: dict[str, Disruption] = {
    disruption.kind: disruption for disruption in (Nothing(), SidecarKill())
}

__all__ = ["DISRUPTIONS", "Disruption", "DisruptionRecord"]
