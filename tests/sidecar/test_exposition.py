"""Counters and histograms, as Prometheus reads them."""

from sidecar import exposition
from sidecar.exposition import OTHER, Counter, Gauge, Histogram, Metric
from tests.sidecar.metrics_page import samples


def _samples(*metrics: Metric) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return what Prometheus's own parser makes of the text."""
    return {
        (each.name, frozenset(each.labels.items())): each.value
        for each in samples(exposition.text(metrics))
    }


def test_a_counter_has_a_series_for_each_combination() -> None:
    """Under its own name, with the fixed labels in front."""
    counter = Counter("jobs_count", "Jobs.", ("name", "status"), {"app_id": "lab"})
    counter.count("a", "success")
    counter.count("a", "success")
    counter.count("b", "failed", times=3)
    assert exposition.text([counter]).splitlines() == [
        "# HELP jobs_count Jobs.",
        "# TYPE jobs_count counter",
        'jobs_count{app_id="lab",name="a",status="success"} 2',
        'jobs_count{app_id="lab",name="b",status="failed"} 3',
    ]


def test_a_histogram_counts_what_is_below_each_bound() -> None:
    """Cumulatively; a value that equals a bound counts above it; 0 is left out."""
    histogram = Histogram("took", "Time, ms.", ("name",), (10, 100))
    for value_ms in (0, 9, 10, 99, 1000):
        histogram.observe(value_ms, "a")
    expected = {("10", 1.0), ("100", 3.0), ("+Inf", 4.0)}
    found = _samples(histogram)
    buckets = {(dict(labels)["le"], n) for (name, labels), n in found.items() if "bucket" in name}
    assert buckets == expected
    assert found["took_sum", frozenset({("name", "a")})] == 9 + 10 + 99 + 1000
    assert found["took_count", frozenset({("name", "a")})] == 4


def test_a_name_that_is_one_too_many_counts_as_other() -> None:
    """So names from users' code take bounded memory; the known ones go on."""
    counter = Counter("jobs_count", "Jobs.", ("name", "status"))
    histogram = Histogram("took", "Time, ms.", ("name",), (10,))
    for number in range(2000):
        counter.count(f"name-{number}", "success")
        histogram.observe(1, f"name-{number}")
    counter.count("name-0", "success")
    found = _samples(counter, histogram)
    series = [each for each in found if each[0] == "jobs_count"]
    assert len(series) < 1000
    assert found["jobs_count", frozenset({("name", "name-0"), ("status", "success")})] == 2
    assert found["jobs_count", frozenset({("name", OTHER), ("status", "success")})] > 1000
    assert sum(found[each] for each in series) == 2001


def test_values_are_escaped() -> None:
    """Whatever stands in a name, Prometheus reads it back."""
    name = 'a"b\\c\nd{}'
    counter = Counter("jobs_count", "Jobs.", ("name",))
    counter.count(name)
    assert list(_samples(counter)) == [("jobs_count", frozenset({("name", name)}))]


def test_what_has_no_series_is_left_out() -> None:
    """A gauge always has one."""
    assert exposition.text([Counter("jobs_count", "Jobs.", ("name",))]) == ""
    assert exposition.text([Gauge("there", "Here.", lambda: 7)]).endswith("\nthere 7\n")
