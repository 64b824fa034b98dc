import pytest

from fake_llm.books.meter import Meter
from fake_llm.clock import Clock
from fake_llm.visit import Visit
from metering.identity import CallerIdentity
from metering.prices import PriceBook
from metering.usage import Usage

_WHO = CallerIdentity(instance="i", execution_id="e")
_CLOCK = Clock(unix_ms=lambda: 1_700_000_000_000, monotonic_s=lambda: 5.5)


@pytest.fixture(scope="module")
def prices() -> PriceBook:
    """Give the bundled prices."""
    return PriceBook()


def _visit(model: str, *, has_output: bool = True) -> Visit:
    return Visit("/v1", _WHO, 0, model=model, body_hash=b"hash", has_output=has_output)


def _serve(meter: Meter, model: str, usage: Usage, times: int = 1) -> None:
    with meter.serving(_visit(model)) as call:
        for _ in range(times):
            meter.charge(call, usage, "completed")


def test_a_call_is_charged_once(prices: PriceBook) -> None:
    """A second charge of the same call changes neither ledger nor journal."""
    meter = Meter(prices, _CLOCK, 10)
    _serve(meter, "gpt-4", Usage(500, 0, 250), times=2)
    assert meter.ledger.spend(5).calls == len(meter.journal.page(0, 10).calls) == 1
    assert meter.ledger.spend(5).nano_usd == 30_000_000


def test_an_unknown_model_is_counted_but_not_priced(prices: PriceBook) -> None:
    """Its tokens count, its money is 0, and it is flagged."""
    meter = Meter(prices, _CLOCK, 10)
    _serve(meter, "no-such-model", Usage(500, 0, 250))
    spend = meter.ledger.spend(5)
    assert (spend.calls, spend.unpriced_calls, spend.nano_usd) == (1, 1, 0)
    assert (spend.input_tokens, spend.output_tokens) == (500, 250)


def test_a_call_served_again_is_a_duplicate_in_ledger_and_journal(prices: PriceBook) -> None:
    """Both books tell the same."""
    meter = Meter(prices, _CLOCK, 10)
    for _ in range(3):
        _serve(meter, "gpt-4", Usage(1, 0, 1))
    assert meter.ledger.spend(5).duplicate_calls == 2
    assert [call.duplicate for call in meter.journal.page(0, 10).calls] == [False, True, True]


def test_a_call_in_flight_over_a_reset_is_charged_to_the_new_ledger(prices: PriceBook) -> None:
    """It stays counted as in flight, in the total and in its group, and ends at zero."""
    meter = Meter(prices, _CLOCK, 10)
    with meter.serving(_visit("gpt-4")) as call:
        meter.reset()
        assert meter.ledger.spend(5).in_flight == 1
        meter.charge(call, Usage(1, 0, 0), "cut")
    ((key, group),), _ = meter.ledger.spend_by("instance", 5, 10)
    assert (key, group.calls, group.in_flight, group.nano_usd) == ("i", 1, 0, 30_000)
    assert meter.ledger.spend(5).in_flight == 0


def test_a_call_that_fails_is_no_longer_in_flight(prices: PriceBook) -> None:
    """Whatever ends a call, the gauge comes down."""
    meter = Meter(prices, _CLOCK, 10)
    with pytest.raises(OSError, match="gone"), meter.serving(_visit("gpt-4")):
        raise OSError("gone")
    assert meter.ledger.spend(5).in_flight == 0


def test_a_model_without_output_is_priced_by_its_input(prices: PriceBook) -> None:
    """text-embedding-3-small: 1,000 tokens at $0.02/M are 20,000 nano-dollars."""
    meter = Meter(prices, _CLOCK, 10)
    model = "text-embedding-3-small"
    with meter.serving(_visit(model, has_output=False)) as call:
        meter.charge(call, Usage(1000, 0, 0), "completed")
    spend = meter.ledger.spend(5)
    assert (spend.nano_usd, spend.unpriced_calls) == (20_000, 0)
