"""The pictures of the report, as Plotly figures that also read in black and white."""

from collections.abc import Sequence

import plotly.graph_objects as go

from lab.evidence import ArmEvidence
from lab.money import NANO_PER_USD, format_usd
from lab.properties import expiries
from lab.redelivery import followed

_COLOURS = {"off": "#b3261e", "cap": "#0b57a4"}
_SYMBOLS = {"off": "circle", "cap": "square"}
_GRID = "#d9d9d9"


def _dollars(nano_usd: int) -> float:
    # For the eye only: a picture's coordinates are no ledger.
    return nano_usd / NANO_PER_USD


def _seconds(at_unix_ms: int, zero_unix_ms: int) -> float:
    return (at_unix_ms - zero_unix_ms) / 1000


def spend_figure(arms: Sequence[ArmEvidence]) -> go.Figure:
    """Return spend against time, zero being the disruption of each arm."""
    figure = go.Figure()
    for arm in arms:
        _add_spend(figure, arm)
        _add_limit(figure, arm)
    _add_events(figure, arms[0])
    figure.update_layout(
        template="simple_white",
        height=420,
        margin={"l": 60, "r": 16, "t": 70, "b": 50},
        font={"family": "system-ui, sans-serif", "size": 14},
        showlegend=False,
        hovermode="x unified",
    )
    figure.update_xaxes(title="seconds from the disruption", gridcolor=_GRID, zeroline=False)
    figure.update_yaxes(
        title="spent, US dollars", tickprefix="$", rangemode="tozero", gridcolor=_GRID
    )
    return figure


def _add_spend(figure: go.Figure, arm: ArmEvidence) -> None:
    zero = arm.disrupted.began_unix_ms
    calls = sorted(arm.calls, key=lambda call: call.ended_unix_ms)
    xs, ys, total = [_seconds(arm.began_unix_ms, zero)], [0.0], 0
    for call in calls:
        total += call.nano_usd
        xs.append(_seconds(call.ended_unix_ms, zero))
        ys.append(_dollars(total))
    xs.append(max(xs[-1], _seconds(arm.observed_until_unix_ms, zero)))
    ys.append(ys[-1])
    # A mark now and then, and the name at its end, tell the lines apart without their colours.
    every = max(1, len(xs) // 8)
    sizes = [8 if i % every == 0 else 0 for i in range(len(xs))]
    colour = _COLOURS[arm.arm]
    figure.add_trace(
        go.Scatter(
            x=xs,
            y=ys,
            mode="lines+markers",
            line={"shape": "hv", "width": 3, "color": colour},
            marker={"symbol": _SYMBOLS[arm.arm], "size": sizes, "color": colour, "opacity": 1},
            hovertemplate="$%{y:.3f}<extra>arm " + arm.arm + "</extra>",
        )
    )
    figure.add_annotation(
        x=xs[-1],
        y=ys[-1],
        text=f"arm {arm.arm}: {format_usd(total)}",
        font={"color": colour, "size": 14},
        showarrow=False,
        xanchor="right",
        yanchor="bottom" if arm.arm == "off" else "top",
        yshift=4 if arm.arm == "off" else -6,
    )


def _add_limit(figure: go.Figure, arm: ArmEvidence) -> None:
    if arm.arm != "cap" or arm.limit_nano_usd is None:
        return
    figure.add_hline(
        y=_dollars(arm.limit_nano_usd),
        line={"dash": "dash", "width": 2, "color": "#222"},
        annotation={
            "text": f"cap {format_usd(arm.limit_nano_usd)}",
            "xanchor": "left",
            "x": 0,
            "yanchor": "bottom",
            "bgcolor": "rgba(255,255,255,.8)",
        },
    )


def _add_events(figure: go.Figure, arm: ArmEvidence) -> None:
    blow = arm.disrupted
    marks = [("disruption" if blow.kind != "none" else "no disruption", blow.began_unix_ms)]
    if blow.state_gone_unix_ms is not None:
        marks.append(("state expired", blow.state_gone_unix_ms))
    elif gone := expiries(arm):
        marks.append(("state expires", min(gone.values())))
    if arm.first_again_unix_ms is not None:
        marks.append(("runs again", arm.first_again_unix_ms))
    for level, (text, at) in enumerate(marks):
        x = _seconds(at, blow.began_unix_ms)
        figure.add_vline(x=x, line={"dash": "dot", "width": 1, "color": "#222"})
        figure.add_annotation(
            x=x,
            y=1,
            yref="paper",
            yanchor="bottom",
            xanchor="left",
            showarrow=False,
            yshift=2 + 18 * (len(marks) - 1 - level),
            text=text,
            font={"size": 12},
        )


def again_figure(arms: Sequence[ArmEvidence]) -> go.Figure:
    """Return one row an activity in flight or executed again, one mark an execution of it."""
    figure = go.Figure()
    rows: list[str] = []
    for arm in arms:
        blow = arm.disrupted.began_unix_ms
        rowed = followed(arm)
        for before, symbol, colour, label in (
            (True, "circle-open", "#555", "before"),
            (False, "line-ns-open", _COLOURS[arm.arm], "after"),
        ):
            chosen = [
                e for e in arm.executions if e.key in rowed and (e.started_unix_ms < blow) is before
            ]
            rows += sorted({f"{arm.arm} {e.instance.rsplit('-', 1)[-1]}" for e in chosen})
            figure.add_trace(
                go.Scatter(
                    x=[_seconds(e.started_unix_ms, blow) for e in chosen],
                    y=[f"{arm.arm} {e.instance.rsplit('-', 1)[-1]}" for e in chosen],
                    mode="markers",
                    name=f"arm {arm.arm}, {label} the disruption",
                    marker={"symbol": symbol, "size": 9, "color": colour, "line": {"width": 2}},
                    hovertemplate="%{x:.2f} s<extra>%{y}</extra>",
                )
            )
    unique = list(dict.fromkeys(rows))
    figure.update_layout(
        template="simple_white",
        height=160 + 18 * len(unique),
        margin={"l": 70, "r": 16, "t": 20, "b": 50},
        font={"family": "system-ui, sans-serif", "size": 13},
        legend={"orientation": "h", "x": 0, "y": -0.25},
    )
    figure.update_xaxes(title="seconds from the disruption", gridcolor=_GRID)
    figure.update_yaxes(type="category", autorange="reversed", categoryarray=unique)
    return figure
