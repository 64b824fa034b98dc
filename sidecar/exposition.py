"""Counters and histograms under names of Dapr's, in Prometheus's text format.

prometheus_client puts `_total` behind the name of every counter, which most of Dapr's do not have;
so they are counted and written here. The number of series is bounded: a name that is one too many
counts as `other`.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OTHER = "other"
_MOST_SERIES = 500
Labels = tuple[str, ...]


class Counter:
    """A number for each combination of label values that came.

    Args:
        name: The metric's.
        told: What it counts, for people.
        labels: Their names; the value of the first may become `other`.
        fixed: Labels that are the same in every series.
    """

    kind = "counter"

    def __init__(
        self, name: str, told: str, labels: Labels, fixed: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.told = told
        self._labels = labels
        self._fixed = fixed or {}
        self._counts: dict[Labels, int] = {}

    @property
    def labels(self) -> Labels:
        """Return the names of all labels."""
        return (*self._fixed, *self._labels)

    def count(self, *values: str, times: int = 1) -> None:
        """Count once more, for these values of the labels."""
        key = _bounded(values, self._counts)
        self._counts[key] = self._counts.get(key, 0) + times

    def lines(self) -> Iterator[str]:
        """Write one line a series."""
        for values, count in self._counts.items():
            yield _line(self.name, self._fixed, zip(self._labels, values, strict=True), count)


class Gauge:
    """A number that is read when it is asked for."""

    kind = "gauge"
    labels: Labels = ()

    def __init__(self, name: str, told: str, read: Callable[[], int]) -> None:
        self.name = name
        self.told = told
        self._read = read

    def lines(self) -> Iterator[str]:
        """Write its line."""
        yield _line(self.name, {}, (), self._read())


class Histogram:
    """How often values fell below each of some bounds; takes whole milliseconds above 0, as Dapr.

    Args:
        name: The metric's, without a suffix.
        told: What it measures, for people.
        labels: Their names; the value of the first may become `other`.
        bounds: In rising order; a value that equals one counts above it, as in Dapr's library.
        fixed: Labels that are the same in every series.
    """

    kind = "histogram"

    def __init__(
        self,
        name: str,
        told: str,
        labels: Labels,
        bounds: tuple[int, ...],
        fixed: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.told = told
        self._labels = labels
        self._bounds = bounds
        self._fixed = fixed or {}
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, int] = {}

    @property
    def labels(self) -> Labels:
        """Return the names of all labels but `le`."""
        return (*self._fixed, *self._labels)

    def observe(self, value_ms: int, *values: str) -> None:
        """Take a value; 0 and less are left out."""
        if value_ms <= 0:
            return
        key = _bounded(values, self._counts)
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = [0] * (len(self._bounds) + 1)
        counts[bisect_right(self._bounds, value_ms)] += 1
        self._sums[key] = self._sums.get(key, 0) + value_ms

    def lines(self) -> Iterator[str]:
        """Write buckets, sum and count of each series."""
        bounds = [*map(str, self._bounds), "+Inf"]
        for values, counts in self._counts.items():
            labels = [*zip(self._labels, values, strict=True)]
            for bound, below in zip(bounds, accumulate(counts), strict=True):
                yield _line(f"{self.name}_bucket", self._fixed, [*labels, ("le", bound)], below)
            yield _line(f"{self.name}_sum", self._fixed, labels, self._sums[values])
            yield _line(f"{self.name}_count", self._fixed, labels, sum(counts))


Metric = Counter | Gauge | Histogram


def text(metrics: Iterable[Metric]) -> str:
    """Write metrics; those that have no series yet are left out, as in Dapr."""
    lines: list[str] = []
    for each in metrics:
        series = list(each.lines())
        if series:
            lines += (f"# HELP {each.name} {each.told}", f"# TYPE {each.name} {each.kind}", *series)
    return "\n".join([*lines, ""])


def _bounded(values: Labels, known: Mapping[Labels, object]) -> Labels:
    if values in known or len(known) < _MOST_SERIES or not values:
        return values
    return (OTHER, *values[1:])


def _line(
    name: str, fixed: Mapping[str, str], labels: Iterable[tuple[str, str]], value: int
) -> str:
    pairs = [f'{key}="{_escaped(each)}"' for key, each in (*fixed.items(), *labels)]
    return f"{name}{{{','.join(pairs)}}} {value}" if pairs else f"{name} {value}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
