import json
from datetime import UTC, datetime
from pathlib import Path

from lab.run_directory import RunDirectory, events, verdict_document
from lab.scenario import load_scenario
from lab.verdict import judge
from tests.lab.evidence_builder import BLOW, activity, build, every
from tests.lab.test_verdict import endless_cap, endless_off

NOON = datetime(2027, 1, 15, 12, 0, tzinfo=UTC)


def test_two_runs_of_one_second_get_folders_of_their_own(tmp_path: Path) -> None:
    """A run never writes into another one's folder."""
    first = RunDirectory.create(tmp_path, "demo", NOON)
    second = RunDirectory.create(tmp_path, "demo", NOON)
    assert first.path.name == "20270115T120000Z-demo"
    assert second.path.name == "20270115T120000Z-demo-2"


def test_latest_points_to_the_last_run(tmp_path: Path) -> None:
    """The link moves from run to run."""
    for name in ("one", "two"):
        RunDirectory.create(tmp_path, name, NOON).make_latest()
        assert (tmp_path / "latest").resolve().name.endswith(name)


def test_what_was_seen_is_kept_whole(tmp_path: Path) -> None:
    """Every call of every arm is in calls.ndjson, the timeline is in order of time."""
    run = RunDirectory.create(tmp_path, "demo", NOON)
    arms = [endless_off(), endless_cap()]
    for arm in arms:
        run.arm(arm.arm)
    run.keep_evidence(arms)
    calls = [json.loads(line) for line in (run.path / "calls.ndjson").read_text().splitlines()]
    for arm in arms:
        mine = [call["nano_usd"] for call in calls if call["arm"] == arm.arm]
        assert sum(mine) == arm.spend.nano_usd
    lines = (run.path / "timeline.ndjson").read_text().splitlines()
    times = [json.loads(line)["t_unix_ms"] for line in lines]
    assert times == sorted(times)


def test_a_run_says_from_its_beginning_what_it_is(tmp_path: Path) -> None:
    """Until it has ended, run.json says that it runs; then how it ended."""
    run = RunDirectory.create(tmp_path, "demo", NOON)
    run.begin(load_scenario("demo", {}, {}), {"run": "x"})
    assert json.loads((run.path / "run.json").read_text())["status"] == "running"
    run.end({"run": "x"}, judge([endless_off()]), "complete")
    ended = json.loads((run.path / "run.json").read_text())
    assert (ended["status"], ended["verdict"], ended["exit_code"]) == ("complete", "REPRODUCED", 0)


def test_the_verdict_document_is_plain_json() -> None:
    """What `--json` prints can be printed, and holds money as integers."""
    document = json.loads(json.dumps(verdict_document(judge([endless_cap()]))))
    (arm,) = document["arms"]
    assert isinstance(arm["spent_nano_usd"], int)
    assert arm["spent_nano_usd"] <= arm["limit_nano_usd"] == 1_200_000_000


def test_events_are_in_order_and_absent_ones_left_out() -> None:
    """What did not happen has no time and is not listed."""
    arm = build(activity(1, every(2000)), workflows=1)
    found = events(arm)
    assert [at for _, at in found] == sorted(at for _, at in found)
    assert ("disruption: sidecar-kill", BLOW) in found
    assert "cap tripped" not in dict(found)
