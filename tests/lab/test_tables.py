from lab.evidence import ArmEvidence
from lab.tables import INSTANCES_SHOWN, event_table, instance_table, property_rows, words_table
from lab.verdict import judge
from tests.lab.evidence_builder import COST
from tests.lab.full_evidence import CONTROL, NTH
from tests.lab.run_builder import build_full, three_arms


def cells(arm: ArmEvidence, first: str) -> dict[str, str]:
    table = instance_table(arm)
    (row,) = [row for row in table.rows if row[0].startswith(first)]
    return dict(zip(table.head, row, strict=True))


def test_each_stopped_workflow_has_a_row_with_what_became_of_it() -> None:
    """Executions by the app, money by the LLM's journal, replays and stop by the gateway."""
    row = cells(build_full(3), "run-2")
    assert row == {
        "workflow": "run-2",
        "state": "zombie",
        "source stop": "stopped",
        "executions": str(NTH),
        "paid calls": "1",
        "replays": str(NTH - 1),
        "refusals": "1",
        "spent": "$0.024",
        "jobs deleted": "1",
        "jobs left": "0",
    }


def test_a_control_is_named_as_one_and_lost_nothing() -> None:
    """Its row says that no job of it was deleted."""
    table = instance_table(build_full(3))
    (row,) = [row for row in table.rows if row[0] == CONTROL]
    assert row[1:3] == ("control, live", "none")
    assert dict(zip(table.head, row, strict=True))["jobs deleted"] == "0"


def test_why_a_workflow_was_stopped_is_said_below_its_row() -> None:
    """The gateway's reason, and its error if there was one, belong to their row."""
    arm = build_full(1)
    source = arm.instances[0].source
    assert source is not None
    failed = source.model_copy(update={"state": "failed", "error": "scheduler: no answer"})
    broken = arm.instances[0].model_copy(update={"source": failed})
    table = instance_table(arm.model_copy(update={"instances": (broken, *arm.instances[1:])}))
    assert table.rows[0][2] == "failed"
    assert table.asides[0] == "an activity was executed 5 times; scheduler: no answer"
    assert len(table.asides) == len(table.rows)


def test_the_sums_are_of_all_stopped_workflows_also_of_those_not_shown() -> None:
    """Of very many workflows a bounded number has rows; the sums and a note tell of the rest."""
    workflows = INSTANCES_SHOWN + 20
    table = instance_table(build_full(workflows))
    assert len(table.rows) == INSTANCES_SHOWN + 1
    last = dict(zip(table.head, table.rows[-1], strict=True))
    assert last["workflow"] == f"all stopped: {workflows}"
    assert last["executions"] == str(workflows * NTH)
    assert last["spent"] == f"${workflows * COST / 10**9:.2f}"
    assert table.note.startswith("21 more are in evidence.json")
    assert CONTROL in {row[0] for row in table.rows}


def test_jobs_that_nobody_counted_are_unknown() -> None:
    """No look at the scheduler, neither the lab's nor the gateway's, is no zero."""
    full = build_full(2)
    unasked = full.instances[0].model_copy(update={"source": None})
    arm = full.model_copy(
        update={"jobs_left": None, "instances": (unasked, *full.instances[1:])},
    )
    assert cells(arm, "run-1")["jobs left"] == "unknown"
    assert cells(arm, "run-2")["jobs left"] == "0"
    assert cells(arm, "all stopped")["jobs left"] == "unknown"


def test_each_event_is_a_row_with_the_arms_side_by_side() -> None:
    """What did not happen in an arm says none; rows are in order of time."""
    table = event_table(three_arms(2))
    rows = {row[0]: row[1:] for row in table.rows}
    assert table.head[1:] == ("arm off", "arm cap", "arm full")
    assert rows["disruption: sidecar-kill"] == ("+0.0", "+0.0", "+0.0")
    assert rows["cap tripped"] == ("none", "+18.0", "none")
    assert rows["first workflow stopped at its source"] == ("none", "none", "+12.3")
    names = [row[0] for row in table.rows]
    assert names.index("load began") < names.index("disruption: sidecar-kill")


def test_each_property_is_a_row_with_every_arms_result() -> None:
    """Nothing that was judged is missing, nothing is there twice."""
    arms = judge(three_arms(2)).arms
    rows = property_rows(arms)
    assert len({row.name for row in rows}) == len(rows)
    shown = {result for row in rows for result in row.results}
    assert shown == {result for arm in arms for result in arm.properties}


def test_what_engine_app_and_load_say_stands_side_by_side() -> None:
    """None of the three is taken for another."""
    off, _, full = words_table(three_arms(2)).rows
    assert off == ("off", "2 started, 2 lost", "2 NOT_FOUND", "0 finished, 2 executions")
    assert full[2:] == ("2 NOT_FOUND, 1 COMPLETED", "1 finished, 3 executions")
