"""The LiteLLM proxy, in an environment of its own, never among the project's packages."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support.services import Service, running, wait_until_http

VERSION: Final = "1.108.7"
READY_WITHIN_S: Final = 90


def install(folder: Path) -> Path:
    """Return the proxy's program in `folder`, which is made with uv when it is not there."""
    program = folder / "bin" / "litellm"
    if not program.exists():
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        python = str(folder / "bin" / "python")
        subprocess.run([uv, "venv", "--python", sys.executable, str(folder)], check=True)
        packages = [uv, "pip", "install", "--python", python, f"litellm[proxy]=={VERSION}"]
        subprocess.run(packages, check=True)
    return program


def configuration(upstream_url: str, redis_port: int) -> dict[str, Any]:
    """Return its configuration: one model, and a provider budget that is counted in Redis.

    The keys are those of docs.litellm.ai/docs/proxy/provider_budget_routing.
    """
    return {
        "model_list": [
            {
                "model_name": "gpt-4",
                "litellm_params": {
                    "model": "openai/gpt-4",
                    "api_base": f"{upstream_url}/v1",
                    "api_key": "none",
                },
            }
        ],
        "router_settings": {
            "provider_budget_config": {"openai": {"budget_limit": 1_000_000, "time_period": "30d"}},
            "redis_host": "127.0.0.1",
            "redis_port": redis_port,
        },
    }


@contextmanager
def litellm_proxy(
    folder: Path, port: int, upstream_url: str, redis_port: int, log_dir: Path
) -> Iterator[Service]:
    """Run it with one worker until the block ends."""
    program = install(folder)
    config = log_dir / "litellm.yaml"
    document = configuration(upstream_url, redis_port)
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    command = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    env = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        # Without a key it checks none, which is faster.
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    with running("litellm", [*command, "--telemetry", "False"], log_dir, env) as service:
        url = f"http://127.0.0.1:{port}/health/liveliness"
        wait_until_http(service, url, timeout_s=READY_WITHIN_S)
        yield service
