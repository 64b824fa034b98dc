"""Laws of telling calls that are the same from those that are not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.claims import Claim, claim_of, execution_of
from metering.identity import CallerIdentity

KEYED = CallerIdentity(
    instance="i", task_id="2", execution_id="e", activity="think", idempotency_key="i:e:2:7"
)


def claim(
    key: str = "k",
    credentials: tuple[tuple[bytes, bytes], ...] = (),
    target: str = "/v1",
    body: bytes = b"{}",
) -> Claim:
    """Return the claim of a request with a key."""
    found = claim_of(CallerIdentity(idempotency_key=key), credentials, target, body)
    assert found is not None
    return found


def test_without_a_key_there_is_no_claim_and_no_execution() -> None:
    """Nobody said that two calls are one, or which of them is another execution."""
    keyless = CallerIdentity(instance="i", task_id="2", execution_id="e")
    assert claim_of(keyless, (), "/v1", b"{}") is None
    assert execution_of(keyless) is None


@pytest.mark.parametrize("missing", ["instance", "task_id", "execution_id"])
def test_an_unknown_place_is_no_execution(missing: str) -> None:
    """Callers that name no instance, task or execution are never counted as one."""
    fields: dict[str, Any] = {f: getattr(KEYED, f) for f in KEYED.__slots__ if f != missing}
    assert execution_of(CallerIdentity(**fields)) is None


def test_calls_of_one_execution_differ_by_their_ordinal() -> None:
    """The last part of the key tells them apart; the activity is the same."""
    first = execution_of(KEYED)
    assert first is not None
    assert first.ordinal == "7"
    assert first.label == "activity think (task 2, execution e)"


def test_a_credential_is_part_of_the_key_and_the_body_is_not() -> None:
    """Any header that a provider takes as a credential; whatever else is sent does not matter."""
    plain = claim()
    bearer = claim(credentials=((b"authorization", b"Bearer a"), (b"x-other", b"1")))
    assert bearer == claim(credentials=((b"authorization", b"Bearer a"),))
    named = (b"x-api-key", b"x-goog-api-key", b"ocp-apim-subscription-key", b"x-auth-token")
    keys = {claim(credentials=((name, b"Bearer a"),)).key for name in named}
    assert len(keys | {plain.key, bearer.key}) == len(named) + 2
    both = ((b"api-key", b"1"), (b"authorization", b"2"))
    assert claim(credentials=both) == claim(credentials=both[::-1])
    assert claim(credentials=((b"idempotency-key", b"another"),)) == plain
    other = claim(body=b"{ }")
    assert (other.key, other.body == plain.body) == (plain.key, False)
    assert claim(target="/v1?a").body != plain.body


@given(st.lists(st.text(max_size=4), min_size=3, max_size=3), st.data())
def test_no_two_places_share_an_activity(parts: list[str], data: st.DataObject) -> None:
    """Whatever separators the ids hold."""
    others = data.draw(st.lists(st.text(max_size=4), min_size=3, max_size=3))
    one, other = (
        execution_of(CallerIdentity(instance=i, execution_id=e, task_id=t, idempotency_key="k"))
        for i, e, t in (parts, others)
    )
    assert one is not None
    assert other is not None
    assert (one.activity == other.activity) == (parts == others)
