"""Facets of how often and when the app executes an activity."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from tests.conformance.compare.facet import Facet
from tests.conformance.exchange import Exchange, Execution

ENDLESS = "for ever"
# A runaway makes at least so many executions while a scenario looks.
MANY = 3
_LAST = 3
_FIRST = 4
_SECOND_S = (0.9, 1.1)
_LATER_S = 3.5
_GRACE_S = 0.6
_LATELY_S = 2.0


def tasks(instance: str) -> Facet:
    """Compare which task each execution was of, in order."""
    return Facet(
        f"executions of {instance} by task",
        lambda each: [one.task for one in _of(each, instance, "start")],
    )


def again(instance: str) -> Facet:
    """Compare how often the first activity is executed again: so many times, or for ever."""

    def count(exchange: Exchange) -> int | str:
        times = len(repeated(exchange, instance))
        return ENDLESS if times >= MANY else times

    return Facet(f"{instance} is executed again", count)


def period(instance: str, tolerance_s: float) -> Facet:
    """Compare the pause between two executions in the end, in seconds; None without a loop."""
    return Facet(
        f"period of {instance}, seconds",
        lambda each: _median(_gaps(repeated(each, instance))[-_LAST:]),
        tolerance_s,
    )


def burst(instance: str, tolerance_s: float) -> Facet:
    """Compare the pause between the first executions after the restart, in seconds."""
    return Facet(
        f"pause in the burst of {instance}, seconds",
        lambda each: _median(_gaps(repeated(each, instance))[:_FIRST]),
        tolerance_s,
    )


def caught_up(instance: str) -> Facet:
    """Compare how many executions there are beyond one a second since the due time.

    A retry clock that counts from the due time makes up for every second of an outage.
    """

    def beyond(exchange: Exchange) -> float | None:
        times = repeated(exchange, instance)
        pause = _median(_gaps(times)[-_LAST:])
        if pause is None or not _SECOND_S[0] < pause < _SECOND_S[1]:
            return None
        due_at = _of(exchange, instance, "start")[0].at
        return len(times) - (times[-1] - due_at)

    return Facet(f"executions of {instance} beyond one a second since it was due", beyond, 1.5)


def late_result(instance: str) -> Facet:
    """Compare whether the workflow moved on while its first activity was still being repeated."""

    def moved_on(exchange: Exchange) -> bool | None:
        began = [one.at for one in _of(exchange, instance, "start") if one.task == 2]
        ended = [one.at for one in _of(exchange, instance, "end") if one.task == 1]
        return began[0] < ended[-1] if began and ended else None

    return Facet(f"{instance} moves on with the late result", moved_on)


def unstopped(instance: str) -> Facet:
    """Compare whether the activity is executed after the last call about its instance."""

    def goes_on(exchange: Exchange) -> bool:
        calls = ("TerminateInstance", "PurgeInstances")
        last = max(each.at for each in exchange.messages if each.method in calls)
        since, end = last + _GRACE_S, last + _LATER_S
        return any(since < one.at < end for one in _of(exchange, instance, "start"))

    return Facet(f"{instance} runs on after terminate and purge", goes_on)


def goes_on(instance: str) -> Facet:
    """Compare whether the activity is still executed in the last seconds of the exchange."""

    def lately(exchange: Exchange) -> bool:
        last = max(one.at for one in exchange.executions)
        return any(one.at > last - _LATELY_S for one in _of(exchange, instance, "start"))

    return Facet(f"{instance} goes on", lately)


def repeated(exchange: Exchange, instance: str) -> list[float]:
    """Return when the first activity was executed again: after the restart, if there was one."""
    found = [one.at for one in _of(exchange, instance, "start") if one.task == 1]
    since = exchange.restarted_at
    return found[1:] if since is None else [each for each in found if each >= since]


def _of(exchange: Exchange, instance: str, event: str) -> list[Execution]:
    return [one for one in exchange.executions if (one.instance, one.event) == (instance, event)]


def _gaps(times: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


def _median(values: Sequence[float]) -> float | None:
    return median(values) if len(values) >= MANY - 1 else None
