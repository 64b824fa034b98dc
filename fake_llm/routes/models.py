"""`GET /v1/models`: the models that have a price. No load is put on it: FastAPI serves it."""

from typing import Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel

from metering.errors import UnpricedModelError
from metering.prices import PriceBook


class ModelView(BaseModel):
    """A model that has a price, as OpenAI lists it."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "fake-llm"


class ModelsView(BaseModel):
    """All models that have a price."""

    object: Literal["list"] = "list"
    data: list[ModelView]


def models_routes(prices: PriceBook) -> APIRouter:
    """Build the routes over one price book."""
    router = APIRouter()
    listed = ModelsView(data=[ModelView(id=model) for model in prices.listed_models()])

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

    return router
