"""`GET /spend`: what all calls cost, or those of each group."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fake_llm.books.meter import Meter
from fake_llm.books.tally import Spend
from fake_llm.control.fields import UsdText
from metering.money import Money, format_usd

Dimension = Literal["model", "workflow", "root", "instance", "activity", "caller"]


class SpendView(BaseModel):
    """Sums over calls."""

    usd: UsdText
    nano_usd: int
    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    duplicate_calls: int
    unpriced_calls: int
    in_flight: int
    per_hour: Annotated[Money, Field(description="Spend of the last 60 s times 60")]
    per_month: Annotated[Money, Field(description="30 days of per_hour")]
    first_call_unix_ms: int | None
    last_call_unix_ms: int | None

    @classmethod
    def of(cls, spend: Spend) -> "SpendView":
        """Show sums."""
        return cls.model_validate(_shown(spend))


class GroupView(SpendView):
    """Sums over the calls of one group."""

    key: str

    @classmethod
    def of_group(cls, key: str, spend: Spend) -> "GroupView":
        """Show the sums of a group."""
        return cls.model_validate({"key": key, **_shown(spend)})


class SpendByView(BaseModel):
    """Sums by one dimension, dearest first; `other` holds the calls of all groups not listed."""

    by: Dimension
    groups: list[GroupView]
    other: SpendView


def spend_routes(meter: Meter) -> APIRouter:
    """Build the route over one meter."""
    router = APIRouter()

    @router.get("/spend")
    async def spend(
        by: Dimension | None = None, limit: Annotated[int, Query(ge=1, le=10_000)] = 1000
    ) -> SpendView | SpendByView:
        """Show what all calls cost; with `by`, of each group, dearest first."""
        if by is None:
            return SpendView.of(meter.ledger.spend(meter.now_second))
        groups, other = meter.ledger.spend_by(by, meter.now_second, limit)
        shown = [GroupView.of_group(key, spend) for key, spend in groups]
        return SpendByView(by=by, groups=shown, other=SpendView.of(other))

    return router


def _shown(spend: Spend) -> dict[str, object]:
    shown: dict[str, object] = spend._asdict()
    del shown["minute_nano_usd"]
    return {
        **shown,
        "usd": format_usd(spend.nano_usd),
        "per_hour": spend.per_hour,
        "per_month": spend.per_month,
    }
