"""The store's clock in a test's hand."""

from datetime import UTC, datetime

from budget.store.library import META, TEST_CLOCK
from budget.store.link import RedisLink


def unix_ms(text: str) -> int:
    """Read a moment, such as `2027-01-31 23:59:59.900`, in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


async def set_clock(link: RedisLink, at: str | int) -> int:
    """Make it that moment in the store; its clock goes on from there. Returns it in ms."""
    wanted = unix_ms(at) if isinstance(at, str) else at
    seconds, micros = await link.send("TIME")
    own = int(seconds) * 1000 + int(micros) // 1000
    await link.send("HSET", META, TEST_CLOCK, str(wanted - own))
    return wanted
