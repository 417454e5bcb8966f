"""Charts of what the model's experts do. An expert is named by its number: what it is for is shown, not invented."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.charts import BLUES, EDGE, draw

# Okabe and Ito's colours; told apart by shape and dash as well.
MARKS = (("diamond", "#E69F00"), ("circle-open", "#CC79A7"), ("x", "#009E73"))
LINES = (
    ("#0072B2", "solid", "circle"), ("#E69F00", "dash", "diamond"), ("#009E73", "dot", "square"),
    ("#CC79A7", "dashdot", "x"),
)  # fmt: skip


def layer_name(layer: int, layers: int) -> str:
    """What a layer is called on screens.

    >>> layer_name(0, 1), layer_name(1, 2)
    ('Experts', 'Second step')
    """
    ordinals = ("First", "Second", "Third", "Fourth")
    if layers == 1:
        return "Experts"
    return f"{ordinals[layer]} step" if layer < len(ordinals) else f"Step {layer + 1}"


def layer_columns(layers: int) -> list[DeltaGenerator]:
    """A place for each layer's chart: side by side if there are two, else one under the other."""
    return st.columns(layers) if layers == 2 else [st.container() for _ in range(layers)]


def largest(rows: Sequence[Sequence[float]]) -> float:
    """The largest weight of several rows, to which charts beside each other are drawn on one scale."""
    return max((weight for row in rows for weight in row), default=0.0)


def gate_bars(
    own: Sequence[float], others: Sequence[tuple[str, Sequence[float]]], own_name: str, key: str, most: float = 0.0
) -> None:
    """Shares of the experts of one layer as bars, with other shares to compare as marks.

    Args:
        own: (E,) weights of the bars; they sum to 1.
        others: up to three rows of (name, (E,) weights) for the marks.
        own_name: what the bars stand for.
        key: of the chart.
        most: the largest weight of charts beside this one, 0 to 1.
    """
    names = [f"expert {i + 1}" for i in range(len(own))]
    figure = go.Figure(
        go.Bar(
            y=names, x=[100 * w for w in own], orientation="h", name=own_name,
            marker={"color": BLUES[2], "line": EDGE},
            hovertemplate="%{y}: %{x:.0f}%<extra>" + own_name + "</extra>",
        )
    )  # fmt: skip
    said = [f"{own_name}: " + _said(own)]
    for (name, weights), (symbol, colour) in zip(others, MARKS, strict=False):
        figure.add_scatter(
            y=names, x=[100 * w for w in weights], mode="markers", name=name,
            marker={"symbol": symbol, "color": colour, "size": 11, "line": {"width": 2.5, "color": colour}},
            hovertemplate="%{y}: %{x:.0f}%<extra>" + name + "</extra>",
        )  # fmt: skip
        said.append(f"{name}: " + _said(weights))
    end = 110 * max(most, largest([own, *(weights for _, weights in others)]))
    draw(
        figure, key, "; ".join(said), height=96 + 34 * len(own), bargap=0.35,
        margin={"l": 4, "r": 12, "t": 8, "b": 4},
        # No further than needed, but never so near that even shares look like uneven ones.
        xaxis={"range": [0, min(102, max(55, end))], "ticksuffix": "%", "dtick": 25, "title": None},
        yaxis={"autorange": "reversed", "title": None},
        legend={"orientation": "h", "x": 0, "y": -0.18, "yanchor": "top", "traceorder": "normal"},
    )  # fmt: skip


def use_over_time(days: Sequence[str], shares: Sequence[Sequence[float]], key: str) -> None:
    """Mean share of each expert of one layer, by day.

    Args:
        days: (N,) dates, at least one.
        shares: (N, E) each day's mean weights.
        key: of the chart.
    """
    figure = go.Figure()
    for expert in range(len(shares[0])):
        colour, dash, symbol = LINES[expert % len(LINES)]
        figure.add_scatter(
            x=list(days), y=[100 * row[expert] for row in shares], mode="lines+markers", name=f"expert {expert + 1}",
            line={"color": colour, "dash": dash, "width": 2.5}, marker={"symbol": symbol, "size": 8},
            hovertemplate="%{x}: %{y:.0f}%<extra>expert " + str(expert + 1) + "</extra>",
        )  # fmt: skip
    said = f"Share of each expert by day, from {days[0]} to {days[-1]}; on the last day {_said(shares[-1])}"
    draw(
        figure, key, said, height=280,
        margin={"l": 8, "r": 12, "t": 8, "b": 8}, yaxis={"range": [0, 102], "ticksuffix": "%", "title": None},
        xaxis={"type": "category", "title": None},
        legend={"orientation": "h", "x": 0, "y": -0.15, "yanchor": "top"},
    )  # fmt: skip


def use_map(rows: Sequence[str], shares: Sequence[Sequence[float]], key: str) -> None:
    """Mean share of each expert (columns) for tasks or levels (rows), with the figure in each cell."""
    # Numbers alone, for narrow screens; the axis says of what.
    experts = [str(i + 1) for i in range(len(shares[0]))]
    figure = go.Figure(
        go.Heatmap(
            z=[[100 * value for value in row] for row in shares], x=experts, y=list(rows), zmin=0, zmax=100,
            # No darker than the figures in it can be read on.
            colorscale=[[0, "#F1F8FA"], [0.6, "#70B2C3"], [1, "#4C9DB1"]], showscale=False, xgap=2, ygap=2,
            texttemplate="%{z:.0f}%", textfont={"color": "#10262D"},
            hovertemplate="%{y}, expert %{x}: %{z:.0f}%<extra></extra>",
        )
    )  # fmt: skip
    said = "; ".join(f"{name}: {_said(row)}" for name, row in zip(rows, shares, strict=True))
    draw(
        figure, key, said, height=72 + 34 * len(rows), margin={"l": 4, "r": 8, "t": 44, "b": 4},
        xaxis={"side": "top", "title": "expert", "type": "category"}, yaxis={"autorange": "reversed", "title": None},
    )  # fmt: skip


def _said(weights: Sequence[float]) -> str:
    return ", ".join(f"expert {i + 1} {100 * w:.0f}%" for i, w in enumerate(weights))
