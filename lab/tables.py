"""The tables of the report and the summary: verdict and evidence as rows of text."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab.costs import Cost
from lab.evidence import ArmEvidence, InstanceView
from lab.judgement import ArmJudgement
from lab.money import format_rate, format_usd
from lab.pictures.kinds import Kind, kinds
from lab.pictures.moments import offset_ms
from lab.property_result import PropertyResult
from lab.run_directory import events

INSTANCES_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text below a head.

    Attributes:
        words: how many of the first columns hold words; the others hold numbers.
        note: what was left out; empty when nothing was.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    note: str = ""


def rate_table(arms: Sequence[ArmJudgement]) -> Table:
    """Return what each arm spent, and how fast it went on."""
    head = (
        *("arm", "spent", "limit", "in flight", "endless", "executed again", "pace of each"),
        *("executions/s", "refused/s", "paid calls/s", "$/h"),
    )
    return Table(head, tuple(_rate_row(arm) for arm in arms))


def _rate_row(arm: ArmJudgement) -> tuple[str, ...]:
    seen, rates = arm.redelivery, arm.rates
    limit = arm.evidence.limit_nano_usd
    return (
        arm.evidence.arm,
        format_usd(arm.evidence.spend.nano_usd),
        "none" if limit is None else format_usd(limit),
        str(seen.in_flight),
        str(seen.endless),
        str(seen.again),
        "none" if seen.period_ms is None else f"{seen.period_ms / 1000:.2f} s",
        f"{rates.executions_per_s:.2f}",
        f"{rates.refusals_per_s:.2f}",
        f"{rates.paid_calls_per_s:.2f}",
        format_rate(rates.nano_usd_per_hour),
    )


def cost_table(rows: Sequence[Cost]) -> Table:
    """Return what each rate comes to, for all of its activities and for one."""
    head = (
        *("rate", "calls/h", "a call", "an hour", "a day", "30 days"),
        *("activities", "a day each", "30 days each"),
    )
    return Table(head, tuple(_cost_row(row) for row in rows))


def _cost_row(row: Cost) -> tuple[str, ...]:
    volumes = (row.per_hour, row.per_day, row.per_month)
    each = (row.each_nano_usd(row.per_day), row.each_nano_usd(row.per_month))
    return (
        row.name,
        f"{row.per_hour.calls:,}",
        "none" if row.nano_usd_per_call is None else format_usd(row.nano_usd_per_call),
        *(format_rate(volume.nano_usd) for volume in volumes),
        str(row.activities),
        *("none" if value is None else format_rate(value) for value in each),
    )


def words_table(arms: Sequence[ArmEvidence]) -> Table:
    """Return what the load generator, the engine and the app say of the workflows at the end."""
    return Table(
        ("arm", "the load generator judged", "the engine's last word", "the app saw"),
        tuple((arm.arm, _judged(arm), _engine(arm), _app(arm)) for arm in arms),
        words=4,
    )


def _judged(arm: ArmEvidence) -> str:
    names = ("started", "finished", "failed", "lost", "stuck", "not_started", "start_failures")
    summary = arm.load.summary or {}
    parts = [f"{summary[name]} {name.replace('_', ' ')}" for name in names if summary.get(name)]
    return ", ".join(parts) or "nothing"


def _engine(arm: ArmEvidence) -> str:
    said = Counter(w.engine.status or "never asked" for w in arm.workflows)
    return ", ".join(f"{count} {status}" for status, count in said.most_common()) or "nothing"


def _app(arm: ArmEvidence) -> str:
    finished = sum(w.app.finished for w in arm.workflows)
    executions = sum(w.app.executions for w in arm.workflows)
    refusals = sum(w.app.refusals for w in arm.workflows)
    refused = f", {refusals:,} refused" if refusals else ""
    return f"{finished} finished, {executions:,} executions{refused}"


def instance_table(arm: ArmEvidence) -> Table:
    """Return each workflow that the gateway stopped, and the controls, with what became of it."""
    head = (
        *("workflow", "state", "source stop", "executions", "paid calls", "replays", "refusals"),
        *("spent", "jobs deleted", "jobs left"),
    )
    controls = set(arm.controls)
    stopped = [v for v in arm.instances if v.state != "live" or v.source or v.instance in controls]
    ordered = sorted(stopped, key=lambda v: v.instance in controls)
    shown = _with_controls(ordered, INSTANCES_SHOWN, controls)
    rows = tuple(_instance_rows(arm, shown))
    left = len(ordered) - len(shown)
    note = f"{left} more stopped workflows are in evidence.json." if left else ""
    return Table(head, (*rows, _total(rows)) if rows else (), words=3, note=note)


def _with_controls(
    views: Sequence[InstanceView], most: int, controls: set[str]
) -> list[InstanceView]:
    """Return at most so many, the controls among them."""
    plain = [v for v in views if v.instance not in controls]
    kept = [v for v in views if v.instance in controls][:most]
    return [*plain[: most - len(kept)], *kept]


def _instance_rows(arm: ArmEvidence, views: Sequence[InstanceView]) -> Iterator[tuple[str, ...]]:
    ran = Counter(execution.instance for execution in arm.executions)
    paid = Counter(call.instance for call in arm.calls)
    cost: Counter[str] = Counter()
    for call in arm.calls:
        cost[call.instance] += call.nano_usd
    for view in views:
        name, source = view.instance, view.source
        left = None if source is None else source.jobs_left
        yield (
            f"{name} (control)" if name in arm.controls else name,
            f"{view.state}, {view.reason}" if view.reason else view.state,
            "none" if source is None else _stop(source.state, source.error),
            *(f"{n:,}" for n in (ran[name], paid[name], view.replays, view.refusals)),
            format_usd(cost[name]),
            str(source.jobs_deleted if source else 0),
            "none" if left is None else str(left),
        )


def _stop(state: str, error: str | None) -> str:
    return f"{state}: {error}" if error else state


def _total(rows: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return (f"{len(rows)} workflows", *[""] * (len(rows[0]) - 1))


def event_table(arms: Sequence[ArmEvidence]) -> Table:
    """Return what happened when, each arm from its own disruption."""
    found = [{text: offset_ms(arm, at) for text, at in events(arm)} for arm in arms]
    earliest = {
        text: min(times[text] for times in found if text in times)
        for text in dict.fromkeys(text for times in found for text in times)
    }
    rows = tuple(
        (text, *(_seconds(times[text]) if text in times else "none" for times in found))
        for text in sorted(earliest, key=lambda text: earliest[text])
    )
    return Table(("seconds from the disruption", *(f"arm {arm.arm}" for arm in arms)), rows)


def _seconds(ms: int) -> str:
    # Adding zero turns a rounded minus zero into zero.
    return f"{round(ms / 1000, 1) + 0.0:+.1f}"


def kind_counts(arm: ArmEvidence) -> dict[Kind, int]:
    """Return how many executions of each kind an arm had."""
    return dict(Counter(kind for _, kind in kinds(arm)))


@dataclass(frozen=True, slots=True)
class PropertyRow:
    """One property, and what came of it in each arm."""

    name: str
    kind: str
    results: tuple[PropertyResult | None, ...]


def property_rows(arms: Sequence[ArmJudgement]) -> list[PropertyRow]:
    """Return every property once, in the order of the arms' own lists."""
    by_arm = [{p.name: p for p in arm.properties} for arm in arms]
    names = dict.fromkeys((p.name, p.kind) for arm in arms for p in arm.properties)
    return [
        PropertyRow(name, kind, tuple(found.get(name) for found in by_arm)) for name, kind in names
    ]
