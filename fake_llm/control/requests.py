"""`GET /requests`: how requests of the provider routes ended, the refused ones too."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from fake_llm.books.requests import Requests
from fake_llm.visit import Ended


class RequestsOfKindView(BaseModel):
    """Requests that have path, status and ending in common."""

    path: str
    status: Annotated[int, Field(description="HTTP status; 0 where there was no answer")]
    ended: Ended
    faults: Annotated[list[str], Field(description="Kinds of the faults that struck")]
    count: int


class RequestsView(BaseModel):
    """All requests since the last reset, each counted once."""

    requests: list[RequestsOfKindView]


def requests_routes(requests: Requests) -> APIRouter:
    """Build the route over the counts."""
    router = APIRouter()

    @router.get("/requests")
    async def counted() -> RequestsView:
        """Show how many requests ended how."""
        return RequestsView(
            requests=[
                RequestsOfKindView(
                    path=kind.path,
                    status=kind.status,
                    ended=kind.ended,
                    faults=kind.faults.split("+") if kind.faults else [],
                    count=count,
                )
                for kind, count in requests.counts()
            ]
        )

    return router
