"""The tables of the report and the summary: verdict and evidence as rows of text."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.costs import Cost
from lab.evidence import ArmEvidence, InstanceView
from lab.judgement import ArmJudgement
from lab.money import format_rate, format_usd
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
        asides: a sentence below each row, empty for none; or nothing at all.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    note: str = ""
    asides: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True)
class _Sums:
    """What one workflow, or all of them together, came to; jobs that nobody counted are None."""

    executions: int
    paid_calls: int
    replays: int
    refusals: int
    nano_usd: int
    jobs_deleted: int
    jobs_left: int | None

    def cells(self) -> tuple[str, ...]:
        counts = (self.executions, self.paid_calls, self.replays, self.refusals)
        left = "unknown" if self.jobs_left is None else f"{self.jobs_left:,}"
        jobs = (f"{self.jobs_deleted:,}", left)
        return (*(f"{count:,}" for count in counts), format_usd(self.nano_usd), *jobs)


def instance_table(arm: ArmEvidence) -> Table:
    """Return each workflow that the gateway stopped, then the controls, and what became of each."""
    head = (
        *("workflow", "state", "source stop", "executions", "paid calls", "replays", "refusals"),
        *("spent", "jobs deleted", "jobs left"),
    )
    controls = [view for view in arm.instances if view.instance in arm.controls]
    stopped = [
        view
        for view in arm.instances
        if (view.state != "live" or view.source) and view.instance not in arm.controls
    ]
    sums = _sums(arm)
    kept = controls[:INSTANCES_SHOWN]
    shown = [*stopped[: INSTANCES_SHOWN - len(kept)], *kept]
    rows = [(*_named(view, arm), *sums[view.instance].cells()) for view in shown]
    asides = [_why(view) for view in shown]
    for title, views in (("all stopped", stopped), ("all controls", controls)):
        if len(views) > 1:
            rows.append((f"{title}: {len(views)}", "", "", *_added(views, sums).cells()))
            asides.append("")
    left = len(stopped) + len(controls) - len(shown)
    note = f"{left} more are in evidence.json; the sums have them too." if left else ""
    return Table(head, tuple(rows), words=3, note=note, asides=tuple(asides))


def _named(view: InstanceView, arm: ArmEvidence) -> tuple[str, str, str]:
    state = f"control, {view.state}" if view.instance in arm.controls else view.state
    return view.instance, state, "none" if view.source is None else view.source.state


def _why(view: InstanceView) -> str:
    error = view.source.error if view.source else None
    return "; ".join(text for text in (view.reason, error) if text)


def _sums(arm: ArmEvidence) -> dict[str, _Sums]:
    """Return the sums of each instance: money and paid calls by the LLM's own journal."""
    ran = Counter(execution.instance for execution in arm.executions)
    paid = Counter(call.instance for call in arm.calls)
    cost: Counter[str] = Counter()
    for call in arm.calls:
        cost[call.instance] += call.nano_usd
    return {
        view.instance: _Sums(
            ran[view.instance],
            paid[view.instance],
            view.replays,
            view.refusals,
            cost[view.instance],
            view.source.jobs_deleted if view.source else 0,
            _jobs_left(view, arm),
        )
        for view in arm.instances
    }


def _jobs_left(view: InstanceView, arm: ArmEvidence) -> int | None:
    """Return what the lab's own look at the scheduler found, or else the gateway's."""
    if arm.jobs_left is not None:
        return sum(job.instance_id == view.instance for job in arm.jobs_left)
    return view.source.jobs_left if view.source else None


def _added(views: Sequence[InstanceView], sums: Mapping[str, _Sums]) -> _Sums:
    each = [sums[view.instance] for view in views]
    left = [one.jobs_left for one in each]
    return _Sums(
        executions=sum(one.executions for one in each),
        paid_calls=sum(one.paid_calls for one in each),
        replays=sum(one.replays for one in each),
        refusals=sum(one.refusals for one in each),
        nano_usd=sum(one.nano_usd for one in each),
        jobs_deleted=sum(one.jobs_deleted for one in each),
        jobs_left=None if None in left else sum(count or 0 for count in left),
    )


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
