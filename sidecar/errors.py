"""What can go wrong in the sidecar, named by who can act on it.

SidecarError
├── WorkflowError               the caller of a workflow call is told, with Dapr's own words
│   ├── InstanceNotFoundError   no state in the store (nor in memory)
│   ├── InstanceActiveError     a start whose id is in use
│   ├── NotCompletedError       a purge of what still runs
│   ├── UnfetchedError          a recursive purge could not read an instance
│   ├── ChildNotPurgedError     a recursive purge stopped at a child
│   ├── PartialStateError       metadata declares a row that the store no longer holds
│   ├── InvalidKeyError         a listing met an instance whose id holds `||`
│   └── RefusedError            a call that has a gRPC code of its own
│       └── ReminderRefusedError  a reminder that the actor API does not touch
├── ExecutionAbortedError       the app's stream ended while it worked on an item
│   └── ExecutionCancelledError  its actor was moved meanwhile
├── StalledError                a turn waits for an app of another version
├── UnsupportedActionError      the app asked for something the sidecar does not do
├── StoreError                  the state store refused or can't be reached
└── SchedulerError              the scheduler refused a job or can't be reached

StartError (of serving)
└── ConfigError                 the operator mends a component file
"""

from serving.errors import StartError


class ConfigError(StartError):
    """The component is unusable; the message is one line that names its file."""


class SidecarError(Exception):
    """Base of everything the sidecar raises itself."""


class WorkflowError(SidecarError):
    """A workflow call can't be done; the message is what Dapr says."""


class InstanceNotFoundError(WorkflowError):
    """Neither memory nor the store knows the instance."""

    def __init__(self) -> None:
        super().__init__("no such instance exists")


class InstanceActiveError(WorkflowError):
    """An instance with that id has been started and has not completed."""

    def __init__(self, instance_id: str) -> None:
        super().__init__(f"an active workflow with ID '{instance_id}' already exists")
        self.instance_id = instance_id


class NotCompletedError(WorkflowError):
    """Only what has completed can be purged."""

    def __init__(self) -> None:
        super().__init__("orchestration has not yet completed")


class UnfetchedError(WorkflowError):
    """A recursive purge reads an instance before it purges it.

    Attributes:
        is_missing: Whether there is no such instance.
    """

    def __init__(self, noun: str, cause: SidecarError) -> None:
        super().__init__(f"failed to fetch {noun} state: {cause}")
        self.is_missing = is_missing(cause)


class ChildNotPurgedError(WorkflowError):
    """A recursive purge stopped at a child; the instance itself is left as it was.

    Attributes:
        is_missing: Whether there is no such child.
    """

    def __init__(self, child_noun: str, cause: SidecarError) -> None:
        super().__init__(f"failed to purge {child_noun}: {cause}")
        self.is_missing = is_missing(cause)


class PartialStateError(WorkflowError):
    """A row that the metadata declares is missing (profiles that treat it as an error)."""

    def __init__(self, instance_id: str, row: str, history_length: int) -> None:
        kind = row.rsplit("-", 1)[0]
        super().__init__(
            f"workflow '{instance_id}': {kind} key '{row}' declared in metadata "
            f"({kind}Length={history_length}) but missing from state store "
            "(transient store read failure or partial save?)"
        )


class InvalidKeyError(WorkflowError):
    """The key of an instance whose id holds `||` can't be read back."""

    def __init__(self, key: str) -> None:
        super().__init__(f"invalid key format: {key}")


class RefusedError(WorkflowError):
    """A call is refused with more than Dapr's usual UNKNOWN.

    Attributes:
        code: Name of the gRPC status.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class ReminderRefusedError(RefusedError):
    """The actor API does not touch this reminder.

    Attributes:
        error_code: Dapr's `errorCode` over HTTP.
    """

    def __init__(self, error_code: str, text: str) -> None:
        super().__init__("PERMISSION_DENIED", text)
        self.error_code = error_code


class ExecutionAbortedError(SidecarError):
    """The worker's stream ended before it answered."""

    def __init__(self, cause: str = "execution aborted") -> None:
        super().__init__(cause)


class ExecutionCancelledError(ExecutionAbortedError):
    """The actor that waits for the answer was moved."""

    def __init__(self) -> None:
        super().__init__("context canceled")


class StalledError(SidecarError):
    """The app does not have the version or the patches that an instance began with."""

    def __init__(self) -> None:
        super().__init__("workflow is stalled")


class UnsupportedActionError(SidecarError):
    """A workflow action that the sidecar does not carry out; the message says which."""


class SchedulerError(SidecarError):
    """A job call failed; the message is in gRPC's Go form, as Dapr's texts quote it."""


class StoreError(SidecarError):
    """The state store failed; the message is the client library's."""


def is_missing(error: SidecarError) -> bool:
    """Tell whether the cause of an error is that there is no such instance."""
    return isinstance(error, InstanceNotFoundError) or bool(getattr(error, "is_missing", False))
