"""Due times in the forms that sidecars send."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.scheduler.due_times import due_us

NOW_US = 1_700_000_000_000_000


@pytest.mark.parametrize(
    ("text", "after_us"),
    [
        ("0s", 0),
        ("0", 0),
        ("1.5s", 1_500_000),
        ("2h45m30.25s", 9_930_250_000),
        ("240h", 864_000_000_000),
        ("-3s", -3_000_000),
        ("+10ms", 10_000),
        ("1us", 1),
        ("7\u00b5s", 7),
        ("1999ns", 1),
        (".5s", 500_000),
        ("1.s", 1_000_000),
    ],
)
def test_durations_count_from_the_receipt(text: str, after_us: int) -> None:
    """A Go duration is added to the time of receipt, rounded down to a microsecond."""
    assert due_us(text, NOW_US) == NOW_US + after_us


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.000001999Z", 1_000_001),
        ("1970-01-01T02:00:00+02:00", 0),
        ("2026-11-23T07:50:04.429174Z", 1795420204429174),
        ("9999-12-31T23:59:59.999999999Z", 253402300799999999),
    ],
)
def test_absolute_times_keep_their_fraction(text: str, expected: int) -> None:
    """RFC 3339 is read to the microsecond; an external event's timer waits until the year 9999."""
    assert due_us(text, NOW_US) == expected


@given(st.datetimes(timezones=st.just(UTC)))
def test_any_time_survives_the_way_through_text(moment: datetime) -> None:
    """Reading what RFC 3339 writes gives the same microsecond."""
    text = moment.strftime("%Y").zfill(4) + moment.strftime("-%m-%dT%H:%M:%S.%fZ")
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert due_us(text, NOW_US) == expected


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text does anything but give a time or a ValueError."""
    try:
        assert isinstance(due_us(text, NOW_US), int)
    except ValueError as error:
        assert str(error) == "due time format not recognized"  # noqa: PT017 - both ends are right


@pytest.mark.parametrize(
    "text",
    ["", "1", "s", "-", "1d", "soon", "1s ", "\u0661s", "2026-13-01T00:00:00Z", "2026-11-23",
     "2026-11-23T07:50:04", "1e9s", "9999999999h"],
)  # fmt: skip
def test_other_texts_are_refused(text: str) -> None:
    """What is neither form is refused in Dapr's words."""
    with pytest.raises(ValueError, match=r"^due time format not recognized$"):
        due_us(text, NOW_US)
