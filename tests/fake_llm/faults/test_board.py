from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_llm.effects import Effect
from fake_llm.errors import BadRequestError
from fake_llm.faults import KINDS, Fault, FaultBoard
from fake_llm.faults.fail import Fail
from fake_llm.visit import Visit
from metering.identity import CallerIdentity


def _visit(
    path: str = "/v1/chat/completions",
    model: str = "gpt-4",
    caller: str = "app",
    body_hash: bytes = b"h" * 16,
    fault_header: bytes | None = None,
) -> Visit:
    who = CallerIdentity(app=caller)
    return Visit(path, who, 0, fault_header=fault_header, body_hash=body_hash, model=model)


def _board(*faults: Fault) -> FaultBoard:
    board = FaultBoard(1, KINDS)
    board.set(faults)
    return board


def _strike(board: FaultBoard, visit: Visit) -> list[Effect]:
    return list(board.effects(visit))


def test_a_fault_strikes_as_often_as_it_says() -> None:
    """Twice, and then never again."""
    board = _board(Fail(status=500, times=2))
    assert [len(_strike(board, _visit())) for _ in range(4)] == [1, 1, 0, 0]
    assert [(armed.hits, armed.is_over) for armed in board.armed] == [(2, True)]


@pytest.mark.parametrize(
    ("fault", "strikes"),
    [
        (Fail(status=500), True),
        (Fail(status=500, model="gpt-4"), True),
        (Fail(status=500, model="gpt-*", path="/v1/chat/*", caller="a*"), True),
        (Fail(status=500, model="gpt"), False),
        (Fail(status=500, path="/v1/messages"), False),
        (Fail(status=500, model="gpt-4", caller="other"), False),
    ],
)
def test_a_fault_strikes_what_is_in_its_scope(fault: Fault, *, strikes: bool) -> None:
    """Model, path and caller all have to fit; a star stands for anything."""
    assert bool(_strike(_board(fault), _visit())) is strikes


def test_a_fault_that_comes_too_late_is_not_used_up() -> None:
    """What ends the call leaves those behind it for the next one."""
    board = _board(Fail(status=500, times=1), Fail(status=429, times=1))
    next(iter(board.effects(_visit())))
    assert [armed.hits for armed in board.armed] == [1, 0]


@given(st.data(), st.lists(st.sampled_from(range(5)), min_size=1, max_size=40))
def test_concurrency_does_not_change_who_is_struck(data: st.DataObject, calls: list[int]) -> None:
    """Each request's n-th coming fares the same in any order."""
    fared = []
    for order in (calls, data.draw(st.permutations(calls))):
        board, struck = (
            _board(Fail(status=500, probability=0.5)),
            defaultdict[int, list[bool]](list),
        )
        for call in order:
            struck[call].append(bool(_strike(board, _visit(body_hash=bytes([call])))))
        fared.append(struck)
    assert fared[0] == fared[1]


def test_setting_faults_again_begins_again() -> None:
    """The same faults strike the same calls, with their hits at 0."""
    board, fault = _board(), Fail(status=500, probability=0.5)
    runs = []
    for _ in range(2):
        board.set([fault])
        runs.append([len(_strike(board, _visit())) for _ in range(20)])
    assert runs[0] == runs[1]
    assert 0 < sum(runs[0]) < 20
    assert [armed.hits for armed in board.armed] == [sum(runs[1])]


def test_two_faults_are_drawn_independently() -> None:
    """Of 400 calls a half each strikes alone about 100, and both together about 100."""
    board = _board(*[Fail(status=500, probability=0.5)] * 2)
    struck = [len(_strike(board, _visit(body_hash=n.to_bytes(2)))) for n in range(400)]
    assert all(abs(struck.count(n) - expected) < 50 for n, expected in enumerate((100, 200, 100)))


def test_a_header_strikes_its_own_request_before_what_is_set() -> None:
    """Nothing that is set is needed for it."""
    assert len(_strike(_board(), _visit(fault_header=b"fail status=500"))) == 1
    board = _board(Fail(status=500))
    assert len(_strike(board, _visit(fault_header=b"fail status=500"))) == 2
    with pytest.raises(BadRequestError, match="X-Fake-Fault"):
        _strike(board, _visit(fault_header=b"nonsense"))


def test_without_faults_there_is_nothing_to_ask() -> None:
    """A call that nothing can strike costs nothing."""
    assert _board().effects(_visit()) == ()
