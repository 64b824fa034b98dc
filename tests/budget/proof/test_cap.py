"""Laws of the cap under a crowd: exact to the nano-dollar, whoever hangs up."""

import asyncio
import contextlib
from collections import Counter

from tests.budget.proof.conftest import StartFleet
from tests.budget.proof.fleet import (
    CALL_NANO_USD,
    TOKENS,
    Answer,
    Fleet,
    assert_books_agree,
)

CROWD = 1_000
CAP_NANO_USD = 5_000_000_000
AFFORDABLE = 50


def assert_in_flight(answer: Answer) -> None:
    """Only held money was in the way, and the client is told to come again."""
    assert answer.kind == "429 budget_in_flight"
    assert answer.headers["x-should-retry"] == "true"
    assert answer.error["budget"]["retryable"] is True
    assert answer.error["budget"]["reserved_usd"] != "0.000000000"


def assert_exceeded(answer: Answer) -> None:
    """The cap is spent, and no client comes again by itself."""
    assert answer.kind == "402 budget_exceeded"
    assert answer.headers["x-should-retry"] == "false"
    assert not answer.headers.keys() & {"retry-after", "retry-after-ms"}
    assert answer.error["budget"]["spent_usd"] == "5.000000000"
    assert answer.error["budget"]["limit_usd"] == "5.000000000"


async def test_a_thousand_calls_at_once_spend_the_cap_and_nothing_above(
    start_fleet: StartFleet,
) -> None:
    """50 calls of $0.10 fit into $5: 950 end with 402, after a 429 while money is held."""
    fleet = await start_fleet(FAKE_LLM_TTFT_S="0.2", BUDGET_CAP_USD="5")
    stories = await asyncio.gather(*(fleet.persist(number) for number in range(CROWD)))
    ends = Counter(story[-1].kind for story in stories)
    assert ends == {"200": AFFORDABLE, "402 budget_exceeded": CROWD - AFFORDABLE}
    in_flight = [answer for story in stories for answer in story[:-1] if answer.status != 503]
    assert in_flight
    for answer in in_flight:
        assert_in_flight(answer)
    for story in stories:
        if story[-1].status != 200:
            assert_exceeded(story[-1])
    served = await fleet.served()
    assert [call["nano_usd"] for call in served] == [CALL_NANO_USD] * AFFORDABLE
    assert await assert_books_agree(fleet) == CAP_NANO_USD
    assert (await fleet.charged())["usd"] == "5.000000000"


async def leave(fleet: Fleet, number: int) -> None:
    """Begin a stream and hang up: after its head, half of its words, all of it, or a moment."""
    way = number // len(fleet.gateways) % 4
    hang_up = asyncio.timeout(0.3 if way == 3 else None)
    with contextlib.suppress(TimeoutError):
        async with hang_up, fleet.calling(number, stream=True) as response:
            if response.status != 200 or way == 2:
                await response.read()
            elif way == 1:
                for _ in range(5):
                    assert b'"content"' in await response.content.readuntil(b"\n\n")


async def test_streams_whose_clients_hang_up_are_charged_as_the_provider_charges(
    start_fleet: StartFleet,
) -> None:
    """Each admitted stream is paid in full though nobody hears its end; no money stays held."""
    fleet = await start_fleet(FAKE_LLM_TTFT_S="0.2", FAKE_LLM_ITL_S="0.1", BUDGET_CAP_USD="5")
    await asyncio.gather(*(leave(fleet, number) for number in range(CROWD)))
    assert await assert_books_agree(fleet) == CAP_NANO_USD
    served = await fleet.served()
    assert {(call["stream"], call["status"]) for call in served} == {(True, "completed")}
    assert len(served) == AFFORDABLE
    assert_exceeded(await fleet.call())
    assert_exceeded(await fleet.call(1, stream=True))


async def test_calls_cheaper_than_their_bound_use_up_the_cap_and_never_pass_it(
    start_fleet: StartFleet,
) -> None:
    """Bound $0.20, cost $0.10: what comes back is spent again, until no further call fits."""
    fleet = await start_fleet(
        FAKE_LLM_TTFT_S="0.05", FAKE_LLM_OUTPUT_TOKENS=str(TOKENS), BUDGET_CAP_USD="5"
    )
    stories = await asyncio.gather(
        *(fleet.persist(number, max_tokens=2 * TOKENS) for number in range(200))
    )
    ends = Counter(story[-1].kind for story in stories)
    assert ends == {"200": 49, "402 request_exceeds_budget": 151}
    last = [story[-1] for story in stories if story[-1].status == 402]
    assert {answer.error["budget"]["affordable_output_tokens"] for answer in last} == {TOKENS}
    assert await assert_books_agree(fleet) == 49 * CALL_NANO_USD
    assert (await fleet.call()).status == 200
    assert await assert_books_agree(fleet) == CAP_NANO_USD
