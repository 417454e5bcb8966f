"""Letting a version score, and going back: asked once, with what will change, and refused when things moved."""

from __future__ import annotations

import streamlit as st

from pages.components.frame import told_plainly
from pages.components.session import remember_notice, services
from pages.components.words import plain
from scoring.services.actors import Actor


@st.dialog("Let this version score?", icon=":material/model_training:", width="medium")
def ask_to_activate(
    actor: Actor, version_id: int, key: str, active_id: int | None, active_key: str, *,
    failed: tuple[str, ...] = (), lost: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """Say what will change, then do it; a stress test that failed needs a reason."""
    st.markdown(
        f"New answers will be scored by **{plain(key)}**"
        + (f" instead of **{plain(active_key)}**. " if active_key else ". ")
        + "Scores that exist stay as they are until an educator scores an upload again, and people's decisions "
        "always stand. You can go back with one click."
    )
    if lost:
        st.warning(
            f"It can't score everything that is scored now. Missing: {', '.join(lost)}. New uploads there are refused.",
            icon=":material/warning:",
        )
    despite = ""
    # In a form, so that a reason and the press that follows it arrive together.
    with st.form("activate", border=False):
        if failed:
            st.warning(f"The stress test failed: {plain(', '.join(failed))}.", icon=":material/warning:")
            despite = st.text_area(
                "Why it may score all the same", key="despite", height=90,
                help="Kept in the audit log. For example: every score of this task is reviewed by a person.",
            )  # fmt: skip
        with st.container(horizontal=True):
            agreed = st.form_submit_button("Activate", key="activate-yes", type="primary")
            cancelled = st.form_submit_button("Cancel", key="activate-no")
    if cancelled:
        st.rerun()
    if agreed:
        with told_plainly():
            services().promotion.activate(actor, version_id, active_id, despite=despite or "")
            remember_notice(f"{plain(key)} scores new answers from now on.")
            st.rerun()


def roll_back_button(actor: Actor, active_id: int, key: str) -> None:
    """One click back to the version that was active before."""
    if st.button("Go back to the version before", key=f"roll-back-{key}", icon=":material/undo:"):
        with told_plainly():
            services().promotion.roll_back(actor, active_id)
            remember_notice("The version before scores new answers again. Nothing was deleted.")
            st.rerun()
