"""The lab's price files, through the real fake LLM, with the prompts that the app sends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from metering.chat import ChatMessage
from metering.identity import CallerIdentity
from metering.tokens import count_prompt
from tests.support.ports import free_port
from tests.support.services import ROOT, python_service
from workflow_app.llm import LlmClient
from workflow_app.prompts import FIRST_DIGEST, digest, step_messages
from workflow_app.settings import Settings

PRICES = ROOT / "lab" / "prices"
SPLITS = ((800, 200), (200, 800))
"""Prompt and answer tokens: those of the presets `single` and `scale`."""
INSTANCES = ("a", "single-1", "run-2f.x_9-50", "Z" * 100)
DIGESTS = (FIRST_DIGEST, *(digest(text) for text in ("", "an answer", "another one")))
MODEL = Settings.model_fields["model"].default


@contextmanager
def priced_llm(price_file: str, answer_tokens: int, log_dir: Path) -> Iterator[str]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    env = {
        "FAKE_LLM_PORT": str(port),
        "FAKE_LLM_PRICE_FILE": str(PRICES / f"{price_file}.yaml"),
        "FAKE_LLM_OUTPUT_TOKENS": str(answer_tokens),
    }
    with python_service("fake_llm", log_dir, env, f"{url}/health"):
        yield url


@pytest.mark.parametrize(("prompt_tokens", "answer_tokens"), SPLITS)
@pytest.mark.parametrize(
    ("price_file", "nano_usd"), [("incident-030", 30_000_000), ("incident-003", 3_000_000)]
)
def test_a_call_of_a_thousand_tokens_costs_exactly_what_its_file_is_named_for(
    tmp_path: Path, price_file: str, nano_usd: int, prompt_tokens: int, answer_tokens: int
) -> None:
    """Whatever is prompt and answer of it, the instance and the answer before."""
    with priced_llm(price_file, answer_tokens, tmp_path) as url:
        llm = LlmClient(base_url=f"{url}/v1", model=MODEL, timeout_s=30, connections=1)
        for step, (instance, previous) in enumerate(
            ((i, d) for i in INSTANCES for d in DIGESTS), start=1
        ):
            messages = step_messages(
                instance=instance, step=step, previous=previous, prompt_tokens=prompt_tokens
            )
            llm.complete(
                messages, max_tokens=answer_tokens, identity=CallerIdentity(instance=instance)
            )
        llm.close()
        calls = httpx.get(f"{url}/calls").json()["calls"]
    seen = {(call["input_tokens"], call["output_tokens"], call["nano_usd"]) for call in calls}
    assert len(calls) == len(INSTANCES) * len(DIGESTS)
    assert seen == {(prompt_tokens, answer_tokens, nano_usd)}


@pytest.mark.parametrize("prompt_tokens", [prompt for prompt, _ in SPLITS])
@pytest.mark.parametrize("number", range(0, 10_000, 397))
def test_a_prompt_counts_exactly_what_was_asked_for(number: int, prompt_tokens: int) -> None:
    """For instance ids as the load generator makes them, any step, any digest."""
    messages = step_messages(
        instance=f"run-{number:x}-{number}",
        step=number + 1,
        previous=digest(str(number)),
        prompt_tokens=prompt_tokens,
    )
    parsed = [ChatMessage.model_validate(message) for message in messages]
    assert count_prompt(MODEL, parsed) == prompt_tokens
