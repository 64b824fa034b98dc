"""The routes with which an operator looks at a recovery, and decides where it can't go on."""

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from budget.control.fields import BAD_BODY, Document, error_answer, errors
from budget.gate import Gate
from budget.recovery.recovery import Recovery
from metering.identity import MAX_VALUE_LENGTH


class ConfirmBody(BaseModel):
    """Why a ledger may go on without what is missing, and who says so."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=500)]
    actor: Annotated[str, Field(min_length=1, max_length=MAX_VALUE_LENGTH)]


class DamageDocument(Document):
    """A place in a file of the journal that can't be read."""

    file: str
    position: int


class JournalDocument(Document):
    """This gateway's journal."""

    gateway: str
    host: str
    path: str
    ledger: str | None
    complete_upto: int
    last: int
    failure: str | None
    cut_bytes: int
    damages: list[DamageDocument]


class PeerDocument(Document):
    """A gateway that has a journal."""

    gateway: str
    host: str
    path: str
    seen_unix_ms: int


class RecoveryDocument(Document):
    """Whether the ledger is whole; `journal` is null without one."""

    state: Literal["open", "closed", "recovering"]
    reason: str | None
    journal: JournalDocument | None
    gateways: list[PeerDocument]


def recovery_routes(recovery: Recovery | None, gate: Gate) -> APIRouter:
    """Build them; without a journal there is nothing to recover from."""
    router = APIRouter(tags=["recovery"])

    @router.get("/recovery")
    async def state() -> RecoveryDocument:
        """Whether the ledger is whole, what is missing, and how the journal is."""
        return _state(recovery, gate)

    @router.post(
        "/recovery/confirm",
        status_code=202,
        response_model=RecoveryDocument,
        responses=errors(_409="`not_recovering`", _422=BAD_BODY),
    )
    async def confirm(body: ConfirmBody) -> Response:
        """Let the gateways go on with what they have; what is missing is written down as a trip."""
        if recovery is None or recovery.reason is None:
            why = "nothing waits for a decision: the ledger is whole" if recovery else "no journal"
            return error_answer(409, why, "not_recovering")
        await recovery.rebuilder.confirm(body.reason, body.actor)
        return JSONResponse(_state(recovery, gate).model_dump(mode="json"), 202)

    return router


def _state(recovery: Recovery | None, gate: Gate) -> RecoveryDocument:
    is_open = gate.reason is None
    if recovery is None:
        state: Literal["open", "closed"] = "open" if is_open else "closed"
        return RecoveryDocument(state=state, reason=gate.reason, journal=None, gateways=[])
    is_recovering = not is_open and recovery.reason is not None
    return RecoveryDocument(
        state="recovering" if is_recovering else "open" if is_open else "closed",
        reason=gate.reason,
        journal=_journal(recovery),
        gateways=[
            PeerDocument(
                gateway=peer.gateway,
                host=peer.host,
                path=peer.path,
                seen_unix_ms=peer.seen_unix_ms,
            )
            for peer in recovery.view.peers.values()
        ],
    )


def _journal(recovery: Recovery) -> JournalDocument:
    disk, memory = recovery.journal.disk, recovery.journal.memory
    return JournalDocument(
        gateway=disk.gateway,
        host=recovery.host,
        path=str(disk.folder),
        ledger=memory.epoch,
        complete_upto=memory.coverage.upto,
        last=memory.coverage.last,
        failure=recovery.journal.failure,
        cut_bytes=disk.cut_bytes,
        damages=[DamageDocument(file=d.file, position=d.position) for d in disk.damages],
    )
