import gc
import subprocess
import sys
from typing import Any

import httpx2
import openai
import pytest

from budget.client import Budget
from tests.budget.client.desk import Desk, calls, desk, totals
from tests.budget.gateways import CALL_NANO_USD, Provider, wait_until

RICH = "1000"


def words(stream: Any) -> list[str]:
    """Return the words of a stream, to its end."""
    return [c.choices[0].delta.content.strip() for c in stream if c.choices]


def streamed(team: Desk, user: str = "", **fields: Any) -> Any:
    """Ask for a stream."""
    return team.chat(stream=True, user=user, **fields)


def test_a_stream_passes_and_is_charged_what_it_used(redis_url: str, provider: Provider) -> None:
    """The usage chunk that the caller did not ask for is kept back."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        chunks = list(streamed(team, "use:20,0,1"))
        assert [c.choices[0].delta.content.strip() for c in chunks] == ["w0", "w1", "w2", "w3"]
        assert team.totals()["spent"] == team.provider.ledger(team.app)["nano_usd"] == 660_000
        assert team.totals()["reserved"] == 0
        asked_for = list(streamed(team, stream_options={"include_usage": True}))
        assert asked_for[-1].usage is not None


def test_a_stream_passes_as_it_comes(redis_url: str, provider: Provider) -> None:
    """Its first word is there long before its last one; until then its money is held."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        with streamed(team, "pace:10") as stream:
            next(stream)
            assert not team.provider_calls()[0]["ended"]
            assert team.totals()["reserved"] == CALL_NANO_USD
        team.wait_for(1)


def test_a_stream_that_is_closed_early_is_charged_its_worst_case(
    redis_url: str, provider: Provider
) -> None:
    """Only the provider knows what it charges, and it is not listened to any more."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        with streamed(team, "pace:0.1;chunks:30;use:20,0,1") as stream:
            next(stream)
        team.wait_for(1)


def test_a_stream_that_nobody_holds_is_charged_its_worst_case(
    redis_url: str, provider: Provider
) -> None:
    """A leak holds no money for ever."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        stream = streamed(team, "pace:0.1;chunks:30")
        next(stream)
        del stream
        gc.collect()
        team.wait_for(1)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_transport_that_closes_settles_its_open_streams(
    redis_url: str, provider: Provider
) -> None:
    """At their worst case, before it leaves the store."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        stream = streamed(team, "pace:0.1;chunks:30")
        next(stream)
    found = totals(redis_url)
    assert (found["spent"], found["reserved"]) == (CALL_NANO_USD, 0)


@pytest.mark.parametrize(
    ("user", "charged"),
    [("drop", 1), ("no-usage", 1), ("end:2", 1), ("running;finish;end:4;use:0,0,1", 0)],
)
def test_how_a_stream_ends_says_what_is_charged(
    redis_url: str, provider: Provider, user: str, charged: int
) -> None:
    """Its worst case, unless it is whole and reported its usage: then 60,000 for one token."""
    with desk(Budget(redis_url, cap_usd=RICH), provider) as team:
        if user == "drop":
            with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
                words(streamed(team, user))
        else:
            words(streamed(team, user))
        wanted = CALL_NANO_USD if charged else 60_000
        wait_until(lambda: team.totals().get("spent") == wanted, f"{wanted} are charged")
        assert team.totals()["reserved"] == 0


def test_a_hold_lives_as_long_as_its_stream(redis_url: str, provider: Provider) -> None:
    """However slow: it is renewed, and the exact charge is made at the end."""
    with desk(Budget(redis_url, cap_usd=RICH, hold_s=1), provider) as team:
        words(streamed(team, "pace:0.8;chunks:6;use:20,0,1"))
        assert team.totals()["spent"] == 660_000


def test_a_hold_lives_as_long_as_its_plain_call(redis_url: str, provider: Provider) -> None:
    """The SDK's timeout may be longer than a hold."""
    with desk(Budget(redis_url, cap_usd=calls(2), hold_s=1), provider) as team:
        team.chat(user="wait:5;use:20,0,1")
        assert team.totals()["spent"] == 660_000


def test_a_process_that_died_leaves_its_hold_to_the_others(
    redis_url: str, provider: Provider
) -> None:
    """Every transport expires what nobody closed: as spent, for its call was dispatched."""
    script = (
        "import os, sys\n"
        "from budget.client import Budget, http_client\n"
        "http = http_client(Budget(sys.argv[1], cap_usd='1000', hold_s=1))\n"
        "body = {'model': 'gpt-4', 'messages': [{'role': 'user', 'content': 'hi'}],\n"
        "        'max_tokens': 1, 'stream': True, 'user': 'pace:0.1;chunks:100'}\n"
        "with http.stream('POST', sys.argv[2], json=body) as answer:\n"
        "    words = answer.iter_bytes()\n"
        "    next(words)\n"
        "    os._exit(9)\n"
    )
    command = [sys.executable, "-c", script, redis_url, f"{provider.url}/v1/chat/completions"]
    assert subprocess.run(command, check=False, timeout=40).returncode == 9
    assert totals(redis_url)["reserved"] == CALL_NANO_USD
    with desk(Budget(redis_url, cap_usd=RICH, hold_s=1), provider) as team:
        team.chat()
        team.wait_for(2)
