"""The form for a task: its texts, and each criterion with its levels."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from pages.components.authoring.draft import (
    Draft,
    answers_of,
    current_draft,
    new_criterion,
    one_level_fewer,
    one_level_more,
    start_draft,
)
from pages.components.authoring.stepper import Step, go
from pages.components.frame import told_plainly
from pages.components.session import Key, remember_notice, services
from pages.components.task_card import show_criterion, show_task
from pages.components.words import counted, plain
from scoring.domain import task_to_json
from scoring.errors import Conflict
from scoring.services.actors import Actor
from scoring.services.tasks import TaskSummary

LEVEL_COLUMNS = {
    "value": st.column_config.NumberColumn("Points", min_value=0, max_value=100, step=1, width=70),
    "label": st.column_config.TextColumn("Name", width=170, help="May be left empty."),
    "descriptor": st.column_config.TextColumn("What an answer at this level says", width=520),
}
OPTIONAL = "May be left empty."


def show_form(actor: Actor, summary: TaskSummary | None) -> None:
    """Write a new task (`None`), or change one that is there."""
    draft = current_draft(summary)
    key = f"task-{draft.task_id or 'new'}-{draft.revision}"
    with st.form(key, enter_to_submit=False, border=False):
        entry = _texts(draft.entry, summary, key)
        st.markdown("#### What is scored")
        st.caption(
            "One criterion for each thing that you score apart. Levels go up one point at a time, lowest first; what "
            "you write beside a level is read by the model, too."
        )
        criteria, change = _criteria(draft.entry["criteria"], key)
        entry["criteria"] = criteria
        if st.form_submit_button("Add a criterion", key=f"{key}-add", icon=":material/add:"):
            change = [*criteria, new_criterion(len(criteria) + 1)]
        answers = st.text_area(
            "Answers with full points, one a line", "\n".join(draft.entry.get("reference_answers") or []),
            key=f"{key}-answers", height="content", help=f"{OPTIONAL} The model reads them, too.",
        )  # fmt: skip
        entry["reference_answers"] = answers_of(answers or "", list(draft.entry.get("reference_answers") or []))
        published = False
        if summary is None and actor.is_administrator:
            published = st.checkbox(
                "For every educator at once", key=f"{key}-published",
                help="Otherwise it is yours alone until you publish it.",
            )  # fmt: skip
        label = "Save the task" if summary is None else "Save the changes"
        sent = st.form_submit_button(label, key=f"{key}-save", type="primary", icon=":material/save:")
    if change is not None:
        draft.rebuild({**entry, "criteria": change})
        st.rerun()
    if sent:
        with told_plainly():
            _save(actor, draft, entry, published)
    if draft.stale and summary is not None:
        _show_newer(draft, summary, entry)


def _texts(entry: Mapping[str, Any], summary: TaskSummary | None, key: str) -> dict[str, Any]:
    found = dict(entry)
    found["title"] = st.text_input("Title", entry.get("title", ""), key=f"{key}-title", max_chars=300)
    for column, (name, label) in zip(
        st.columns(3), (("subject", "Subject"), ("grade", "Grade"), ("standard", "Standard")), strict=True
    ):
        with column:
            found[name] = st.text_input(label, entry.get(name, ""), key=f"{key}-{name}", help=OPTIONAL)
    found["prompt"] = st.text_area(
        "The question that students answer", entry.get("prompt", ""), key=f"{key}-prompt", height="content"
    )
    if summary is not None and summary.figure:
        st.image(summary.figure, alt=summary.task.stimulus_alt or summary.task.title, width=420)
        st.caption("The figure stays with the task.")
    found["stimulus"] = st.text_area(
        "Text or table that comes with it",
        entry.get("stimulus", ""),
        key=f"{key}-stimulus",
        height="content",
        help=OPTIONAL,
    )
    found["rubric_text"] = st.text_area(
        "Scoring notes", entry.get("rubric_text", ""), key=f"{key}-rubric", height="content",
        help=f"{OPTIONAL} What holds for all criteria: what gets no points, common mistakes.",
    )  # fmt: skip
    return found


def _criteria(given: list[dict[str, Any]], key: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]] | None]:
    """What the form holds, and the criteria as they are to be when a button asked for another number of them."""
    found: list[dict[str, Any]] = []
    asked: tuple[str, int] | None = None
    for number, criterion in enumerate(given):
        with st.container(border=True):
            one = f"{key}-{number}"
            left, right = st.columns([2, 3])
            name = left.text_input(f"Criterion {number + 1}", criterion.get("name", ""), key=f"{one}-name")
            about = right.text_area(
                f"What criterion {number + 1} looks at", criterion.get("description", ""), key=f"{one}-about",
                help=OPTIONAL, height="content",
            )  # fmt: skip
            levels = _levels(criterion, one)
            found.append({**criterion, "name": name, "description": about, "levels": levels})
            with st.container(horizontal=True):
                for label, icon, what, allowed in (
                    ("One level more", "add", "more", len(levels) < 12),
                    ("One level fewer", "remove", "fewer", len(levels) > 2),
                    ("Remove this criterion", "delete", "gone", len(given) > 1),
                ):
                    if allowed and st.form_submit_button(label, key=f"{one}-{what}", icon=f":material/{icon}:"):
                        asked = (what, number)
    if asked is None:
        return found, None
    what, number = asked
    changed = {"more": one_level_more, "fewer": one_level_fewer}
    if what == "gone":
        return found, [criterion for place, criterion in enumerate(found) if place != number]
    return found, [changed[what](criterion) if place == number else criterion for place, criterion in enumerate(found)]


def _levels(criterion: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    frame = pd.DataFrame(
        [{name: level.get(name, "") for name in LEVEL_COLUMNS} for level in criterion["levels"]],
        columns=list(LEVEL_COLUMNS),
    )
    frame["value"] = pd.to_numeric(frame["value"], errors="coerce").astype("Int64")
    edited = st.data_editor(
        frame, hide_index=True, num_rows="fixed", key=f"{key}-levels", column_config=LEVEL_COLUMNS, row_height=76,
        alt=f"Levels of the criterion {criterion.get('name') or ''}: points, name, what an answer says",
    )  # fmt: skip
    return [
        {
            "value": None if pd.isna(row["value"]) else int(row["value"]),
            "label": "" if pd.isna(row["label"]) else str(row["label"]),
            "descriptor": "" if pd.isna(row["descriptor"]) else str(row["descriptor"]),
        }
        for row in edited.to_dict("records")
    ]


def _save(actor: Actor, draft: Draft, entry: Mapping[str, Any], published: bool) -> None:
    """Save, and go on; what is refused is told, and the form keeps what was typed."""
    if draft.task_id is None:
        tokens = st.session_state.setdefault(Key.SUBMIT_TOKEN, {})
        token = tokens.setdefault(("task", draft.revision), uuid.uuid4().hex)
        task_id = services().authoring.create(actor, entry, token, published=published)
        if draft.source is not None:
            st.session_state[Key.CARRIED] = (task_id, *draft.source)
        remember_notice("The task is saved. Now its examples.")
        # The next new task is another one.
        tokens.pop(("task", draft.revision), None)
        go(task_id, Step.EXAMPLES)
    try:
        number = services().authoring.revise(actor, draft.task_id, draft.version, entry)
    except Conflict:
        draft.stale = True
        return
    if number == draft.version:
        remember_notice("Nothing was changed, so there is no new version.")
    else:
        kept = services().examples.overview(actor, draft.task_id).labelled
        remember_notice(f"Saved as version {number}. {counted(kept, 'labelled answer')} came along.")
    go(draft.task_id, Step.DESCRIBE)


def _show_newer(draft: Draft, summary: TaskSummary, entry: Mapping[str, Any]) -> None:
    """Somebody else was quicker: both texts are here, and the person chooses."""
    st.error(
        f"Somebody saved version {summary.version_number} of this task while you were writing, so yours is not saved. "
        "What you typed is still above.",
        icon=":material/sync_problem:",
    )
    with st.expander(f"What version {summary.version_number} says", expanded=True):
        st.markdown(f"**{plain(summary.task.title)}**")
        show_task(summary.task, "")
        for criterion in summary.task.criteria:
            show_criterion(criterion)
    with st.container(horizontal=True):
        if st.button(f"Save mine on top of version {summary.version_number}", key="take-mine"):
            draft.version, draft.stale = summary.version_number, False
            draft.rebuild(entry)
            remember_notice("Look at your text once more, then save the changes.")
            st.rerun()
        if st.button("Throw mine away", key="take-theirs"):
            start_draft(task_to_json(summary.task), task_id=summary.id, version=summary.version_number)
            st.rerun()
