from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import openai
import pytest

from budget.client import Budget, NonRetryableError, activity, non_retryable, raise_for_budget
from budget.client.activities import Ordinals, caller_of
from metering.identity import UNKNOWN
from tests.budget.client.desk import activity_context, asked, calls, desk
from tests.budget.executions import listed, schedule
from tests.budget.gateways import Provider, wait_until
from tests.sidecar.scheduler.harness import scheduler

RICH = "1000"
NAMELESS = {"X-Workflow-App": ""}
"""So that the context says which app it is."""


def test_an_activity_that_is_executed_again_pays_once(redis_url: str, provider: Provider) -> None:
    """Its calls get the answers of the first execution, in any number."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        for _ in range(3):
            with activity(activity_context()):
                # Two equal ones on purpose, and another one.
                team.chat()
                team.chat()
                team.chat(max_tokens=2)
        assert len(team.provider_calls()) == 3
        with activity(activity_context(task=2)):
            team.chat()
        assert len(team.provider_calls()) == 4


def test_a_stream_is_repeated_too(redis_url: str, provider: Provider) -> None:
    """In one piece."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        seen = []
        for _ in range(2):
            with activity(activity_context()):
                stream = team.chat(stream=True)
                seen.append([c.choices[0].delta.content for c in stream])
        assert seen[0] == seen[1] != []
        assert len(team.provider_calls()) == 1


def test_a_retry_after_an_error_has_the_number_of_the_first_try(
    redis_url: str, provider: Provider
) -> None:
    """So that the calls after it are the same in the next execution."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        with activity(activity_context()):
            with pytest.raises(openai.InternalServerError):
                team.chat(user="fail:500")
            with pytest.raises(openai.InternalServerError):
                team.chat(user="fail:500")
            team.chat()
        with activity(activity_context()):
            team.chat()
        assert len(team.provider_calls()) == 1


def test_equal_requests_are_numbered_and_numbers_come_back() -> None:
    """From one; a free number is taken first; other requests have numbers of their own."""
    ordinals = Ordinals()
    first, second, other = ordinals.take(b"a"), ordinals.take(b"a"), ordinals.take(b"b")
    assert [first.number, second.number, other.number] == [1, 2, 1]
    assert str(first) != str(other)
    first.give_back()
    assert ordinals.take(b"a") == first


def test_headers_say_more_than_the_context() -> None:
    """Field by field; without either everything is unknown."""
    assert caller_of({}, b"", None)[0].instance == UNKNOWN
    with activity(activity_context(), workflow="agent", app="team"):
        identity, ordinal = caller_of({"X-Workflow-Root": "r"}, b"{}", "other")
        keyed, none = caller_of({"Idempotency-Key": "mine"}, b"{}", None)
    assert (identity.workflow, identity.root, identity.app) == ("agent", "r", "team")
    assert (identity.instance, identity.task_id, identity.execution_id) == ("i-1", "1", "e-1")
    assert identity.idempotency_key == f"i-1:e-1:1:{ordinal}"
    assert (keyed.idempotency_key, none) == ("mine", None)
    assert caller_of({}, b"", "app")[0].app == "app"


def test_an_instance_has_a_limit_of_its_own(redis_url: str, provider: Provider) -> None:
    """Told by the context alone."""
    with desk(Budget(redis_url, instance_cap_usd=calls(1)), provider) as team:
        for instance, passes in (("i-1", True), ("i-1", False), ("i-2", True)):
            with activity(activity_context(instance, execution=f"{instance}{passes}")):
                if passes:
                    team.chat()
                else:
                    with pytest.raises(openai.APIStatusError, match="402"):
                        team.chat()


def test_activities_side_by_side_do_not_meet(redis_url: str, provider: Provider) -> None:
    """Each thread has a context of its own."""
    with desk(Budget(redis_url, instance_cap_usd=calls(1)), provider) as team:

        def act(number: int) -> None:
            with activity(activity_context(f"i-{number}")):
                team.chat()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(act, range(8)))
        team.wait_for(8)


def test_an_activity_executed_too_often_makes_a_zombie(redis_url: str, provider: Provider) -> None:
    """Its instance is refused for good, as by the gateway."""
    with desk(Budget(redis_url, cap_usd=RICH, zombie_executions=3), provider) as team:
        for _ in range(2):
            with activity(activity_context()):
                team.chat()
        with (
            activity(activity_context()),
            pytest.raises(NonRetryableError) as caught,
            non_retryable(),
        ):
            team.chat()
        assert caught.value.code == "workflow_not_live"


def test_a_zombie_is_stopped_at_its_source(
    redis_url: str, provider: Provider, tmp_path: Path
) -> None:
    """Where the budget knows the scheduler: its jobs are deleted, without a gateway."""
    with scheduler(tmp_path / "scheduler") as jobs:
        schedule(jobs, "lab", "i-1::1::1", "i-2::1::1")
        budget = Budget(
            redis_url, cap_usd=RICH, zombie_executions=2, scheduler_address=jobs.address
        )
        with desk(budget, provider) as team:
            for _ in range(2):
                with activity(activity_context(), app="lab"), suppress(openai.APIStatusError):
                    team.sdk.chat.completions.create(**asked(extra_headers=NAMELESS))
            wait_until(lambda: listed(jobs, "lab") == ["i-2::1::1"], "the zombie's job is gone")


def test_a_refusal_for_good_becomes_an_error_that_dapr_does_not_retry(
    redis_url: str, provider: Provider
) -> None:
    """By its class name, which is all that the SDK looks at; it also is the SDK's own."""
    from dapr.ext.workflow._durabletask import task  # noqa: PLC0415  # what it is compared with

    with desk(Budget(redis_url, cap_usd=calls(1)), provider) as team:
        team.chat()
        with pytest.raises(NonRetryableError) as caught, non_retryable():
            team.chat()
    error = caught.value
    assert (error.status, error.code) == (402, "budget_exceeded")
    assert error.budget["scope"] == "global"
    assert type(error).__name__ == "NonRetryableError"
    assert isinstance(error, task.NonRetryableError)
    assert isinstance(error.__cause__, openai.APIStatusError)


def test_what_may_pass_stays_what_it_was(redis_url: str, provider: Provider) -> None:
    """A provider's 500, no answer at all, and errors of other kinds."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        with pytest.raises(openai.InternalServerError), non_retryable():
            team.chat(user="fail:500")
        with pytest.raises(openai.RateLimitError), non_retryable():
            team.chat(user="fail:429")
        with pytest.raises(openai.APIConnectionError), non_retryable():
            team.chat(user="drop")
        with pytest.raises(ValueError, match="mine"), non_retryable():
            raise ValueError("mine")
        raise_for_budget(ValueError("mine"))


def test_a_request_that_can_never_pass_is_not_retried_either(
    redis_url: str, provider: Provider
) -> None:
    """Such as a model without a price."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        with pytest.raises(NonRetryableError) as caught, non_retryable():
            team.chat(model="nobody-prices-this")
        assert (caught.value.status, caught.value.code) == (400, "unpriced_model")
