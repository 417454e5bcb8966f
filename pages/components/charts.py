"""Charts that screens share. Level colours run from light to dark and carry their number as text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from scoring.domain import Criterion, CriterionScore, Task

BLUES = ("#B9DDE6", "#6FB3C4", "#257B90", "#0B5A6E", "#083E4D")
# Stands out from the light and from the dark page, so that the lightest and the darkest bar have an edge on both.
EDGE = {"color": "#4F93A6", "width": 1.5}
WHOLE = 6  # answers up to which an axis names each number
INK = {"light": "#1D2A2F", "dark": "#E8EEF0"}  # the text colours of .streamlit/config.toml


def level_colours(count: int) -> list[str]:
    """Colours for so many levels, lowest first."""
    if count <= 1:
        return [BLUES[2]]
    return [BLUES[round(i * (len(BLUES) - 1) / (count - 1))] for i in range(count)]


def draw(figure: go.Figure, key: str, alt: str, **layout: Any) -> None:
    """Show a chart without tools, with a text for those who can't see it; a finger scrolls past it."""
    figure.update_layout(dragmode=False, **layout)
    ink = INK.get(st.context.theme.type or "")
    if ink:
        # The theme's grey for small chart text is too faint to read.
        figure.update_xaxes(tickfont_color=ink, title_font_color=ink)
        figure.update_yaxes(tickfont_color=ink, title_font_color=ink)
        figure.update_annotations(font_color=ink)
        figure.update_traces(outsidetextfont_color=ink, selector={"type": "bar"})
        figure.update_traces(textfont_color=ink, selector={"type": "scatter"})
    st.plotly_chart(figure, key=key, config={"displayModeBar": False}, alt=alt)


def level_distribution(task: Task, frame: pd.DataFrame, key: str) -> None:
    """How many responses stand at each level, one bar per criterion."""
    figure = go.Figure()
    longest = max(int(frame[criterion.id].notna().sum()) for criterion in task.criteria)
    most = max(len(criterion.levels) for criterion in task.criteria)
    colours = level_colours(most)
    said = []
    for position in range(most):
        rows, counts, labels = [], [], []
        for row, criterion in enumerate(task.criteria):
            if position < len(criterion.levels):
                value = criterion.levels[position].value
                count = int((frame[criterion.id] == value).sum())
                rows.append(row)
                counts.append(count)
                labels.append(f"{value}<br>({count})" if count else "")
                said.append(f"{criterion.name} level {value}: {count}")
        figure.add_bar(
            y=rows, x=counts, orientation="h", marker={"color": colours[position], "line": EDGE},
            text=labels, textposition="inside", insidetextanchor="middle", textangle=0,
            textfont_color="#10262D" if colours[position] in BLUES[:2] else "#FFFFFF",
            hovertemplate="%{x} answers<extra></extra>",
        )  # fmt: skip
    for row, criterion in enumerate(task.criteria):
        # Above its bar, where a long name has the chart's whole width, on a phone too.
        figure.add_annotation(
            x=0, y=row - 0.36, xref="paper", text=escape(criterion.name), showarrow=False, xanchor="left",
            yanchor="bottom", align="left",
        )  # fmt: skip
    draw(
        figure, key, "; ".join(said), barmode="stack", bargap=0.36, showlegend=False,
        height=64 + 84 * len(task.criteria), margin={"l": 4, "r": 8, "t": 4, "b": 44},
        xaxis={"title": "answers: level on the bar, how many in brackets", "rangemode": "tozero",
               # Answers come whole; left to itself the axis of a few is marked in halves.
               **({"dtick": 1} if longest <= WHOLE else {})},
        yaxis={"visible": False, "range": [len(task.criteria) - 0.6, -0.75]},
    )  # fmt: skip


def total_distribution(task: Task, frame: pd.DataFrame, key: str) -> None:
    """How many responses have each total, reviewed and unreviewed told apart by pattern and colour."""
    totals = list(range(sum(c.levels[0].value for c in task.criteria), task.highest + 1))
    figure = go.Figure()
    sums = [0] * len(totals)
    for reviewed, name, colour, pattern in (
        (True, "reviewed", BLUES[2], ""),
        (False, "unreviewed", BLUES[0], "/"),
    ):
        of_kind = frame.loc[frame["reviewed"] == reviewed, "total"].dropna()
        counts = [int((of_kind == total).sum()) for total in totals]
        sums = [before + count for before, count in zip(sums, counts, strict=True)]
        figure.add_bar(
            x=totals, y=counts, name=name, hovertemplate="%{x} points: %{y}<extra>" + name + "</extra>",
            marker={"color": colour, "line": EDGE,
                    "pattern": {"shape": pattern, "fgcolor": EDGE["color"], "size": 7, "solidity": 0.2}},
        )  # fmt: skip
    figure.add_scatter(
        x=totals, y=sums, mode="text", text=[str(count) if count else "" for count in sums],
        textposition="top center", cliponaxis=False, showlegend=False, hoverinfo="skip",
    )  # fmt: skip
    draw(
        figure, key, "Totals: " + ", ".join(f"{t} points: {n}" for t, n in zip(totals, sums, strict=True)),
        barmode="stack", bargap=0.25, height=300, margin={"l": 8, "r": 8, "t": 44, "b": 44},
        xaxis={"title": f"points of {task.highest}", "dtick": max(1, round(len(totals) / 12)),
               "range": [totals[0] - 0.6, totals[-1] + 0.6]},
        yaxis={"visible": False, "range": [0, max(1, *sums) * 1.15]},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
    )  # fmt: skip


def level_probabilities(criterion: Criterion, score: CriterionScore, key: str) -> None:
    """How likely the model finds each level; its own is the filled bar with the bold figure."""
    values = [str(value) for value in criterion.values]
    shares = [round(100 * p) for p in score.probabilities]
    own = [value == score.level for value in criterion.values]
    figure = go.Figure(
        go.Bar(
            x=shares, y=values, orientation="h", textposition="outside", cliponaxis=False,
            marker={"color": [BLUES[2] if mine else "rgba(0,0,0,0)" for mine in own], "line": EDGE},
            text=[f"<b>{share}%</b>" if mine else f"{share}%" for share, mine in zip(shares, own, strict=True)],
            hovertemplate="level %{y}: %{x}%<extra></extra>",
        )
    )  # fmt: skip
    said = ", ".join(f"level {v}: {s}%" for v, s in zip(values, shares, strict=True))
    draw(
        figure, key, f"{criterion.name}: {said}", height=34 + 26 * len(values), bargap=0.25,
        margin={"l": 4, "r": 44, "t": 4, "b": 4}, xaxis={"visible": False, "range": [0, 100]},
        yaxis={"type": "category", "title": None, "tickprefix": "level ", "autorange": "reversed"},
    )  # fmt: skip


def level_counts(criterion: Criterion, counts: Sequence[int], key: str) -> None:
    """How many labelled answers a criterion has at each level."""
    figure = go.Figure(
        go.Bar(
            x=[str(value) for value in criterion.values], y=list(counts), text=list(counts),
            textposition="outside", cliponaxis=False, marker={"color": level_colours(len(counts)), "line": EDGE},
            hovertemplate="level %{x}: %{y}<extra></extra>",
        )
    )  # fmt: skip
    said = ", ".join(f"level {v}: {n}" for v, n in zip(criterion.values, counts, strict=True))
    draw(
        figure, key, f"{criterion.name}: {said}", height=190, margin={"l": 8, "r": 8, "t": 8, "b": 40},
        xaxis={"type": "category", "title": "level"}, yaxis={"visible": False, "range": [0, max(1, *counts) * 1.2]},
    )  # fmt: skip
