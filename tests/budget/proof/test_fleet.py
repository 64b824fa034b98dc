"""Laws of the proofs' own patience: a 503 is forgiven for a starved store alone."""

from pathlib import Path

import aiohttp
import pytest

from tests.budget.proof.fleet import Answer, Fleet

UNAVAILABLE = Answer(503, {}, b'{"error": {"code": "budget_store_unavailable"}}')
TOO_MANY = Answer(503, {}, b'{"error": {"code": "gateway_overloaded"}}')


async def fleet_of(log: Path) -> Fleet:
    """Return a fleet that wrote this log, and that nobody calls."""
    async with aiohttp.ClientSession() as session:
        return Fleet((), "", session, (log,))


async def test_a_503_of_anything_but_the_store_fails(tmp_path: Path) -> None:
    """An overloaded gateway is no starved one."""
    fleet = await fleet_of(tmp_path / "log")
    with pytest.raises(AssertionError, match="gateway_overloaded"):
        fleet.note_starved(TOO_MANY)


@pytest.mark.parametrize(
    ("line", "is_forgiven"),
    [
        ('{"reason": "Redis: Timeout reading from 127.0.0.1:1", "event": "store_closed"}', True),
        ('{"reason": "Redis: ERR wrong", "event": "store_closed"}', False),
        ("", False),
    ],
)
async def test_a_503_has_a_cause_in_a_log(tmp_path: Path, line: str, *, is_forgiven: bool) -> None:
    """Without one, or with another than a store that took too long, the test fails."""
    log = tmp_path / "log"
    log.write_text(line, encoding="utf-8")
    fleet = await fleet_of(log)
    fleet.note_starved(UNAVAILABLE)
    if is_forgiven:
        fleet.assert_only_starved()
    else:
        with pytest.raises(AssertionError):
            fleet.assert_only_starved()
