"""The dapr runtime: real `placement`, `scheduler` and `daprd` processes, no Docker.

The command lines are those that were seen to work with 1.16.1, 1.16.2 and 1.18.3. All ports are
set: Dapr's defaults for health and metrics collide with one another.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import UsageError
from lab.paths import DAPR_CONFIG
from lab.ports import OFFERED
from lab.processes import Nursery
from lab.redis_binary import RedisBinary
from lab.runtimes.dapr_binaries import DaprBinaries
from lab.runtimes.process_stack import ProcessStack
from lab.runtimes.shared import SharedServices
from lab.services import HttpReady, ServiceSpec
from lab.stack_config import APP_ID, NAMESPACE, StackConfig

_PLACEMENT_ID, _SCHEDULER_ID = "dapr-placement-0", "dapr-scheduler-server-0"


@dataclass(frozen=True, slots=True)
class DaprRuntime:
    """Starts the programs of one folder around our own services."""

    binaries: DaprBinaries
    redis: RedisBinary
    ports: Collection[str] = OFFERED

    def profile(self, asked: str | None) -> str:
        """Return the version of daprd itself; nothing else can be asked for."""
        version = self.binaries.version
        if asked is not None and asked != version:
            problem = (
                f"--profile {asked}: {self.binaries.daprd} is {version}; leave --profile out, "
                "or give the programs of that version with --dapr-bin DIR"
            )
            raise UsageError([problem])
        return version

    def stack(self, config: StackConfig, nursery: Nursery) -> ProcessStack:
        """Return a stack of eight processes."""
        return ProcessStack(config, self.services(config), nursery)

    def services(self, config: StackConfig) -> Sequence[ServiceSpec]:
        """Return the eight services."""
        shared = SharedServices(config, self.redis)
        return (
            shared.state_redis(),
            shared.budget_redis(),
            self._placement(config),
            self._scheduler(config),
            self._daprd(config),
            shared.fake_llm(),
            shared.budget(),
            shared.app(),
        )

    def versions(self) -> Mapping[str, str]:
        """Return daprd's, with where it is, and the Redis-protocol server's."""
        return {"daprd": self.binaries.label, "redis": self.redis.label}

    def _placement(self, config: StackConfig) -> ServiceSpec:
        ports = config.ports
        command = (
            str(self.binaries.placement),
            *("--id", _PLACEMENT_ID),
            *("--port", str(ports.placement), "--listen-address", "127.0.0.1"),
            *("--initial-cluster", f"{_PLACEMENT_ID}=127.0.0.1:{ports.placement_raft}"),
            *("--healthz-port", str(ports.placement_http)),
            *("--healthz-listen-address", "127.0.0.1"),
            *("--metrics-port", str(ports.placement_metrics)),
        )
        ready = HttpReady(f"{config.url('placement_http')}/healthz")
        return ServiceSpec("placement", command, {}, ready, f"127.0.0.1:{ports.placement}")

    def _scheduler(self, config: StackConfig) -> ServiceSpec:
        ports = config.ports
        peer = f"http://127.0.0.1:{ports.scheduler_etcd_peer}"
        command = (
            str(self.binaries.scheduler),
            *("--id", _SCHEDULER_ID),
            *("--port", str(ports.scheduler), "--listen-address", "127.0.0.1"),
            *("--etcd-data-dir", str(_private(config.data / "scheduler"))),
            *("--etcd-client-port", str(ports.scheduler_etcd)),
            *("--etcd-initial-cluster", f"{_SCHEDULER_ID}={peer}"),
            *("--healthz-port", str(ports.scheduler_http)),
            *("--metrics-port", str(ports.scheduler_metrics)),
            *("--identity-directory-write", str(_private(config.data / "identity"))),
        )
        ready = HttpReady(f"{config.url('scheduler_http')}/healthz")
        return ServiceSpec("scheduler", command, {}, ready, f"127.0.0.1:{ports.scheduler}")

    def _daprd(self, config: StackConfig) -> ServiceSpec:
        ports = config.ports
        command = (
            str(self.binaries.daprd),
            *("--app-id", APP_ID, "--app-port", str(ports.app)),
            *("--dapr-http-port", str(ports.sidecar_http)),
            *("--dapr-grpc-port", str(ports.sidecar_grpc)),
            *("--dapr-listen-addresses", "127.0.0.1"),
            *("--dapr-internal-grpc-port", str(ports.sidecar_internal)),
            *("--dapr-internal-grpc-listen-address", "127.0.0.1"),
            *("--placement-host-address", f"127.0.0.1:{ports.placement}"),
            *("--scheduler-host-address", f"127.0.0.1:{ports.scheduler}"),
            *("--resources-path", str(config.components), "--config", str(DAPR_CONFIG)),
            *("--metrics-port", str(ports.sidecar_metrics)),
        )
        env = {
            "NAMESPACE": NAMESPACE,
            "DAPR_HOST_IP": "127.0.0.1",
            "STATE_REDIS_HOST": f"127.0.0.1:{ports.state_redis}",
        }
        # The app comes after: daprd is healthy for outbound calls before it has seen its app.
        ready = HttpReady(f"{config.url('sidecar_http')}/v1.0/healthz/outbound")
        needs = ("state_redis", "placement", "scheduler")
        address = f"127.0.0.1:{ports.sidecar_grpc}"
        return ServiceSpec("sidecar", command, env, ready, address, needs)


def _private(folder: Path) -> Path:
    # The scheduler's etcd refuses a folder that others may read.
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder
