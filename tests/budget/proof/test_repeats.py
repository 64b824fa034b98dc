"""Laws of repeated calls under a crowd: an activity is paid once, whichever gateway it meets."""

import asyncio
from collections import Counter

import pytest

from tests.budget.proof.conftest import StartFleet
from tests.budget.proof.fleet import CALL_NANO_USD, Answer, Fleet, assert_books_agree

TIMES, AT_ONCE = 100, 20


def activity(ordinal: int = 1, execution: str = "e-1") -> dict[str, str]:
    """Return the headers of one call of an activity."""
    return {
        "X-Workflow-App": "proof",
        "X-Workflow-Instance": "i-1",
        "X-Workflow-Activity": "think",
        "X-Workflow-Task-Id": "1",
        "X-Workflow-Execution-Id": execution,
        "Idempotency-Key": f"i-1:{execution}:1:{ordinal}",
    }


async def repeat(fleet: Fleet, headers: dict[str, str], *, is_stream: bool) -> list[Answer]:
    """Make the same call over and over, so many at once, over the gateways in turn."""
    turns = iter(range(TIMES))

    async def one_after_the_other() -> list[Answer]:
        return [await fleet.call(turn, headers, stream=is_stream) for turn in turns]

    found = await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    return [answer for answers in found for answer in answers]


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
async def test_an_activity_repeated_a_hundred_times_is_made_and_paid_once(
    start_fleet: StartFleet, *, is_stream: bool
) -> None:
    """One upstream call, one charge, 99 replays of the very same answer, from both gateways."""
    fleet = await start_fleet(FAKE_LLM_TTFT_S="0.2", FAKE_LLM_ITL_S="0.02", BUDGET_CAP_USD="5")
    answers = await repeat(fleet, activity(), is_stream=is_stream)
    assert Counter(answer.kind for answer in answers) == {"200": TIMES}
    assert Counter(answer.is_replay for answer in answers) == {True: TIMES - 1, False: 1}
    assert len({answer.body for answer in answers}) == 1
    assert len({answer.headers["x-budget-reservation-id"] for answer in answers}) == 1
    assert {a.headers["x-budget-cost-nano"] for a in answers if a.is_replay} == {"0"}
    served = await fleet.served()
    assert [(call["stream"], call["nano_usd"]) for call in served] == [(is_stream, CALL_NANO_USD)]
    assert await assert_books_agree(fleet) == CALL_NANO_USD


async def test_other_calls_of_the_same_activity_are_made(start_fleet: StartFleet) -> None:
    """Ten ordinals, each five times at once: ten upstream calls, none served twice."""
    fleet = await start_fleet(FAKE_LLM_TTFT_S="0.1", BUDGET_CAP_USD="5")
    answers = await asyncio.gather(
        *(fleet.call(number, activity(number % 10), user=str(number % 10)) for number in range(50))
    )
    assert Counter(answer.is_replay for answer in answers) == {True: 40, False: 10}
    served = await fleet.served()
    assert sorted(call["idempotency_key"] for call in served) == [
        f"i-1:e-1:1:{n}" for n in range(10)
    ]
    assert await assert_books_agree(fleet) == 10 * CALL_NANO_USD
