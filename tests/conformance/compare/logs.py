"""Facets of what the sidecar writes into its log about one instance."""

from collections.abc import Mapping

from tests.conformance.compare.facet import Facet
from tests.conformance.exchange import Exchange
from tests.conformance.needs import Need
from tests.sidecar import traces

MANY = 3


def logged(instance: str) -> Facet:
    """Compare the warnings and errors that name an instance: how often each, or "many"."""

    def lines(exchange: Exchange) -> Mapping[str, int | str] | None:
        if exchange.logged is None:
            return None
        about = {
            traces.plain(text): times for text, times in exchange.logged.items() if instance in text
        }
        return {text: times if times < MANY else "many" for text, times in sorted(about.items())}

    return Facet(f"log about {instance}", lines, need=Need.LOG)
