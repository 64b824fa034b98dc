"""What scopes have spent and hold in their windows at this moment, by the store's clock."""

from collections.abc import Sequence
from dataclasses import dataclass

from budget.reservations import ScopeTotals
from budget.scopes import Scope, Window
from budget.store import library
from budget.store.library import META
from budget.store.link import RedisLink
from metering.money import NanoUsd


@dataclass(frozen=True, slots=True)
class WindowTotals:
    """One window of one scope.

    Attributes:
        scope: Which scope.
        window: Which window; of a rolling one, N minutes and the up to ten seconds before them.
        totals: What calls that were reserved in it have spent and hold.
        resets_at_unix_ms: When its next bucket begins; None for a lifetime and a rolling window.
    """

    scope: Scope
    window: Window
    totals: ScopeTotals
    resets_at_unix_ms: int | None


async def read_totals(
    link: RedisLink, scopes: Sequence[Scope], windows: Sequence[Window]
) -> tuple[WindowTotals, ...]:
    """Return each window of each scope, the first scope's first; zeros where nothing was counted.

    Raises:
        StoreUnavailableError: No answer.
    """
    keys = (META, *(scope.key for scope in scopes))
    _now, *row = await library.call(link, "read_totals", keys, *windows)
    places = [(scope, window) for scope in scopes for window in windows]
    return tuple(
        WindowTotals(
            scope,
            window,
            ScopeTotals(NanoUsd(int(spent)), NanoUsd(int(reserved))),
            int(resets) if resets else None,
        )
        for (scope, window), spent, reserved, resets in zip(
            places, row[::3], row[1::3], row[2::3], strict=True
        )
    )
