"""What the scheduler counts, on a running one."""

import queue

import httpx
import pytest

from tests.sidecar.metrics_page import MetricsPage
from tests.sidecar.scheduler.harness import Scheduler, Watcher
from tests.sidecar.stack import until

PREFIX = "dapr_scheduler"


def _page(running: Scheduler) -> MetricsPage:
    return MetricsPage(f"{running.http}/metrics")


def _counted(running: Scheduler, name: str) -> float:
    return _page(running).value(f"{PREFIX}_jobs_{name}_total", type="actor")


def test_deliveries_are_counted_by_what_came_of_them(old: Scheduler) -> None:
    """A job that nobody takes, that fails, and that succeeds in the end: Dapr's four counters."""
    names = ("created", "undelivered", "failed", "triggered")
    before = {each: _counted(old, each) for each in names}
    old.schedule("counted::1::1")
    until(lambda: _counted(old, "undelivered") == before["undelivered"] + 1)
    with Watcher(old) as watcher:
        watcher.fail(1)
        watcher.answer(watcher.next(), success=True)
        until(lambda: _counted(old, "triggered") == before["triggered"] + 1)
        until(lambda: _page(old).value(f"{PREFIX}_sidecars_connected") == 1)
    assert {each: _counted(old, each) - before[each] for each in names} == dict.fromkeys(names, 1)
    until(lambda: _page(old).value(f"{PREFIX}_sidecars_connected") == 0)


def test_a_success_counts_though_its_job_was_deleted_meanwhile(old: Scheduler) -> None:
    """What the sidecar did has been done; nothing has failed."""
    triggered, failed = (_counted(old, each) for each in ("triggered", "failed"))
    with Watcher(old) as watcher:
        old.schedule("deleted::1::1")
        delivery = watcher.next()
        old.delete("deleted::1::1")
        watcher.answer(delivery, success=True)
        until(lambda: _counted(old, "triggered") == triggered + 1)
    assert _counted(old, "failed") == failed


def test_a_delivery_whose_stream_ends_counts_as_undelivered(old: Scheduler) -> None:
    """For the stream, and once more as nobody else takes it; its time is not measured."""
    undelivered, failed = (_counted(old, each) for each in ("undelivered", "failed"))
    measured = _page(old).value(f"{PREFIX}_trigger_latency_count")
    with Watcher(old) as watcher:
        old.schedule("cut::1::1")
        watcher.next()
    until(lambda: _counted(old, "undelivered") == undelivered + 2)
    assert _counted(old, "failed") == failed
    assert _page(old).value(f"{PREFIX}_trigger_latency_count") == measured
    old.delete("cut::1::1")


def test_the_latency_is_from_delivery_to_answer(old: Scheduler) -> None:
    """In milliseconds, with Dapr's bounds."""
    before = _page(old).value("dapr_scheduler_trigger_latency_count")
    with Watcher(old) as watcher:
        old.schedule("late::1::1")
        delivery = watcher.next()
        with pytest.raises(queue.Empty):
            watcher.next(timeout_s=0.2)
        watcher.answer(delivery, success=True)
        until(lambda: _page(old).value("dapr_scheduler_trigger_latency_count") == before + 1)
    page = _page(old)
    assert page.value("dapr_scheduler_trigger_latency_sum") >= 200
    bounds = [line.partition('le="')[2] for line in page.text.splitlines() if "_bucket" in line]
    assert [each.partition('"')[0] for each in bounds] == [
        *("100", "500", "1000", "5000", "10000", "+Inf")
    ]


def test_bad_limits_of_the_list_are_refused(old: Scheduler) -> None:
    """With the bounds."""
    for bad in ("0", "x", "10001"):
        refused = httpx.get(f"{old.http}/admin/jobs", params={"limit": bad}, timeout=5)
        assert refused.status_code == 400
        assert "from 1 to 10000" in refused.json()["error"]["message"]
