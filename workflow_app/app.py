"""The FastAPI application: routes, errors in one shape, and the life of the service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from workflow_app.body_limit import BodyLimit
from workflow_app.errors import ApiError
from workflow_app.inputs import describe_problems
from workflow_app.routes import router
from workflow_app.service import Service
from workflow_app.settings import Settings

_log = structlog.get_logger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """Return the app; its worker connects when the server starts it."""
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPI(title="workflow_app", lifespan=lifespan)
    app.state.service = service
    app.include_router(router)
    app.add_middleware(BodyLimit, refuse=_refusal)
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)
    return app


def _error(status: int, message: str, code: str) -> JSONResponse:
    kind = "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
    return JSONResponse({"error": {"message": message, "type": kind, "code": code}}, status)


def _refusal(error: ApiError) -> JSONResponse:
    return _error(error.status, str(error), error.code)


async def _api_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)  # noqa: S101 - the handler is registered for it alone
    return _refusal(error)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    return _error(422, describe_problems(error.errors()), "invalid_request")


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    code = HTTPStatus(error.status_code).name.lower()
    return _error(error.status_code, str(error.detail), code)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error("request_failed", path=request.url.path, exc_info=error)
    return _error(500, "an unexpected error; the log has it", "internal_error")
