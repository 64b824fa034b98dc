"""Limits in every kind of scope, high enough to refuse nothing: what a busy gateway checks."""

import asyncio
from typing import Final

from budget.limits import LimitRule, Match, VelocityRule
from budget.scopes import ScopeKind, Window
from budget.store.limits import LimitBook
from budget.store.link import RedisLink
from metering.money import NANO_PER_USD, NanoUsd

MUCH: Final = NanoUsd(1_000_000 * NANO_PER_USD)
MUCH_A_MINUTE: Final = NanoUsd(100_000 * NANO_PER_USD)
WINDOWS: Final = {
    ScopeKind.GLOBAL: ("lifetime", "day", "month"),
    ScopeKind.TENANT: ("month",),
    ScopeKind.WORKFLOW: ("day", "rolling:10m"),
    ScopeKind.ROOT: ("lifetime",),
    ScopeKind.INSTANCE: ("lifetime",),
    ScopeKind.ACTIVITY: ("lifetime",),
    ScopeKind.MODEL: ("hour",),
}
"""Ten limits a call; and two velocities."""


def limit_every_scope(redis_url: str) -> None:
    """Set the rules in a store that a gateway has opened."""
    asyncio.run(_limit_every_scope(redis_url))


async def _limit_every_scope(redis_url: str) -> None:
    link = RedisLink(redis_url)
    link.start()
    try:
        book = LimitBook(link)
        for kind, windows in WINDOWS.items():
            match = Match.ID if kind is ScopeKind.GLOBAL else Match.EACH
            for window in windows:
                rule = LimitRule(kind, Window(window), match, "", MUCH)
                await book.put(rule, "benchmark")
        for kind in (ScopeKind.WORKFLOW, ScopeKind.INSTANCE):
            velocity = VelocityRule(kind, Match.EACH, "", MUCH_A_MINUTE, "60s")
            await book.put_velocity(velocity, "benchmark")
    finally:
        await link.close()
