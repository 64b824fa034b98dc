"""The `runaway` command: parses, calls, prints, and ends with the documented exit code.

0 as expected, 1 not as expected, 2 could not run or unknown, 3 stopped by the budget guard,
130 stopped by the user.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated

from cyclopts import App, CycloptsError, Group, Parameter

from lab.errors import LabError, StoppedError, UsageError
from lab.printing import print_findings, print_json, print_lines, print_problems, print_status

_OK, _NOT_AS_EXPECTED, _COULD_NOT_RUN, _INTERRUPTED = 0, 1, 2, 130
_BROKEN_PIPE = 141

app = App(
    name="runaway",
    help="A crash-test lab and an airbag for durable LLM workflows.",
    version=version("runaway"),
    suppress_keyboard_interrupt=False,
)

_PORTS = Group("Ports")
Json = Annotated[bool, Parameter(negative="", help="Print the result as JSON.")]
PortText = Annotated[str | None, Parameter(group=_PORTS, show_default=False)]
Text = str | None


@app.command
def up(
    *,
    detach: Annotated[bool, Parameter(negative="")] = False,
    budget: Text = None,
    cap: Text = None,
    runtime: Text = None,
    dapr_bin: Text = None,
    profile: Text = None,
    call_s: Text = None,
    app_port: PortText = None,
    budget_port: PortText = None,
    budget_redis_port: PortText = None,
    control_port: PortText = None,
    fake_llm_port: PortText = None,
    scheduler_port: PortText = None,
    scheduler_http_port: PortText = None,
    sidecar_grpc_port: PortText = None,
    sidecar_http_port: PortText = None,
    state_redis_port: PortText = None,
    json: Json = False,
) -> int:
    """Start the whole stack on fresh state, until Ctrl-C or `runaway down`.

    Args:
        detach: Leave it running in the background once it is ready.
        budget: observe (count only, the default), cap (refuse above --cap), or full (answer a
            repeated activity from the store and stop a runaway at its source as well).
        cap: Hard cap in US dollars, for example 1.50; means --budget cap.
        runtime: embedded (default: our own sidecar), dapr (real processes) or compose (Docker).
        dapr_bin: Folder of Dapr's programs (default: DAPR_BIN_DIR, PATH or ~/.dapr/bin).
        profile: Version of Dapr to behave like: 1.16.1 (default), 1.16.2 or 1.18.3; with --runtime
            dapr it is that of daprd itself, with compose the tag of Dapr's images.
        call_s: Seconds that each LLM call takes (default 2).
        app_port: Workflow app (8999).
        budget_port: Budget gateway (8002).
        budget_redis_port: The budget's Redis (6380).
        control_port: Control API of the lab (8900).
        fake_llm_port: Fake LLM (8001).
        scheduler_port: Scheduler, gRPC (50006).
        scheduler_http_port: Scheduler, health (8082).
        sidecar_grpc_port: Sidecar, gRPC (50001).
        sidecar_http_port: Sidecar, HTTP (3500).
        state_redis_port: Redis of the workflow state (6379).
        json: Print the result as JSON.
    """
    from lab.up import run_up  # noqa: PLC0415  # each verb loads what it needs: help stays quick

    ports = {
        "app": app_port,
        "budget": budget_port,
        "budget_redis": budget_redis_port,
        "control": control_port,
        "fake_llm": fake_llm_port,
        "scheduler": scheduler_port,
        "scheduler_http": scheduler_http_port,
        "sidecar_grpc": sidecar_grpc_port,
        "sidecar_http": sidecar_http_port,
        "state_redis": state_redis_port,
    }
    chosen = {"budget": budget, "cap": cap, "profile": profile, "call_s": call_s}
    chosen |= {"runtime": runtime, "dapr_bin": dapr_bin}
    return run_up(chosen, ports, detach=detach, as_json=json)


@app.command
def down(*, json: Json = False) -> int:
    """End the stack, and whatever a crash left of one."""
    from lab.paths import stack_dir  # noqa: PLC0415
    from lab.stack_client import take_down  # noqa: PLC0415

    report = take_down(stack_dir())
    if json:
        print_json(asdict(report))
    elif report.stopped:
        print_lines("the stack is down")
    elif report.leftovers:
        print_lines(f"ended what a crash had left: pids {', '.join(map(str, report.leftovers))}")
    elif report.project:
        print_lines(f"ended what a crash had left: containers of project {report.project}")
    else:
        print_lines("nothing was running")
    return _OK


@app.command
def status(*, json: Json = False) -> int:
    """Show what runs, where, whether it answers, and what was spent so far."""
    from lab.paths import stack_dir  # noqa: PLC0415
    from lab.stack_client import require_stack, stack_status  # noqa: PLC0415

    document = stack_status(require_stack(stack_dir()))
    if json:
        print_json(document)
    else:
        print_status(document)
    return _OK if all(s["healthy"] for s in document["services"]) else _NOT_AS_EXPECTED


@app.command
def disrupt(kind: str, /, *, json: Json = False) -> int:
    """Disrupt the running stack, and return when the disruption is over.

    Args:
        kind: sidecar-kill, sidecar-restart or redis-and-sidecar-kill; see docs/lab.md.
        json: Print the result as JSON.
    """
    from lab.disruptions import DISRUPTIONS  # noqa: PLC0415
    from lab.paths import stack_dir  # noqa: PLC0415
    from lab.stack_client import disrupt_running, require_stack  # noqa: PLC0415

    offered = [d.kind for d in DISRUPTIONS.values() if d.on_demand]
    if kind not in offered:
        raise UsageError([f"disrupt: unknown kind {kind!r}; known are: {', '.join(offered)}"])
    record = disrupt_running(require_stack(stack_dir()), kind)
    if json:
        print_json(record)
    else:
        away_s = (record["ended_unix_ms"] - record["began_unix_ms"]) / 1000
        print_lines(f"{kind}: over after {away_s:.1f} s")
    return _OK


@app.command
def stop(
    instance: str, /, *, reason: str = "stopped by hand", app: Text = None, json: Json = False
) -> int:
    """Stop a runaway workflow of the running stack at its source.

    The gateway refuses its calls from now on, and deletes the scheduler's jobs that execute its
    activities. Exit code 1 when jobs may be left.

    Args:
        instance: Id of the workflow instance.
        reason: Kept with the stop, and told to whoever is refused.
        app: Dapr app id, when the gateway has not seen a call of the instance.
        json: Print the result as JSON.
    """
    from lab.stop_command import run_stop  # noqa: PLC0415

    return run_stop(instance, reason=reason, app=app, as_json=json)


@app.command
def reproduce(
    *,
    scenario: str = "demo",
    ttl: Text = None,
    workflows: Text = None,
    disrupt: Text = None,
    runtime: Text = None,
    dapr_bin: Text = None,
    profile: Text = None,
    cap: Text = None,
    observe: Text = None,
    retry: Text = None,
    outage: Text = None,
    price_file: Text = None,
    zombie_executions: Text = None,
    arm: Annotated[list[str] | None, Parameter(negative="")] = None,
    seed: Text = None,
    json: Json = False,
) -> int:
    """Run the incident and its cure side by side, judge, and write a report.

    Exit codes: 0 as expected for that version of Dapr, 1 not as expected, 2 could not run or
    unknown, 3 stopped by the budget guard.

    Args:
        scenario: A preset (demo, single, scale, incident) or a YAML file.
        ttl: TTL of the workflow state in seconds, in place of the component file's.
        workflows: How many workflows are started.
        disrupt: sidecar-kill, sidecar-restart, redis-and-sidecar-kill or none.
        runtime: embedded (default: our own sidecar), dapr (real processes) or compose (Docker).
        dapr_bin: Folder of Dapr's programs (default: DAPR_BIN_DIR, PATH or ~/.dapr/bin).
        profile: Version of Dapr to behave like: 1.16.1, 1.16.2 or 1.18.3; with --runtime dapr it
            is that of daprd itself, with compose the tag of Dapr's images.
        cap: Hard cap of the arms cap and full in US dollars.
        observe: Seconds to watch after the first activity ran again.
        retry: Retry policy of the agent workflow's activities: none, or incident (3 attempts).
        outage: Least seconds from a kill to the new start.
        price_file: Prices in place of the published ones: incident-030, incident-003 or a file.
        zombie_executions: At so many executions of one activity arm full stops its workflow.
        arm: off, cap or full; may be given more than once (default: all).
        seed: Seed of the fake LLM's answers.
        json: Print the result as JSON.
    """
    from lab.reproduce_command import run_reproduce  # noqa: PLC0415

    overrides = {
        "ttl_s": ("--ttl", ttl),
        "workflows": ("--workflows", workflows),
        "disrupt": ("--disrupt", disrupt),
        "runtime": ("--runtime", runtime),
        "dapr_bin": ("--dapr-bin", dapr_bin),
        "profile": ("--profile", profile),
        "cap_usd": ("--cap", cap),
        "observe_s": ("--observe", observe),
        "input.retry": ("--retry", retry),
        "outage_s": ("--outage", outage),
        "price_file": ("--price-file", price_file),
        "zombie_executions": ("--zombie-executions", zombie_executions),
        "arms": ("--arm", arm),
        "seed": ("--seed", seed),
    }
    return run_reproduce(scenario, overrides, as_json=json)


@app.command
def report(run: Text = None, /, *, json: Json = False) -> int:
    """Render report.html and summary.md of a run again, from the evidence that it kept.

    Args:
        run: Folder of a run, or its name in runs/ (default: the latest).
        json: Print the result as JSON.
    """
    from lab.report_command import run_report  # noqa: PLC0415

    run_report(run, as_json=json)
    return _OK


@app.command
def project(
    *,
    scenario: Text = None,
    workflows: Text = None,
    in_flight: Text = None,
    call_s: Text = None,
    tokens: Text = None,
    usd_per_1k_tokens: Text = None,
    usd_per_call: Text = None,
    ttl: Text = None,
    profile: Text = None,
    outage: Text = None,
    short_restarts_per_day: Text = None,
    days: Text = None,
    cap: Text = None,
    zombie_executions: Text = None,
    json: Json = False,
) -> int:
    """Say in closed form what a runaway costs, what it becomes, and what stops it.

    Runs nothing. Without options it shows the two published figures, with what each takes for
    granted; with some, the published case with these changes.

    Args:
        scenario: Published case to start from: single (1 workflow, default) or scale (50).
        workflows: Workflows that lose their state.
        in_flight: Activities in flight in each of them (1).
        call_s: Seconds that one call takes (10).
        tokens: Tokens of a call, prompt and answer together (1000).
        usd_per_1k_tokens: US dollars for 1,000 tokens (0.03).
        usd_per_call: US dollars for a call, in place of the two above.
        ttl: TTL of the workflow state in seconds (5), or none.
        profile: Version of Dapr (1.16.1).
        outage: Seconds that the sidecar is away at first; shorter than a call, it starts two
            executions side by side (default: as long as call and TTL).
        short_restarts_per_day: Further restarts of the sidecar, each shorter than a call: each
            adds one execution side by side, for ever (0).
        days: How many days to look ahead (30).
        cap: Hard cap in US dollars for all workflows together (10).
        zombie_executions: At which execution of one activity the gateway stops it (5).
        json: Print the result as JSON.
    """
    from lab.project_command import run_project  # noqa: PLC0415

    given = {
        "workflows": workflows,
        "in_flight": in_flight,
        "call_s": call_s,
        "tokens": tokens,
        "usd_per_1k_tokens": usd_per_1k_tokens,
        "usd_per_call": usd_per_call,
        "ttl": ttl,
        "profile": profile,
        "outage": outage,
        "short_restarts_per_day": short_restarts_per_day,
        "days": days,
        "cap": cap,
        "zombie_executions": zombie_executions,
    }
    return run_project(scenario, given, as_json=json)


@app.command
def doctor(*, json: Json = False) -> int:
    """Say what this machine has, what it lacks, and what to do next."""
    from lab.doctor import examine  # noqa: PLC0415

    findings = examine()
    missing = [f for f in findings if f.level == "missing"]
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_findings(findings)
        print_lines("next: mend what is missing" if missing else "next: ./runaway reproduce")
    return _COULD_NOT_RUN if missing else _OK


@app.command
def test(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Run the tests with pytest.

    Args:
        arguments: Passed on to pytest.
    """
    from lab.checks import run_tests  # noqa: PLC0415

    return run_tests(arguments)


@app.command
def check() -> int:
    """Run ruff, mypy and the import rules, and say which of them failed."""
    from lab.checks import CHECKS, run_checks  # noqa: PLC0415

    failed = run_checks(print_lines)
    if failed:
        print_problems([f"failed: {', '.join(failed)}"])
        return _NOT_AS_EXPECTED
    print_lines(f"all {len(CHECKS)} checks passed")
    return _OK


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; never shows a traceback for bad input."""
    try:
        if not arguments:
            app.help_print()
            return _COULD_NOT_RUN
        result = app(
            list(arguments),
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except CycloptsError as error:
        print_problems([*str(error).strip().splitlines(), "`runaway --help` lists what there is"])
        return _COULD_NOT_RUN
    except UsageError as error:
        print_problems(error.problems)
        return _COULD_NOT_RUN
    except (StoppedError, KeyboardInterrupt):
        print_problems(["stopped"])
        return _INTERRUPTED
    except LabError as error:
        print_problems([str(error)])
        return _COULD_NOT_RUN
    return result if isinstance(result, int) else _OK


def _unforeseen(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    said = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
    return f"{said} ({place.name}, line {place.lineno} of {place.filename})"


def main() -> None:
    """Run the command line."""
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = _BROKEN_PIPE
    except Exception as error:  # noqa: BLE001  # Python's own exit code would say "not as expected"
        print_problems([_unforeseen(error)])
        code = _COULD_NOT_RUN
    sys.exit(code)
