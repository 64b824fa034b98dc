"""Load on long-running workflows: `locust -f loadgen/locustfile.py`, with or without `--headless`.

Its users only start workflows. One watcher follows what becomes of them, one guard watches what
they spend: see `loadgen.conductor`.
"""

import os
from typing import Any, ClassVar, Final

from locust import FastHttpUser, constant, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from loadgen.options import ALLOW_REMOTE_FLAG, OPTIONS
from loadgen.session import MAX_STARTS_IN_FLIGHT, Session

DEFAULT_HOST: Final = "http://127.0.0.1:8999"


class WorkflowStarter(FastHttpUser):
    """Takes the next start of the run's schedule, again and again; one user is enough."""

    host = DEFAULT_HOST
    wait_time = constant(0)
    concurrency = MAX_STARTS_IN_FLIGHT
    network_timeout = connection_timeout = 15.0

    session: ClassVar[Session]

    @task
    def start_next_workflow(self) -> None:
        """Send the next start when its time has come."""
        self.session.start_next(self.client)


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator] # as in Locust
def _add_options(parser: LocustArgumentParser, **_: Any) -> None:
    group = parser.add_argument_group("workflows")
    for spec in OPTIONS:
        group.add_argument(spec.flag, default=spec.default, help=spec.help, env_var=spec.env_var)
    group.add_argument(
        ALLOW_REMOTE_FLAG,
        action="store_true",
        env_var="LOADGEN_ALLOW_REMOTE",
        help="permit targets that are not this machine",
    )


@events.init.add_listener  # type: ignore[untyped-decorator] # as in Locust
def _open_session(environment: Environment, **_: Any) -> None:
    locustfile = os.path.relpath(__file__)
    WorkflowStarter.session = Session(environment, default_host=DEFAULT_HOST, locustfile=locustfile)
