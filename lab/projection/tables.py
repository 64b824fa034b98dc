"""A projection as tables for a console that is at least eighty columns wide."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lab.money import format_usd
from lab.projection import words
from lab.projection.document import decimal_text
from lab.projection.measured import MEASURED, SOURCE, WINDOW_S, MeasuredRow
from lab.projection.project import Projection
from lab.projection.published import PUBLISHED
from lab.projection.volume import MONTH_DAYS, Volume

_NUMBERS: Final = frozenset(
    {"calls", "calls/h", "cost", "24 h", "30 days", "unpaid", "side by side"}
)

_CLOCK: Final = (
    "One a second and activity is the most that its retry clock lets through: that follows from "
    "the clock; recorded were up to five side by side."
)


def renderables(
    projections: Sequence[Projection], *, with_published: bool
) -> Iterator[RenderableType]:
    """Give what is printed, from top to bottom."""
    if with_published:
        yield from _published()
    for projection in projections:
        yield from _projection(projection)
    yield from _measured()


def _published() -> Iterator[RenderableType]:
    yield _title("The published figures, and what each takes for granted")
    table = _table("published", "calls/h", "24 h", "30 days", "reached after")
    for reading in PUBLISHED:
        days = decimal_text(reading.reached_after_days)
        table.add_row(
            reading.claim,
            f"{reading.per_hour.calls:,}",
            format_usd(reading.per_day.nano_usd),
            format_usd(reading.per_month.nano_usd),
            f"{days} day" if days == "1" else f"{days} days",
        )
    yield table
    for reading in PUBLISHED:
        yield Text(f"{reading.claim}: {reading.assumptions}")
    yield Text()


def _projection(projection: Projection) -> Iterator[RenderableType]:
    assumed = projection.assumed
    yield _title(words.heading(assumed))
    for line in words.assumptions(assumed):
        yield Text(line)
    yield _costs(projection)
    yield Text(f"What stops it, within {_days(assumed.days)}:")
    yield _outcomes(projection)
    if projection.growth:
        yield Text(
            f"What it becomes within {_days(assumed.days)} when the sidecar is restarted, each "
            "time for less than a call takes:"
        )
        yield _growth(projection)
        if any(growth.bound_from_s is not None for growth in projection.growth):
            yield Text(_CLOCK)
    yield Text()


def _costs(projection: Projection) -> Table:
    table = _table("in the first", "calls", "cost")
    rows = {"hour": projection.first_hour, "24 h": projection.first_day}
    rows[f"{MONTH_DAYS} days"] = projection.first_month
    rows[_days(projection.assumed.days)] = projection.in_all
    for name, volume in rows.items():
        table.add_row(name, *_volume(volume))
    return table


def _outcomes(projection: Projection) -> Table:
    table = _table("in its way", "calls", "cost", "unpaid", "and then")
    for outcome in projection.outcomes:
        table.add_row(
            words.measure(outcome, projection.assumed),
            *_volume(outcome.paid),
            f"{outcome.unpaid_executions:,}",
            words.what_follows(outcome, projection.assumed.zombie_executions),
        )
    return table


def _growth(projection: Projection) -> Table:
    table = _table("restarts a day", "side by side", "calls/h", "calls", "cost", "")
    for growth in projection.growth:
        table.add_row(
            decimal_text(growth.restarts_per_day),
            f"{growth.side_by_side:,}",
            f"{growth.per_hour:,}",
            *_volume(growth.paid),
            words.growth_note(growth),
        )
    return table


def _measured() -> Iterator[RenderableType]:
    yield _title(f"For comparison, {SOURCE}")
    table = _table("Dapr", "in flight", "call", "lost how", f"per {WINDOW_S} s", "calls/h")
    for row in MEASURED:
        table.add_row(
            row.version,
            f"{row.workflows} x {row.in_flight}",
            f"{row.call_s} s",
            row.away,
            _windows(row),
            f"{row.per_hour:,}",
        )
    yield table


def _windows(row: MeasuredRow) -> str:
    """Return each pace with the number of windows in which it was seen."""
    paces = dict.fromkeys(row.executions, 0)
    for executions in row.executions:
        paces[executions] += 1
    return ", ".join(f"{n}" if times == 1 else f"{times} x {n}" for n, times in paces.items())


def _title(text: str) -> Text:
    return Text(text, style="bold")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if column in _NUMBERS else "left")
    return table


def _volume(volume: Volume) -> tuple[str, str]:
    return f"{volume.calls:,}", format_usd(volume.nano_usd)


def _days(days: Fraction) -> str:
    text = decimal_text(days)
    return "24 h" if text == "1" else f"{text} days"
