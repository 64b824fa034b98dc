"""What can go wrong in the app, named by who can act on it.

WorkflowAppError
├── ApiError                  carries the HTTP status and code of the answer
│   ├── UnknownInstanceError  the caller: 404
│   ├── InvalidPayloadError   the caller: 422
│   ├── BodyTooLargeError     the caller: 413
│   ├── BodyTimeoutError      the caller: 408
│   ├── InstanceActiveError   the caller: 409
│   ├── InstanceOpenError     the caller: 409
│   ├── InstanceEndedError    the caller: 409
│   ├── InstanceSuspendedError  the caller: 409
│   ├── InstanceNotSuspendedError  the caller: 409
│   ├── InstanceUnclearError  the caller, some time later: 409
│   ├── EngineUnreachableError  the operator of the sidecar: 503
│   │   └── EngineTimeoutError  the same, or nobody: it may happen all the same
│   └── EngineFailedError     the operator of the sidecar: 502
├── LlmError                  the retry policy: a call that may work another time
└── NonRetryableError         nobody: a call that can't work another time
"""

from http import HTTPStatus
from typing import ClassVar


class WorkflowAppError(Exception):
    """Base class of all errors of this package."""


class ApiError(WorkflowAppError):
    """An error with an HTTP answer of its own."""

    status: ClassVar[HTTPStatus]
    code: ClassVar[str]


class UnknownInstanceError(ApiError):
    """Neither the engine nor this process knows the instance."""

    status = HTTPStatus.NOT_FOUND
    code = "unknown_instance"


class InstanceActiveError(ApiError):
    """A workflow with this id has not ended yet."""

    status = HTTPStatus.CONFLICT
    code = "instance_active"


class InstanceOpenError(ApiError):
    """Only a workflow that has ended can be purged."""

    status = HTTPStatus.CONFLICT
    code = "instance_not_ended"


class InstanceEndedError(ApiError):
    """A workflow that has ended takes no events, and can't be suspended or resumed."""

    status = HTTPStatus.CONFLICT
    code = "instance_ended"


class InstanceSuspendedError(ApiError):
    """A second suspend would make the SDK's worker loop for ever once the workflow is resumed."""

    status = HTTPStatus.CONFLICT
    code = "instance_suspended"


class InstanceNotSuspendedError(ApiError):
    """A resume of what is not suspended would make the SDK fail the workflow."""

    status = HTTPStatus.CONFLICT
    code = "instance_not_suspended"


class InstanceUnclearError(ApiError):
    """It can't be told whether the workflow is suspended."""

    status = HTTPStatus.CONFLICT
    code = "instance_unclear"


class InvalidPayloadError(ApiError):
    """The payload of an event is not what the workflow waits for."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "invalid_request"


class BodyTooLargeError(ApiError):
    """The body of a request is, or says that it is, larger than is read."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "request_too_large"


class BodyTimeoutError(ApiError):
    """The body of a request did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "request_timeout"


class EngineUnreachableError(ApiError):
    """The sidecar did not answer in time, or nothing listens at its address."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "sidecar_unreachable"


class EngineTimeoutError(EngineUnreachableError):
    """The sidecar did not answer in time; what it was asked for may happen all the same."""


class EngineFailedError(ApiError):
    """The sidecar answered with an error of its own; the message has its words."""

    status = HTTPStatus.BAD_GATEWAY
    code = "engine_error"


class LlmError(WorkflowAppError):
    """A call failed in a way that may pass: 429, 5xx, a timeout, a broken answer."""


class NonRetryableError(WorkflowAppError):
    """A call was refused in a way that another attempt can't change.

    The Dapr SDK exempts an error from a retry policy by this very class *name*: a subclass with
    another name would be retried, and the SDK's own class is not exported.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
