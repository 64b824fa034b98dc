"""The embedded runtime: our own sidecar and scheduler on real Redis-protocol servers."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

from lab.errors import CannotRunError
from lab.redis_binary import RedisBinary
from lab.services import HttpReady, RedisReady, ServiceSpec
from lab.stack_config import APP_ID, NAMESPACE, StackConfig

# The services' own defaults; what a stack needs beyond them is set.
_LLM_TIMEOUT_S, _ACTIVITY_THREADS = 60.0, 256
# The gateway outwaits the app, so that what the app gives up is still accounted for.
_GATEWAY_OUTWAITS_S = 60.0
# A result that comes late starts another chain of executions beside the first.
_SIDE_BY_SIDE = 4


def _llm_timeout_s(config: StackConfig) -> float:
    return max(_LLM_TIMEOUT_S, 2 * config.ttft_s)


def _activity_threads(config: StackConfig) -> int:
    return max(_ACTIVITY_THREADS, _SIDE_BY_SIDE * (config.workflows or 0))


def _python(module: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module)


@dataclass(frozen=True, slots=True)
class EmbeddedRuntime:
    """Starts everything as processes of its own; no Docker, no Dapr."""

    redis: RedisBinary

    def services(self, config: StackConfig) -> Sequence[ServiceSpec]:
        """Return the seven services."""
        return (
            self._state_redis(config),
            self._budget_redis(config),
            self._scheduler(config),
            self._sidecar(config),
            self._fake_llm(config),
            self._budget(config),
            self._app(config),
        )

    def label(self, config: StackConfig) -> str:
        """Return the version that the sidecar's metadata names, for example `embedded (…)`."""
        try:
            answer = httpx.get(
                f"{config.url('sidecar_http')}/v1.0/metadata", timeout=5, trust_env=False
            )
            version = answer.json()["runtimeVersion"]
        except (httpx.TransportError, ValueError, KeyError, TypeError) as error:
            raise CannotRunError(f"the sidecar does not say what it is: {error!r}") from error
        return str(version)

    def versions(self) -> Mapping[str, str]:
        """Return the Redis-protocol server's."""
        return {"redis": self.redis.label}

    def _redis(self, name: str, port: int, config: StackConfig, *extra: str) -> ServiceSpec:
        folder = config.data / name
        folder.mkdir(parents=True, exist_ok=True)
        command = (
            str(self.redis.path),
            *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""),
            *extra,
        )
        return ServiceSpec(name, command, {}, RedisReady(port), f"127.0.0.1:{port}")

    def _state_redis(self, config: StackConfig) -> ServiceSpec:
        return self._redis("state_redis", config.ports.state_redis, config)

    def _budget_redis(self, config: StackConfig) -> ServiceSpec:
        return self._redis(
            "budget_redis",
            config.ports.budget_redis,
            config,
            *("--appendonly", "yes", "--appendfsync", "always"),
            *("--maxmemory-policy", "noeviction"),
        )

    def _scheduler(self, config: StackConfig) -> ServiceSpec:
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
        return ServiceSpec("scheduler", _python("sidecar.scheduler"), env, ready, address)

    def _sidecar(self, config: StackConfig) -> ServiceSpec:
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
        return ServiceSpec("sidecar", _python("sidecar"), env, ready, address, needs)

    def _fake_llm(self, config: StackConfig) -> ServiceSpec:
        url = config.url("fake_llm")
        env = {
            "FAKE_LLM_HOST": "127.0.0.1",
            "FAKE_LLM_PORT": str(config.ports.fake_llm),
            "FAKE_LLM_SEED": str(config.seed),
        }
        if config.ttft_s:
            env["FAKE_LLM_TTFT_S"] = f"{config.ttft_s:g}"
        if config.output_tokens is not None:
            env["FAKE_LLM_OUTPUT_TOKENS"] = str(config.output_tokens)
        if config.price_file is not None:
            env["FAKE_LLM_PRICE_FILE"] = str(config.price_file)
        return ServiceSpec("fake_llm", _python("fake_llm"), env, HttpReady(f"{url}/health"), url)

    def _budget(self, config: StackConfig) -> ServiceSpec:
        url = config.url("budget")
        env = {
            "BUDGET_HOST": "127.0.0.1",
            "BUDGET_PORT": str(config.ports.budget),
            "BUDGET_UPSTREAM_URL": config.url("fake_llm"),
            "BUDGET_REDIS_URL": f"redis://127.0.0.1:{config.ports.budget_redis}/0",
            "BUDGET_MODE": config.budget_mode,
            "BUDGET_REPLAY": str(config.replay).lower(),
        }
        if config.zombie_executions is not None:
            env["BUDGET_ZOMBIE_EXECUTIONS"] = str(config.zombie_executions)
            env["BUDGET_SCHEDULER_ADDRESS"] = f"127.0.0.1:{config.ports.scheduler}"
            env["BUDGET_NAMESPACE"] = NAMESPACE
        if config.price_file is not None:
            env["BUDGET_PRICE_FILE"] = str(config.price_file)
        if _llm_timeout_s(config) > _LLM_TIMEOUT_S:
            env["BUDGET_UPSTREAM_TIMEOUT_S"] = f"{_llm_timeout_s(config) + _GATEWAY_OUTWAITS_S:g}"
        if config.cap_usd is not None:
            env["BUDGET_CAP_USD"] = config.cap_usd
        if config.safety_cap_usd is not None:
            env["BUDGET_SAFETY_CAP_USD"] = config.safety_cap_usd
        ready = HttpReady(f"{url}/readyz")
        return ServiceSpec("budget", _python("budget"), env, ready, url, ("budget_redis",))

    def _app(self, config: StackConfig) -> ServiceSpec:
        url = config.url("app")
        env = {
            "WORKFLOW_APP_HOST": "127.0.0.1",
            "WORKFLOW_APP_PORT": str(config.ports.app),
            "WORKFLOW_APP_SIDECAR_ADDRESS": f"127.0.0.1:{config.ports.sidecar_grpc}",
            "WORKFLOW_APP_LLM_BASE_URL": f"{config.url('budget')}/v1",
            "WORKFLOW_APP_APP_ID": APP_ID,
        }
        if _llm_timeout_s(config) > _LLM_TIMEOUT_S:
            env["WORKFLOW_APP_LLM_TIMEOUT_S"] = f"{_llm_timeout_s(config):g}"
        if _activity_threads(config) > _ACTIVITY_THREADS:
            env["WORKFLOW_APP_ACTIVITY_THREADS"] = str(_activity_threads(config))
        ready = HttpReady(f"{url}/health", (("status", "ok"), ("sidecar", "connected")))
        return ServiceSpec("workflow_app", _python("workflow_app"), env, ready, url, ("sidecar",))
