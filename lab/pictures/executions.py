"""Executions against time: one row a workflow, grouped by arm, one mark an execution."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from lab.evidence import ArmEvidence
from lab.pictures.axes import moment_lines, time_axis, time_scale
from lab.pictures.kinds import Kind, kinds
from lab.pictures.layout import Layout
from lab.pictures.marks import MarkPath, bar, circle, cross, diamond, square, star, triangle
from lab.pictures.moments import arm_moments, offset_ms, shared_moments
from lab.pictures.placing import Box, Placer, text_width
from lab.pictures.scales import Scale
from lab.pictures.shapes import Anchor, Path, Picture, Shape, Words, line

ROWS_AN_ARM = 60
MARKS_A_PICTURE = 4000
_ROWS_PX = 620
_LEAST_ROW_PX, _MOST_ROW_PX = 7.0, 18.0
_LABEL_EVERY = (1, 2, 5, 10, 20, 50)
_GROUP_GAP_LINES = 1.0
# Two marks of one kind nearer than this can't be told apart.
_CELL_PX = 2.0
_SIDES: tuple[tuple[float, Anchor], ...] = ((-2, "start"), (2, "end"), (0, "middle"))


@dataclass(frozen=True, slots=True)
class KindMark:
    """How a kind of execution is told from the others."""

    path: MarkPath
    style: str


KIND_MARKS: dict[Kind, KindMark] = {
    Kind.FIRST: KindMark(circle, "hollow first"),
    Kind.FIRST_EXPIRED: KindMark(triangle, "solid expired"),
    Kind.AGAIN: KindMark(bar, "hollow again"),
    Kind.REPLAYED: KindMark(diamond, "solid replayed"),
    Kind.REFUSED: KindMark(cross, "hollow refused"),
    Kind.HELD: KindMark(square, "hollow held"),
    Kind.FAILED: KindMark(star, "hollow broken"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """The executions of one workflow: their times from the disruption, by kind."""

    label: str
    instance: str
    at_ms: Mapping[Kind, Sequence[int]]

    @property
    def count(self) -> int:
        """Return how many executions it had."""
        return sum(len(times) for times in self.at_ms.values())


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one arm that are drawn, and what all of its workflows had."""

    arm: ArmEvidence
    rows: tuple[Row, ...]
    workflows: int
    counts: Mapping[Kind, int]


def group(arm: ArmEvidence) -> Group:
    """Return an arm's rows; of very many workflows those with most executions."""
    times: dict[str, dict[Kind, list[int]]] = defaultdict(lambda: defaultdict(list))
    for workflow in arm.workflows:
        times[workflow.instance_id] = defaultdict(list)
    counts: Counter[Kind] = Counter()
    for execution, kind in kinds(arm):
        times[execution.instance][kind].append(offset_ms(arm, execution.started_unix_ms))
        counts[kind] += 1
    labels = _labels(list(times), arm.controls)
    rows = [Row(labels[instance], instance, found) for instance, found in times.items()]
    most = sorted(rows, key=lambda row: -row.count)[:ROWS_AN_ARM]
    shown = sorted(most, key=lambda row: _natural(row.instance, arm.controls))
    return Group(arm, tuple(shown), len(rows), counts)


def _labels(instances: Sequence[str], controls: Sequence[str]) -> dict[str, str]:
    """Return what is left of each name without what all begin with; controls are c1, c2, …."""
    plain = [name for name in instances if name not in controls]
    shared = _shared(sorted(re.sub(r"\d+$", "", name) for name in plain))
    labels = {name: name.removeprefix(shared) or name for name in plain}
    return labels | {name: f"c{n}" for n, name in enumerate(sorted(controls), 1)}


def _shared(ordered: Sequence[str]) -> str:
    """Return what all of these begin with: what the first and the last of them do."""
    pairs = zip(ordered[0], ordered[-1], strict=False) if ordered else ()
    return "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _natural(name: str, controls: Sequence[str]) -> tuple[bool, list[tuple[bool, int, str]]]:
    parts = re.findall(r"\d+|\D+", name)
    return name in controls, [(p.isdigit(), int(p) if p.isdigit() else 0, p) for p in parts]


def draw_executions(arms: Sequence[ArmEvidence], layout: Layout) -> Picture:
    """Return the picture."""
    groups = [group(arm) for arm in arms]
    rows = sum(len(g.rows) for g in groups)
    row_px = min(_MOST_ROW_PX, max(_LEAST_ROW_PX, _ROWS_PX / max(1, rows)))
    xs = time_scale(arms, layout)
    cell_px = _cell(groups, xs)
    key = _key([kind for kind in Kind if any(g.counts.get(kind) for g in groups)], layout)
    top = key.height + 2.6 * layout.line_px
    shapes: list[Shape] = []
    y = top
    for each in groups:
        y += _GROUP_GAP_LINES * layout.line_px
        shapes += _group_shapes(each, y, _Frame(row_px, cell_px, xs, layout))
        y += layout.line_px + len(each.rows) * row_px
    bottom = y + 6
    shapes = [
        *key.shapes,
        *time_axis(xs, top, bottom, layout),
        *moment_lines(shared_moments(arms), xs, top, bottom, layout),
        *shapes,
    ]
    said = ". ".join(f"Arm {g.arm.arm}: {_counted(g)}" for g in groups)
    return Picture(
        f"executions-{layout.name}",
        "Executions of activities against time, one row a workflow",
        f"{said}.",
        layout.width,
        round(bottom + 3.0 * layout.line_px),
        layout.text_px,
        tuple(shapes),
        tuple(_notes(groups, cell_px, xs)),
    )


def _counted(each: Group) -> str:
    return "; ".join(f"{n:,} {kind}" for kind in Kind if (n := each.counts.get(kind, 0))) or "none"


def _cells(row: Row, cell_px: float, xs: Scale) -> dict[Kind, list[float]]:
    """Return where a row's marks stand: one a cell and kind."""
    return {
        kind: sorted({round(xs.at(at) / cell_px) * cell_px for at in times})
        for kind, times in row.at_ms.items()
    }


def _marks(groups: Sequence[Group], cell_px: float, xs: Scale) -> int:
    return sum(
        len(cells)
        for each in groups
        for row in each.rows
        for cells in _cells(row, cell_px, xs).values()
    )


def _cell(groups: Sequence[Group], xs: Scale) -> float:
    """Return the width of a cell that keeps the picture bounded."""
    cell_px = _CELL_PX
    while _marks(groups, cell_px, xs) > MARKS_A_PICTURE:
        cell_px *= 1.5
    return cell_px


def _notes(groups: Sequence[Group], cell_px: float, xs: Scale) -> Iterator[str]:
    for each in groups:
        yield f"Arm {each.arm.arm}: {_counted(each)}."
    if any(each.arm.controls for each in groups):
        yield "Rows c1 and so on are healthy control workflows, started after the disruption."
    for each in groups:
        if each.workflows > len(each.rows):
            yield (
                f"Arm {each.arm.arm}: of {each.workflows} workflows the {len(each.rows)} with most "
                "executions are drawn."
            )
    executions = sum(row.count for each in groups for row in each.rows)
    marks = _marks(groups, cell_px, xs)
    if marks < executions:
        apart_s = cell_px / (xs.end - xs.start) * (xs.high - xs.low) / 1000
        yield (
            f"{executions:,} executions are drawn as {marks:,} marks: those of one kind within "
            f"{apart_s:.2g} s are one mark. The counts are of executions."
        )


@dataclass(frozen=True, slots=True)
class _Key:
    shapes: tuple[Shape, ...]
    height: float


def _key(shown: Sequence[Kind], layout: Layout) -> _Key:
    """Return the names of the marks, in as many lines as they need."""
    shapes: list[Shape] = []
    left = 8.0
    x, y = left, layout.line_px
    for kind in shown:
        width = 16 + text_width(kind, layout.text_px) + 18
        if x > left and x + width > layout.width:
            x, y = left, y + layout.line_px * 1.1
        mark = KIND_MARKS[kind]
        shapes.append(Path(mark.path(x + 5, y - layout.text_px * 0.35, 4.5), mark.style))
        shapes.append(Words(x + 16, y, kind))
        x += width
    return _Key(tuple(shapes), y)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the rows of all groups are drawn."""

    row_px: float
    cell_px: float
    xs: Scale
    layout: Layout

    @property
    def label_every(self) -> int:
        """Return which rows have room for words: all, or every second, fifth and so on."""
        least = self.layout.text_px * 1.05 / self.row_px
        return next(n for n in _LABEL_EVERY if n >= least)

    @property
    def label_characters(self) -> int:
        """Return how long the label of a row may be."""
        return int((self.layout.left - 8) / text_width("0", self.layout.text_px))


def _group_shapes(each: Group, top: float, frame: _Frame) -> Iterator[Shape]:
    layout = frame.layout
    first_row = top + layout.line_px
    yield from _group_head(each, top + layout.line_px * 0.6, first_row, frame)
    for n, row in enumerate(each.rows):
        y = first_row + (n + 0.5) * frame.row_px
        yield line(frame.xs.start, y, frame.xs.end, y, "row")
        if n % frame.label_every == 0:
            below = y + layout.text_px * 0.35
            label = row.label[: frame.label_characters]
            yield Words(frame.xs.start - 7, below, label, "tick", "end")
            yield Words(layout.width - 4, below, f"{row.count:,}", "tick", "end")
        yield from _row_marks(row, y, frame)


def _group_head(each: Group, baseline: float, first_row: float, frame: _Frame) -> Iterator[Shape]:
    layout = frame.layout
    placer = Placer(Box(0, 0, layout.width, first_row), layout.text_px)
    yield placer.take(Words(8, baseline, f"arm {each.arm.arm}", "strong"))
    total = f"{sum(each.counts.values()):,}"
    yield placer.take(Words(layout.width - 4, baseline, total, "strong", "end"))
    bottom = first_row + len(each.rows) * frame.row_px
    for moment in reversed(arm_moments(each.arm)):
        x = frame.xs.at(moment.at_ms)
        yield line(x, first_row - 2, x, bottom, "flag")
        words = placer.first_free(
            Words(x + shift, baseline, moment.text, "", anchor) for shift, anchor in _SIDES
        )
        if words is not None:
            yield words


def _row_marks(row: Row, y: float, frame: _Frame) -> Iterator[Shape]:
    r = max(2.0, min(frame.layout.text_px * 0.3, frame.row_px * 0.3))
    for kind, cells in _cells(row, frame.cell_px, frame.xs).items():
        mark = KIND_MARKS[kind]
        title = f"{row.instance}: {len(row.at_ms[kind])} {kind}"
        yield Path("".join(mark.path(x, y, r) for x in cells), mark.style, title)
