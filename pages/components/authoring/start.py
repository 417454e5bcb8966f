"""Before there is a task to work on: those one has begun, and the ways to begin another."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.components.authoring.describe import show_form
from pages.components.authoring.draft import start_draft
from pages.components.authoring.stepper import go
from pages.components.frame import told_plainly
from pages.components.session import Key, services
from pages.components.words import counted, plain, told_apart
from scoring.domain import task_to_json
from scoring.services.actors import Actor
from scoring.services.tasks import TaskSummary

WRITE, FILE, COPY = "Write it here", "Take it from a file", "Start from a task that is there"
SHOWN = 6
HELP = (
    "A tasks.json, a .zip of an item bank folder (its labelled answers come along), or a table with the columns "
    "title, prompt, criterion, level, descriptor and a row for each level."
)


def show_begun(actor: Actor) -> None:
    """Tasks that the actor may teach to the model, those it does not score first."""
    tasks = services().authoring.mine(actor)
    waiting = [task for task in tasks if not task.scorable]
    if waiting:
        st.subheader("Not scored by the model yet", anchor=False)
    for task in waiting[:SHOWN]:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            with st.container(width=520):
                st.markdown(f"**{plain(task.task.title)}**")
                st.caption(plain(f"{counted(task.examples, 'labelled answer')} · {whose(task, actor)}"))
            st.space("stretch")
            if st.button("Go on", key=f"go-on-{task.id}", icon=":material/arrow_forward:"):
                go(task.id)
    others = [task for task in tasks if task.scorable] + waiting[SHOWN:]
    if others:
        with st.expander(f"Change or train another task ({len(others)})", icon=":material/edit:"):
            labelled = told_apart(others, lambda task: task.task.title, lambda task: task.task.id)
            chosen = labelled[st.selectbox("Task", labelled, key="other-task")]
            st.caption(plain(f"{counted(chosen.examples, 'labelled answer')} · {whose(chosen, actor)}"))
            if st.button("Open this task", key="open-other", icon=":material/arrow_forward:"):
                go(chosen.id)


def show_put_away(actor: Actor) -> None:
    """One's own tasks that were put away, to take them back."""
    tasks = services().tasks.available(actor, retired=True)
    away = [task for task in tasks if task.retired and task.owner_id == actor.user_id]
    if not away:
        return
    with st.expander(f"Put away ({len(away)})", icon=":material/archive:"):
        for task in away:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(plain(task.task.title), width="content")
                if st.button("Take it back", key=f"take-back-{task.id}", icon=":material/unarchive:"):
                    with told_plainly():
                        services().authoring.retire(actor, task.id, retired=False)
                        st.rerun()


def whose(task: TaskSummary, actor: Actor) -> str:
    """Who may use a task."""
    if task.owner_id is None:
        return "for every educator"
    return "yours alone" if task.owner_id == actor.user_id else f"written by {task.owner}"


def show_new(actor: Actor) -> None:
    """The ways to begin, then the form."""
    st.subheader("A new task", anchor=False)
    way = st.radio("How to begin", [WRITE, FILE, COPY], key="begin", horizontal=True, label_visibility="collapsed")
    if way == FILE:
        _from_file(actor)
    elif way == COPY:
        _copy(actor)
    show_form(actor, None)


def _from_file(actor: Actor) -> None:
    uploaded = st.file_uploader(
        "File with tasks", key=f"tasks-{st.session_state.get(Key.FORM, 0)}", help=HELP,
        max_upload_size=services().settings.max_upload_mb,
    )  # fmt: skip
    st.caption(HELP)
    if uploaded is None:
        return
    with told_plainly():
        data = uploaded.getvalue()
        entries = services().authoring.parse_tasks(actor, uploaded.name, data)
        labelled = told_apart(entries, lambda entry: str(entry["title"]), lambda entry: str(entry["id"]))
        entry: dict[str, Any] = labelled[st.selectbox("Task in the file", labelled, key="task-in-file")]
        examples = services().authoring.examples_of(actor, uploaded.name, data, str(entry["id"]))
        if examples is not None:
            st.caption("Labelled answers came with it; you see them in the next step, before anything is saved.")
        if st.button("Fill the form with it", key="fill", icon=":material/download:"):
            start_draft(_entry(entry), source=examples)
            st.rerun()


def _copy(actor: Actor) -> None:
    tasks = services().tasks.available(actor)
    if not tasks:
        st.caption("There is no task yet.")
        return
    labelled = told_apart(tasks, lambda task: task.task.title, lambda task: task.task.id)
    chosen = labelled[st.selectbox("Task to copy", labelled, key="copy-task")]
    st.caption("You get a task of your own with the same texts, to change as you like. The old one stays as it is.")
    if st.button("Fill the form with it", key="fill-copy", icon=":material/content_copy:"):
        copied = {**_entry(task_to_json(chosen.task)), "title": f"{chosen.task.title} (copy)"}
        start_draft({**copied, "stimulus_alt": "", "stimulus_figure": ""})
        st.rerun()


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry as the form shows it: its id is made anew, one answer is a list of one."""
    answers = entry.get("reference_answers") or []
    filled = {**entry, "reference_answers": [answers] if isinstance(answers, str) else list(answers)}
    filled.pop("id", None)
    return filled
