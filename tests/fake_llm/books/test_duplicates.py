from fake_llm.books.duplicates import Duplicates
from metering.identity import CallerIdentity


def test_an_execution_that_calls_again_with_the_same_body_is_a_duplicate() -> None:
    """The engine's redelivery has the same execution id: the incident's own metric."""
    calls = Duplicates()
    who = CallerIdentity(instance="i", activity="a", execution_id="e")
    assert [calls.seen(who, b"body") for _ in range(3)] == [False, True, True]


def test_another_body_or_execution_or_instance_is_another_call() -> None:
    """An activity may call twice, and three activities may say the same."""
    calls = Duplicates()
    assert not calls.seen(CallerIdentity(instance="i", execution_id="e"), b"body")
    assert not calls.seen(CallerIdentity(instance="i", execution_id="e"), b"other")
    assert not calls.seen(CallerIdentity(instance="i", execution_id="f"), b"body")
    assert not calls.seen(CallerIdentity(instance="j", execution_id="e"), b"body")


def test_without_an_execution_id_the_activity_tells_calls_apart() -> None:
    """An activity that is named like an execution is not that execution."""
    calls = Duplicates()
    assert not calls.seen(CallerIdentity(instance="i", activity="a"), b"body")
    assert not calls.seen(CallerIdentity(instance="i", activity="b"), b"body")
    assert not calls.seen(CallerIdentity(instance="i", execution_id="a"), b"body")
    assert calls.seen(CallerIdentity(instance="i", activity="a"), b"body")


def test_a_caller_without_an_instance_makes_no_duplicates() -> None:
    """Plain clients ask the same thing again and mean it."""
    calls = Duplicates()
    assert [calls.seen(CallerIdentity(activity="a"), b"body") for _ in range(2)] == [False, False]


def test_the_least_recently_seen_call_is_forgotten_first() -> None:
    """Memory holds the last `max_keys` calls; one that comes again is renewed."""
    calls = Duplicates(max_keys=2)
    first, second, third = (CallerIdentity(instance=name) for name in "abc")
    assert [calls.seen(who, b"") for who in (first, second, first, third)] == (
        [False, False, True, False]
    )
    assert calls.seen(first, b"")
    assert not calls.seen(second, b"")


def test_a_cleared_memory_knows_no_call() -> None:
    """After a reset the first call is new again."""
    calls = Duplicates()
    who = CallerIdentity(instance="i")
    calls.seen(who, b"")
    calls.clear()
    assert not calls.seen(who, b"")
