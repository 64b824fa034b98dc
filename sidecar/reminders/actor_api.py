"""The actor API's view of the reminders of workflows.

Served while an app is connected on older versions (recorded on 1.16.1), refused on newer ones.
"""

from collections.abc import Callable

from scheduler_api.proto import scheduler_pb2 as pb
from sidecar.errors import ReminderRefusedError
from sidecar.names import INTERNAL_TYPE_PREFIX, AppNames
from sidecar.profiles import Profile
from sidecar.reminders.jobs import Jobs, actor_types


class Reminders:
    """Reads and deletes single reminders; ReminderRefusedError where the profile's Dapr refuses.

    Args:
        names: Of the app that is served.
        profile: Says whether workflows' reminders are out of bounds.
        jobs: Keep the reminders; SchedulerError when they can't be reached.
        hosting: Tells whether an app is connected.
    """

    def __init__(
        self, names: AppNames, profile: Profile, jobs: Jobs, hosting: Callable[[], bool]
    ) -> None:
        self._names = names
        self._profile = profile
        self._jobs = jobs
        self._hosting = hosting

    async def delete(self, actor_type: str, actor_id: str, name: str) -> None:
        """Delete a reminder; one that is not there counts as deleted."""
        self._check(actor_type)
        await self._jobs.delete(actor_type, actor_id, name)

    async def get(self, actor_type: str, actor_id: str, name: str) -> pb.Job | None:
        """Return a reminder's job; None when there is none."""
        self._check(actor_type)
        return await self._jobs.get(actor_type, actor_id, name)

    def _check(self, actor_type: str) -> None:
        if self._profile.reminder_api_reserved and actor_type.startswith(INTERNAL_TYPE_PREFIX):
            text = (
                f'actor type "{actor_type}" is reserved for the Dapr workflow runtime; '
                "direct actor API access is not permitted"
            )
            raise ReminderRefusedError("ERR_ACTOR_TYPE_RESERVED", text)
        if not self._hosting() or actor_type not in actor_types(self._names):
            text = "operations on actor reminders are only possible on hosted actor types"
            raise ReminderRefusedError("ERR_ACTOR_REMINDER_NON_HOSTED", text)
