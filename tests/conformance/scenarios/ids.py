"""Instance ids that exist, that can't, and that are taken; workflows and results nobody knows."""

import time
from typing import Any

from google.protobuf.wrappers_pb2 import StringValue

from sidecar.protos import service_pb2 as pb
from tests.conformance.bench import Bench, until
from tests.conformance.compare.executions import again, period
from tests.conformance.compare.logs import logged
from tests.conformance.compare.messages import answers, requested, steady, turns
from tests.conformance.compare.notes import note
from tests.conformance.needs import Need
from tests.conformance.scenarios.calls import finish, get, returned, start, tried
from tests.conformance.scenarios.scenario import Played, Scenario

LONG_ID = "x" * 300
_SHORT_S = 2.0
_GOOD = ("a b", "a||b", "a.b_c-d")
_DOUBTFUL = ("a/b", "é-ü", "a?b=c#d", LONG_ID)
_RAW = (
    "raw CompleteActivityTask unknown",
    "raw CompleteOrchestratorTask unknown",
    "raw CompleteWorkflowTask unknown",
)
# The recorded page had five; which ids stand on it is chance.
_ALL = 1000
_TOKEN = "x"  # noqa: S105  # as recorded


def ids_and_unknowns(bench: Bench) -> Played:
    """Ask for what is not there, and start under all sorts of ids."""
    get(bench, "unknown-1")
    duplicate(bench)
    odd_ids(bench)
    unregistered(bench)
    return Played(notes=nothing_pending(bench))


def duplicate(bench: Bench) -> None:
    """Start what runs already, and what has ended."""
    start(bench, "seq", "dup-1", {"steps": 1, "sleep": 1})
    start(bench, "seq", "dup-1", {"steps": 1})
    finish(bench, "dup-1")
    start(bench, "seq", "dup-1", {"steps": 1})
    finish(bench, "dup-1")
    get(bench, "dup-1")


def odd_ids(bench: Bench) -> None:
    """Start under ids that some versions refuse, and under none."""
    for instance in (*_GOOD, *_DOUBTFUL):
        start(bench, "seq", instance, {"steps": 1})
        if not bench.tap.refused(instance):
            finish(bench, instance)
    request = pb.CreateInstanceRequest(name="seq", input=StringValue(value='{"steps":1}'))
    tried(bench.stub.StartInstance, request)


def unregistered(bench: Bench) -> None:
    """Start workflows and activities that the app does not have."""
    tried(bench.stub.StartInstance, pb.CreateInstanceRequest(instanceId="noname"))
    get(bench, "noname")
    start(bench, "no_such_wf", "unk-wf")
    finish(bench, "unk-wf")
    start(bench, "noact", "unk-act")
    finish(bench, "unk-act")
    get(bench, "unk-act")


def nothing_pending(bench: Bench) -> dict[str, Any]:
    """Answer what nobody asked; call what came with a later version."""
    activity = pb.ActivityResponse(instanceId="nope", taskId=7, completionToken=_TOKEN)
    turn = pb.WorkflowResponse(instanceId="nope", completionToken=_TOKEN)
    stub = bench.stub
    notes = {
        _RAW[0]: returned(tried(stub.CompleteActivityTask, activity, timeout=_SHORT_S)),
        _RAW[1]: returned(tried(stub.CompleteOrchestratorTask, turn, timeout=_SHORT_S)),
        _RAW[2]: returned(tried(stub.CompleteWorkflowTask, turn)),
    }
    tried(stub.ListInstanceIDs, pb.ListInstanceIDsRequest(pageSize=_ALL))
    tried(stub.GetInstanceHistory, pb.GetInstanceHistoryRequest(instanceId="dup-1"))
    return notes


def ambiguous_id(bench: Bench) -> None:
    """Start under an id whose activities belong to another."""
    start(bench, "seq", "a::b", {"steps": 1})
    until(lambda: bench.executions("a"))
    time.sleep(3.5)


SCENARIOS = (
    Scenario(
        name="ids_and_unknowns",
        play=ids_and_unknowns,
        facets=(
            *(one for each in ("dup-1", *_GOOD, "unk-wf", "unk-act") for one in steady(each)),
            *(turns("noname"), answers("noname"), answers("unknown-1"), answers("")),
            *(answers(each) for each in _DOUBTFUL),
            *(note(each) for each in _RAW),
            *(answers("dup-1", "GetInstanceHistory"), answers("", "ListInstanceIDs")),
            logged("nope"),
        ),
        instances=("dup-1", *_GOOD, *_DOUBTFUL, "noname", "unk-wf", "unk-act"),
    ),
    Scenario(
        name="ambiguous_id",
        recording="ids_and_unknowns",
        play=ambiguous_id,
        facets=(turns("a::b"), answers("a::b"), requested("a"), again("a"), period("a", 0.15)),
        instances=("a::b",),
        needs=frozenset({Need.SCHEDULER}),
    ),
)
