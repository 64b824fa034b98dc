"""Verbs that keep a stack: start it, look at it, disrupt it, stop a workflow of it, end it."""

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from lab.errors import UsageError
from lab.printing import print_json, print_lines, print_status
from lab.verbs.options import NOT_AS_EXPECTED, OK, Json, PortText, Text


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
        profile: Version of Dapr to behave like: 1.16.1 (default), 1.16.2, 1.18.3, or
            1.15, 1.16.0, 1.17 (from Dapr's source, not recorded); with --runtime
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
    return OK


def status(*, json: Json = False) -> int:
    """Show what runs, where, whether it answers, and what was spent so far."""
    from lab.paths import stack_dir  # noqa: PLC0415
    from lab.stack_client import require_stack, stack_status  # noqa: PLC0415

    document = stack_status(require_stack(stack_dir()))
    if json:
        print_json(document)
    else:
        print_status(document)
    return OK if all(s["healthy"] for s in document["services"]) else NOT_AS_EXPECTED


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
    return OK


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
