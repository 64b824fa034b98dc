"""What can be done to a running stack: one disruption a module."""

from lab.disruptions.base import Disruption, DisruptionRecord
from lab.disruptions.nothing import Nothing
from lab.disruptions.redis_and_sidecar_kill import RedisAndSidecarKill
from lab.disruptions.sidecar_kill import SidecarKill
from lab.disruptions.sidecar_restart import SidecarRestart

DISRUPTIONS: dict[str, Disruption] = {
    disruption.kind: disruption
    for disruption in (Nothing(), SidecarKill(), SidecarRestart(), RedisAndSidecarKill())
}

__all__ = ["DISRUPTIONS", "Disruption", "DisruptionRecord"]
