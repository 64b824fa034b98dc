"""Keys, and the names that each version refuses."""

import json
import re

import grpc
import pytest

from scheduler_api.proto import scheduler_pb2 as pb
from sidecar.profiles import PROFILES, profile
from sidecar.scheduler.errors import RequestError
from sidecar.scheduler.keys import check_key, job_key, pool, search_prefix, watched_pools
from tests.sidecar.scheduler.harness import ACTIVITY, WORKFLOW, actor
from tests.support.services import ROOT

APP_JOB = pb.JobMetadata(
    app_id="lab", namespace="default", target=pb.JobTargetMetadata(job=pb.TargetJob())
)


def recorded_refusals(version: str) -> list[tuple[str, str]]:
    """Return the keys that real Dapr refused, and its words."""
    path = ROOT / "tests" / "data" / "dapr-traces" / version / "ids_and_unknowns.jsonl"
    refusals = []
    for line in map(json.loads, path.read_text().splitlines()):
        text = line.get("error", {}).get("details", "")
        if line["dir"] == "sidecar->app" and "job name is invalid" in text:
            words = text.partition("desc = ")[2]
            key = re.search(r'invalid "(.*?)": ', words)
            assert key is not None
            refusals.append((key[1], words))
    return refusals


@pytest.mark.parametrize(("version", "count"), [("1.16.1", 5), ("1.18.3", 2)])
def test_recorded_refusals(version: str, count: int) -> None:
    """Every key that real Dapr refused is refused with the same code and the same words."""
    refusals = recorded_refusals(version)
    assert len(refusals) == count
    for key, words in refusals:
        with pytest.raises(RequestError) as refusal:
            check_key(key, profile(version).job_name_rule)
        assert (refusal.value.code, refusal.value.details) == (grpc.StatusCode.UNKNOWN, words)


@pytest.mark.parametrize("version", PROFILES)
@pytest.mark.parametrize("instance", ["a b", "a||b", "a.b_c-d", "a::b", "x" * 200])
def test_recorded_acceptances(version: str, instance: str) -> None:
    """Ids that real Dapr took pass, among them those that it should have refused."""
    key = job_key("start-96Cnt9E0", actor(instance, WORKFLOW))
    check_key(key, profile(version).job_name_rule)


@pytest.mark.parametrize("instance", ["", "\u00e9-\u00fc", "x" * 300])
def test_ids_that_only_the_newer_takes(instance: str) -> None:
    """1.18 takes an empty id, letters beyond ASCII and long ids; 1.16 takes none of them."""
    key = job_key("start-96Cnt9E0", actor(instance, WORKFLOW))
    check_key(key, "no_separators")
    with pytest.raises(RequestError, match="job name is invalid"):
        check_key(key, "subdomain")


def test_keys_are_those_of_etcd() -> None:
    """A reminder's key names namespace, type, id and name; an app's job namespace, app and name."""
    expected = f"actorreminder||default||{ACTIVITY}||w::1::1||run-activity"
    assert job_key("run-activity", actor("w::1::1")) == expected
    assert job_key("nightly", APP_JOB) == "app||default||lab||nightly"


def test_a_search_may_be_open_or_closed() -> None:
    """An open search is a prefix of the id, a closed one matches it whole; no id means every id."""
    stem = f"actorreminder||default||{ACTIVITY}"
    assert search_prefix(actor("w"), closed=False) == f"{stem}||w"
    assert search_prefix(actor("w"), closed=True) == f"{stem}||w||"
    assert search_prefix(actor(""), closed=True) == f"{stem}||"
    assert search_prefix(APP_JOB, closed=False) == "app||default||lab"


def test_a_sidecar_takes_the_pools_of_its_types() -> None:
    """The pool of a job is among those of a watch that names its actor type, or its app."""
    initial = pb.WatchJobsRequestInitial(
        app_id="lab", namespace="default", actor_types=[ACTIVITY, WORKFLOW]
    )
    assert {pool(actor("a")), pool(actor("b", WORKFLOW)), pool(APP_JOB)} == watched_pools(initial)
    initial.accept_job_types.append(pb.JOB_TARGET_TYPE_ACTOR_REMINDER)
    assert pool(APP_JOB) not in watched_pools(initial)


@pytest.mark.parametrize("missing", ["namespace", "app_id"])
def test_the_caller_must_be_named(missing: str) -> None:
    """Without namespace or app id a call is refused in Dapr's words."""
    metadata = actor("a")
    metadata.ClearField(missing)
    with pytest.raises(RequestError, match=r"^missing namespace or appID in request$") as refusal:
        job_key("x", metadata)
    assert refusal.value.code is grpc.StatusCode.INVALID_ARGUMENT


def test_the_target_must_be_named() -> None:
    """Without a target a call is refused as Go prints it."""
    metadata = pb.JobMetadata(app_id="lab", namespace="default")
    with pytest.raises(RequestError, match=r"^unknown job type: <nil>$") as refusal:
        search_prefix(metadata, closed=True)
    assert refusal.value.code is grpc.StatusCode.UNKNOWN
