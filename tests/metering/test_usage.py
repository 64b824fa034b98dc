import pytest

from metering.errors import UsageError
from metering.usage import Usage


@pytest.mark.parametrize("counts", [(-1, 0, 0), (0, 0, -1), (5, -1, 0), (5, 6, 0)])
def test_counts_that_cannot_be_true_are_refused(counts: tuple[int, int, int]) -> None:
    """Negative counts, and more cached than input tokens, never become a usage."""
    with pytest.raises(UsageError):
        Usage(*counts)
