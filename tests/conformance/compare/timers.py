"""Facets of when a timer fires."""

from datetime import datetime
from typing import Any

from tests.conformance.compare.facet import Facet
from tests.conformance.exchange import Exchange

ON_TIME = "on time"
CUT = "at the whole second before its time"
# A busy machine is late, and never early.
_SLACK_S = 0.45


def timer(instance: str) -> Facet:
    """Compare whether the first timer of an instance fires on time or at a whole second before."""

    def how(exchange: Exchange) -> str | float | None:
        fired = _fired(exchange, instance)
        if fired is None:
            return None
        early_s, fraction_s = fired
        if -_SLACK_S < early_s < 0.05:
            return ON_TIME
        return CUT if -_SLACK_S < early_s - fraction_s < 0.05 else early_s

    return Facet(f"timer of {instance} fires", how)


def _fired(exchange: Exchange, instance: str) -> tuple[float, float] | None:
    """Return how early the timer fired, and the fraction of a second of its time."""
    about = [each for each in exchange.messages if each.instance == instance]
    for each in about:
        request = each.body.get("workflowRequest", {})
        news = {name: one for event in request.get("newEvents", ()) for name, one in event.items()}
        if "timerFired" in news:
            began = next(one.at for one in about if one.method == "StartInstance")
            started = next(
                _moment(one["timestamp"])
                for one in request["pastEvents"]
                if "executionStarted" in one
            )
            due = _moment(news["timerFired"]["fireAt"])
            return (due - started) - (each.at - began), due % 1
    return None


def _moment(text: Any) -> float:
    # Nanoseconds are more than `fromisoformat` takes.
    whole, _, fraction = str(text).rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
