"""A job as the scheduler holds it, and how a request becomes one."""

import sys
from dataclasses import dataclass
from functools import lru_cache

import grpc

from scheduler_api.proto import scheduler_pb2 as pb
from sidecar.profiles import Profile
from sidecar.scheduler.due_times import due_us
from sidecar.scheduler.errors import RequestError
from sidecar.scheduler.keys import check_key, job_key, pool
from sidecar.scheduler.retry_clock import DEFAULT_POLICY, DROP_POLICY, RetryClock, RetryPolicy

# Of a stored job: key, revision, due time, attempts, name, metadata, spec.
Row = tuple[str, int, int, int, str, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Job:
    """One stored job.

    Attributes:
        key: Its name within the scheduler, see sidecar.scheduler.keys.
        revision: Number of the write that made it; a later job of the same key has a higher one.
        due_us: Its due time, microseconds since the epoch.
        attempts: Failed deliveries that are on disk; kept only where `max_retries` counts them.
        name: What the sender calls it, such as `run-activity`.
        metadata_bytes: The JobMetadata that says who takes it, as it is on the wire.
        spec_bytes: The Job as it was sent, likewise.
        pool: The group of sidecars that take it.
        policy: What follows a failed delivery.
    """

    key: str
    revision: int
    due_us: int
    attempts: int
    name: str
    metadata_bytes: bytes
    spec_bytes: bytes
    pool: str
    policy: RetryPolicy

    @property
    def metadata(self) -> pb.JobMetadata:
        """Who takes it; read anew each time."""
        return pb.JobMetadata.FromString(self.metadata_bytes)

    @property
    def spec(self) -> pb.Job:
        """The job as it was sent; read anew each time."""
        return pb.Job.FromString(self.spec_bytes)

    def clock(self) -> RetryClock:
        """Return its retry clock as a start of the scheduler finds it: at the due time."""
        return RetryClock(self.policy, self.due_us, self.attempts)


def read_job(row: Row) -> Job:
    """Return a job from what is stored of it; DecodeError."""
    key, revision, due_us, attempts, name, metadata_bytes, spec_bytes = row
    metadata, spec = pb.JobMetadata.FromString(metadata_bytes), pb.Job.FromString(spec_bytes)
    return Job(
        key=key,
        revision=revision,
        due_us=due_us,
        attempts=attempts,
        name=name,
        metadata_bytes=metadata_bytes,
        spec_bytes=spec_bytes,
        # Thousands of jobs share a pool.
        pool=sys.intern(pool(metadata)),
        policy=retry_policy(spec),
    )


def parse_job(
    request: pb.ScheduleJobRequest, *, revision: int, now_us: int, profile: Profile
) -> Job:
    """Turn a request that arrived at `now_us` into a job; RequestError where it is none."""
    key = job_key(request.name, request.metadata)
    check_key(key, profile.job_name_rule)
    if not request.HasField("job"):
        raise RequestError(grpc.StatusCode.UNKNOWN, "job cannot be nil")
    return Job(
        key=key,
        revision=revision,
        due_us=_due_us(request.job, now_us),
        attempts=0,
        name=request.name,
        metadata_bytes=request.metadata.SerializeToString(),
        spec_bytes=request.job.SerializeToString(),
        pool=sys.intern(pool(request.metadata)),
        policy=retry_policy(request.job),
    )


def retry_policy(spec: pb.Job) -> RetryPolicy:
    """Return a job's failure policy; without one it is Dapr's default of three retries."""
    match spec.failure_policy.WhichOneof("policy"):
        case "drop":
            return DROP_POLICY
        case "constant":
            constant = spec.failure_policy.constant
            limit = constant.max_retries if constant.HasField("max_retries") else None
            return _policy(constant.interval.ToMicroseconds(), limit)
        case _:
            return DEFAULT_POLICY


@lru_cache(maxsize=64)
def _policy(interval_us: int, max_retries: int | None) -> RetryPolicy:
    return RetryPolicy(interval_us, max_retries)


def _due_us(spec: pb.Job, now_us: int) -> int:
    if spec.HasField("schedule"):
        raise RequestError(
            grpc.StatusCode.UNIMPLEMENTED,
            "jobs that repeat (a schedule) are not implemented; send a due_time alone",
        )
    if not spec.HasField("due_time"):
        raise _invalid("job must have either a due time or a schedule")
    if spec.repeats > 1:
        raise _invalid("job must have a schedule to repeat")
    if spec.HasField("repeats") and spec.repeats < 1:
        raise _invalid("defined repeats must be greater than 0")
    if spec.HasField("ttl"):
        raise _invalid("job must have a schedule to have a ttl")
    if retry_policy(spec).interval_us < 0:
        raise _invalid("the interval of a failure policy must not be negative")
    try:
        return due_us(spec.due_time, now_us)
    except ValueError as error:
        raise _invalid(str(error)) from error


def _invalid(text: str) -> RequestError:
    return RequestError(grpc.StatusCode.UNKNOWN, f"job failed validation: {text}")
