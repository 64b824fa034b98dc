"""A scheduler process, and a sidecar's watch on it."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import grpc

from scheduler_api.proto import scheduler_pb2 as pb
from scheduler_api.proto.scheduler_pb2_grpc import SchedulerStub
from sidecar.proto import link_pb2
from sidecar.proto.link_pb2_grpc import LinkStub
from tests.support.ports import free_port
from tests.support.services import Service, python_service

ACTIVITY = "dapr.internal.default.lab.activity"
_OPTIONS = (("grpc.max_receive_message_length", -1),)
WORKFLOW = "dapr.internal.default.lab.workflow"


@dataclass(frozen=True)
class Scheduler:
    """A running scheduler and how to reach it."""

    service: Service
    address: str
    http: str
    channel: grpc.Channel
    stub: SchedulerStub

    def list_keys(self, actor_id: str = "", actor_type: str = ACTIVITY) -> list[str]:
        """Return the actor ids of a listing."""
        request = pb.ListJobsRequest(metadata=actor(actor_id, actor_type))
        jobs = self.stub.ListJobs(request, timeout=10).jobs
        return [each.metadata.target.actor.id for each in jobs]

    def schedule(self, actor_id: str, due_time: str = "0s", **more: Any) -> None:
        """Schedule `run-activity` for an actor, for ever at 1 s unless told otherwise."""
        self.stub.ScheduleJob(schedule_request(actor_id, due_time, **more), timeout=10)

    def delete(self, actor_id: str) -> None:
        """Delete `run-activity` of an actor."""
        request = pb.DeleteJobRequest(name="run-activity", metadata=actor(actor_id))
        self.stub.DeleteJob(request, timeout=10)


def environment(data_dir: Path, profile: str = "1.16.1") -> dict[str, str]:
    """Return settings with free ports."""
    return {
        "SCHEDULER_DATA_DIR": str(data_dir),
        "SCHEDULER_PORT": str(free_port()),
        "SCHEDULER_HTTP_PORT": str(free_port()),
        "SCHEDULER_PROFILE": profile,
    }


@contextmanager
def scheduler(data_dir: Path, profile: str = "1.16.1", **more: str) -> Iterator[Scheduler]:
    """Run a scheduler whose jobs are in `data_dir`."""
    data_dir.mkdir(exist_ok=True)
    env = {**environment(data_dir, profile), **more}
    http = f"http://127.0.0.1:{env['SCHEDULER_HTTP_PORT']}"
    address = f"127.0.0.1:{env['SCHEDULER_PORT']}"
    with (
        python_service("sidecar.scheduler", data_dir, env, f"{http}/healthz") as service,
        grpc.insecure_channel(address, options=_OPTIONS) as channel,
    ):
        stub = SchedulerStub(channel)  # type: ignore[no-untyped-call]  # generated
        yield Scheduler(service, address, http, channel, stub)


def actor(actor_id: str, actor_type: str = ACTIVITY, app_id: str = "lab") -> pb.JobMetadata:
    """Return the metadata of an actor's job."""
    target = pb.JobTargetMetadata(actor=pb.TargetActorReminder(id=actor_id, type=actor_type))
    return pb.JobMetadata(app_id=app_id, namespace="default", target=target)


def forever(interval_s: float = 1.0, max_retries: int | None = None) -> pb.FailurePolicy:
    """Return a constant policy, without a limit unless one is given."""
    constant = pb.FailurePolicyConstant(max_retries=max_retries)
    constant.interval.FromNanoseconds(int(interval_s * 1e9))
    return pb.FailurePolicy(constant=constant)


def schedule_request(
    actor_id: str,
    due_time: str = "0s",
    *,
    name: str = "run-activity",
    actor_type: str = ACTIVITY,
    policy: pb.FailurePolicy | None = None,
    overwrite: bool = True,
    data: bytes = b"",
) -> pb.ScheduleJobRequest:
    """Return a request for a reminder."""
    job = pb.Job(due_time=due_time, failure_policy=policy or forever())
    job.data.value = data
    return pb.ScheduleJobRequest(
        name=name, metadata=actor(actor_id, actor_type), job=job, overwrite=overwrite
    )


class Watcher:
    """A sidecar that watches: gets deliveries, answers them when it is told to."""

    def __init__(self, scheduler: Scheduler, *actor_types: str) -> None:
        self._deliveries: queue.SimpleQueue[pb.WatchJobsResponse] = queue.SimpleQueue()
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.take(*(actor_types or (ACTIVITY,)))
        self._stream = self._open(scheduler)
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def take(self, *actor_types: str) -> None:
        """Say which actor types it takes."""
        self._requests.put(pb.WatchJobsRequest(initial=_initial(actor_types)))

    def next(self, timeout_s: float = 10.0) -> pb.WatchJobsResponse:
        """Wait for the next delivery; queue.Empty when none comes."""
        return self._deliveries.get(timeout=timeout_s)

    def is_idle(self, for_s: float) -> bool:
        """Tell whether nothing is delivered for that long."""
        try:
            self._deliveries.get(timeout=for_s)
        except queue.Empty:
            return True
        return False

    def answer(self, delivery: pb.WatchJobsResponse, *, success: bool) -> None:
        """Answer a delivery."""
        status = pb.SUCCESS if success else pb.FAILED
        result = pb.WatchJobsRequestResult(id=delivery.id, status=status)
        self._requests.put(pb.WatchJobsRequest(result=result))

    def fail(self, times: int) -> list[float]:
        """Answer so many deliveries with FAILED, at once; return when each of them came."""
        came = []
        for _ in range(times):
            delivery = self.next()
            came.append(time.time())
            self.answer(delivery, success=False)
        return came

    def cut(self) -> None:
        """Break the stream off."""
        self._requests.put(None)
        self._stream.cancel()
        self._thread.join(10)

    def _open(self, scheduler: Scheduler) -> Any:
        return scheduler.stub.WatchJobs(iter(self._requests.get, None))

    def _read(self) -> None:
        try:
            for each in self._stream:
                self._take_in(each)
        except grpc.RpcError:
            pass
        self.ended.set()

    def _take_in(self, message: Any) -> None:
        self._deliveries.put(message)


class LinkWatcher(Watcher):
    """A sidecar that watches on the stream of its own; `scheduled` has the answers to schedules."""

    scheduled: "queue.SimpleQueue[link_pb2.Scheduled]"

    def take(self, *actor_types: str) -> None:
        """Say which actor types it takes."""
        self._requests.put(link_pb2.FromSidecar(initial=_initial(actor_types)))

    def answer(self, delivery: pb.WatchJobsResponse, *, success: bool) -> None:
        """Answer a delivery."""
        status = pb.SUCCESS if success else pb.FAILED
        result = pb.WatchJobsRequestResult(id=delivery.id, status=status)
        self._requests.put(link_pb2.FromSidecar(results=[result]))

    def ask(self, schedule_id: int, request: pb.ScheduleJobRequest) -> None:
        """Ask for a job to be stored, and go on."""
        asked = link_pb2.Schedule(id=schedule_id, request=request)
        self._requests.put(link_pb2.FromSidecar(schedules=[asked]))

    def schedule(self, **requests: pb.ScheduleJobRequest) -> dict[str, tuple[int, str]]:
        """Schedule jobs in one message; return status and details of each."""
        ids = dict(enumerate(requests))
        asked = [link_pb2.Schedule(id=each, request=requests[name]) for each, name in ids.items()]
        self._requests.put(link_pb2.FromSidecar(schedules=asked))
        answers = [self.scheduled.get(timeout=10) for _ in asked]
        return {ids[each.id]: (each.code, each.details) for each in answers}

    def _open(self, scheduler: Scheduler) -> Any:
        self.scheduled = queue.SimpleQueue()
        stub = LinkStub(scheduler.channel)  # type: ignore[no-untyped-call]  # generated
        return stub.Open(iter(self._requests.get, None))

    def _take_in(self, message: Any) -> None:
        for each in message.scheduled:
            self.scheduled.put(each)
        for each in message.deliveries:
            job = pb.Job.FromString(each.job)
            metadata = pb.JobMetadata.FromString(each.metadata)
            self._deliveries.put(
                pb.WatchJobsResponse(name=each.name, id=each.id, data=job.data, metadata=metadata)
            )


def _initial(actor_types: tuple[str, ...]) -> pb.WatchJobsRequestInitial:
    return pb.WatchJobsRequestInitial(app_id="lab", namespace="default", actor_types=actor_types)


def wait_for(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait until a callable is true; fail when it never is."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.01)
