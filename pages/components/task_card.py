"""A task as a learner saw it, and its rubric."""

from __future__ import annotations

import streamlit as st

from pages.components.words import plain
from scoring.domain import Criterion, Level, Task


def show_task(task: Task, figure: str) -> None:
    """Prompt and stimulus."""
    st.markdown(passage(task.prompt))
    if figure:
        st.image(figure, alt=task.stimulus_alt or task.title, width=560)
    if task.stimulus:
        st.markdown(passage(task.stimulus))


def passage(text: str) -> str:
    r"""A task's text as Markdown, with its lines kept as written and without pictures from elsewhere.

    >>> passage("1. Weigh it.\nSample,Mass ![x](http://host.example/x.png)")
    '1. Weigh it.  \nSample,Mass !\\[x](http://host.example/x.png)'
    """
    return text.replace("![", "!\\[").replace("\n", "  \n")


def show_criterion(criterion: Criterion) -> None:
    """A criterion's levels, lowest first, and what each takes."""
    st.markdown(f"**{plain(criterion.name)}**")
    if criterion.description:
        st.caption(plain(criterion.description))
    rows = [f"| **{level.value}** | {_meaning(level)} |" for level in criterion.levels]
    st.markdown("\n".join(["| Level | What it takes |", "|---|---|", *rows]))


def _meaning(level: Level) -> str:
    label, descriptor = plain(level.label), plain(level.descriptor)
    return f"**{label}** · {descriptor}" if label and descriptor else label or descriptor
