"""The routes with which keys are made, listed and revoked."""

from urllib.parse import unquote

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from budget.access.access import Access
from budget.access.keys import KeyKind
from budget.access.orders import KeyOrder, describe, now_unix_ms
from budget.control.fields import BAD_BODY, BAD_QUERY, Document, error_answer, errors
from budget.store.keys import KeyBook, KeyBookFullError


class KeyDocument(Document):
    """What may be seen of a key; `revoked_unix_ms` is null while it opens something."""

    id: str
    kind: KeyKind
    prefix: str
    tenant: str | None
    name: str
    created_unix_ms: int
    expires_unix_ms: int | None
    revoked_unix_ms: int | None
    apps: list[str]
    workflows: list[str]
    models: list[str]


class NewKeyDocument(KeyDocument):
    """The same, with the key itself."""

    key: str


class KeysDocument(Document):
    """All keys."""

    keys: list[KeyDocument]
    revoked: list[KeyDocument]


def key_routes(book: KeyBook, access: Access) -> APIRouter:
    """Build the routes."""
    router = APIRouter(tags=["keys"])

    @router.post(
        "/keys",
        status_code=201,
        response_model=NewKeyDocument,
        responses=errors(_409="`admin_key_first` or `too_many_keys`", _422=BAD_BODY),
    )
    async def create(order: KeyOrder) -> Response:
        """Make a key, which is shown this once: only its SHA-256 is kept."""
        if order.kind is KeyKind.DATA and await access.awaits_first_key():
            return error_answer(
                409,
                "Nobody is asked for a key yet. Make an admin key first: once there is a key, "
                "this route asks for one",
                "admin_key_first",
            )
        key, record = order.make()
        try:
            await book.add(record)
        except KeyBookFullError as error:
            return error_answer(409, str(error), "too_many_keys")
        access.key_was_made()
        return JSONResponse(
            {"key": key, **describe(record)}, 201, headers={"cache-control": "no-store"}
        )

    @router.get("/keys", responses=errors())
    async def keys() -> KeysDocument:
        """Every key, oldest first, and the thousand or so that were revoked last."""
        return KeysDocument(
            keys=[KeyDocument(**describe(record)) for record in await book.all()],
            revoked=[KeyDocument(**describe(*each)) for each in await book.revoked()],
        )

    @router.delete(
        "/keys/{key_id}",
        response_model=KeyDocument,
        responses=errors(_404="`unknown_key`", _422=BAD_QUERY),
    )
    async def revoke(key_id: str) -> Response:
        """Let a key open nothing any more, from the next call on every gateway."""
        record = await book.revoke(unquote(key_id))
        if record is None:
            return error_answer(404, f"No key {key_id!r}", "unknown_key")
        return JSONResponse(describe(record, now_unix_ms()))

    return router
