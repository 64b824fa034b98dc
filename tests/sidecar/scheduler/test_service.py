"""The scheduler's calls, on real processes, as Dapr 1.16.1 and 1.18.3 answer them."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import grpc
import pytest

from scheduler_api.proto import scheduler_pb2 as pb
from tests.sidecar.scheduler.harness import (
    ACTIVITY,
    WORKFLOW,
    Scheduler,
    Watcher,
    actor,
    forever,
    schedule_request,
    wait_for,
)

FAR = "240h"


def refusal(call: Callable[[], object]) -> tuple[grpc.StatusCode, str | None]:
    """Return the status of a call that is refused."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), caught.value.details()


def seconds_ago(seconds: float) -> str:
    """Return a due time in the past."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_a_failing_job_comes_once_a_second(old: Scheduler) -> None:
    """The steady period of a short activity is 1.00 s, counted from the due time."""
    kind = "dapr.internal.default.steady.activity"
    with Watcher(old, kind) as sidecar:
        old.schedule("steady", actor_type=kind)
        start = time.time()
        came = [each - start for each in sidecar.fail(4)]
        assert came == pytest.approx([0, 1, 2, 3], abs=0.4)
        assert came[3] - came[0] == pytest.approx(3.0, abs=0.4)


def test_an_absence_is_followed_by_a_burst(old: Scheduler) -> None:
    """A job due 5 s ago is delivered and fails 5 times back to back, then keeps to the second."""
    kind = "dapr.internal.default.burst.activity"
    old.schedule("burst", seconds_ago(5.0), actor_type=kind)
    start = time.time()
    with Watcher(old, kind) as sidecar:
        came = [each - start for each in sidecar.fail(7)]
        assert came[5] < 0.8
        assert came[6] > 0.9


def test_no_sidecar_no_attempt(old: Scheduler) -> None:
    """A job waits for a sidecar with its attempts unspent, and comes when one connects."""
    kind = "dapr.internal.default.staged.activity"
    old.schedule("staged", actor_type=kind, policy=forever(max_retries=0))
    with Watcher(old, "another"), Watcher(old, kind) as sidecar:
        assert sidecar.next().metadata.target.actor.id == "staged"


def test_success_ends_a_job(old: Scheduler) -> None:
    """A job that succeeded is listed no more."""
    kind = "dapr.internal.default.success.activity"
    with Watcher(old, kind) as sidecar:
        old.schedule("done", actor_type=kind)
        sidecar.answer(sidecar.next(), success=True)
        wait_for(lambda: not old.list_keys(actor_type=kind))


@pytest.mark.parametrize(
    ("policy", "deliveries"),
    [
        (pb.FailurePolicy(drop=pb.FailurePolicyDrop()), 1),
        (forever(0.01, max_retries=2), 3),
    ],
)
def test_limits_of_retries(old: Scheduler, policy: pb.FailurePolicy, deliveries: int) -> None:
    """`drop` delivers once, n retries deliver n + 1 times; then the job is gone."""
    kind = f"dapr.internal.default.limit{deliveries}.activity"
    with Watcher(old, kind) as sidecar:
        old.schedule("limited", actor_type=kind, policy=policy)
        sidecar.fail(deliveries)
        wait_for(lambda: not old.list_keys(actor_type=kind))


def test_a_cut_stream_gives_back_what_was_out(old: Scheduler) -> None:
    """A delivery that was out on a broken stream goes to the next sidecar, without an attempt."""
    kind = "dapr.internal.default.cut.activity"
    old.schedule("cut", actor_type=kind, policy=forever(max_retries=0))
    first = Watcher(old, kind)
    first.next()
    with Watcher(old, kind) as second:
        assert second.is_idle(0.1)
        first.cut()
        assert second.next().metadata.target.actor.id == "cut"


def test_a_sidecar_may_change_its_types(old: Scheduler) -> None:
    """With an empty list nothing more comes; with the list again what is due comes at once."""
    kind = "dapr.internal.default.types.activity"
    with Watcher(old, kind) as sidecar:
        sidecar.take()
        old.schedule("types", actor_type=kind)
        assert sidecar.is_idle(0.2)
        sidecar.take(kind)
        assert sidecar.next().name == "run-activity"


def test_a_deleted_job_stays_deleted(old: Scheduler) -> None:
    """FAILED for a job that was deleted while it was out does not bring it back."""
    kind = "dapr.internal.default.deleted.activity"
    with Watcher(old, kind) as sidecar:
        old.schedule("deleted", actor_type=kind, policy=forever(0.01))
        delivery = sidecar.next()
        request = pb.DeleteJobRequest(name="run-activity", metadata=actor("deleted", kind))
        old.stub.DeleteJob(request, timeout=10)
        sidecar.answer(delivery, success=False)
        assert sidecar.is_idle(0.2)
        assert old.list_keys(actor_type=kind) == []


def test_an_overwritten_job_starts_anew(old: Scheduler) -> None:
    """The answer to the old delivery does not touch the new job, which has a fresh clock."""
    kind = "dapr.internal.default.over.activity"
    with Watcher(old, kind) as sidecar:
        old.schedule("over", actor_type=kind, data=b"old")
        delivery = sidecar.next()
        old.schedule("over", "300ms", actor_type=kind, data=b"new")
        sidecar.answer(delivery, success=True)
        assert sidecar.next().data.value == b"new"


def test_a_taken_name_is_refused_without_overwrite(old: Scheduler) -> None:
    """Without `overwrite` the job that is there stays, in Dapr's words."""
    old.schedule("taken", FAR, data=b"first")
    request = schedule_request("taken", FAR, overwrite=False, data=b"second")
    code, words = refusal(lambda: old.stub.ScheduleJob(request, timeout=10))
    assert code is grpc.StatusCode.ALREADY_EXISTS
    assert words == (
        f"job already exists: 'actorreminder||default||{ACTIVITY}||taken||run-activity'"
    )
    got = old.stub.GetJob(pb.GetJobRequest(name="run-activity", metadata=actor("taken")))
    assert got.job.data.value == b"first"
    old.delete("taken")


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (pb.Job(due_time="soon"), "due time format not recognized"),
        (pb.Job(), "job must have either a due time or a schedule"),
        (pb.Job(due_time="0s", repeats=2), "job must have a schedule to repeat"),
        (pb.Job(due_time="0s", ttl="1s"), "job must have a schedule to have a ttl"),
    ],
)
def test_bad_jobs_are_refused(old: Scheduler, job: pb.Job, words: str) -> None:
    """A job that Dapr does not take is refused in its words and left out of the listing."""
    request = pb.ScheduleJobRequest(name="bad", metadata=actor("bad"), job=job)
    expected = (grpc.StatusCode.UNKNOWN, f"job failed validation: {words}")
    assert refusal(lambda: old.stub.ScheduleJob(request, timeout=10)) == expected
    assert "bad" not in old.list_keys()


def test_calls_without_a_caller_or_a_target(old: Scheduler) -> None:
    """The recorded refusals of ListJobs: no namespace or app id, no target."""
    missing = (grpc.StatusCode.INVALID_ARGUMENT, "missing namespace or appID in request")
    for metadata in (actor("", app_id=""), pb.JobMetadata(app_id="lab")):
        request = pb.ListJobsRequest(metadata=metadata)
        assert refusal(partial(old.stub.ListJobs, request, timeout=10)) == missing
    request = pb.ListJobsRequest(metadata=pb.JobMetadata(app_id="lab", namespace="default"))
    unknown = (grpc.StatusCode.UNKNOWN, "unknown job type: <nil>")
    assert refusal(lambda: old.stub.ListJobs(request, timeout=10)) == unknown


def test_unknown_jobs(old: Scheduler, new: Scheduler) -> None:
    """Deleting a job that is not there is OK; getting one is not."""
    for each in (old, new):
        each.delete("nobody")
        request = pb.GetJobRequest(name="run-activity", metadata=actor("nobody"))
        expected = (grpc.StatusCode.NOT_FOUND, "job not found: run-activity")
        assert refusal(partial(each.stub.GetJob, request, timeout=10)) == expected


def test_listing_like_1_16(old: Scheduler) -> None:
    """The id is a prefix, no type means all, and the metadata comes without an app id."""
    kind = "dapr.internal.default.list.activity"
    for each in ("rs00::1::1", "rs01::1::1", "rs01::2::1"):
        old.schedule(each, FAR, actor_type=kind)
    assert len(old.list_keys("", kind)) == 3
    assert len(old.list_keys("rs", kind)) == 3
    assert old.list_keys("rs01", kind) == ["rs01::1::1", "rs01::2::1"]
    assert set(old.list_keys("", "")) >= {"rs00::1::1", "rs01::1::1"}
    request = pb.ListJobsRequest(metadata=actor("", kind, app_id="other"))
    listed = old.stub.ListJobs(request).jobs
    assert [each.metadata.app_id for each in listed] == [""] * 3
    assert listed[0].job.due_time == FAR


def test_listing_like_1_18(new: Scheduler) -> None:
    """The id is matched whole, no type means none, and the metadata comes as it was sent."""
    kind = "dapr.internal.default.list.activity"
    for each in ("fm::1::1", "fm::2::1"):
        metadata = actor(each, kind)
        metadata.concurrency_key = "act"
        request = schedule_request(each, FAR, actor_type=kind)
        request.metadata.CopyFrom(metadata)
        new.stub.ScheduleJob(request, timeout=10)
    assert len(new.list_keys("", kind)) == 2
    assert new.list_keys("fm::", kind) == []
    assert new.list_keys("fm::1::1", kind) == ["fm::1::1"]
    assert new.list_keys("", "") == []
    listed = new.stub.ListJobs(pb.ListJobsRequest(metadata=actor("", kind))).jobs
    assert {(each.metadata.app_id, each.metadata.concurrency_key) for each in listed} == {
        ("lab", "act")
    }


def test_bulk_deletion_is_unimplemented_on_1_16(old: Scheduler) -> None:
    """Both calls are unknown methods, in gRPC's words."""
    service = "for service dapr.proto.scheduler.v1.Scheduler"
    by_metadata = pb.DeleteByMetadataRequest(metadata=actor("a"))
    by_name = pb.DeleteByNamePrefixRequest(metadata=actor("a"))
    assert refusal(lambda: old.stub.DeleteByMetadata(by_metadata, timeout=10)) == (
        grpc.StatusCode.UNIMPLEMENTED,
        f"unknown method DeleteByMetadata {service}",
    )
    assert refusal(lambda: old.stub.DeleteByNamePrefix(by_name, timeout=10)) == (
        grpc.StatusCode.UNIMPLEMENTED,
        f"unknown method DeleteByNamePrefix {service}",
    )


def test_bulk_deletion_on_1_18(new: Scheduler) -> None:
    """As recorded: by exact id, by id prefix when asked to, by name prefix of one actor."""
    kind = "dapr.internal.default.bulk.activity"
    for each in ("b1::1::1", "b2::1::1", "b3::1::1", "fm::1::1", "fm::2::1"):
        new.schedule(each, FAR, actor_type=kind)

    def by_metadata(actor_id: str, *, prefix: bool) -> None:
        request = pb.DeleteByMetadataRequest(metadata=actor(actor_id, kind), id_prefix_match=prefix)
        new.stub.DeleteByMetadata(request, timeout=10)

    by_metadata("b1::1::1", prefix=False)
    by_metadata("b2", prefix=False)
    by_metadata("fm::", prefix=True)
    assert new.list_keys("", kind) == ["b2::1::1", "b3::1::1"]
    request = pb.DeleteByNamePrefixRequest(metadata=actor("b3::1::1", kind), name_prefix="run-")
    new.stub.DeleteByNamePrefix(request, timeout=10)
    assert new.list_keys("", kind) == ["b2::1::1"]


def test_ids_with_the_key_separator_break_a_listing_of_1_16(old: Scheduler, new: Scheduler) -> None:
    """1.16 reads the metadata back from the key, and can't where the id contains `||`."""
    kind = "dapr.internal.default.pipes.activity"
    for each in (old, new):
        each.schedule("a||b::1::1", FAR, actor_type=kind)
    assert new.list_keys("", kind) == ["a||b::1::1"]
    code, words = refusal(lambda: old.list_keys("", kind))
    assert code is grpc.StatusCode.UNKNOWN
    assert words is not None
    assert words.startswith("failed to parse job metadata: invalid key: dapr/jobs/actorreminder||")
    request = pb.DeleteJobRequest(name="run-activity", metadata=actor("a||b::1::1", kind))
    old.stub.DeleteJob(request, timeout=10)


def test_a_watch_begins_with_initial(old: Scheduler) -> None:
    """A stream that begins otherwise, or names no caller, is ended with Dapr's words."""
    answer = pb.WatchJobsRequest(result=pb.WatchJobsRequestResult(id=1))
    code, words = refusal(lambda: list(old.stub.WatchJobs(iter([answer]), timeout=10)))
    assert (code, words) == (
        grpc.StatusCode.UNKNOWN,
        "initial request is required on stream connection",
    )
    nobody = pb.WatchJobsRequest(initial=pb.WatchJobsRequestInitial(namespace="default"))
    code, _ = refusal(lambda: list(old.stub.WatchJobs(iter([nobody]), timeout=10)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


def test_thousands_at_once(old: Scheduler) -> None:
    """Two thousand jobs scheduled at once are all taken, delivered once and ended."""
    kind = "dapr.internal.default.many.activity"
    names = {f"many-{each}::1::1" for each in range(2000)}
    with Watcher(old, kind) as sidecar:
        calls = [
            old.stub.ScheduleJob.future(schedule_request(each, actor_type=kind), timeout=30)
            for each in sorted(names)
        ]
        came = set()
        for _ in names:
            delivery = sidecar.next()
            came.add(delivery.metadata.target.actor.id)
            sidecar.answer(delivery, success=True)
        for each in calls:
            each.result()
        assert came == names
        wait_for(lambda: not old.list_keys(actor_type=kind))
        assert sidecar.is_idle(0.05)


def test_workflow_reminders_have_a_pool_of_their_own(old: Scheduler) -> None:
    """A sidecar of the activity type gets no reminder of the workflow type."""
    with Watcher(old, "dapr.internal.default.own.activity") as sidecar:
        old.schedule("w", actor_type=WORKFLOW)
        assert sidecar.is_idle(0.1)
    request = pb.DeleteJobRequest(name="run-activity", metadata=actor("w", WORKFLOW))
    old.stub.DeleteJob(request, timeout=10)
