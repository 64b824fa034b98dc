"""Reads a running service's metrics."""

from collections.abc import Iterator

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.support.http import SHARED_TLS


class MetricsPage:
    """One scrape."""

    def __init__(self, url: str) -> None:
        answer = httpx.get(url, verify=SHARED_TLS, timeout=5)
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        self.text = answer.text
        self._samples = list(samples(answer.text))

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of the series that have these labels; 0 where there is none."""
        return sum(
            each.value
            for each in self._samples
            if each.name == name and labels.items() <= each.labels.items()
        )

    def labels(self, name: str) -> set[str]:
        """Return the names of the labels of a metric."""
        return {label for each in self._samples if each.name == name for label in each.labels}


def samples(text: str) -> Iterator[Sample]:
    """Iterate over what Prometheus's own parser reads.

    It puts `_total` behind the name of every counter; here they keep the name that they have.
    """
    for family in text_string_to_metric_families(text):
        for each in family.samples:
            is_named = f"\n{each.name}" in text
            yield each if is_named else each._replace(name=each.name.removesuffix("_total"))
