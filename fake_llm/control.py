"""The routes beside the hot one: what was spent, the calls, models, reset, health."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query

from fake_llm.meter import Meter
from fake_llm.views import (
    CallsView,
    Dimension,
    GroupView,
    ModelsView,
    ModelView,
    SpendByView,
    SpendView,
    StatusView,
)
from metering.errors import UnpricedModelError
from metering.prices import PriceBook


def control_routes(meter: Meter, prices: PriceBook) -> APIRouter:
    """Build the routes over one meter and one price book."""
    router = APIRouter()
    listed = ModelsView(data=[ModelView(id=model) for model in prices.listed_models()])

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

    @router.get("/calls")
    async def calls(
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> CallsView:
        """Show charged calls after a cursor, oldest first."""
        return CallsView.of(meter.journal.page(after, limit))

    @router.post("/reset")
    async def reset() -> StatusView:
        """Forget all calls; one in flight will be charged to the new ledger."""
        meter.reset()
        return StatusView()

    @router.get("/v1/models")
    async def models() -> ModelsView:
        """List the models that have a price; any other is answered too, and flagged unpriced."""
        return listed

    @router.get("/v1/models/{model}")
    async def model(model: str) -> ModelView:
        """Tell of one model."""
        try:
            prices.unit_price(model)
        except UnpricedModelError as error:
            raise HTTPException(404, str(error)) from None
        return ModelView(id=model)

    @router.get("/health")
    async def health() -> StatusView:
        """Tell that the service answers."""
        return StatusView()

    return router
