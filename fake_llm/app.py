"""The application: FastAPI for everything but the hot route, which goes past it."""

from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from fake_llm import completions
from fake_llm.clock import Clock
from fake_llm.completions import ChatCompletions
from fake_llm.control import control_routes
from fake_llm.errors import INVALID_REQUEST
from fake_llm.latency import Latency
from fake_llm.meter import Meter
from fake_llm.openapi import with_chat_completions
from fake_llm.settings import FakeLlmSettings
from fake_llm.words import Words
from metering.chat import error_body
from metering.prices import PriceBook
from metering.tokens import warm_up

_TITLE = "Fake LLM"
_ABOUT = """Answers like OpenAI's chat completions, and meters every token and dollar.

No model is behind it: the text is random words, token counts are cl100k, o200k or an upper bound,
prices are a snapshot."""


def create_app(settings: FakeLlmSettings) -> ASGIApp:
    """Build the application.

    Raises:
        PriceFileError: The price file can't be used.
    """
    warm_up()
    clock = Clock()
    prices = PriceBook(settings.price_file)
    meter = Meter(prices, clock, settings.calls_limit)
    chat = ChatCompletions(
        meter=meter,
        prices=prices,
        words=Words(settings.seed),
        latency=Latency(settings.ttft_s, settings.itl_s),
        default_tokens=settings.output_tokens,
        clock=clock,
    )
    api = FastAPI(title=_TITLE, description=_ABOUT, version="1")
    api.include_router(control_routes(meter, prices))
    api.add_exception_handler(HTTPException, _http_error)
    api.add_exception_handler(RequestValidationError, _bad_query)
    api.openapi = with_chat_completions(api.openapi)  # type: ignore[method-assign]  # FastAPI's own way
    return HotRoute(chat, api)


class HotRoute:
    """Sends chat completions straight to their endpoint, everything else to FastAPI."""

    def __init__(self, chat: ASGIApp, api: ASGIApp) -> None:
        self._chat = chat
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one request."""
        hot = scope["type"] == "http" and scope["path"] == completions.PATH
        await (self._chat if hot else self._api)(scope, receive, send)


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    found = cast("HTTPException", error)
    body = error_body(str(found.detail), kind=INVALID_REQUEST)
    return JSONResponse(body, found.status_code, headers=found.headers)


async def _bad_query(_: Request, error: Exception) -> JSONResponse:
    problems = cast("RequestValidationError", error).errors()
    lines = [f"{problem['loc'][-1]}: {problem['msg']}" for problem in problems]
    param = str(problems[0]["loc"][-1])
    return JSONResponse(error_body("; ".join(lines), kind=INVALID_REQUEST, param=param), 422)
