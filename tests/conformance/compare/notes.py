"""Facets of what the driver itself has looked at: rows in Redis, what a call returned."""

from itertools import groupby
from typing import Any

from tests.conformance.compare.facet import Facet
from tests.conformance.exchange import Exchange


def note(name: str) -> Facet:
    """Compare what was noted under a name."""
    return Facet(name, lambda each: each.notes.get(name))


def looks(name: str) -> Facet:
    """Compare what was noted at several looks, however often it looked the same."""

    def changed(exchange: Exchange) -> list[Any]:
        return [each for each, _ in groupby(exchange.notes.get(name, ()))]

    return Facet(f"{name}, as they change", changed)


def most(name: str) -> Facet:
    """Compare the highest of what was noted at several looks."""
    return Facet(f"{name}, at most", lambda each: max(each.notes.get(name, (0,))))
