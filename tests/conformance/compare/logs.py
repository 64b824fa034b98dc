"""Facets of what the sidecar writes into its log about one instance."""

from collections.abc import Mapping

from tests.conformance.compare.facet import Facet
from tests.conformance.exchange import Exchange
from tests.conformance.needs import Need
from tests.sidecar import traces

MANY = 3
_RETRIED = ("retrying...", "retried later")


def logged(instance: str) -> Facet:
    """Compare the warnings and errors that name an instance, and how often each comes.

    How often something is retried depends on time alone, and does not count.
    """

    def lines(exchange: Exchange) -> Mapping[str, int | str] | None:
        if exchange.logged is None:
            return None
        about = {
            traces.plain(text): times for text, times in exchange.logged.items() if instance in text
        }
        return {text: _often(text, times) for text, times in sorted(about.items())}

    return Facet(f"log about {instance}", lines, need=Need.LOG)


def _often(text: str, times: int) -> int | str:
    if any(each in text for each in _RETRIED):
        return "again and again"
    return times if times < MANY else "many"
