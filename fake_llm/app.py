"""The application: FastAPI for everything but the hot routes, which go past it."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from fake_llm.answers import Answers
from fake_llm.answers.words import Words
from fake_llm.books import Books, Meter
from fake_llm.calls import Calls
from fake_llm.clock import Clock
from fake_llm.control import control_routes
from fake_llm.faults import KINDS, Fault, FaultBoard
from fake_llm.openapi import with_hot_routes
from fake_llm.pace import Latency, Pacing
from fake_llm.routes import ROUTES, Route
from fake_llm.routes.models import models_routes
from fake_llm.routes.openai import INVALID_REQUEST
from fake_llm.settings import FakeLlmSettings
from metering.chat import error_body
from metering.prices import PriceBook
from metering.tokens import warm_up

_TITLE = "Fake LLM"
_ABOUT = """Answers like OpenAI's and Anthropic's APIs, meters every token and dollar, and fails on
purpose.

No model is behind it: the text is random words, token counts are cl100k, o200k or an upper bound,
prices are a snapshot."""


def create_app(settings: FakeLlmSettings, *, kinds: Mapping[str, type[Fault]] = KINDS) -> ASGIApp:
    """Build the application.

    Args:
        settings: What the operator chose.
        kinds: The faults that may be set.

    Raises:
        PriceFileError: The price file can't be used.
    """
    warm_up()
    clock = Clock()
    prices = PriceBook(settings.price_file)
    books = Books(Meter(prices, clock, settings.calls_limit))
    board = FaultBoard(settings.seed, kinds)
    calls = Calls(
        books=books,
        answers=Answers(Words(settings.seed), settings.output_tokens, prices.context_window),
        pacing=Pacing(Latency(settings.ttft_s, settings.itl_s)),
        sources=(board,),
        clock=clock,
    )
    api = FastAPI(title=_TITLE, description=_ABOUT, version="1")
    api.include_router(control_routes(books, board))
    api.include_router(models_routes(prices))
    api.add_exception_handler(HTTPException, _http_error)
    api.add_exception_handler(RequestValidationError, _bad_query)
    api.openapi = with_hot_routes(api.openapi, ROUTES)  # type: ignore[method-assign]  # FastAPI's own way
    return HotRoutes(calls, ROUTES, api)


class HotRoutes:
    """Sends the provider routes straight on their way, everything else to FastAPI."""

    def __init__(self, calls: Calls, routes: Iterable[Route[Any]], api: ASGIApp) -> None:
        self._hot: dict[str, ASGIApp] = {
            route.path: partial(calls.serve, route) for route in routes
        }
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one request."""
        is_http = scope["type"] == "http"
        target = self._hot.get(scope["path"], self._api) if is_http else self._api
        await target(scope, receive, send)


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    found = cast("HTTPException", error)
    body = error_body(str(found.detail), kind=INVALID_REQUEST)
    return JSONResponse(body, found.status_code, headers=found.headers)


async def _bad_query(_: Request, error: Exception) -> JSONResponse:
    problems = cast("RequestValidationError", error).errors()
    lines = [f"{problem['loc'][-1]}: {problem['msg']}" for problem in problems]
    param = str(problems[0]["loc"][-1])
    return JSONResponse(error_body("; ".join(lines), kind=INVALID_REQUEST, param=param), 422)
