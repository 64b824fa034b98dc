"""Verbs that learn something: run a scenario, draw its report, project what it would cost."""

from typing import Annotated

from cyclopts import Parameter

from lab.verbs.options import OK, Json, Text


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
        profile: Version of Dapr to behave like: 1.16.1, 1.16.2, 1.18.3, or 1.15,
            1.16.0, 1.17 (from Dapr's source, not recorded); with --runtime dapr it
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


def report(run: Text = None, /, *, json: Json = False) -> int:
    """Render report.html and summary.md of a run again, from the evidence that it kept.

    Args:
        run: Folder of a run, or its name in runs/ (default: the latest).
        json: Print the result as JSON.
    """
    from lab.report_command import run_report  # noqa: PLC0415

    run_report(run, as_json=json)
    return OK


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
