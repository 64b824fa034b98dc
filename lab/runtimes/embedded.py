"""The embedded runtime: our own sidecar and scheduler on real Redis-protocol servers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lab.expectation import KNOWN_PROFILES
from lab.ports import OFFERED
from lab.processes import Nursery
from lab.redis_binary import RedisBinary
from lab.runtimes.base import DEFAULT_PROFILE, require_known
from lab.runtimes.process_stack import ProcessStack
from lab.runtimes.shared import SharedServices, python
from lab.services import HttpReady, ServiceSpec
from lab.stack_config import APP_ID, NAMESPACE, StackConfig


@dataclass(frozen=True, slots=True)
class EmbeddedRuntime:
    """Starts everything as processes of its own; no Docker, no Dapr."""

    redis: RedisBinary
    ports: Collection[str] = OFFERED

    def profile(self, asked: str | None) -> str:
        """Return one of the versions that the sidecar behaves like."""
        return require_known(asked or DEFAULT_PROFILE, KNOWN_PROFILES)

    def stack(self, config: StackConfig, nursery: Nursery) -> ProcessStack:
        """Return a stack of seven processes."""
        return ProcessStack(config, self.services(config), nursery)

    def services(self, config: StackConfig) -> Sequence[ServiceSpec]:
        """Return the seven services."""
        shared = SharedServices(config, self.redis)
        return (
            shared.state_redis(),
            shared.budget_redis(),
            _scheduler(config),
            _sidecar(config),
            shared.fake_llm(),
            shared.budget(),
            shared.app(),
        )

    def versions(self) -> Mapping[str, str]:
        """Return the Redis-protocol server's."""
        return {"redis": self.redis.label}


def _scheduler(config: StackConfig) -> ServiceSpec:
    folder = config.data / "scheduler"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    env = {
        "SCHEDULER_HOST": "127.0.0.1",
        "SCHEDULER_PORT": str(config.ports.scheduler),
        "SCHEDULER_HTTP_PORT": str(config.ports.scheduler_http),
        "SCHEDULER_DATA_DIR": str(folder),
        "SCHEDULER_PROFILE": config.profile,
    }
    ready = HttpReady(f"{config.url('scheduler_http')}/healthz")
    address = f"127.0.0.1:{config.ports.scheduler}"
    return ServiceSpec("scheduler", python("sidecar.scheduler"), env, ready, address)


def _sidecar(config: StackConfig) -> ServiceSpec:
    env = {
        "SIDECAR_HOST": "127.0.0.1",
        "SIDECAR_GRPC_PORT": str(config.ports.sidecar_grpc),
        "SIDECAR_HTTP_PORT": str(config.ports.sidecar_http),
        "SIDECAR_APP_ID": APP_ID,
        "SIDECAR_NAMESPACE": NAMESPACE,
        "SIDECAR_PROFILE": config.profile,
        "SIDECAR_RESOURCES_PATH": str(config.components),
        "SIDECAR_SCHEDULER_ADDRESS": f"127.0.0.1:{config.ports.scheduler}",
        "STATE_REDIS_HOST": f"127.0.0.1:{config.ports.state_redis}",
    }
    ready = HttpReady(f"{config.url('sidecar_http')}/v1.0/healthz/outbound")
    address = f"127.0.0.1:{config.ports.sidecar_grpc}"
    needs = ("state_redis", "scheduler")
    return ServiceSpec("sidecar", python("sidecar"), env, ready, address, needs)
