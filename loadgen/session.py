"""Binds runs to Locust: its options, events, messages between processes, and exit codes.

Imports Locust, which patches the process for gevent: only `locustfile.py` may import this module.
"""

import logging
import sys
import time
from typing import Any, Final

import gevent
from gevent.pool import Pool
from locust.clients import ResponseContextManager
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadgen.command import repeat_command
from loadgen.conductor import Conductor, unreachable
from loadgen.errors import OptionsError
from loadgen.options import Options, parse_options
from loadgen.outcomes import Outcome
from loadgen.report import EXIT_COULD_NOT_RUN
from loadgen.schedule import Schedule, Ticket

MAX_STARTS_IN_FLIGHT: Final = 64
STARTS_TIMEOUT_S: Final = 5.0
_SHOWN_CHARACTERS: Final = 300

_MESSAGE: Final = "loadgen_start"
_SHARES: Final = "loadgen_shares"

_MISSED: Final = frozenset({Outcome.FAILED, Outcome.LOST, Outcome.STUCK})
"""Shown as failures on Locust's pages; a start that failed is one already."""

_log = logging.getLogger("loadgen")


class Session:
    """Everything that one Locust process does for its runs, one after the other."""

    def __init__(self, environment: Environment, *, default_host: str, locustfile: str) -> None:
        self._environment = environment
        self._runner: Any = environment.runner
        self._parsed: Any = environment.parsed_options
        self._default_host = default_host
        self._locustfile = locustfile
        self._worker = isinstance(self._runner, WorkerRunner)
        self._options: Options | None = None
        self._schedule: Schedule | None = None
        self._conductor: Conductor | None = None
        self._run_ids: set[str] = set()
        self._began_s = 0.0
        self._starts = Pool(MAX_STARTS_IN_FLIGHT)
        logging.getLogger("httpx").setLevel(logging.WARNING)
        if not self._worker:
            self._check_command_line()
        self._listen()

    def start_next(self, client: FastHttpSession) -> None:
        """Wait for the time of the next workflow and send its start; idle when all are sent.

        A start that takes long delays no other one: up to `MAX_STARTS_IN_FLIGHT` run side by side.
        """
        ticket = self._schedule.take() if self._schedule else None
        if ticket is None:
            gevent.sleep(0.2)
            return
        gevent.sleep(max(0.0, self._began_s + ticket.at_s - time.monotonic()))
        self._starts.spawn(self._start, client, ticket)

    def _listen(self) -> None:
        events: Any = self._environment.events
        events.test_start.add_listener(self._test_start)
        events.test_stopping.add_listener(self._test_stopping)
        events.test_stop.add_listener(self._test_stop)
        # Locust decides about the exit code between `quitting` and `test_stop` when it is told to
        # end by a signal, so the run has to be judged in the first of both.
        events.quitting.add_listener(self._test_stop)
        if not self._worker:
            self._runner.register_message(_MESSAGE, self._start_reported)

    def _check_command_line(self) -> None:
        try:
            options = self._parse()
        except OptionsError as error:
            _exit(*error.problems)
        if self._headless:
            problem = unreachable(options.host)
            if problem is not None:
                _exit(problem)

    @property
    def _headless(self) -> bool:
        return bool(self._parsed.headless)

    def _parse(self) -> Options:
        host = self._environment.host or self._default_host
        return parse_options(vars(self._parsed), host)

    def _test_start(self, **_: Any) -> None:
        try:
            options = self._options = self._with_new_run_id()
        except OptionsError as error:
            self._abort(*error.problems)
            return
        if not self._worker:
            problem = self._conduct(options)
            if problem is not None:
                self._abort(problem)
                return
        self._began_s = time.monotonic()
        share, shares = self._share()
        if shares and not isinstance(self._runner, MasterRunner):
            self._schedule = Schedule(
                workflows=options.workflows,
                rate_per_s=options.start_rate_per_s,
                share=share,
                shares=shares,
            )

    def _with_new_run_id(self) -> Options:
        parsed = vars(self._parsed)
        given = str(parsed.get("run_id") or "")
        options = self._parse()
        repeats = 1
        while not self._worker and options.run_id in self._run_ids:
            repeats += 1
            options = parse_options({**parsed, "run_id": f"{given}-{repeats}"}, options.host)
        self._run_ids.add(options.run_id)
        return options

    def _conduct(self, options: Options) -> str | None:
        self._tell_workers(options, shares=0)
        shares = self._runner.worker_count if isinstance(self._runner, MasterRunner) else 1
        users = self._runner.target_user_count
        if users < shares:
            return f"-u must be at least the number of Locust's workers, {shares}, got {users}"
        conductor = Conductor(
            options,
            finished=self._workflow_finished,
            all_settled=self._end_run,
            over_budget=self._end_run,
        )
        problem = conductor.begin()
        if problem is not None:
            return problem
        self._conductor = conductor
        self._tell_workers(options, shares=shares)
        _log.info(
            "run %s: %d x %s at %g/s",
            options.run_id,
            options.workflows,
            options.workflow,
            options.start_rate_per_s,
        )
        return None

    def _tell_workers(self, options: Options, *, shares: int) -> None:
        # Locust sends the master's options to its workers with the first users. Without a share
        # a worker starts nothing, for then the run could not begin.
        if isinstance(self._runner, MasterRunner):
            vars(self._parsed).update({"run_id": options.run_id, _SHARES: shares})

    def _share(self) -> tuple[int, int]:
        if not self._worker:
            return 0, 1
        return self._runner.worker_index, int(vars(self._parsed).get(_SHARES, 0))

    def _start(self, client: FastHttpSession, ticket: Ticket) -> None:
        options = self._options
        assert options is not None  # noqa: S101 - tickets exist during a run alone
        instance_id = options.instance_id(ticket.number)
        self._report(instance_id, "asked")
        body = {"name": options.workflow, "id": instance_id, "input": options.input}
        with client.post(
            "/workflows", json=body, name=f"start {options.workflow}", catch_response=True
        ) as response:
            refusal = _refusal(response)
            if refusal is None:
                self._report(instance_id, "accepted")
                response.success()
            else:
                self._report(instance_id, "refused", refusal)
                response.failure(refusal)
        self._record("START", "from its intended time", self._since(ticket.at_s))

    def _report(self, instance_id: str, event: str, reason: str = "") -> None:
        message = {"id": instance_id, "event": event, "reason": reason}
        self._runner.send_message(_MESSAGE, message)

    def _start_reported(self, environment: Environment, msg: Any, **_: Any) -> None:
        del environment
        if self._conductor is None:
            return
        run, told = self._conductor.run, msg.data
        match told["event"]:
            case "asked":
                run.asked(told["id"])
            case "accepted":
                run.accepted(told["id"])
            case _:
                run.refused(told["id"], told["reason"])

    def _workflow_finished(self, instance_id: str) -> None:
        options = self._options
        assert options is not None  # noqa: S101 - only a run has workflows
        number = int(instance_id.rpartition("-")[2])
        self._record("WORKFLOW", "to its end", self._since((number - 1) / options.start_rate_per_s))

    def _since(self, at_s: float) -> float:
        return (time.monotonic() - self._began_s - at_s) * 1000

    def _record(self, kind: str, what: str, elapsed_ms: float | None, failure: str = "") -> None:
        options = self._options
        assert options is not None  # noqa: S101 - only a run has entries
        request: Any = self._environment.events.request
        request.fire(
            request_type=kind,
            name=f"{options.workflow}, {what}",
            response_time=elapsed_ms,
            response_length=0,
            exception=RuntimeError(failure) if failure else None,
            context={},
        )

    def _test_stopping(self, **_: Any) -> None:
        self._schedule = None

    def _test_stop(self, **_: Any) -> None:
        self._schedule = None
        self._starts.join(timeout=STARTS_TIMEOUT_S)
        self._starts.kill()
        conductor = self._conductor
        if conductor is None:
            return
        verdict = conductor.end()
        self._leave_with(verdict.exit_code)
        if self._conductor is None:
            return
        self._conductor = None
        for state in conductor.run.finals().values():
            if state in _MISSED:
                self._record("WORKFLOW", "to its end", None, str(state))
        sys.stdout.write(f"loadgen: {verdict.reason}\nrepeat with: {self._command()}\n")
        sys.stdout.flush()

    def _command(self) -> str:
        assert self._options is not None  # noqa: S101 - a run has ended
        return repeat_command(
            self._options,
            locustfile=self._locustfile,
            headless=self._headless,
            users=self._parsed.num_users,
            run_time_s=self._parsed.run_time,
        )

    def _abort(self, *problems: str) -> None:
        for problem in problems:
            _log.error("%s", problem)
        self._leave_with(EXIT_COULD_NOT_RUN)
        self._end_run()

    def _leave_with(self, code: int) -> None:
        self._environment.process_exit_code = max(code, self._environment.process_exit_code or 0)

    def _end_run(self) -> None:
        gevent.spawn(self._runner.quit if self._headless else self._runner.stop)


def _refusal(response: ResponseContextManager) -> str | None:
    if response.status_code == 202:  # noqa: PLR2004 - accepted
        return None
    if not response.status_code:
        return f"no answer: {response.error}"
    try:
        return f"{response.status_code}: {response.json()['error']['message']}"
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code}: {str(response.text)[:_SHOWN_CHARACTERS]}"


def _exit(*problems: str) -> None:
    sys.stderr.write("".join(f"loadgen: {problem}\n" for problem in problems))
    raise SystemExit(EXIT_COULD_NOT_RUN)
