import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_app.ids import INSTANCE_ID_PATTERN, check_instance_id, new_instance_id


@given(st.from_regex(INSTANCE_ID_PATTERN.removesuffix("$") + r"\Z"))
def test_ids_of_the_pattern_are_taken_as_they_are(value: str) -> None:
    """What the rule allows passes unchanged."""
    assert check_instance_id(value) == value


@pytest.mark.parametrize(
    "value", ["", "a::b", "a:b", "a||b", "a/b", "a b", "-a", ".a", "é", "a\n", "x" * 101, "a?b"]
)
def test_ids_that_dapr_mishandles_are_refused_with_the_rule(value: str) -> None:
    """The refusal says which ids are possible."""
    with pytest.raises(ValueError, match=re.escape(INSTANCE_ID_PATTERN)):
        check_instance_id(value)


def test_a_fresh_id_is_a_good_one_and_used_once() -> None:
    """An id that the app makes up passes its own rule."""
    first, second = new_instance_id("hello"), new_instance_id("hello")
    assert first != second
    assert check_instance_id(first).startswith("hello-")
