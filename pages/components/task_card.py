"""A task as a learner saw it, and its rubric."""

from __future__ import annotations

import streamlit as st

from scoring.domain import Criterion, Task


def show_task(task: Task, figure: str) -> None:
    """Prompt and stimulus."""
    st.markdown(task.prompt)
    if figure:
        st.image(figure, alt=task.stimulus_alt or task.title, width=560)
    if task.stimulus:
        st.markdown(task.stimulus)


def show_criterion(criterion: Criterion, chosen: int | None = None) -> None:
    """A criterion's levels with their descriptors; the chosen one stands out by more than colour."""
    st.markdown(f"**{criterion.name}**")
    if criterion.description:
        st.caption(criterion.description)
    lines = []
    for level in criterion.levels:
        mark = ":material/arrow_right:" if level.value == chosen else "&nbsp;"
        text = (
            f"**{level.value}** {level.label}: {level.descriptor}"
            if level.label
            else f"**{level.value}** {level.descriptor}"
        )
        lines.append(f"| {mark} | {text.replace('|', '/')} |")
    st.markdown("\n".join(["| | |", "|---|---|", *lines]))
