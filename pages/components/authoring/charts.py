"""Charts of a task that is being added: levels, agreement, confusion, learning curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from pages.components.charts import BLUES, EDGE, draw, level_colours
from pages.components.words import interval
from scoring.domain import Criterion, Task

GOAL = 0.70
"""Agreement (QWK) that is usually asked for before scores count."""
FARTHEST = 2000
"""Labels beyond which nothing is drawn."""
LINE, BAND, PEOPLE = "#4F93A6", "rgba(79, 147, 166, 0.25)", "#D55E00"
# From none to all of a row; light throughout, so that dark figures can be read on each.
SHARES = [[0.0, "#F1F8FA"], [1.0, "#79B8C9"]]
ON_CELL = "#10262D"


def level_bars(criterion: Criterion, of_level: Mapping[int, int], thinnest: int | None, key: str) -> None:
    """How many labelled answers there are at each level; the thinnest is hatched and says so."""
    counts = [of_level.get(value, 0) for value in criterion.values]
    texts = [
        f"<b>{count}</b><br>fewest" if value == thinnest else str(count)
        for value, count in zip(criterion.values, counts, strict=True)
    ]
    colours = level_colours(len(counts))
    figure = go.Figure(
        go.Bar(
            x=[str(value) for value in criterion.values], y=counts, text=texts, textposition="outside",
            cliponaxis=False, hovertemplate="level %{x}: %{y} answers<extra></extra>",
            marker={
                "color": colours, "line": EDGE,
                "pattern": {
                    "shape": ["/" if value == thinnest else "" for value in criterion.values],
                    "fgcolor": [ON_CELL if colour in BLUES[:2] else "#FFFFFF" for colour in colours],
                    "fillmode": "overlay", "size": 7, "solidity": 0.2,
                },
            },
        )
    )  # fmt: skip
    said = ", ".join(
        f"level {value}: {count}{' (the fewest)' if value == thinnest else ''}"
        for value, count in zip(criterion.values, counts, strict=True)
    )
    draw(
        figure, key, f"{criterion.name}: {said}", height=210, margin={"l": 8, "r": 8, "t": 12, "b": 40},
        xaxis={"type": "category", "title": "level"}, yaxis={"visible": False, "range": [0, max(1, *counts) * 1.4]},
    )  # fmt: skip


def agreement_dots(task: Task, criteria: Sequence[Mapping[str, Any]], key: str) -> None:
    """Agreement per criterion with its interval, beside two people's where two people rated."""
    names = {criterion.id: criterion.name for criterion in task.criteria}
    figure, said = go.Figure(), []
    rows = [told for told in criteria if told["qwk"] is not None]
    places = list(range(len(rows)))
    low = min([0.0, *(told["qwk_low"] if told["qwk_low"] is not None else told["qwk"] for told in rows)])
    figure.add_scatter(
        x=[told["qwk"] for told in rows], y=places, mode="markers", name="model and labels",
        marker={"color": LINE, "size": 13, "symbol": "circle"},
        error_x={
            "type": "data", "symmetric": False, "thickness": 3, "width": 7, "color": LINE,
            "array": [_above(told) for told in rows], "arrayminus": [_below(told) for told in rows],
        },
        hovertemplate="agreement %{x:.2f}<extra></extra>",
    )  # fmt: skip
    people = [(place, told["human"]["qwk"]) for place, told in zip(places, rows, strict=True) if _people(told)]
    if people:
        figure.add_scatter(
            x=[qwk for _, qwk in people], y=[place for place, _ in people], mode="markers", name="two people",
            marker={"color": PEOPLE, "size": 13, "symbol": "diamond-open", "line": {"width": 3}},
            hovertemplate="two people %{x:.2f}<extra></extra>",
        )  # fmt: skip
    for place, told in zip(places, rows, strict=True):
        name = names.get(told["criterion_id"], told["criterion_id"])
        figure.add_annotation(
            x=0, y=place - 0.2, xref="paper", text=escape(name), showarrow=False, xanchor="left", yanchor="bottom",
        )  # fmt: skip
        people_said = f", two people {told['human']['qwk']:.2f}" if _people(told) else ""
        said.append(f"{name}: {told['qwk']:.2f}{between(told, 'qwk')}{people_said}")
    figure.add_vline(x=GOAL, line={"dash": "dash", "color": "#8B979C", "width": 2})
    draw(
        figure, key, "Agreement: " + "; ".join(said), height=110 + 62 * len(rows),
        margin={"l": 8, "r": 16, "t": 34, "b": 44},
        xaxis={"title": f"agreement (QWK); dashed: {GOAL:.2f}", "range": [low - 0.03, 1.03], "zeroline": False},
        yaxis={"visible": False, "range": [len(rows) - 0.5, -0.8]},
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"},
    )  # fmt: skip


def confusion(criterion: Criterion, table: Sequence[Sequence[int]], key: str) -> None:
    """Rows: the label; columns: the model; each cell how many, coloured by its share of the row."""
    shares = [[count / max(1, sum(row)) for count in row] for row in table]
    values = [str(value) for value in criterion.values]
    figure = go.Figure(
        go.Heatmap(
            x=values, y=values, z=shares, zmin=0, zmax=1, text=[[str(count) for count in row] for row in table],
            texttemplate="%{text}", textfont={"size": 15, "color": ON_CELL}, colorscale=SHARES, showscale=False,
            xgap=3, ygap=3, hovertemplate="label %{y}, model %{x}: %{text} answers<extra></extra>",
        )
    )  # fmt: skip
    for place in range(len(values)):
        figure.add_shape(
            type="rect", x0=place - 0.47, x1=place + 0.47, y0=place - 0.47, y1=place + 0.47,
            line={"color": PEOPLE, "width": 2.5},
        )  # fmt: skip
    said = "; ".join(
        f"label {value}: " + ", ".join(f"model {other} {count} times" for other, count in zip(values, row, strict=True))
        for value, row in zip(values, table, strict=True)
    )
    draw(
        figure, key, f"{criterion.name}, labels and model. {said}", height=96 + 54 * len(values),
        margin={"l": 8, "r": 8, "t": 8, "b": 44},
        xaxis={"type": "category", "title": "level by the model", "showgrid": False},
        yaxis={"type": "category", "title": "level by the label", "autorange": "reversed", "showgrid": False},
    )  # fmt: skip


def learning_curve(
    name: str, points: Sequence[Mapping[str, Any]], key: str, *, forecast: Mapping[str, Any] | None = None,
    height: int = 280,
) -> None:  # fmt: skip
    """Agreement on held-out answers after learning from so many labels, with its interval.

    Args:
        name: The criterion's.
        points: `labels`, `qwk`, `low`, `high`.
        key: The chart's.
        forecast: `labels`, `low`, `high` at which the goal may be reached; drawn where that lies ahead.
        height: In pixels.
    """
    points = sorted(points, key=lambda point: point["labels"])
    labels = [point["labels"] for point in points]
    figure = go.Figure()
    sure = [point for point in points if point["low"] is not None and point["high"] is not None]
    if len(sure) > 1:
        across = [point["labels"] for point in sure]
        figure.add_scatter(
            x=across + across[::-1], y=[p["high"] for p in sure] + [p["low"] for p in sure][::-1], fill="toself",
            fillcolor=BAND, line={"width": 0}, mode="lines", hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    marked = _apart(labels)
    figure.add_scatter(
        x=labels, y=[point["qwk"] for point in points], mode="lines+markers+text", showlegend=False,
        line={"color": LINE, "width": 3}, marker={"size": 9, "color": LINE},
        text=[f"{point['qwk']:.2f}" if point["labels"] in marked else "" for point in points],
        textposition="top center", cliponaxis=False,
        hovertemplate="%{x} labels: %{y:.2f}<extra></extra>",
    )  # fmt: skip
    figure.add_hline(y=GOAL, line={"dash": "dash", "color": "#8B979C", "width": 2})
    ticks = list(marked)
    if forecast and forecast["labels"] is not None and labels and forecast["labels"] > labels[-1]:
        needed = forecast["labels"]
        low, high = forecast["low"] or needed, forecast["high"] or FARTHEST
        figure.add_scatter(
            x=[needed], y=[GOAL], mode="markers", showlegend=False, cliponaxis=False,
            marker={"color": PEOPLE, "size": 13, "symbol": "diamond-open", "line": {"width": 3}},
            error_x={"type": "data", "symmetric": False, "array": [high - needed], "arrayminus": [needed - low],
                     "color": PEOPLE, "thickness": 2, "width": 6},
            hovertemplate=f"about {needed:,} labels for {GOAL:.2f}<extra></extra>",
        )  # fmt: skip
        ticks.append(needed)
    lowest = min([0.0, *(p["low"] if p["low"] is not None else p["qwk"] for p in points)])
    said = ", ".join(f"{point['labels']} labels {point['qwk']:.2f}{_interval(point)}" for point in points)
    draw(
        figure, key, f"Learning curve of {name}: {said}", height=height, margin={"l": 8, "r": 24, "t": 16, "b": 44},
        xaxis={
            "title": f"labelled answers (dashed: {GOAL:.2f})", "type": "log", "tickvals": ticks,
            "ticktext": [f"{label:,}" for label in ticks], "showgrid": False,
        },
        yaxis={"title": "agreement (QWK)", "range": [lowest - 0.02, 1.05], "zeroline": False, "dtick": 0.2},
    )  # fmt: skip


def _apart(sizes: Sequence[int], least: float = 1.5) -> list[int]:
    """The sizes whose figures don't run into each other, the last one first of all.

    >>> _apart([8, 16, 32, 64, 88])
    [8, 16, 32, 88]
    """
    kept: list[int] = []
    for size in reversed(sizes):
        if not kept or kept[-1] >= least * size:
            kept.append(size)
    return kept[::-1]


def between(told: Mapping[str, Any], name: str, form: str = "{:.2f}") -> str:
    """The 95% interval of a figure in brackets; empty where it is not known."""
    return interval(told.get(f"{name}_low"), told.get(f"{name}_high"), form)


def _interval(point: Mapping[str, Any]) -> str:
    return interval(point["low"], point["high"], "{:.2f}")


def _people(told: Mapping[str, Any]) -> bool:
    return bool(told.get("human")) and told["human"]["qwk"] is not None


def _above(told: Mapping[str, Any]) -> float:
    return 0.0 if told["qwk_high"] is None else max(0.0, told["qwk_high"] - told["qwk"])


def _below(told: Mapping[str, Any]) -> float:
    return 0.0 if told["qwk_low"] is None else max(0.0, told["qwk"] - told["qwk_low"])
