"""The actor's uploads, to choose one from."""

from __future__ import annotations

import streamlit as st

from pages.components.frame import empty_state
from pages.components.progress import STATUS_WORDS
from pages.components.selection import select_upload
from pages.components.session import Key, services
from pages.components.words import counted, plain
from scoring.services.actors import Actor

PER_PAGE = 12


def choose_upload(actor: Actor, *, verb: str = "Open") -> None:
    """All uploads, newest first, each with a button that opens it on the screen that asks.

    Args:
        actor: sees the uploads of their own sections.
        verb: what the button says.
    """
    page = st.session_state.get(Key.RESULTS_PAGE, 1)
    uploads, total = services().uploads.recent(actor, limit=PER_PAGE, offset=(page - 1) * PER_PAGE)
    if not total:
        empty_state(
            "table_chart", "Nothing scored yet", "Upload a class's answers first.",
            "educator/score.py", "Go to Score a class",
        )  # fmt: skip
        return
    for upload in uploads:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            with st.container(width=520):
                st.markdown(f"**{plain(upload.task_title)}** · {plain(upload.section)}")
                st.caption(
                    f"{plain(upload.file_name)} · {counted(upload.responses, 'answer')}, "
                    f"{upload.reviewed:,} reviewed · "
                    f"{upload.created_at:%d %b %Y, %H:%M} UTC · by {plain(upload.educator)}"
                )
            st.space("stretch")
            words, icon, colour = STATUS_WORDS[upload.status]
            st.badge(words, icon=icon, color=colour)
            if st.button(verb, key=f"open-{upload.id}", icon=":material/open_in_full:"):
                select_upload(upload.id)
                st.rerun()
    if total > PER_PAGE:
        st.pagination((total + PER_PAGE - 1) // PER_PAGE, key=Key.RESULTS_PAGE)
