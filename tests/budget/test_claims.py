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
    assert plain == claim(credentials=((b"idempotency-key", b"k"), (b"user-agent", b"sdk/1")))
    keys = {plain.key, bearer.key, claim(credentials=((b"x-api-key", b"Bearer a"),)).key}
    assert len(keys) == 3
    other = claim(body=b"{ }")
    assert (other.key, other.body == plain.body) == (plain.key, False)
    assert claim(target="/v1?a").body != plain.body


@pytest.mark.parametrize(
    "name",
    [
        *("authorization", "proxy-authorization", "api-key", "x-api-key", "x-goog-api-key"),
        *("ocp-apim-subscription-key", "x-amz-security-token", "x-client-secret"),
    ],
)
def test_an_answer_is_kept_for_whoever_shows_the_same_credential(name: str) -> None:
    """Wherever it is shown: another value there is another call."""
    keys = {claim(credentials=((name.encode(), value),)).key for value in (b"a", b"b")}
    assert len(keys | {claim().key}) == 3


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
