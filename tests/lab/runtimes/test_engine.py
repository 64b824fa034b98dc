import pytest

from lab.runtimes.engine import name_of


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("1.16.1", "Dapr 1.16.1"),
        ("v1.18.3", "Dapr 1.18.3"),
        ("1.17.0-rc.1", "Dapr 1.17.0-rc.1"),
        ("embedded (profile 1.16.1)", "embedded (profile 1.16.1)"),
        ("stand-in 1.16.1 (embedded)", "stand-in 1.16.1 (embedded)"),
        ("edge", "edge"),
    ],
)
def test_only_a_plain_version_is_called_dapr(said: str, label: str) -> None:
    """What calls itself anything else is shown as it calls itself."""
    assert name_of(said) == label
