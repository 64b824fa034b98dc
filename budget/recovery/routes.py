"""The routes with which an operator looks at a recovery, and decides where it can't go on."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from budget.control.fields import error_answer
from budget.gate import Gate
from budget.recovery.recovery import Recovery
from metering.identity import MAX_VALUE_LENGTH


class ConfirmBody(BaseModel):
    """Why a ledger may go on without what is missing, and who says so."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=500)]
    actor: Annotated[str, Field(min_length=1, max_length=MAX_VALUE_LENGTH)]


def recovery_routes(recovery: Recovery | None, gate: Gate) -> APIRouter:
    """Build them; without a journal there is nothing to recover from."""
    router = APIRouter(tags=["recovery"])

    @router.get("/recovery")
    async def state() -> Any:
        """Whether the ledger is whole, what is missing, and how the journal is."""
        return _state(recovery, gate)

    @router.post("/recovery/confirm")
    async def confirm(body: ConfirmBody) -> Response:
        """Let the gateways go on with what they have; what is missing is written down as a trip."""
        if recovery is None or recovery.reason is None:
            why = "nothing waits for a decision: the ledger is whole" if recovery else "no journal"
            return error_answer(409, why, "not_recovering")
        await recovery.rebuilder.confirm(body.reason, body.actor)
        return JSONResponse(_state(recovery, gate), 202)

    return router


def _state(recovery: Recovery | None, gate: Gate) -> dict[str, Any]:
    state = "open" if gate.reason is None else "closed"
    if recovery is None:
        return {"state": state, "reason": gate.reason, "journal": None, "gateways": []}
    if gate.reason is not None and recovery.reason is not None:
        state = "recovering"
    disk, memory = recovery.journal.disk, recovery.journal.memory
    return {
        "state": state,
        "reason": gate.reason,
        "journal": {
            "gateway": disk.gateway,
            "host": recovery.host,
            "path": str(disk.folder),
            "ledger": memory.epoch,
            "complete_upto": memory.coverage.upto,
            "last": memory.coverage.last,
            "failure": recovery.journal.failure,
            "cut_bytes": disk.cut_bytes,
            "damages": [{"file": d.file, "position": d.position} for d in disk.damages],
        },
        "gateways": [
            {
                "gateway": peer.gateway,
                "host": peer.host,
                "path": peer.path,
                "seen_unix_ms": peer.seen_unix_ms,
            }
            for peer in recovery.view.peers.values()
        ],
    }
