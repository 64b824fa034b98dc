from hypothesis import given
from hypothesis import strategies as st

from metering.identity import HEADER_OF_FIELD, UNKNOWN, CallerIdentity

_VALUES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).filter(
    lambda text: text != UNKNOWN
)
_IDENTITIES = st.builds(CallerIdentity, **dict.fromkeys(HEADER_OF_FIELD, _VALUES))


@given(_IDENTITIES)
def test_an_identity_survives_the_wire(identity: CallerIdentity) -> None:
    """Headers carry any text, line breaks and other alphabets included, and only visible ASCII."""
    headers = identity.to_headers()
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    assert CallerIdentity.from_headers(headers) == identity
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    assert CallerIdentity.from_asgi(raw) == identity


def test_what_the_caller_does_not_say_is_unknown() -> None:
    """Missing and blank headers read as `unknown`, which is never sent."""
    identity = CallerIdentity.from_headers({"X-Workflow-Instance": "  ", "Accept": "*/*"})
    assert identity == CallerIdentity()
    assert identity.instance == UNKNOWN
    assert identity.to_headers() == {}


def test_the_case_of_a_header_name_does_not_matter() -> None:
    """HTTP header names are read in any case."""
    identity = CallerIdentity.from_headers({"x-workflow-TASK-id": "3", "IDEMPOTENCY-KEY": "k"})
    assert (identity.task_id, identity.idempotency_key) == ("3", "k")


def test_long_values_are_bounded_and_stay_apart() -> None:
    """Two keys that differ only in their last character remain two keys of bounded length."""
    first, second = (
        CallerIdentity.from_headers({"Idempotency-Key": "k" * 5000 + end}).idempotency_key
        for end in "ab"
    )
    assert len(first) == len(second) == 256
    assert first != second
