"""Review: one answer at a time beside its rubric, and the person's decision."""

from __future__ import annotations

import streamlit as st

from pages.components.answer import show_history
from pages.components.explanation import show_explanation
from pages.components.frame import heading, told_plainly
from pages.components.reviewer.screen import review_at_desk
from pages.components.reviewer.watching import be_here, watch
from pages.components.selection import opened_upload
from pages.components.session import current_actor
from pages.components.task_card import show_task
from pages.components.upload_list import choose_upload
from scoring.services.actors import Actor


def main(actor: Actor) -> None:
    """The screen."""
    upload = opened_upload(actor)
    if upload is None:
        heading("Review", "Which class's answers?")
        choose_upload(actor, verb="Review")
        return
    heading("Review", f"{upload.task_title} · {upload.section} · {upload.file_name}")
    if not upload.finished:
        st.info(
            "This upload is still being scored; what is not scored yet shows no level.",
            icon=":material/autorenew:",
        )
    task = st.container()
    shown = review_at_desk(actor, upload.id)
    if shown is None:
        return
    view = shown.view
    with task, st.expander("The task"):
        show_task(view.task, view.figure)
    be_here(actor, view)
    if not view.machine_hidden:
        show_explanation(actor, view)
    show_history(view)
    watch(actor, shown)


with told_plainly():
    main(current_actor())
