import pytest

from metering.errors import UsageError
from metering.usage import Usage


@pytest.mark.parametrize(
    "counts",
    [
        *[(-1, 0, 0), (0, 0, -1), (5, -1, 0), (5, 6, 0), (5, 0, 0, -1), (5, 0, 0, 0, -1)],
        *[(5, 2, 0, 2, 2), (5, 0, 3, 0, 0, 4), (5, 0, 3, 0, 0, -1)],
    ],
)
def test_counts_that_cannot_be_true_are_refused(counts: tuple[int, ...]) -> None:
    """Negative counts, and parts above their whole, never become a usage."""
    with pytest.raises(UsageError):
        Usage(*counts)


def test_every_input_token_is_in_one_group() -> None:
    """Read from the cache, written to it for one of two times, or neither."""
    assert Usage(10, 1, 0, 2, 3).plain_tokens == 4
