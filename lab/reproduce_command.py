"""`runaway reproduce`: from the command line's words to a verdict on the console."""

import sys
from collections.abc import Mapping

from lab.components import read_ttl_s
from lab.judgement import Outcome
from lab.paths import COMPONENTS
from lab.printing import print_json, print_lines
from lab.progress import Progress, make_console
from lab.reproduce import RunResult, reproduce
from lab.run_directory import verdict_document
from lab.scenario import load_scenario
from lab.supervisor import stop_on_signals


def run_reproduce(
    source: str, overrides: Mapping[str, tuple[str, object]], *, as_json: bool
) -> int:
    """Run a scenario and print what came of it; return the exit code."""
    values = {field: value for field, (_, value) in overrides.items()}
    flags = {field: flag for field, (flag, _) in overrides.items()}
    scenario = load_scenario(source, values, flags)
    scenario = scenario.spelled_out(scenario.ttl_s or read_ttl_s(COMPONENTS))
    with stop_on_signals() as stopped, Progress(make_console(), scenario.arms) as progress:
        result = reproduce(scenario, stopped, progress.say, sys.argv[1:])
    if as_json:
        print_json({"directory": str(result.directory), **verdict_document(result.verdict)})
    else:
        _print_result(result)
    return int(result.verdict.exit_code)


def _print_result(result: RunResult) -> None:
    verdict = result.verdict
    print_lines(verdict.outcome.value, verdict.sentence)
    for arm in verdict.arms:
        rates = arm.rates
        print_lines(
            f"arm {arm.evidence.arm}: {rates.executions_per_s:.1f} executions/s, "
            f"{rates.refusals_per_s:.1f} refused/s, {rates.paid_calls_per_s:.1f} paid calls/s"
        )
    if verdict.arms:
        is_unknown = verdict.outcome is Outcome.UNKNOWN
        label = "unknown, because" if is_unknown else "not as expected"
        print_lines(*(f"{label}: {reason}" for reason in verdict.reasons))
    print_lines(f"report: {result.directory / 'report.html'}")
