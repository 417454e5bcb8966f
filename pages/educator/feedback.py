"""Comment templates: what stands ready to be told to a student, per criterion and level of a task."""

from __future__ import annotations

import streamlit as st

from pages.components.frame import empty_state, heading, told_plainly
from pages.components.session import current_actor, remember_notice, services
from pages.components.words import plain, told_apart
from scoring.services.actors import Actor
from scoring.services.feedback import LONGEST_COMMENT, CriterionTemplates
from scoring.services.tasks import TaskSummary


def choose_task(tasks: list[TaskSummary]) -> TaskSummary:
    """The task picker."""
    labelled = told_apart(tasks, lambda task: task.task.title, lambda task: task.task.id)
    return labelled[st.selectbox("Task", labelled, key="feedback-task", width=560)]


def show(actor: Actor, task: TaskSummary, part: CriterionTemplates) -> None:
    """One criterion: a text per level, saved together."""
    criterion = part.criterion
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(plain(criterion.name), anchor=False, width="content")
            if part.own:
                st.badge("yours", icon=":material/person:", color="green")
            else:
                st.badge("draft: the rubric's own words", icon=":material/edit_note:", color="orange")
        texts = {}
        # A new key with each save, so that the fields show what was saved and not what was typed before.
        version = f"{task.version_id}-{criterion.id}-{'own' if part.own else 'draft'}"
        with told_plainly(), st.form(f"templates-{version}", border=False):
            for template in part.templates:
                level = template.level
                name = f"{level.value} · {plain(level.label)}" if level.label else f"Level {level.value}"
                texts[level.value] = st.text_area(
                    name, template.text, height="content", max_chars=LONGEST_COMMENT,
                    key=f"template-{version}-{level.value}", placeholder="Nothing stands ready for this level",
                    help=None if template.draft else plain(level.descriptor) or None,
                )  # fmt: skip
            if st.form_submit_button("Save" if part.own else "Make these mine", icon=":material/save:"):
                services().feedback.save(actor, task.id, criterion.id, texts)
                remember_notice(f"Comments on “{plain(criterion.name)}” are saved.")
                st.rerun()
        if part.own and st.button(
            "Back to the rubric's words", key=f"restore-{version}", icon=":material/undo:", type="tertiary"
        ):
            services().feedback.restore(actor, task.id, criterion.id)
            remember_notice(f"“{plain(criterion.name)}” shows the rubric's words again.")
            st.rerun()


def main(actor: Actor) -> None:
    """The screen."""
    heading(
        "Comments", "What you tell students at each level, written once. These are yours; colleagues have their own."
    )
    tasks = services().tasks.available(actor)
    if not tasks:
        empty_state("menu_book", "No tasks yet", "Comments belong to a task's criteria, and there is no task so far.")
        return
    task = choose_task(tasks)
    st.info(
        "While you review, a comment can be taken over and changed for one student. In the download of scores, each "
        "answer that a person has decided carries the comment written on it, or else yours for the level it was given, "
        "unless you hold it back from that student while you review. "
        "Drafts are never handed out: they count once you have made them yours.",
        icon=":material/chat:",
    )
    for part in services().feedback.templates(actor, task.id):
        show(actor, task, part)


with told_plainly():
    main(current_actor())
