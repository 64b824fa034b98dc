"""Names that Dapr gives to actors, jobs and Redis keys, and how to read them back."""

import secrets
import string
from dataclasses import dataclass

ACTIVITY_JOB = "run-activity"
START_JOB = "start"
EVENT_JOB = "new-event"
TIMER_JOB = "timer"
INTERNAL_TYPE_PREFIX = "dapr.internal."
_ALPHABET = string.ascii_letters + string.digits
_SUFFIX_LENGTH = 8


@dataclass(frozen=True, slots=True)
class AppNames:
    """The names that depend on the app the sidecar serves."""

    app_id: str
    namespace: str

    @property
    def workflow_type(self) -> str:
        """Return the actor type of workflows."""
        return f"{INTERNAL_TYPE_PREFIX}{self.namespace}.{self.app_id}.workflow"

    @property
    def activity_type(self) -> str:
        """Return the actor type of activities."""
        return f"{INTERNAL_TYPE_PREFIX}{self.namespace}.{self.app_id}.activity"

    def key(self, instance_id: str, row: str) -> str:
        """Return the Redis key of one row of an instance."""
        return f"{self.app_id}||{self.workflow_type}||{instance_id}||{row}"


def job_suffix() -> str:
    """Return the eight random characters that make a reminder's name unique."""
    number, suffix = secrets.randbelow(len(_ALPHABET) ** _SUFFIX_LENGTH), ""
    for _ in range(_SUFFIX_LENGTH):
        number, index = divmod(number, len(_ALPHABET))
        suffix += _ALPHABET[index]
    return suffix


def activity_actor_id(instance_id: str, task_id: int, generation: int) -> str:
    """Return the actor id of one activity."""
    return f"{instance_id}::{task_id}::{generation}"


def activity_instance(actor_id: str) -> str:
    """Return the instance an activity actor reports to: all before the first `::`, as in Dapr.

    So an activity of the instance `a::b` reports to `a`, which is Dapr's own trap.
    """
    return actor_id.partition("::")[0]


def history_row(index: int) -> str:
    """Return the name of a history row."""
    return f"history-{index:06d}"


def inbox_row(index: int) -> str:
    """Return the name of an inbox row."""
    return f"inbox-{index:06d}"
