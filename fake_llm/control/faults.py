"""`/faults`: sets, shows and lifts faults."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from fake_llm.errors import BadFaultError
from fake_llm.faults import Armed, FaultBoard, read_faults

_EXAMPLE = {"kind": "fail", "status": 429, "retry_after_s": 1, "times": 2, "model": "gpt-4*"}


class FaultsBody(BaseModel):
    """The faults to set, in the order in which they strike."""

    model_config = ConfigDict(extra="forbid")

    faults: Annotated[
        list[dict[str, Any]],
        Field(description="Each its kind and its attributes", examples=[[_EXAMPLE]]),
    ]


class FaultView(BaseModel):
    """A fault that was set."""

    kind: str
    attributes: Annotated[dict[str, Any], Field(description="Those that are not null")]
    hits: Annotated[int, Field(description="Calls that it struck")]
    over: Annotated[bool, Field(description="It has struck as often as `times` says")]

    @classmethod
    def of(cls, armed: Armed) -> "FaultView":
        """Show a fault."""
        return cls(
            kind=armed.fault.kind,
            attributes=armed.fault.model_dump(exclude_none=True),
            hits=armed.hits,
            over=armed.is_over,
        )


class FaultsView(BaseModel):
    """All faults that are set, and the kinds that there are."""

    faults: list[FaultView]
    kinds: list[str]


def faults_routes(board: FaultBoard) -> APIRouter:
    """Build the routes over one board."""
    router = APIRouter()

    def shown() -> FaultsView:
        faults = [FaultView.of(armed) for armed in board.armed]
        return FaultsView(faults=faults, kinds=list(board.kinds))

    @router.get("/faults")
    async def faults() -> FaultsView:
        """Show the faults that are set and how often they struck."""
        return shown()

    @router.put("/faults")
    async def set_faults(body: FaultsBody) -> FaultsView:
        """Set faults in place of all that were; hits and random draws begin again."""
        try:
            board.set(read_faults(body.faults, board.kinds))
        except BadFaultError as error:
            raise HTTPException(422, f"Nothing was set: {error}") from None
        return shown()

    @router.delete("/faults")
    async def lift_faults() -> FaultsView:
        """Lift all faults."""
        board.set(())
        return shown()

    return router
