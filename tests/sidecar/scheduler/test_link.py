"""The sidecar's own stream: the promises of WatchJobs and ScheduleJob, and those of its batches."""

import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from scheduler_api.proto import scheduler_pb2 as pb
from sidecar.proto import link_pb2
from sidecar.proto.link_pb2_grpc import LinkStub
from tests.sidecar.scheduler.harness import (
    LinkWatcher,
    Scheduler,
    Watcher,
    actor,
    forever,
    schedule_request,
    scheduler,
    wait_for,
)
from tests.support.services import ROOT

PROTO = Path("sidecar") / "proto" / "link.proto"


def test_stubs_equal_a_regeneration(tmp_path: Path) -> None:
    """Generating the stubs from the proto file gives what is checked in."""
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", "."]
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    subprocess.run([*command, *outputs, str(PROTO)], cwd=ROOT, check=True, capture_output=True)
    for each in ("link_pb2.py", "link_pb2.pyi", "link_pb2_grpc.py"):
        generated = (tmp_path / PROTO.parent / each).read_text()
        assert generated == (ROOT / PROTO.parent / each).read_text(), each


def test_a_second_sidecar_of_an_app_is_told_in_the_log(tmp_path: Path) -> None:
    """Only once it takes the same jobs; one that connects when the first has gone is not."""
    kind = "dapr.internal.default.twice.workflow"
    told = "two sidecars take the same jobs"
    with scheduler(tmp_path) as ours:
        log = ours.service.log.read_text
        with LinkWatcher(ours, kind):
            wait_for(lambda: "sidecar watches" in log())
        wait_for(lambda: "sidecar gone" in log())
        with LinkWatcher(ours, kind), LinkWatcher(ours, "another") as second:
            wait_for(lambda: log().count("sidecar watches") == 3)
            assert told not in log()
            second.take(kind)
            wait_for(lambda: told in log())


def test_schedules_of_a_batch_are_answered_each(old: Scheduler) -> None:
    """A refused job has the code and words of ScheduleJob; the others are stored and delivered."""
    kind = "dapr.internal.default.batch.activity"
    taken = schedule_request("taken", actor_type=kind, policy=forever())
    again = schedule_request("taken", actor_type=kind, overwrite=False)
    bad = pb.ScheduleJobRequest(name="bad", metadata=actor("bad"), job=pb.Job(due_time="soon"))
    with LinkWatcher(old, kind) as sidecar:
        answers = sidecar.schedule(taken=taken, again=again, bad=bad)
        delivery = sidecar.next()
        assert delivery.metadata == taken.metadata
        assert (delivery.name, delivery.data) == ("run-activity", taken.job.data)
        sidecar.answer(delivery, success=True)
        wait_for(lambda: not old.list_keys(actor_type=kind))
    key = f"actorreminder||default||{kind}||taken||run-activity"
    assert answers == {
        "taken": (0, ""),
        "again": (grpc.StatusCode.ALREADY_EXISTS.value[0], f"job already exists: '{key}'"),
        "bad": (
            grpc.StatusCode.UNKNOWN.value[0],
            "job failed validation: due time format not recognized",
        ),
    }


def test_jobs_that_were_answered_survive_sigkill(tmp_path: Path) -> None:
    """What the stream has said to be stored is on disk."""
    names = [f"kept-{each}" for each in range(300)]
    requests = {each: schedule_request(each, "240h") for each in names}
    with scheduler(tmp_path) as victim, LinkWatcher(victim) as sidecar:
        answers = sidecar.schedule(**requests)
        victim.service.kill()
    assert answers == dict.fromkeys(names, (0, ""))
    with scheduler(tmp_path) as successor:
        assert set(successor.list_keys()) == set(names)


def test_a_scheduler_that_stops_has_answered_all_that_it_stored(tmp_path: Path) -> None:
    """SIGTERM amid a load of schedules: what the stream answered and what is on disk are equal."""
    with scheduler(tmp_path) as first, LinkWatcher(first) as sidecar:
        for each in range(3000):
            sidecar.ask(each, schedule_request(f"s-{each}", "240h"))
        answered = [sidecar.scheduled.get(timeout=10)]
        first.service.stop()
        sidecar.ended.wait(10)
        while not sidecar.scheduled.empty():
            answered.append(sidecar.scheduled.get())
    with scheduler(tmp_path) as successor:
        assert set(successor.list_keys()) == {f"s-{each.id}" for each in answered}


def test_a_cut_stream_gives_back_what_was_out(old: Scheduler) -> None:
    """A delivery that was out goes to the next sidecar without an attempt, on either stream."""
    kind = "dapr.internal.default.linkcut.activity"
    old.schedule("cut", actor_type=kind, policy=forever(max_retries=0))
    first = LinkWatcher(old, kind)
    first.next()
    with Watcher(old, kind) as second:
        assert second.is_idle(0.1)
        first.cut()
        assert second.next().metadata.target.actor.id == "cut"
        with LinkWatcher(old, kind) as third:
            second.cut()
            assert third.next().metadata.target.actor.id == "cut"


def test_a_sidecar_may_change_its_types(old: Scheduler) -> None:
    """With an empty list nothing more comes; with the list again what is due comes at once."""
    kind = "dapr.internal.default.linktypes.activity"
    with LinkWatcher(old, kind) as sidecar:
        sidecar.take()
        old.schedule("types", actor_type=kind)
        assert sidecar.is_idle(0.2)
        sidecar.take(kind)
        assert sidecar.next().name == "run-activity"


def test_a_failed_job_comes_again_and_a_deleted_one_does_not(old: Scheduler) -> None:
    """FAILED moves the clock on; for a job that was deleted while it was out it does nothing."""
    kind = "dapr.internal.default.linkfail.activity"
    with LinkWatcher(old, kind) as sidecar:
        old.schedule("failing", actor_type=kind, policy=forever(0.01))
        sidecar.fail(2)
        delivery = sidecar.next()
        request = pb.DeleteJobRequest(name="run-activity", metadata=actor("failing", kind))
        old.stub.DeleteJob(request, timeout=10)
        sidecar.answer(delivery, success=False)
        assert sidecar.is_idle(0.2)
        assert old.list_keys(actor_type=kind) == []


def test_thousands_at_once(old: Scheduler) -> None:
    """Two thousand jobs in one message are all stored, delivered once and ended."""
    kind = "dapr.internal.default.linkmany.activity"
    names = {f"many-{each}::1::1" for each in range(2000)}
    with LinkWatcher(old, kind) as sidecar:
        answers = sidecar.schedule(
            **{each: schedule_request(each, actor_type=kind) for each in sorted(names)}
        )
        assert answers == dict.fromkeys(names, (0, ""))
        came = set()
        for _ in names:
            delivery = sidecar.next()
            came.add(delivery.metadata.target.actor.id)
            sidecar.answer(delivery, success=True)
        assert came == names
        wait_for(lambda: not old.list_keys(actor_type=kind))
        assert sidecar.is_idle(0.05)


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (link_pb2.FromSidecar(), grpc.StatusCode.UNKNOWN),
        (
            link_pb2.FromSidecar(initial=pb.WatchJobsRequestInitial(namespace="default")),
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
    ],
)
def test_a_stream_begins_with_initial(
    old: Scheduler, first: link_pb2.FromSidecar, code: grpc.StatusCode
) -> None:
    """A stream that begins otherwise, or names no caller, is ended as WatchJobs is."""
    stub = LinkStub(old.channel)  # type: ignore[no-untyped-call]  # generated
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.Open(iter([first]), timeout=10))
    assert caught.value.code() is code


def test_large_jobs_pass_both_ways(old: Scheduler) -> None:
    """A job of 20 MB is stored and delivered, whole and beside small ones, on either stream."""
    kind = "dapr.internal.default.large.activity"
    data = bytes(20_000_000)
    large = schedule_request("large", actor_type=kind, data=data)
    small = schedule_request("small", actor_type=kind)
    with LinkWatcher(old, kind) as sidecar:
        assert sidecar.schedule(large=large, small=small) == {"large": (0, ""), "small": (0, "")}
        came = [sidecar.next(), sidecar.next()]
        assert sorted(len(each.data.value) for each in came) == [0, len(data)]
        for each in came:
            sidecar.answer(each, success=True)
        wait_for(lambda: not old.list_keys(actor_type=kind))
