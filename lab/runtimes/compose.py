"""The compose runtime: the services of docker-compose.yml, one project a stack."""

import hashlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import DockerError
from lab.ports import OFFERED
from lab.processes import Nursery
from lab.runtimes.base import DEFAULT_PROFILE
from lab.runtimes.compose_stack import ComposeStack, ContainerService
from lab.runtimes.docker_compose import ComposeProject, Docker, find_docker
from lab.runtimes.shared import activity_threads, app_ready, llm_timeout_s, upstream_timeout_s
from lab.services import HttpReady, RedisReady
from lab.stack import base_environment
from lab.stack_config import StackConfig


@dataclass(frozen=True, slots=True)
class ComposeRuntime:
    """Starts everything as containers; real Dapr's images, unless others bear their names."""

    docker: Docker
    ports: Collection[str] = tuple(name for name in OFFERED if name != "scheduler_http")

    def profile(self, asked: str | None) -> str:
        """Return the version that was asked for, once its images are known to be there."""
        version = asked or DEFAULT_PROFILE
        env = {**os.environ, "DAPR_VERSION": version}
        project = ComposeProject(self.docker, "runaway", env)
        missing = [image for image in project.images() if project.lacks(image)]
        if missing:
            get = f"DAPR_VERSION={version} docker compose"
            raise DockerError(
                f"images are missing: {', '.join(missing)}\n"
                f"get them with `{get} pull --ignore-buildable` and `{get} build`"
            )
        return version

    def stack(self, config: StackConfig, nursery: Nursery) -> ComposeStack:
        """Return a stack of eight containers."""
        project = project_of(config, self.docker)
        return ComposeStack(config, container_services(config), project, nursery)

    def versions(self) -> Mapping[str, str]:
        """Return the engine's and the compose plugin's."""
        return {"docker": self.docker.engine, "docker compose": self.docker.compose}


def project_of(config: StackConfig, docker: Docker) -> ComposeProject:
    """Return the project of a stack, the same whoever asks: named after the stack's folder."""
    folder = config.directory.absolute()
    # Two checkouts on one engine, and two arms of one run, differ in their folders.
    mark = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    env = base_environment(config, os.environ)
    for name, value in compose_environment(config).items():
        if value or not config.inherit_settings:
            env[name] = value
    return ComposeProject(docker, f"runaway-{folder.name}-{mark}", env)


def clear_leftovers(config: StackConfig) -> str | None:
    """End the containers that a crash left of a stack; return their project, None for none."""
    project = project_of(config, find_docker())
    if not project.containers():
        return None
    project.down()
    return project.name


def compose_environment(config: StackConfig) -> dict[str, str]:
    """Return the variables of docker-compose.yml; an empty one is the service's own default."""
    ports = config.ports
    return {
        "APP_PORT": str(ports.app),
        "FAKE_LLM_PORT": str(ports.fake_llm),
        "BUDGET_PORT": str(ports.budget),
        "STATE_REDIS_PORT": str(ports.state_redis),
        "BUDGET_REDIS_PORT": str(ports.budget_redis),
        "SIDECAR_HTTP_PORT": str(ports.sidecar_http),
        "SIDECAR_GRPC_PORT": str(ports.sidecar_grpc),
        "SCHEDULER_PORT": str(ports.scheduler),
        "DAPR_VERSION": config.profile,
        "COMPONENTS_DIR": str(config.components.absolute()),
        "PRICE_FILE": _text(config.price_file and Path(config.price_file).absolute()),
        "BUDGET_MODE": config.budget_mode,
        "BUDGET_CAP_USD": _text(config.cap_usd),
        "BUDGET_SAFETY_CAP_USD": _text(config.safety_cap_usd),
        "BUDGET_REPLAY": str(config.replay).lower(),
        "BUDGET_ZOMBIE_EXECUTIONS": _text(config.zombie_executions),
        "BUDGET_UPSTREAM_TIMEOUT_S": _text(upstream_timeout_s(config)),
        "FAKE_LLM_TTFT_S": f"{config.ttft_s:g}",
        "FAKE_LLM_OUTPUT_TOKENS": _text(config.output_tokens),
        "FAKE_LLM_SEED": str(config.seed),
        "WORKFLOW_APP_LLM_TIMEOUT_S": _text(llm_timeout_s(config)),
        "WORKFLOW_APP_ACTIVITY_THREADS": _text(activity_threads(config)),
    }


def _text(value: object) -> str:
    return "" if value is None else str(value)


def container_services(config: StackConfig) -> tuple[ContainerService, ...]:
    """Return the services, by the lab's names and by the file's."""
    ports, url = config.ports, config.url

    def redis(name: str, service: str, port: int) -> ContainerService:
        return ContainerService(name, service, f"127.0.0.1:{port}", RedisReady(port))

    def http(name: str, service: str, path: str) -> ContainerService:
        return ContainerService(name, service, url(name), HttpReady(f"{url(name)}{path}"))

    sidecar_ready = HttpReady(f"{url('sidecar_http')}/v1.0/healthz/outbound")
    return (
        redis("state_redis", "redis", ports.state_redis),
        redis("budget_redis", "budget-redis", ports.budget_redis),
        ContainerService("placement", "dapr-placement", "dapr-placement:50005"),
        ContainerService("scheduler", "dapr-scheduler", f"127.0.0.1:{ports.scheduler}"),
        ContainerService("sidecar", "dapr", f"127.0.0.1:{ports.sidecar_grpc}", sidecar_ready),
        http("fake_llm", "fake-llm", "/health"),
        http("budget", "budget", "/readyz"),
        ContainerService("workflow_app", "fastapi", url("app"), app_ready(config)),
    )
