"""Laws of sharing round trips to Redis."""

import asyncio
from typing import Any

import pytest

from budget.errors import StoreUnavailableError
from budget.store.link import MAX_WAITING, RedisLink
from tests.support.ports import free_port


async def test_replies_come_in_the_order_of_their_commands(link: RedisLink) -> None:
    """Many commands at once are each answered with their own reply."""
    replies = [link.send("ECHO", str(number)) for number in range(1000)]
    assert await asyncio.gather(*replies) == [str(number) for number in range(1000)]


async def test_one_refused_command_does_not_spoil_the_others(link: RedisLink) -> None:
    """An error reply belongs to its command alone."""
    good, bad, other = link.send("ECHO", "a"), link.send("NO-SUCH"), link.send("ECHO", "b")
    assert (await good, await other) == ("a", "b")
    with pytest.raises(StoreUnavailableError):
        await bad


async def test_a_command_that_can_not_be_sent_does_not_end_the_link(link: RedisLink) -> None:
    """A defect in one command is an error there; the next one is sent."""
    broken: Any = object()
    with pytest.raises(StoreUnavailableError):
        await link.send("ECHO", broken)
    assert await link.send("ECHO", "a") == "a"


async def test_whoever_gave_up_on_a_reply_harms_nobody(link: RedisLink) -> None:
    """A cancelled command's reply is dropped."""
    link.send("ECHO", "a").cancel()
    assert await link.send("ECHO", "b") == "b"


async def test_what_waits_is_bounded_and_fails_without_redis() -> None:
    """Beyond the bound a command is refused at once; the others fail when nobody listens."""
    link = RedisLink(f"redis://127.0.0.1:{free_port()}/0")
    waiting = [link.send("PING") for _ in range(MAX_WAITING)]
    with pytest.raises(StoreUnavailableError):
        link.send("PING")
    link.start()
    failures = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(failure, StoreUnavailableError) for failure in failures)
    await link.close()


async def test_when_no_reply_comes_all_that_wait_fail_at_once(redis_url: str) -> None:
    """Whoever waits behind many others learns of a hanging server no later than the first."""
    link = RedisLink(redis_url, timeout_s=0.3)
    link.start()
    try:
        await link.send("CLIENT", "PAUSE", 1500, "ALL")
        replies = [link.send("ECHO", str(number)) for number in range(4000)]
        done, waiting = await asyncio.wait(replies, return_when=asyncio.FIRST_EXCEPTION)
        await asyncio.sleep(0)
        assert not [reply for reply in waiting if not reply.done()]
        assert all(isinstance(reply.exception(), StoreUnavailableError) for reply in done)
        assert await _answered(link)
    finally:
        await link.close()


async def _answered(link: RedisLink) -> str:
    """Ask until a reply comes."""
    while True:
        try:
            return str(await link.send("PING"))
        except StoreUnavailableError:
            continue
