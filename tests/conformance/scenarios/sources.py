"""Ways to stop a runaway at its source: which stop it, and what each call returns."""

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import yaml

from scheduler_api.proto import scheduler_pb2 as pb
from sidecar.protos import service_pb2
from tests.conformance.bench import Bench, until
from tests.conformance.compare.executions import goes_on
from tests.conformance.compare.messages import changes, decisions, requested, turns
from tests.conformance.compare.notes import note
from tests.conformance.exchange import RECORDINGS, Exchange
from tests.conformance.needs import OUTAGE, Need
from tests.conformance.scenarios import handles
from tests.conformance.scenarios.calls import get, returned, start, tried
from tests.conformance.scenarios.scenario import Played, Scenario

_LOOP = {"steps": 1, "sleep": 4, "later": 0.05}
_STEADY = 3
_INTO_S = 0.5
_GRACE_S = 0.6
_WINDOW_S = 3.0
_SETTLED_S = 0.3
_BURST_WITHIN_S = 4.0
_BACK_TO_BACK_S = 0.5
_NEEDS = OUTAGE | {Need.REDIS, Need.SCHEDULER, Need.HTTP}
_RECORDED: dict[str, dict[str, Any]] = yaml.safe_load((RECORDINGS / "source-stop.yaml").read_text())
_Call = Callable[[Bench, str], Any]


def _steer(name: str) -> _Call:
    return lambda bench, instance: _ok(tried(getattr(bench.client, name), instance))


def _purge_by_force(bench: Bench, instance: str) -> Any:
    request = service_pb2.PurgeInstancesRequest(instanceId=instance, force=True)
    return _ok(tried(bench.stub.PurgeInstances, request))


def _order(**orders: str) -> _Call:
    return lambda bench, instance: bench.order(instance, **orders)


def _http(verb: str) -> _Call:
    def call(bench: Bench, instance: str) -> list[Any]:
        return handles.over_http(bench, "POST", f"/v1.0/workflows/dapr/{instance}/{verb}")

    return call


def _by_metadata(actor: Callable[[str], str], *, prefix: bool = False) -> _Call:
    def call(bench: Bench, instance: str) -> Any:
        request = pb.DeleteByMetadataRequest(
            metadata=handles.metadata(bench, actor(instance)), id_prefix_match=prefix
        )
        return handles.at_scheduler(bench, "DeleteByMetadata", request)

    return call


def _by_name_prefix(bench: Bench, instance: str) -> Any:
    request = pb.DeleteByNamePrefixRequest(
        name_prefix="run-", metadata=handles.metadata(bench, handles.actor_id(instance))
    )
    return handles.at_scheduler(bench, "DeleteByNamePrefix", request)


def _raise_event(bench: Bench, instance: str) -> Any:
    return _ok(tried(bench.client.raise_workflow_event, instance, "go", data=1))


LOOPS: dict[str, _Call] = {
    "nothing": lambda _bench, _instance: None,
    "reminder deleted over HTTP": lambda *at: handles.reminder(at[0], "DELETE", at[1]),
    "reminder read over HTTP": lambda *at: handles.reminder(at[0], "GET", at[1]),
    "reminder deleted over gRPC": handles.unregister,
    "job deleted": handles.delete_job,
    "job postponed": handles.postpone,
    "DeleteByMetadata": _by_metadata(handles.actor_id),
    "DeleteByNamePrefix": _by_name_prefix,
    "terminate": _steer("terminate_workflow"),
    "purge": _steer("purge_workflow"),
    "purge by force": _purge_by_force,
    "raise event": _raise_event,
    "pause": _steer("pause_workflow"),
    "NonRetryableError": _order(**{"raise": "NonRetryableError"}),
    "ordinary error": _order(**{"raise": "ValueError"}),
    "purge over HTTP": _http("purge"),
    "terminate over HTTP": _http("terminate"),
}
_AGAIN: dict[str, _Call] = {
    "reminder deleted over HTTP": LOOPS["reminder deleted over HTTP"],
    "job deleted": LOOPS["job deleted"],
}
PENDING: dict[str, _Call] = {
    "nothing": lambda _bench, _instance: None,
    "job deleted": handles.delete_job,
    "DeleteByMetadata": _by_metadata(handles.actor_id),
    "DeleteByMetadata, by prefix": _by_metadata(lambda each: f"{each}::", prefix=True),
    "DeleteByMetadata, half an id": _by_metadata(lambda each: each),
    "DeleteByNamePrefix": _by_name_prefix,
}


def _instances(prefix: str, methods: Sequence[str]) -> dict[str, str]:
    return {method: f"{prefix}{number:02}" for number, method in enumerate(methods)}


_LOOPING = _instances("rs", [*LOOPS, "job deleted, sidecar down"])
_WAITING = _instances("pend", list(PENDING))


def lose(
    bench: Bench,
    instances: Sequence[str],
    asked: Any,
    while_down: Callable[[], None] = lambda: None,
) -> None:
    """Kill the sidecar during an activity of each instance, and lose their state."""
    for each in instances:
        start(bench, "seq", each, asked)
    until(lambda: all(bench.executions(each) for each in instances))
    time.sleep(_INTO_S)
    bench.tap.hold()
    bench.kill_sidecar()
    for each in instances:
        for row in bench.keys(each):
            bench.redis.delete(bench.key(each, row))
    while_down()
    until(lambda: all(bench.executions(each, "end") for each in instances))
    bench.start_sidecar()
    bench.tap.release()
    bench.connected()


def source_stop(bench: Bench) -> Played:
    """Try one method against each of many loops, and what an absent app or scheduler does."""
    down: dict[str, Any] = {}
    instances = list(_LOOPING.values())
    gone = _LOOPING["job deleted, sidecar down"]
    lose(bench, instances, _LOOP, lambda: down.update(returned=handles.delete_job(bench, gone)))
    looping = [each for each in instances if each != gone]
    until(lambda: all(len(bench.executions(each)) > _STEADY for each in looping), 30)
    notes: dict[str, Any] = {"listing": handles.listing(bench, "rs")}
    answers = {method: call(bench, _LOOPING[method]) for method, call in LOOPS.items()}
    notes |= {
        f"{method}, again": {"returned": call(bench, _LOOPING[method])}
        for method, call in _AGAIN.items()
    }
    since = time.time() + _GRACE_S
    time.sleep(_GRACE_S + _WINDOW_S)
    for method, answer in answers.items():
        stops = not _since(bench, _LOOPING[method], since)
        notes[method] = {"stops": stops} | ({} if answer is None else {"returned": answer})
    notes["job postponed"]["listed"] = handles.is_listed(bench, _LOOPING["job postponed"])
    stops = len(bench.executions(gone)) == 1
    notes["job deleted, sidecar down"] = {"stops": stops, **down}
    notes["scheduler restarted"] = _restart_scheduler(bench, _LOOPING["nothing"])
    notes |= _stop_app(bench, _LOOPING["nothing"])
    return Played(notes=notes)


def _restart_scheduler(bench: Bench, instance: str) -> dict[str, bool]:
    bench.restart_scheduler()
    since = time.time()
    until(lambda: _since(bench, instance, since), 30, "an execution after the scheduler's restart")
    time.sleep(_BURST_WITHIN_S)
    times = [each["at"] for each in _since(bench, instance, since)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return {"bursts": sum(each < _BACK_TO_BACK_S for each in gaps) > _STEADY}


def _stop_app(bench: Bench, instance: str) -> dict[str, Any]:
    bench.kill_app()
    until(lambda: not bench.tap.streams())
    since = time.time() + _SETTLED_S
    time.sleep(_SETTLED_S)
    notes: dict[str, Any] = {
        "reminder deleted over HTTP, no app": handles.reminder(bench, "DELETE", instance),
        "reminder deleted over gRPC, no app": handles.unregister(bench, instance),
    }
    time.sleep(_WINDOW_S)
    executions, listed = len(_since(bench, instance, since)), handles.is_listed(bench, instance)
    since = time.time()
    bench.start_app()
    until(lambda: _since(bench, instance, since))
    return {
        **{name: {"returned": each} for name, each in notes.items()},
        "app stopped": {
            "executions": executions,
            "listed": listed,
            "goes on with the next app": True,
        },
    }


def source_stop_pending(bench: Bench) -> Played:
    """Delete jobs of a sidecar that is down, each in another way, and count what is executed."""
    answers: dict[str, Any] = {}
    notes: dict[str, Any] = {}
    instance = _WAITING["nothing"]

    def delete() -> None:
        notes["listing"] = handles.listing(bench, "pend")
        answers.update({name: call(bench, _WAITING[name]) for name, call in PENDING.items()})

    lose(bench, list(_WAITING.values()), _LOOP, delete)
    until(lambda: len(bench.executions(instance)) > 1, 30)
    notes |= {
        name: {"returned": call(bench, instance)}
        for name, call in LOOPS.items()
        if name.startswith("reminder deleted")
    }
    time.sleep(_WINDOW_S)
    for method, answer in answers.items():
        executions = len(bench.executions(_WAITING[method])) - 1
        notes[method] = {"executions": executions, "returned": answer}
    return Played(notes=notes)


def self_delete(bench: Bench) -> None:
    """Let activities delete their own reminder or job, and delete one from outside; leave one."""
    quick = {"steps": 1, "sleep": 4, "later": 0.3}
    start(bench, "seq", "c2", {"steps": 1, "sleep": 4, "later": 3})
    lose(bench, ["c0", "c1", "c3"], quick)
    for row in bench.keys("c2"):
        bench.redis.delete(bench.key("c2", row))
    path = f"/v1.0/actors/{bench.activity_type}/{handles.actor_id('c0')}/reminders/{handles.JOB}"
    until(lambda: all(len(bench.executions(each)) > 1 for each in ("c0", "c1", "c2")), 30)
    handles.delete_job(bench, "c2")
    bench.order("c0", delete_url=f"{bench.http_url}{path}")
    bench.order(
        "c1",
        scheduler=bench.scheduler_address,
        app_id=bench.app_id,
        namespace=bench.namespace,
    )
    time.sleep(2 * _WINDOW_S)


def recreate_same_id(bench: Bench) -> Played:
    """Start other and same workflows under the ids of runaways."""
    lose(bench, ["rs08", "rs09"], {"steps": 2, "sleep": 6, "later": 0.05})
    until(lambda: all(len(bench.executions(each)) > _STEADY for each in ("rs08", "rs09")), 30)
    known = len(bench.executions("rs08"))
    since = time.time()
    until(lambda: len(bench.executions("rs08")) > known)
    time.sleep(_SETTLED_S)
    start(bench, "ext", "rs08")
    start(bench, "seq", "rs09", {"steps": 2, "sleep": 6, "later": 6})
    time.sleep(1.0)
    until(lambda: get_ended(bench, "rs08"), 10, "rs08 to end")
    get(bench, "rs08")
    get(bench, "rs09")
    bench.client.wait_for_workflow_completion("rs09", timeout_in_seconds=40)
    return Played(since=since)


def get_ended(bench: Bench, instance: str) -> bool:
    """Tell whether a second turn has been answered, without asking the sidecar."""
    answered = [
        each for each in bench.tap.of(instance) if each.method == "CompleteOrchestratorTask"
    ]
    return any("completeWorkflow" in str(each.body) for each in answered)


def _since(bench: Bench, instance: str, since: float) -> list[dict[str, Any]]:
    return [each for each in bench.executions(instance) if each["at"] > since]


def _ok(answer: Any) -> Any:
    told = returned(answer)
    return told if isinstance(told, dict) else "OK"


def _table(version: str) -> dict[str, Exchange]:
    return {version: Exchange(notes=_RECORDED[version])}


SCENARIOS = (
    Scenario(
        name="source_stop",
        play=source_stop,
        facets=tuple(note(each) for each in _RECORDED["1.16.1"]),
        instances=tuple(_LOOPING.values()),
        needs=_NEEDS | {Need.RESTART_SCHEDULER},
        alone=True,
        tables=_table("1.16.1"),
    ),
    Scenario(
        name="source_stop_pending",
        play=source_stop_pending,
        facets=tuple(note(each) for each in _RECORDED["1.18.3"]),
        instances=tuple(_WAITING.values()),
        needs=_NEEDS,
        alone=True,
        tables=_table("1.18.3"),
    ),
    Scenario(
        name="self_delete",
        play=self_delete,
        facets=tuple(goes_on(each) for each in ("c0", "c1", "c2", "c3")),
        instances=("c0", "c1", "c2", "c3"),
        needs=_NEEDS,
        alone=True,
    ),
    Scenario(
        name="recreate_same_id",
        play=recreate_same_id,
        facets=(
            *(turns("rs08"), decisions("rs08"), changes("rs08", "GetInstance")),
            *(turns("rs09"), decisions("rs09"), requested("rs09")),
        ),
        instances=("rs08", "rs09"),
        needs=OUTAGE | {Need.REDIS, Need.SCHEDULER},
        alone=True,
    ),
)
