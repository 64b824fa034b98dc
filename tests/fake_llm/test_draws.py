from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from fake_llm.draws import Draws

_REQUESTS = st.lists(st.sampled_from([b"a" * 16, b"b" * 16, b"c" * 16]), max_size=30)


@given(st.data(), _REQUESTS)
def test_no_order_of_requests_changes_a_draw(data: st.DataObject, requests: list[bytes]) -> None:
    """Each request's n-th coming draws the same, whatever comes between."""
    seen: list[dict[bytes, list[float]]] = []
    for order in (requests, data.draw(st.permutations(requests))):
        draws, drawn = Draws(seed=1), defaultdict[bytes, list[float]](list)
        for request in order:
            drawn[request].append(draws.next(request).uniform("x"))
        seen.append(drawn)
    assert seen[0] == seen[1]


@given(seed=st.integers(), name=st.text())
def test_a_draw_is_at_least_zero_and_below_one(seed: int, name: str) -> None:
    """As `random.random` is."""
    assert 0 <= Draws(seed).next(b"request").uniform(name) < 1


def test_seed_request_coming_and_name_each_change_the_draw() -> None:
    """Five draws of which no two are one."""
    draws = Draws(seed=1)
    first = draws.next(b"r" * 16)
    drawn = {
        first.uniform("x"),
        first.uniform("y"),
        draws.next(b"r" * 16).uniform("x"),
        draws.next(b"s" * 16).uniform("x"),
        Draws(seed=2).next(b"r" * 16).uniform("x"),
    }
    assert len(drawn) == 5


def test_draws_are_spread_evenly() -> None:
    """Of 10,000 draws, 2,500 are below a quarter, give or take 5 standard deviations (217)."""
    draws = Draws(seed=1)
    below = sum(draws.next(b"r").uniform("x") < 0.25 for _ in range(10_000))
    assert abs(below - 2500) < 217


def test_the_least_recently_seen_request_is_forgotten_first() -> None:
    """Memory is bounded: a request that comes after many others draws as if it were new."""
    draws = Draws(seed=1, max_requests=2)
    first = draws.next(b"a").uniform("x")
    draws.next(b"b")
    draws.next(b"c")
    assert draws.next(b"a").uniform("x") == first
