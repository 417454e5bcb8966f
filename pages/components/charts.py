"""Charts that screens share. Level colours run from light to dark and carry their number as text."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from scoring.domain import Criterion, CriterionScore, Task

BLUES = ("#B9DDE6", "#6FB3C4", "#2C879D", "#0B5A6E", "#083E4D")


def level_colours(count: int) -> list[str]:
    """Colours for so many levels, lowest first."""
    if count <= 1:
        return [BLUES[2]]
    return [BLUES[round(i * (len(BLUES) - 1) / (count - 1))] for i in range(count)]


def level_distribution(task: Task, frame: pd.DataFrame, key: str) -> None:
    """How many responses stand at each level, one bar per criterion."""
    figure = go.Figure()
    most = max(len(criterion.levels) for criterion in task.criteria)
    colours = level_colours(most)
    said = []
    for position in range(most):
        names, counts, labels = [], [], []
        for criterion in reversed(task.criteria):
            if position < len(criterion.levels):
                value = criterion.levels[position].value
                count = int((frame[criterion.id] == value).sum())
                names.append(criterion.name)
                counts.append(count)
                labels.append(f"{value}<br>({count})" if count else "")
                said.append(f"{criterion.name} level {value}: {count}")
        dark = position >= most / 2
        figure.add_bar(
            y=names, x=counts, orientation="h", name=f"level {position}", marker_color=colours[position],
            text=labels, textposition="inside", insidetextanchor="middle",
            textfont_color="#FFFFFF" if dark else "#10262D",
            hovertemplate="%{y}<br>%{x} answers<extra>level " + str(position) + "</extra>",
        )  # fmt: skip
    figure.update_layout(
        barmode="stack", height=70 + 62 * len(task.criteria), margin={"l": 8, "r": 8, "t": 8, "b": 32},
        showlegend=False, xaxis_title="answers", yaxis={"automargin": True, "title": None}, bargap=0.3,
    )  # fmt: skip
    st.plotly_chart(figure, key=key, config={"displayModeBar": False}, alt="; ".join(said))


def total_distribution(task: Task, frame: pd.DataFrame, key: str) -> None:
    """How many responses have each total, reviewed and unreviewed told apart by pattern and colour."""
    totals = list(range(sum(c.levels[0].value for c in task.criteria), task.highest + 1))
    figure = go.Figure()
    for reviewed, name, colour, pattern in (
        (True, "reviewed", BLUES[3], ""),
        (False, "unreviewed", BLUES[1], "/"),
    ):
        of_kind = frame.loc[frame["reviewed"] == reviewed, "total"].dropna()
        counts = [int((of_kind == total).sum()) for total in totals]
        figure.add_bar(x=totals, y=counts, name=name, marker={"color": colour, "pattern_shape": pattern})
    figure.update_layout(
        barmode="stack", height=260, margin={"l": 8, "r": 8, "t": 8, "b": 32}, bargap=0.25,
        xaxis={"title": f"points of {task.highest}", "dtick": 1}, yaxis={"title": "answers", "rangemode": "tozero"},
        legend={"orientation": "h", "y": 1.15, "x": 0},
    )  # fmt: skip
    st.plotly_chart(
        figure, key=key, config={"displayModeBar": False},
        alt="Totals: " + ", ".join(f"{t} points: {int((frame['total'] == t).sum())}" for t in totals),
    )  # fmt: skip


def level_probabilities(criterion: Criterion, score: CriterionScore, key: str) -> None:
    """How likely the model finds each level."""
    values = [str(value) for value in criterion.values]
    shares = [round(100 * p) for p in score.probabilities]
    colours = [BLUES[3] if value == score.level else BLUES[0] for value in criterion.values]
    figure = go.Figure(
        go.Bar(
            x=shares, y=values, orientation="h", marker_color=colours, text=[f"{s}%" for s in shares],
            textposition="outside", cliponaxis=False, hovertemplate="level %{y}: %{x}%<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(
        height=34 + 26 * len(values), margin={"l": 4, "r": 44, "t": 4, "b": 4}, bargap=0.25,
        xaxis={"visible": False, "range": [0, 100]}, yaxis={"type": "category", "title": None},
    )  # fmt: skip
    said = ", ".join(f"level {v}: {s}%" for v, s in zip(values, shares, strict=True))
    st.plotly_chart(figure, key=key, config={"displayModeBar": False}, alt=f"{criterion.name}: {said}")


def level_counts(criterion: Criterion, counts: Sequence[int], key: str) -> None:
    """How many labelled answers a criterion has at each level."""
    figure = go.Figure(
        go.Bar(x=[str(v) for v in criterion.values], y=list(counts), marker_color=level_colours(len(counts)),
               text=list(counts), textposition="outside", cliponaxis=False)
    )  # fmt: skip
    figure.update_layout(
        height=180, margin={"l": 8, "r": 8, "t": 20, "b": 24}, xaxis={"type": "category", "title": "level"},
        yaxis={"visible": False},
    )  # fmt: skip
    st.plotly_chart(
        figure, key=key, config={"displayModeBar": False},
        alt=f"{criterion.name}: " + ", ".join(f"level {v}: {n}" for v, n in zip(criterion.values, counts, strict=True)),
    )  # fmt: skip
