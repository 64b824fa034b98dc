"""Who gets which job when: laws of the board, and random lives of jobs against a naive model."""

from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from scheduler_api.proto import scheduler_pb2 as pb
from sidecar.scheduler.board import Board, Delivery, Place, Verdict
from sidecar.scheduler.jobs import Job, read_job
from sidecar.scheduler.keys import job_key, pool
from sidecar.scheduler.retry_clock import SECOND_US
from tests.sidecar.scheduler.harness import actor, forever

POOL = pool(actor(""))
NOTHING: frozenset[str] = frozenset()
REVISIONS = count(1)


def job(actor_id: str, due_us: int = 0, max_retries: int | None = None) -> Job:
    """Return a job of an activity."""
    spec = pb.Job(due_time="0s", failure_policy=forever(max_retries=max_retries))
    key, name = job_key("run-activity", actor(actor_id)), "run-activity"
    wire = (actor(actor_id).SerializeToString(), spec.SerializeToString())
    return read_job((key, next(REVISIONS), due_us, 0, name, *wire))


def only(deliveries: list[Delivery]) -> Delivery:
    """Return the one delivery that there is."""
    assert len(deliveries) == 1
    return deliveries[0]


def test_nobody_takes_it_so_it_waits_without_an_attempt() -> None:
    """A due job that nobody takes is staged, and comes when a sidecar takes its type."""
    board, waiting = Board(), job("a")
    board.put(waiting)
    assert board.due(10**9) == []
    assert board.next_us() is None
    board.connect(1, frozenset({"another"}))
    assert board.due(10**9) == []
    board.connect(1, frozenset({POOL}))
    assert only(board.due(10**9)).job is waiting
    answer = board.answer(1, 1, success=False)
    assert answer.clock is not None
    assert (answer.clock.attempts, answer.clock.next_us) == (1, SECOND_US)


def test_a_cut_stream_uses_no_attempt() -> None:
    """What is out when a stream ends comes again at once, with the same clock, on another."""
    board = Board()
    board.put(job("a"))
    board.connect(1, frozenset({POOL}))
    only(board.due(0))
    board.disconnect(1)
    board.connect(2, frozenset({POOL}))
    assert only(board.due(0)).stream_id == 2
    entry = board.get(job("a").key)
    assert entry is not None
    assert (entry.clock.attempts, entry.clock.next_us) == (0, 0)


def test_a_job_is_out_once() -> None:
    """While a job is out it is not delivered again, however late it gets."""
    board = Board()
    board.put(job("a"))
    board.connect(1, frozenset({POOL}))
    only(board.due(0))
    assert board.due(10**15) == []


def test_a_late_failure_does_not_bring_a_deleted_job_back() -> None:
    """A job deleted while it is out stays deleted, whatever its answer."""
    board, deleted = Board(), job("a")
    board.put(deleted)
    board.connect(1, frozenset({POOL}))
    out = only(board.due(0))
    assert board.remove(deleted.key)
    assert board.answer(1, out.delivery_id, success=False).verdict is Verdict.STALE
    assert (board.due(10**15), len(board)) == ([], 0)


def test_a_late_answer_does_not_touch_the_successor() -> None:
    """A job overwritten while it is out is answered in vain; its successor has its own clock."""
    for success in (True, False):
        board, successor = Board(), job("a", due_us=5)
        board.put(job("a"))
        board.connect(1, frozenset({POOL}))
        old = only(board.due(0))
        board.put(successor)
        new = only(board.due(5))
        assert board.answer(1, old.delivery_id, success=success).verdict is Verdict.STALE
        entry = board.get(successor.key)
        assert entry is not None
        assert (entry.job, entry.place, entry.clock.attempts) == (successor, Place.OUT, 0)
        assert board.answer(1, new.delivery_id, success=True).verdict is Verdict.FINISHED


def test_sidecars_take_turns() -> None:
    """Two sidecars of one app get every other job."""
    board = Board()
    for each in range(6):
        board.put(job(str(each)))
    assert board.connect(1, frozenset({POOL})) == []
    assert board.connect(2, frozenset({POOL})) == [POOL]
    assert board.connect(2, frozenset({POOL})) == []
    assert [each.stream_id for each in board.due(0)] == [1, 2, 1, 2, 1, 2]


def test_changed_actor_types_leave_alone_what_is_out() -> None:
    """A sidecar that takes no type any more may still answer what it has."""
    board = Board()
    board.put(job("a"))
    board.connect(1, frozenset({POOL}))
    out = only(board.due(0))
    board.connect(1, NOTHING)
    assert board.answer(1, out.delivery_id, success=False).verdict is Verdict.RETRIED
    assert board.due(10**9) == []


def test_deleted_timers_do_not_pile_up() -> None:
    """Jobs that are due in years leave nothing behind when they are deleted."""
    board = Board()
    for each in range(10_000):
        board.put(job("a", due_us=10**17 + each))
    assert len(board._heap) < 300  # noqa: SLF001 - the memory is the law here


def test_the_left_over_is_counted_exactly() -> None:
    """However often the heap is swept, the count is that of the entries nobody waits for."""
    board = Board()
    for each in range(1_000):
        board.put(job("a", due_us=10**9 + each))
    left = sum(entry.place is not Place.WAITING for _, _, entry in board._heap)  # noqa: SLF001 - the count is the law here
    assert board._left_over == left  # noqa: SLF001 - as above
    board.due(10**10)
    assert board._left_over == 0  # noqa: SLF001 - as above


def test_unknown_answers_are_told_apart() -> None:
    """An answer to no delivery, or a second one to the same, is unknown."""
    board = Board()
    board.put(job("a"))
    board.connect(1, frozenset({POOL}))
    out = only(board.due(0))
    assert board.answer(1, 77, success=True).verdict is Verdict.UNKNOWN
    assert board.answer(1, out.delivery_id, success=True).verdict is Verdict.FINISHED
    assert board.answer(1, out.delivery_id, success=True).verdict is Verdict.UNKNOWN


class Lives(RuleBasedStateMachine):
    """Jobs are put, delivered, answered, deleted; sidecars come and go; time passes."""

    keys = st.sampled_from("abcd")
    streams = st.sampled_from([1, 2, 3])

    def __init__(self) -> None:
        super().__init__()
        self.board = Board()
        self.now_us = 0
        self.connected: set[int] = set()
        # The model: of each job its revision, failures and whether it is out.
        self.jobs: dict[str, Job] = {}
        self.failures: dict[str, int] = {}
        self.out: dict[tuple[int, int], Job] = {}

    @rule(actor_id=keys, in_us=st.integers(-3 * SECOND_US, 3 * SECOND_US))
    def put(self, actor_id: str, in_us: int) -> None:
        """Schedule or overwrite a job."""
        made = job(actor_id, self.now_us + in_us, max_retries=5)
        self.board.put(made)
        self.jobs[made.key], self.failures[made.key] = made, 0

    @rule(actor_id=keys)
    def delete(self, actor_id: str) -> None:
        """Delete a job."""
        key = job(actor_id).key
        assert self.board.remove(key) == (self.jobs.pop(key, None) is not None)

    @rule(stream=streams)
    def connect(self, stream: int) -> None:
        """Let a sidecar come."""
        self.board.connect(stream, frozenset({POOL}))
        self.connected.add(stream)

    @rule(stream=streams)
    def disconnect(self, stream: int) -> None:
        """Let a sidecar go; what is out on it counts for nothing."""
        if stream in self.connected:
            self.board.disconnect(stream)
            self.connected.remove(stream)
            self.out = {at: each for at, each in self.out.items() if at[0] != stream}

    @rule(later_us=st.integers(0, 2 * SECOND_US))
    def deliver(self, later_us: int) -> None:
        """Let time pass; exactly what is due comes."""
        self.now_us += later_us
        due = {
            each.key
            for each in self.jobs.values()
            if each.due_us + self.failures[each.key] * SECOND_US <= self.now_us
            and each not in self.out.values()
        }
        delivered = self.board.due(self.now_us)
        assert {each.job.key for each in delivered} == (due if self.connected else set())
        assert len({each.job.key for each in delivered}) == len(delivered)
        for each in delivered:
            assert each.job is self.jobs[each.job.key]
            self.out[each.stream_id, each.delivery_id] = each.job

    @rule(data=st.data(), success=st.booleans())
    def answer(self, data: st.DataObject, success: bool) -> None:  # noqa: FBT001 - hypothesis
        """Answer something that is out."""
        if not self.out:
            return
        at = data.draw(st.sampled_from(sorted(self.out)))
        answered = self.out.pop(at)
        verdict = self.board.answer(*at, success=success).verdict
        if self.jobs.get(answered.key) is not answered:
            assert verdict is Verdict.STALE
            return
        self.failures[answered.key] += 1
        if success or self.failures[answered.key] > 5:
            assert verdict is (Verdict.FINISHED if success else Verdict.DROPPED)
            del self.jobs[answered.key]

    @invariant()
    def holds_the_jobs_of_the_model(self) -> None:
        """The board has the jobs that it should have, in order."""
        assert {each.job.key: each.job for each in self.board.search("")} == self.jobs
        assert [each.job.key for each in self.board.search("")] == sorted(self.jobs)


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
