"""Facets of what app and client said to the sidecar, and it to them, about one instance."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from tests.conformance.compare.facet import Facet
from tests.conformance.exchange import Exchange
from tests.sidecar import traces
from tests.sidecar.wiretap import Message

CALLS = (
    *("StartInstance", "GetInstance", "RaiseEvent", "TerminateInstance", "SuspendInstance"),
    *("ResumeInstance", "PurgeInstances"),
)
_NAME = "completionToken"
_WAIT = "WaitForInstanceCompletion"
# What a relay says of a sidecar that is away is not the sidecar's.
_AWAY = ("UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED")


def steady(instance: str) -> tuple[Facet, ...]:
    """Compare all that is said about an instance: turns, activities, answers, the outcome."""
    return (
        turns(instance),
        decisions(instance),
        activities(instance),
        answers(instance),
        outcome(instance),
    )


def turns(instance: str) -> Facet:
    """Compare the turns that the app is asked to take: past and news, event by event."""
    return Facet(f"turns of {instance}", lambda each: traces.turns(_about(each, instance)))


def decisions(instance: str) -> Facet:
    """Compare what the app decides in those turns: its actions, by what it was told."""

    def decided(exchange: Exchange) -> list[Any]:
        asked = _asked(_about(exchange, instance), "CompleteOrchestratorTask")
        return [{name: each[name] for name in each if name != _NAME} for each in asked]

    return Facet(f"decisions of {instance}", decided)


def tokens(instance: str) -> Facet:
    """Compare whether answers to work items name them by a token of the sidecar's."""

    def named(exchange: Exchange) -> bool:
        return any(_NAME in each.body for each in _about(exchange, instance))

    return Facet(f"completion tokens of {instance}", named)


def activities(instance: str) -> Facet:
    """Compare the activities that the app is asked to run, and how often, by task id."""
    return Facet(
        f"activities of {instance}", lambda each: traces.activities(_about(each, instance))
    )


def requested(instance: str) -> Facet:
    """Compare which activities the app is asked to run at all, however often."""

    def different(exchange: Exchange) -> list[Any]:
        found: list[Any] = []
        for each in traces.activities(_about(exchange, instance)):
            if each not in found:
                found.append(each)
        return found

    return Facet(f"activities of {instance}, each once", different)


def execution_ids(instance: str) -> Facet:
    """Compare how many execution ids the redeliveries of the first activity have."""

    def ids(exchange: Exchange) -> int:
        asked = [
            each.body["activityRequest"]
            for each in _about(exchange, instance)
            if "activityRequest" in each.body
        ]
        return len({each["taskExecutionId"] for each in asked if each["taskId"] == 1})

    return Facet(f"execution ids of the first activity of {instance}", ids)


def answers(instance: str, *calls: str) -> Facet:
    """Compare what the sidecar answers to calls of clients, codes and texts included."""
    wanted = calls or CALLS
    named = f"answers to {', '.join(calls)}" if calls else "answers to calls"
    return Facet(
        f"{named} about {instance or 'no id'}", lambda each: _answers(each, instance, wanted)
    )


def changes(instance: str, call: str) -> Facet:
    """Compare which answers to a call there are one after the other, however often each came."""

    def changed(exchange: Exchange) -> list[Any]:
        return [each for each, _ in groupby(_answers(exchange, instance, (call,)))]

    return Facet(f"answers to {call} about {instance}, as they change", changed)


def outcome(instance: str) -> Facet:
    """Compare status, input, output and failure of which who waits for the end is told."""

    def last(exchange: Exchange) -> list[Any]:
        return _answers(exchange, instance, (_WAIT,))[-1:]

    return Facet(f"outcome of {instance}", last)


def results_once(instance: str) -> Facet:
    """Compare which results the last turn knows of: each once, however they fell into turns."""

    def known(exchange: Exchange) -> list[Any]:
        last = traces.turns(_about(exchange, instance))[-1]
        events = [*last["pastEvents"], *last["newEvents"]]
        done = [each["taskCompleted"] for each in events if "taskCompleted" in each]
        return sorted((each["taskScheduledId"], each["result"]) for each in done)

    return Facet(f"results of {instance}", known)


def unanswered_turns(instance: str) -> Facet:
    """Compare how many turns the app was asked to take and never answered."""

    def missing(exchange: Exchange) -> int:
        about = _about(exchange, instance)
        return len(traces.turns(about)) - len(_asked(about, "CompleteOrchestratorTask"))

    return Facet(f"turns of {instance} without an answer", missing)


def _about(exchange: Exchange, instance: str) -> list[Message]:
    return traces.about(exchange.messages, instance)


def _answers(exchange: Exchange, instance: str, calls: Sequence[str]) -> list[Any]:
    found = traces.answers(_about(exchange, instance), *calls)
    return [each for each in found if each[2].get("code") not in _AWAY]


def _asked(messages: Sequence[Message], method: str) -> list[Any]:
    return [
        traces.plain(each.body)
        for each in messages
        if each.direction == "app->sidecar" and each.method == method
    ]
