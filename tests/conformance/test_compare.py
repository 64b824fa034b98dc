"""The comparison itself: it holds of a recording and itself, and fails on anything changed."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from tests.conformance.compare import Difference, compare
from tests.conformance.compare.facet import Facet, parts
from tests.conformance.exchange import Exchange, Execution, recorded
from tests.conformance.needs import Need
from tests.conformance.scenarios import SCENARIOS, by_name
from tests.conformance.scenarios.scenario import Scenario
from tests.sidecar import traces
from tests.sidecar.wiretap import Message

ALL = frozenset(Need)
EACH = [(each, version) for each in SCENARIOS for version in each.versions()]
STEADY = ("happy", "retry", "timer", "event", "continue_as_new", "child")
LOST = ("runaway_2s", "runaway_02s_burst", "flushall", "partial_metadata")
# Nobody reads these: the SDK does without, and the answer to an answer is empty.
UNREAD = ("Hello", "CompleteOrchestratorTask", "CompleteActivityTask")


def differences(scenario: Scenario, real: Exchange, ours: Exchange) -> list[Difference]:
    return compare(scenario.facets, real, ours, ALL)


@pytest.mark.parametrize(("scenario", "version"), EACH, ids=lambda each: str(each)[:30])
def test_a_recording_is_equal_to_itself_and_to_nothing_else(
    scenario: Scenario, version: str
) -> None:
    """An exchange in which nothing happened differs from each recording."""
    real = scenario.real(version)
    assert differences(scenario, real, real) == []
    silence = Exchange(logged={}, executions=[Execution(0.0, "nobody", 1, "start")])
    readable = [each for each in scenario.facets if not _needs_talk(each, silence)]
    assert compare(readable, real, silence, ALL)


def _needs_talk(facet: Facet, silence: Exchange) -> bool:
    try:
        facet.of(silence)
    except (IndexError, ValueError):
        return True
    return False


@pytest.mark.parametrize("name", STEADY)
@pytest.mark.parametrize("version", ["1.16.1", "1.18.3"])
def test_no_message_of_the_sidecar_may_be_missing(name: str, version: str) -> None:
    """A recording without any one of its work items and answers differs from the whole."""
    scenario, real = by_name(name), recorded(version, name)
    for number, message in enumerate(real.messages):
        if message.direction == "sidecar->app" and message.method not in UNREAD:
            rest = [*real.messages[:number], *real.messages[number + 1 :]]
            assert differences(scenario, real, replace(real, messages=rest)), message


@pytest.mark.parametrize("name", ["happy", "continue_as_new"])
def test_no_word_of_the_sidecar_may_be_changed(name: str) -> None:
    """Each text and number of a work item or an answer counts, but for times and random ids."""
    scenario, real = by_name(name), recorded("1.16.1", name)
    changed = 0
    for number, message in enumerate(real.messages):
        if message.direction != "sidecar->app" or message.method in UNREAD:
            continue
        for tampered in _tampered(message):
            messages = [*real.messages[:number], tampered, *real.messages[number + 1 :]]
            assert differences(scenario, real, replace(real, messages=messages)), tampered
            changed += 1
    assert changed > 50


def _tampered(message: Message) -> Iterator[Message]:
    for path, value in _leaves(message.body):
        if path[-1] in ("executionId", "taskExecutionId") or traces.plain(value) == "<time>":
            continue
        body = deepcopy(message.body)
        inner: Any = body
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = f"{value}!" if isinstance(value, str) else not value
        yield replace(message, body=body)


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    inner: Sequence[tuple[Any, Any]] = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    )
    for step, each in inner:
        if isinstance(each, dict | list):
            yield from _leaves(each, (*path, step))
        else:
            yield (*path, step), each


def test_an_error_is_its_code_and_its_text() -> None:
    """Another code, or another text, is another answer."""
    scenario, real = by_name("ids_and_unknowns"), recorded("1.18.3", "ids_and_unknowns")
    number = next(n for n, each in enumerate(real.messages) if each.error and each.instance)
    for changed in ({"code": "INTERNAL"}, {"details": "no"}):
        refusal = replace(real.messages[number], error={**real.messages[number].error, **changed})
        messages = [*real.messages[:number], refusal, *real.messages[number + 1 :]]
        assert differences(scenario, real, replace(real, messages=messages))


@pytest.mark.parametrize("name", LOST)
def test_a_loop_that_ends_is_no_loop(name: str) -> None:
    """The recorded runaway with its executions cut after the second differs from the whole."""
    scenario, real = by_name(name), recorded("1.16.1", name)
    began = [each.at for each in real.executions if each.event == "start"]
    few = [each for each in real.executions if each.at <= began[2]]
    assert differences(scenario, real, replace(real, executions=few))


@pytest.mark.parametrize(("name", "factor"), [("runaway_2s", 1.2), ("flushall", 1.2)])
def test_a_loop_of_another_tempo_is_another_loop(name: str, factor: float) -> None:
    """A fifth slower is no longer the recorded period."""
    scenario, real = by_name(name), recorded("1.16.1", name)
    since = real.restarted_at or 0.0
    slower = [
        replace(each, at=since + (each.at - since) * factor) if each.at > since else each
        for each in real.executions
    ]
    told = [each.facet for each in differences(scenario, real, replace(real, executions=slower))]
    assert any("period" in each for each in told)


def test_a_burst_is_as_long_as_the_outage() -> None:
    """Executions of a clock that counts from the restart, not from the due time, are too few."""
    scenario, real = by_name("flushall"), recorded("1.16.1", "flushall")
    steady = [each for each in real.executions if not 86.5 < each.at < 87.9]
    told = [each.facet for each in differences(scenario, real, replace(real, executions=steady))]
    assert any("beyond one a second" in each for each in told)


def test_a_log_line_may_be_neither_missing_nor_new() -> None:
    """What names the instance counts; how often something is retried does not."""
    scenario, real = by_name("flushall"), recorded("1.16.1", "flushall")
    assert real.logged is not None
    lines = dict(real.logged)
    line = next(each for each in lines if each.startswith("flushall::1::1"))
    assert not differences(scenario, real, replace(real, logged={**lines, line: 99}))
    assert differences(scenario, real, replace(real, logged={**lines, "flushall: new": 1}))
    del lines[line]
    assert differences(scenario, real, replace(real, logged=lines))


def test_each_column_of_a_row_counts() -> None:
    """Type, TTL, fields, count of writes and content of a row in Redis."""
    scenario = by_name("redis_keys")
    real = scenario.real("1.16.1")
    row = real.notes["running"]["history-000001"]
    for column in row:
        notes = deepcopy(dict(real.notes))
        notes["running"]["history-000001"][column] = "other"
        assert differences(scenario, real, replace(real, notes=notes)), column


def test_a_difference_is_told_as_deep_inside_as_it_is() -> None:
    """The path leads to what differs."""
    assert parts({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}], "c": 4}) == [
        (".a[1].b", 2, 3),
        (".c", None, 4),
    ]
