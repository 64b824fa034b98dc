from hypothesis import given
from hypothesis import strategies as st

from fake_llm.books.tally import Charge, Rate, Spend, Tally
from metering.usage import Usage

_CHARGES = st.lists(
    st.builds(
        Charge,
        usage=st.builds(Usage, st.integers(9, 99), st.integers(0, 9), st.integers(0, 99)),
        nano_usd=st.integers(0, 10**12),
        priced=st.booleans(),
        duplicate=st.booleans(),
        started_unix_ms=st.integers(1, 10**13),
        second=st.just(0),
    ),
    max_size=10,
)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10**12)), max_size=200))
def test_the_rate_is_the_sum_of_the_last_sixty_seconds(steps: list[tuple[int, int]]) -> None:
    """After any history: this second and the 59 before it, to the nano-dollar."""
    rate, second, history = Rate(), 0, []
    for pause_s, nano_usd in steps:
        second += pause_s
        rate.add(second, nano_usd)
        history.append((second, nano_usd))
        window = [nano for at, nano in history if second - 60 < at <= second]
        assert rate.last_minute(second) == sum(window)


def test_a_minute_makes_an_hour_and_a_month() -> None:
    """One stuck workflow, $0.03 every 10 s: 6 calls = $0.18/min, $10.80/h, $7,776 in 30 days."""
    tally = Tally()
    for second in range(0, 60, 10):
        tally.add(Charge(Usage(400, 0, 600), 30_000_000, True, False, second * 1000, second))  # noqa: FBT003  # a tuple's fields
    spend = Spend.of(tally, 59)
    assert spend.usd == "0.180000000"
    assert spend.per_hour == {"usd": "10.800000000", "nano_usd": 10_800_000_000}
    assert spend.per_month == {"usd": "7776.000000000", "nano_usd": 7_776_000_000_000}
    assert Spend.of(tally, 60).minute_nano_usd == 150_000_000
    assert Spend.of(tally, 200).minute_nano_usd == 0


@given(left=_CHARGES, right=_CHARGES)
def test_the_sum_of_two_tallies_is_the_tally_of_both(
    left: list[Charge], right: list[Charge]
) -> None:
    """Adding what is shown loses nothing that adding the calls would keep."""
    one, two, both = Tally(), Tally(), Tally()
    for tally, charges in ((one, left), (two, right), (both, left + right)):
        for charge in charges:
            tally.add(charge)
    assert Spend.of(one, 0).plus(Spend.of(two, 0)) == Spend.of(both, 0)


def test_clearing_keeps_what_is_in_flight() -> None:
    """A reset forgets charges, not calls that are being served."""
    tally = Tally()
    tally.in_flight = 2
    tally.add(Charge(Usage(1, 0, 1), 5, priced=False, duplicate=True, started_unix_ms=1, second=0))
    tally.clear()
    assert Spend.of(tally, 0) == Spend(in_flight=2)
