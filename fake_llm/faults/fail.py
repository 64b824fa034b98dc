"""Answers with an error status in the provider's error shape, in place of an answer."""

from typing import Annotated, ClassVar

from pydantic import Field

from fake_llm.asgi import Client
from fake_llm.draws import Draw
from fake_llm.effects import FAULT_HEADER, Effect
from fake_llm.errors import ApiError
from fake_llm.faults.base import Fault
from fake_llm.visit import Visit


class InjectedError(ApiError):
    """The error that a fault answers with."""

    def __init__(self, fault: "Fail") -> None:
        super().__init__(fault.message, code=fault.code, retry_after_s=fault.retry_after_s)
        self.status = fault.status

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers, one of which says that this happens on purpose."""
        return [*super().headers(), (FAULT_HEADER.lower().encode(), Fail.kind.encode())]


class Fail(Fault):
    """Fail: the call gets an error and is not charged.

    Attributes:
        status: HTTP status.
        message: What the error says.
        code: `error.code`, where the provider's shape has one; None: what belongs to the status.
        retry_after_s: Sent as `Retry-After`, seconds; None: not sent.
    """

    kind: ClassVar[str] = "fail"
    status: Annotated[int, Field(ge=400, le=599)]
    message: Annotated[str, Field(min_length=1, max_length=2000)] = "This call fails on purpose."
    code: Annotated[str, Field(max_length=200)] | None = None
    retry_after_s: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] | None = None

    def strike(self, visit: Visit, draw: Draw) -> Effect:  # noqa: ARG002 - nothing random in it
        """Fail a call."""
        return _Failure(self)


class _Failure(Effect):
    fault = Fail.kind

    def __init__(self, attributes: Fail) -> None:
        self._attributes = attributes

    async def before(self, client: Client) -> None:  # noqa: ARG002 - it does not wait
        raise InjectedError(self._attributes)
