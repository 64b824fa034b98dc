"""The services that every runtime of processes has: both stores, fake LLM, gateway and app."""

import sys
from dataclasses import dataclass

from lab.redis_binary import RedisBinary
from lab.services import HttpReady, RedisReady, ServiceSpec
from lab.stack_config import APP_ID, NAMESPACE, StackConfig

# The services' own defaults; what a stack needs beyond them is set.
_LLM_TIMEOUT_S, _ACTIVITY_THREADS = 60.0, 256
# The gateway outwaits the app, so that what the app gives up is still accounted for.
_GATEWAY_OUTWAITS_S = 60.0
# A result that comes late starts another chain of executions beside the first.
_SIDE_BY_SIDE = 4


def llm_timeout_s(config: StackConfig) -> float | None:
    """Return how long the app waits for an answer of the LLM; None: its own default will do."""
    needed_s = 2 * config.ttft_s
    return needed_s if needed_s > _LLM_TIMEOUT_S else None


def upstream_timeout_s(config: StackConfig) -> float | None:
    """Return how long the gateway waits for one; None: its own default will do."""
    waits_s = llm_timeout_s(config)
    return None if waits_s is None else waits_s + _GATEWAY_OUTWAITS_S


def activity_threads(config: StackConfig) -> int | None:
    """Return how many activities the app must be able to run; None: its own default will do."""
    needed = _SIDE_BY_SIDE * (config.workflows or 0)
    return needed if needed > _ACTIVITY_THREADS else None


def python(module: str) -> tuple[str, ...]:
    """Return the command that runs one of our own modules."""
    return (sys.executable, "-m", module)


@dataclass(frozen=True, slots=True)
class SharedServices:
    """Describes what runs around the engine of one configuration."""

    config: StackConfig
    redis: RedisBinary

    def _redis(self, name: str, port: int, *extra: str) -> ServiceSpec:
        folder = self.config.data / name
        folder.mkdir(parents=True, exist_ok=True)
        command = (
            str(self.redis.path),
            *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""),
            *extra,
        )
        return ServiceSpec(name, command, {}, RedisReady(port), f"127.0.0.1:{port}")

    def state_redis(self) -> ServiceSpec:
        """Return the store of the workflows' state."""
        return self._redis("state_redis", self.config.ports.state_redis)

    def budget_redis(self) -> ServiceSpec:
        """Return the store of the money."""
        return self._redis(
            "budget_redis",
            self.config.ports.budget_redis,
            *("--appendonly", "yes", "--appendfsync", "always"),
            *("--maxmemory-policy", "noeviction"),
        )

    def fake_llm(self) -> ServiceSpec:
        """Return the provider."""
        config, url = self.config, self.config.url("fake_llm")
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
        return ServiceSpec("fake_llm", python("fake_llm"), env, HttpReady(f"{url}/health"), url)

    def budget(self) -> ServiceSpec:
        """Return the gateway."""
        config, url = self.config, self.config.url("budget")
        env = {
            "BUDGET_HOST": "127.0.0.1",
            "BUDGET_PORT": str(config.ports.budget),
            "BUDGET_UPSTREAM_URL": config.url("fake_llm"),
            "BUDGET_REDIS_URL": f"redis://127.0.0.1:{config.ports.budget_redis}/0",
            "BUDGET_MODE": config.budget_mode,
            "BUDGET_REPLAY": str(config.replay).lower(),
            "BUDGET_SCHEDULER_ADDRESS": f"127.0.0.1:{config.ports.scheduler}",
            "BUDGET_NAMESPACE": NAMESPACE,
            "BUDGET_APP_ID": APP_ID,
        }
        if config.zombie_executions is not None:
            env["BUDGET_ZOMBIE_EXECUTIONS"] = str(config.zombie_executions)
        if config.price_file is not None:
            env["BUDGET_PRICE_FILE"] = str(config.price_file)
        if (timeout_s := upstream_timeout_s(config)) is not None:
            env["BUDGET_UPSTREAM_TIMEOUT_S"] = f"{timeout_s:g}"
        if config.cap_usd is not None:
            env["BUDGET_CAP_USD"] = config.cap_usd
        if config.safety_cap_usd is not None:
            env["BUDGET_SAFETY_CAP_USD"] = config.safety_cap_usd
        ready = HttpReady(f"{url}/readyz")
        return ServiceSpec("budget", python("budget"), env, ready, url, ("budget_redis",))

    def app(self) -> ServiceSpec:
        """Return the app with the workflows."""
        config, url = self.config, self.config.url("app")
        env = {
            "WORKFLOW_APP_HOST": "127.0.0.1",
            "WORKFLOW_APP_PORT": str(config.ports.app),
            "WORKFLOW_APP_SIDECAR_ADDRESS": f"127.0.0.1:{config.ports.sidecar_grpc}",
            "WORKFLOW_APP_LLM_BASE_URL": f"{config.url('budget')}/v1",
            "WORKFLOW_APP_APP_ID": APP_ID,
        }
        if (timeout_s := llm_timeout_s(config)) is not None:
            env["WORKFLOW_APP_LLM_TIMEOUT_S"] = f"{timeout_s:g}"
        if (threads := activity_threads(config)) is not None:
            env["WORKFLOW_APP_ACTIVITY_THREADS"] = str(threads)
        return ServiceSpec(
            "workflow_app", python("workflow_app"), env, app_ready(config), url, ("sidecar",)
        )


def app_ready(config: StackConfig) -> HttpReady:
    """Return the app's readiness: it serves, and its worker is connected to the engine."""
    return HttpReady(f"{config.url('app')}/health", (("status", "ok"), ("sidecar", "connected")))
