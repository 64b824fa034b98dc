"""Client of Dapr's scheduler: lists and deletes the jobs that run activities, on every version."""

from scheduler_api.client import AsyncSchedulerClient, SchedulerClient
from scheduler_api.errors import (
    JobsLeftError,
    SchedulerApiError,
    SchedulerRefusedError,
    SchedulerUnreachableError,
)
from scheduler_api.jobs import ActivityJob

__all__ = [
    "ActivityJob",
    "AsyncSchedulerClient",
    "JobsLeftError",
    "SchedulerApiError",
    "SchedulerClient",
    "SchedulerRefusedError",
    "SchedulerUnreachableError",
]
