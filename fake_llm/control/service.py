"""`POST /reset` and `GET /health`."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from fake_llm.books import Books


class StatusView(BaseModel):
    """That all is well."""

    status: Literal["ok"] = "ok"


def service_routes(books: Books) -> APIRouter:
    """Build the routes over the books."""
    router = APIRouter()

    @router.post("/reset")
    async def reset() -> StatusView:
        """Forget all calls; one in flight will be charged to the new ledger. Faults stay set."""
        books.reset()
        return StatusView()

    @router.get("/health")
    async def health() -> StatusView:
        """Tell that the service answers."""
        return StatusView()

    return router
