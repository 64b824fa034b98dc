"""Runs all arms of a scenario side by side, judges them, and keeps what they saw."""

import random
import shlex
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from lab.arm import run_arm
from lab.arm_plan import ArmPlan
from lab.components import copy_with_ttl
from lab.errors import (
    ArmFailedError,
    GuardStoppedError,
    LabError,
    StoppedError,
    UnexpectedError,
)
from lab.evidence import ArmEvidence
from lab.paths import COMPONENTS, usable_runs_dir
from lab.ports import Ports, free_ports
from lab.price_files import price_file_path
from lab.processes import Nursery
from lab.report import write_pages
from lab.run_directory import RunDirectory
from lab.runtimes import Runtime, make_runtime
from lab.scenario import ArmName, Scenario
from lab.stack_config import StackConfig
from lab.verdict import ExitCode, Verdict, failed, judge
from lab.versions import installed_versions
from lab.waiting import Waiter


@dataclass(frozen=True, slots=True)
class _End:
    verdict: Verdict
    status: Literal["complete", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run that ended, one way or another."""

    verdict: Verdict
    directory: Path


def reproduce(
    scenario: Scenario,
    stopped: threading.Event,
    say: Callable[[str, str], None],
    arguments: Sequence[str],
) -> RunResult:
    """Run a scenario.

    Args:
        scenario: what to do.
        stopped: set to end everything early.
        say: told (arm, what it waits for).
        arguments: the command line, kept so that the run can be repeated.

    Raises:
        CannotRunError: what the runtime needs is not there; nothing was started.
        UsageError: the runtime can't be of the version that was asked for.
    """
    runtime = make_runtime(scenario.runtime, scenario.dapr_bin)
    profile = runtime.profile(scenario.asked_profile)
    scenario = scenario.model_copy(update={"profile": profile})
    directory = RunDirectory.create(usable_runs_dir(), scenario.name, datetime.now(UTC))
    plans = _plans(scenario, directory)
    head = _head(scenario, runtime, directory, arguments)
    directory.begin(scenario, head)
    end = _attempt(plans, runtime, directory, stopped, say)
    _keep(directory, head, end)
    return RunResult(end.verdict, directory.path)


def _attempt(
    plans: Sequence[ArmPlan],
    runtime: Runtime,
    directory: RunDirectory,
    stopped: threading.Event,
    say: Callable[[str, str], None],
) -> _End:
    abandoned = threading.Event()
    try:
        with Nursery() as nursery:

            def run(plan: ArmPlan) -> ArmEvidence:
                waiter = Waiter(abandoned, say=lambda text: say(plan.arm, text))
                with _nothing_unforeseen(directory):
                    return run_arm(plan, runtime, nursery, waiter)

            evidence = _run_all(plans, run, stopped, abandoned)
        with _nothing_unforeseen(directory):
            return _End(judge(evidence), "complete")
    except StoppedError:
        text = "the run was stopped before it was over"
        return _End(failed(text, ExitCode.INTERRUPTED), "interrupted")
    except GuardStoppedError as error:
        return _End(failed(str(error), ExitCode.GUARD_STOPPED), "failed")
    except LabError as error:
        return _End(failed(str(error)), "failed")


@contextmanager
def _nothing_unforeseen(directory: RunDirectory) -> Iterator[None]:
    """Turn what the lab did not foresee into an error of its own, the traceback kept in a log."""
    try:
        yield
    except LabError:
        raise
    except Exception as error:
        raise UnexpectedError(error, directory.keep_traceback(error)) from error


def _plans(scenario: Scenario, directory: RunDirectory) -> list[ArmPlan]:
    # Ports are no part of what a seed repeats: two runs at once must differ in them.
    rng, taken = random.SystemRandom(), set[int]()
    components = directory.path / "components"
    copy_with_ttl(COMPONENTS, components, scenario.ttl_s)
    plans = []
    for arm in scenario.arms:
        ports = free_ports(rng, taken)
        config = arm_config(scenario, arm, directory.arm(arm), components, ports)
        plans.append(ArmPlan(arm, scenario, config, _run_id(arm, directory.path)))
    return plans


def arm_config(
    scenario: Scenario, arm: ArmName, directory: Path, components: Path, ports: Ports
) -> StackConfig:
    """Return the stack that an arm of a scenario runs on."""
    return StackConfig(
        directory=directory,
        components=components,
        ports=ports,
        runtime=scenario.runtime,
        dapr_bin=scenario.dapr_bin,
        profile=scenario.profile,
        budget_mode="observe" if arm == "off" else "cap",
        cap_usd=None if arm == "off" else scenario.cap_usd,
        safety_cap_usd=scenario.safety_cap_usd,
        ttft_s=scenario.call_s,
        workflows=scenario.workflows,
        output_tokens=scenario.input.max_tokens,
        price_file=price_file_path(scenario.price_file) if scenario.price_file else None,
        replay=arm == "full",
        zombie_executions=scenario.zombie_executions if arm == "full" else None,
        seed=scenario.seed,
    )


def _run_id(arm: ArmName, path: Path) -> str:
    stamp = path.name.partition("-")[0].lower()
    return f"{arm}-{stamp}"


def _run_all(
    plans: Sequence[ArmPlan],
    run: Callable[[ArmPlan], ArmEvidence],
    stopped: threading.Event,
    abandoned: threading.Event,
) -> list[ArmEvidence]:
    """Run the arms in threads; the first that fails, or a stop, ends the others."""
    with ThreadPoolExecutor(len(plans), thread_name_prefix="arm") as pool:
        futures: list[Future[ArmEvidence]] = [pool.submit(run, plan) for plan in plans]
        pending = set(futures)
        while pending:
            done, pending = wait(pending, timeout=0.1, return_when=FIRST_COMPLETED)
            if stopped.is_set() or any(future.exception() for future in done):
                abandoned.set()
    if stopped.is_set():
        raise StoppedError("stopped")
    _raise_cause(plans, futures)
    return [future.result() for future in futures]


def _raise_cause(plans: Sequence[ArmPlan], futures: Sequence[Future[ArmEvidence]]) -> None:
    """Raise what ended the run; the arms that were only abandoned for it have no say."""
    for plan, future in zip(plans, futures, strict=True):
        error = future.exception()
        if isinstance(error, LabError) and not isinstance(error, StoppedError | GuardStoppedError):
            raise ArmFailedError(plan.arm, error) from error
        if error is not None and not isinstance(error, StoppedError):
            raise error


def _head(
    scenario: Scenario, runtime: Runtime, directory: RunDirectory, arguments: Sequence[str]
) -> dict[str, Any]:
    return {
        "run": directory.path.name,
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["./runaway", *arguments]),
        "versions": {**installed_versions(), **runtime.versions()},
        "scenario": scenario.model_dump(mode="json"),
    }


def _keep(directory: RunDirectory, head: dict[str, Any], end: _End) -> None:
    arms = head["scenario"]["arms"]
    directory.keep_logs(arms)
    directory.keep_evidence([arm.evidence for arm in end.verdict.arms])
    directory.end(head, end.verdict, end.status)
    write_pages(directory.path, head, end.verdict, end.status)
    for arm in arms:
        shutil.rmtree(directory.path / "arms" / arm / "data", ignore_errors=True)
    directory.make_latest()
