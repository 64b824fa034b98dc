"""The control API of a running stack: what runs, and a way to disrupt it. Loopback only."""

import threading
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, Self

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from lab.components import read_ttl_s
from lab.disruptions import DISRUPTIONS, DisruptionRecord
from lab.errors import DeadlineError, LabError, StoppedError
from lab.state_file import StackState

_START_TIMEOUT_S = 10


class Controlled(Protocol):
    """What the API speaks for."""

    def state(self) -> StackState:
        """Return what runs."""

    def disrupt(self, kind: str) -> DisruptionRecord | None:
        """Apply a disruption; None when another one is going on."""


class DisruptRequest(BaseModel):
    """Body of `POST /disrupt`."""

    model_config = ConfigDict(extra="forbid")

    kind: str


def _problem(status: int, code: str, message: str) -> JSONResponse:
    error = {"message": message, "type": "lab_error", "code": code}
    return JSONResponse({"error": error}, status)


def state_document(state: StackState) -> dict[str, Any]:
    """Return the body of `GET /state`."""
    return {
        "runtime": state.runtime,
        "version": state.config.profile,
        "ttl_s": read_ttl_s(state.config.components),
        "budget_mode": state.config.budget_mode,
        "supervisor_pid": state.supervisor.pid,
        "services": [service.model_dump() for service in state.services],
        "disruptions": [d.kind for d in DISRUPTIONS.values() if d.on_demand],
    }


def create_app(controlled: Controlled) -> FastAPI:
    """Build the API."""
    app = FastAPI(title="Runaway lab", docs_url="/docs", redoc_url=None)

    @app.exception_handler(RequestValidationError)
    def bad_request(_: Request, error: RequestValidationError) -> JSONResponse:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        return _problem(422, "invalid_request", "; ".join(lines))

    @app.get("/state")
    def state() -> dict[str, Any]:
        """Say what runs, and where."""
        return state_document(controlled.state())

    @app.post("/disrupt", response_model=None)
    def disrupt(request: DisruptRequest) -> JSONResponse:
        """Disrupt the stack; answer when it is over."""
        offered = [d.kind for d in DISRUPTIONS.values() if d.on_demand]
        if request.kind not in offered:
            message = f"unknown kind {request.kind!r}; known are: {', '.join(offered)}"
            return _problem(422, "unknown_disruption", message)
        try:
            record = controlled.disrupt(request.kind)
        except StoppedError:
            return _problem(503, "stopping", "the stack is being stopped")
        except DeadlineError as error:
            return _problem(504, "deadline", str(error))
        except LabError as error:
            return _problem(503, "failed", str(error))
        if record is None:
            return _problem(409, "busy", "another disruption is still going on")
        return JSONResponse(asdict(record))

    return app


@dataclass(slots=True)
class ControlServer:
    """Serves the API from a thread for as long as the block lasts."""

    port: int
    controlled: Controlled
    _server: uvicorn.Server = field(init=False)
    _thread: threading.Thread = field(init=False)

    def __enter__(self) -> Self:
        config = uvicorn.Config(
            create_app(self.controlled),
            host="127.0.0.1",
            port=self.port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name="control", daemon=True)
        self._thread.start()
        waited = threading.Event()
        for _ in range(_START_TIMEOUT_S * 50):
            if self._server.started or not self._thread.is_alive():
                break
            waited.wait(0.02)
        if not self._server.started:
            raise DeadlineError(f"the control API did not start on port {self.port}")
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(5)
