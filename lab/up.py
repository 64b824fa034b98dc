"""`runaway up`: the stack in the foreground, or left in the background."""

from collections.abc import Mapping

from lab.paths import stack_dir, usable_runs_dir
from lab.printing import print_json, print_lines, print_status
from lab.progress import Progress, make_console
from lab.runtimes import make_runtime
from lab.stack_client import stack_status, start_detached
from lab.state_file import StackState
from lab.supervisor import stop_on_signals, supervise
from lab.up_options import parse_up_options


def run_up(
    chosen: Mapping[str, str | None],
    ports: Mapping[str, str | None],
    *,
    detach: bool,
    as_json: bool,
) -> int:
    """Start the stack; return when it has ended, or with `detach` when it is ready."""
    options = parse_up_options(chosen, ports)
    usable_runs_dir()
    runtime = make_runtime(options.runtime, options.dapr_bin)
    config = options.config(stack_dir(), runtime.profile(options.profile))
    with Progress(make_console(), ("up",)) as progress:

        def say(text: str) -> None:
            progress.say("up", text)

        def ready(state: StackState) -> None:
            progress.stop()
            _print_ready(state, detach=detach, as_json=as_json)

        if detach:
            ready(start_detached(config, say))
            return 0
        with stop_on_signals() as stopped:
            supervise(config, runtime, stopped, say=say, on_ready=ready)
    if not as_json:
        print_lines("the stack is down")
    return 0


def _print_ready(state: StackState, *, detach: bool, as_json: bool) -> None:
    status = stack_status(state)
    if as_json:
        print_json(status)
        return
    print_status(status)
    print_lines("`runaway down` ends it" if detach else "Ctrl-C ends it")
