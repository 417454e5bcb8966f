"""Giving answers their levels in place, and looking at those that a task has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pandas as pd
import streamlit as st

from pages.components.frame import told_plainly
from pages.components.session import remember_notice, services
from pages.components.words import counted, plain
from scoring.domain import Criterion, Task
from scoring.services.actors import Actor
from scoring.services.examples import ExampleText
from scoring.services.tasks import TaskSummary

PER_PAGE = 25
ALL, LABELLED, WAITING = "All", "Labelled", "Waiting for a label"
KINDS = {ALL: None, LABELLED: True, WAITING: False}
SOURCES = {"bank": "came with the task", "file": "from a file", "screen": "labelled here"}


def level_name(criterion: Criterion, value: int) -> str:
    """A level with its name, where it has one."""
    label = next((level.label for level in criterion.levels if level.value == value), "")
    return f"{value} · {label}" if label else str(value)


def label_form(actor: Actor, task: TaskSummary, answer: ExampleText, key: str, why: str = "") -> None:
    """One answer with its levels to choose."""
    with st.container(border=True):
        st.markdown(plain(answer.text) or "*(no words)*")
        if why:
            st.caption(plain(why))
        with st.form(f"label-{key}", border=False):
            levels = choose_levels(task.task, answer.levels, key)
            sent = st.form_submit_button("Save the label", icon=":material/save:")
        if sent:
            with told_plainly():
                services().examples.label(actor, task.id, answer.response_key, levels)
                remember_notice("The label is saved. It counts when the task is trained the next time.")
                st.rerun()


def choose_levels(task: Task, given: Mapping[str, int], key: str) -> dict[str, int]:
    """A row of levels for each criterion; what is not chosen is left open."""
    chosen = {}
    for criterion in task.criteria:
        value = st.radio(
            plain(criterion.name), criterion.values, horizontal=True, key=f"{key}-{criterion.id}",
            index=criterion.values.index(given[criterion.id]) if criterion.id in given else None,
            format_func=partial(level_name, criterion),
        )  # fmt: skip
        if value is not None:
            chosen[criterion.id] = value
    return chosen


def show_answers(actor: Actor, task: TaskSummary) -> None:
    """All answers of the task, page by page; the one that is chosen can be labelled anew or taken out."""
    st.markdown("#### The answers")
    kind = st.radio("Show", list(KINDS), key="answers-kind", horizontal=True)
    page = st.session_state.get("answers-page", 1)
    answers, total = services().examples.page(
        actor, task.id, labelled=KINDS[kind], limit=PER_PAGE, offset=(page - 1) * PER_PAGE
    )
    if not total:
        st.caption("There are none.")
        return
    frame = pd.DataFrame(
        [
            {
                "Answer": answer.text,
                **{str(place): answer.levels.get(c.id) for place, c in enumerate(task.task.criteria)},
                "From": SOURCES.get(answer.source, answer.source),
            }
            for answer in answers
        ]
    )
    headings = {str(place): st.column_config.NumberColumn(c.name) for place, c in enumerate(task.task.criteria)}
    event = st.dataframe(
        frame, hide_index=True, key=f"answers-{kind}-{page}", on_select="rerun", selection_mode="single-row",
        column_config={"Answer": st.column_config.TextColumn(width=480), **headings}, placeholder="–",
        alt=f"{counted(len(answers), 'answer')} of {total}", height=min(36 * (len(frame) + 1) + 4, 400),
    )  # fmt: skip
    if total > PER_PAGE:
        st.pagination((total + PER_PAGE - 1) // PER_PAGE, key="answers-page")
    st.caption("Choose a row with the box at its left to change its label or to take it out.")
    rows = event["selection"]["rows"]
    if not rows or rows[0] >= len(answers):
        return
    answer = answers[rows[0]]
    label_form(actor, task, answer, f"row-{task.version_id}-{answer.response_key}")
    if st.button("Take this answer out", key="remove-answer", icon=":material/delete:"):
        with told_plainly():
            services().examples.remove(actor, task.id, answer.response_key)
            remember_notice("The answer is taken out.")
            st.rerun()
