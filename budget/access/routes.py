"""The routes with which keys are made, listed and revoked."""

from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from budget.access.access import Access
from budget.access.keys import KeyKind
from budget.access.orders import KeyOrder, describe, now_unix_ms
from budget.store.keys import KeyBook, KeyBookFullError


def key_routes(book: KeyBook, access: Access) -> APIRouter:
    """Build the routes."""
    router = APIRouter(tags=["keys"])

    @router.post("/keys", status_code=201)
    async def create(order: KeyOrder) -> Response:
        """Make a key, which is shown this once: only its SHA-256 is kept."""
        if order.kind is KeyKind.DATA and await access.awaits_first_key():
            return _error(
                409,
                "Nobody is asked for a key yet. Make an admin key first: once there is a key, "
                "this route asks for one",
                "admin_key_first",
            )
        key, record = order.make()
        try:
            await book.add(record)
        except KeyBookFullError as error:
            return _error(409, str(error), "too_many_keys")
        access.key_was_made()
        return JSONResponse(
            {"key": key, **describe(record)}, 201, headers={"cache-control": "no-store"}
        )

    @router.get("/keys")
    async def keys() -> dict[str, Any]:
        """Every key, oldest first, and the thousand or so that were revoked last."""
        return {
            "keys": [describe(record) for record in await book.all()],
            "revoked": [describe(*each) for each in await book.revoked()],
        }

    @router.delete("/keys/{key_id}")
    async def revoke(key_id: str) -> Response:
        """Let a key open nothing any more, from the next call on every gateway."""
        record = await book.revoke(unquote(key_id))
        if record is None:
            return _error(404, f"No key {key_id!r}", "unknown_key")
        return JSONResponse(describe(record, now_unix_ms()))

    return router


def _error(status: int, message: str, code: str) -> Response:
    error = {"message": message, "type": "control_error", "code": code}
    return JSONResponse({"error": error}, status)
