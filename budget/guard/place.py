"""Which activity is executed: the same each time that the engine delivers it again."""

from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from typing import Any, Final

from budget.guard.errors import GuardUsageError

CONTEXTS: Final = ("dapr.ext.workflow._durabletask.task", "durabletask.task")
"""Where the SDK's inner context of an activity is: from 1.18 on, and before."""


@dataclass(frozen=True, slots=True)
class Place:
    """An activity in its workflow.

    Attributes:
        instance: Id of the workflow instance.
        execution_id: The SDK's task execution id; the same over redeliveries and retries.
        task_id: Number of the task; a retry has one of its own, a redelivery has not.
    """

    instance: str
    execution_id: str
    task_id: int

    @classmethod
    def of(cls, ctx: Any) -> "Place":
        """Read it from the SDK's WorkflowActivityContext.

        Raises:
            GuardUsageError: It is none.
        """
        try:
            execution_id = ctx.get_inner_context().task_execution_id
            return cls(ctx.workflow_id, execution_id, int(ctx.task_id))
        except (AttributeError, TypeError, ValueError) as error:
            raise GuardUsageError(
                "a guarded function is a Dapr activity: its first argument is the "
                f"WorkflowActivityContext, got {type(ctx).__name__}"
            ) from error

    @property
    def key(self) -> str:
        """Return a digest that no other activity has."""
        parts = (self.instance, self.execution_id, str(self.task_id))
        return sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()


def require_execution_ids(modules: tuple[str, ...] = CONTEXTS) -> None:
    """Refuse an SDK that does not tell activities their execution ids.

    Without one, activities of a workflow that continues as new would be taken for one another.

    Raises:
        GuardUsageError: It does not.
    """
    for module in modules:
        try:
            context = import_module(module).ActivityContext
        except (ImportError, AttributeError):
            continue
        if not hasattr(context, "task_execution_id"):
            raise GuardUsageError(
                "this version of dapr-ext-workflow tells an activity no execution id: install "
                "1.18.3 or later, which works with older sidecars, 1.16.1 too"
            )
        return
