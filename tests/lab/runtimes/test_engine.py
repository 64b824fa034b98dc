import pytest

from lab.runtimes.engine import name_of, speaks_of


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


@pytest.mark.parametrize(
    ("said", "profile", "is_so"),
    [
        ("v1.16.1", "1.16.1", True),
        ("embedded (profile 1.16.1)", "1.16.1", True),
        ("embedded (profile 1.15, from source, not recorded)", "1.15", True),
        ("embedded (profile 1.16.1)", "1.16", False),
        ("embedded (profile 1.18.3)", "1.16.1", False),
    ],
)
def test_the_version_is_read_as_a_whole_word(said: str, profile: str, is_so: bool) -> None:  # noqa: FBT001
    """An engine is of a version when its label names exactly that, with or without remarks."""
    assert speaks_of(said, profile) is is_so
