"""A running sidecar in a block: what runs on it, what it survives, what is left of it."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from typing import Any

import psutil
import pytest
from dapr.ext.workflow import DaprWorkflowContext, WorkflowActivityContext
from dapr.ext.workflow.aio import DaprWorkflowClient as AsyncClient

from scheduler_api import SchedulerClient
from sidecar.testing import RunningSidecar, running_sidecar
from sidecar.testing.errors import HostError, NotReadyError, UsageError
from tests.sidecar.stack import until

ENDED_S = 20


class Ledger:
    """Counts the executions of an activity; from a step on they wait until they are let go."""

    def __init__(self) -> None:
        self.calls: Counter[int] = Counter()
        self.first_held = 0
        self.go = threading.Event()

    def charge(self, _ctx: WorkflowActivityContext, step: int) -> int:
        """Count, wait, and return the next step."""
        self.calls[step] += 1
        if step >= self.first_held:
            self.go.wait(ENDED_S)
        return step + 1

    def order(self, ctx: DaprWorkflowContext, steps: int) -> Generator[Any, Any, int]:
        """Charge one step after the other."""
        step = 0
        while step < steps:
            step = yield ctx.call_activity(self.charge, input=step)
        return step


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """Give one whose activities all end with the test."""
    made = Ledger()
    yield made
    made.go.set()


@pytest.fixture(scope="module")
def dapr() -> Iterator[RunningSidecar]:
    """Give a sidecar that is up at the start of each test that uses it."""
    with running_sidecar(ttl_s=600) as made:
        yield made


def _refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


def _raised(call: Callable[[], object], error: type[Exception]) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


async def test_a_workflow_runs_for_both_clients_of_the_sdk(
    dapr: RunningSidecar, ledger: Ledger
) -> None:
    """The asynchronous client shares the test's event loop with nothing of the sidecar."""
    ledger.go.set()
    with dapr.app([ledger.order], [ledger.charge]) as client:
        instance = client.schedule_new_workflow(ledger.order, input=2)
        ended = client.wait_for_workflow_completion(instance, timeout_in_seconds=ENDED_S)
        assert ended is not None
        assert ended.serialized_output == "2"
        also = AsyncClient(host="127.0.0.1", port=str(dapr.grpc_port))
        ids = await asyncio.gather(
            *(also.schedule_new_workflow(ledger.order, input=1) for _ in range(20))
        )
        ends = await asyncio.gather(
            *(also.wait_for_workflow_completion(each, timeout_in_seconds=ENDED_S) for each in ids)
        )
        assert {each.serialized_output for each in ends if each} == {"1"}
        # The SDK has no other way.
        await vars(also)["_DaprWorkflowClient__obj"].aclose()


def test_what_was_done_before_a_crash_is_not_done_again(
    dapr: RunningSidecar, ledger: Ledger
) -> None:
    """The activity in flight is executed twice, those before and after it once."""
    ledger.first_held = 1
    with dapr.app([ledger.order], [ledger.charge]) as client:
        instance = client.schedule_new_workflow(ledger.order, input=3)
        until(lambda: ledger.calls[1])
        dapr.restart()
        dapr.wait_for_app()
        until(lambda: ledger.calls[1] > 1)
        ledger.go.set()
        ended = client.wait_for_workflow_completion(instance, timeout_in_seconds=ENDED_S)
    assert ended is not None
    assert ended.serialized_output == "3"
    assert ledger.calls == {0: 1, 1: 2, 2: 1}


def test_lost_state_stays_lost(dapr: RunningSidecar, ledger: Ledger) -> None:
    """One row, one workflow, or all; the sidecar that lives is asked of the store."""
    with dapr.app([ledger.order], [ledger.charge]) as client:
        first = client.schedule_new_workflow(ledger.order, input=1)
        second = client.schedule_new_workflow(ledger.order, input=1)
        assert dapr.lose_state(first, row="metadata") == 1
        assert client.get_workflow_state(first) is None
        assert client.get_workflow_state(second) is not None
        assert dapr.lose_state(second) > 1
        assert dapr.lose_state(second) == 0
        assert client.get_workflow_state(second) is None
        assert dapr.lose_state() > 1
        third = client.schedule_new_workflow(ledger.order, input=1)
        assert dapr.expire_state() > 1
        assert client.get_workflow_state(third) is None
        ledger.go.set()
    assert "no row of state has a TTL" in _raised(dapr.expire_state, UsageError)
    assert "needs the instance_id" in _raised(lambda: dapr.lose_state(row="metadata"), UsageError)


def test_the_jobs_outlive_sidecar_and_scheduler(dapr: RunningSidecar, ledger: Ledger) -> None:
    """They are what a runaway is made of; the scheduler tells of them with the sidecar down."""
    with dapr.app([ledger.order], [ledger.charge]) as client:
        instance = client.schedule_new_workflow(ledger.order, input=1)
        until(lambda: ledger.calls)
        dapr.kill()
        dapr.restart_scheduler()
        with SchedulerClient(dapr.scheduler_address) as scheduler:
            jobs = scheduler.list_activity_jobs(dapr.options.app_id)
        assert instance in {each.instance_id for each in jobs}
        dapr.start()
        dapr.wait_for_app()
        ledger.go.set()
        assert client.wait_for_workflow_completion(instance, timeout_in_seconds=ENDED_S)


def test_the_ports_are_kept_while_the_sidecar_is_down(dapr: RunningSidecar) -> None:
    """A caller is refused, and nobody else gets them."""
    dapr.stop()
    assert _refused(dapr.grpc_port)
    assert _refused(dapr.http_port)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", dapr.grpc_port))
    assert "is down; start it first" in _raised(dapr.kill, UsageError)
    app = dapr.app([])
    assert "is down; start it first" in _raised(app.__enter__, UsageError)
    dapr.start()
    assert not _refused(dapr.grpc_port)
    assert "runs already" in _raised(dapr.start, UsageError)


def test_an_app_that_does_not_come_is_named(dapr: RunningSidecar) -> None:
    """The error says what to start, and where."""
    text = _raised(lambda: dapr.wait_for_app(timeout_s=0.1), NotReadyError)
    assert f"no app connected to {dapr.address} within 0.1 s" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"profile": "1.0"}, "no profile '1.0'; the known ones are"),
        ({"ttl_s": 0}, "ttl_s must be 1 or more"),
        ({"app_id": ""}, "must not be empty"),
    ],
)
def test_a_bad_option_is_refused_before_anything_starts(
    options: dict[str, Any], message: str
) -> None:
    """Nothing is left behind either."""

    def enter() -> None:
        with running_sidecar(**options):
            pass

    before = _hosts()
    assert message in _raised(enter, UsageError)
    assert _hosts() == before


def test_a_sidecar_that_ends_or_can_not_start_is_told_of() -> None:
    """With the end of the log; once what was wrong is right, it starts."""
    with running_sidecar() as dapr:
        (serving,) = [each for each in _family(dapr) if _serves(each, dapr.grpc_port)]
        serving.kill()
        until(lambda: serving.status() == psutil.STATUS_ZOMBIE and serving.num_threads() <= 1)
        assert "the sidecar had ended by itself" in _raised(dapr.restart, HostError)
        state = dapr.log_path.with_name("state.sqlite3")
        moved = state.rename(state.with_name("moved"))
        state.mkdir()
        text = _raised(dapr.start, HostError)
        assert "the sidecar ended at its start; the last lines of its log:" in text
        assert "unable to open database file" in text
        state.rmdir()
        moved.rename(state)
        dapr.start()


def test_when_the_host_dies_its_children_do_too() -> None:
    """And the test is told."""
    with running_sidecar() as dapr:
        host, *children = _family(dapr)
        assert len(children) == 2
        host.kill()
        assert psutil.wait_procs([host, *children], timeout=5)[1] == []
        text = _raised(dapr.restart, HostError)
        assert "has ended; the last lines of its log:" in text
        assert '"event": "sidecar ready"' in text


def test_a_block_that_fails_leaves_nothing() -> None:
    """Neither processes nor files."""
    made: list[RunningSidecar] = []
    family: list[psutil.Process] = []

    def fail() -> None:
        with running_sidecar() as dapr:
            made.append(dapr)
            family.extend(_family(dapr))
            raise LookupError

    _raised(fail, LookupError)
    assert not made[0].log_path.parent.exists()
    assert family
    assert [each for each in family if each.is_running()] == []


def _hosts() -> list[psutil.Process]:
    return psutil.Process().children()


def _family(dapr: RunningSidecar) -> list[psutil.Process]:
    """Return the host of a sidecar and its children."""
    families = [[each, *each.children()] for each in _hosts()]
    (found,) = [each for each in families if any(_serves(p, dapr.grpc_port) for p in each)]
    return found


def _serves(process: psutil.Process, port: int) -> bool:
    return any(
        each.laddr.port == port and each.status == psutil.CONN_LISTEN
        for each in process.net_connections("tcp")
    )
