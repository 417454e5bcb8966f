"""Two people at one upload: who has which answer open, and a look now and then at what others did."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from pages.components.frame import told_plainly
from pages.components.reviewer.screen import Shown
from pages.components.session import Key, services
from scoring.errors import NotFound
from scoring.services.actors import Actor
from scoring.services.review import ResponseView

LOOK_EVERY_S = 5


def be_here(actor: Actor, view: ResponseView) -> None:
    """Put on record that the answer is on the actor's screen, and leave the one before."""
    left = st.session_state.get(Key.CLAIMED)
    if left == view.id:
        return
    st.session_state[Key.CLAIMED] = view.id
    services().looks.response(actor, view.id)
    services().review.claim(actor, view.id)
    if left is not None:
        # Erased meanwhile, its claim went with it.
        with suppress(NotFound):
            services().review.release(actor, left)


@st.fragment(run_every=LOOK_EVERY_S)
def watch(actor: Actor, shown: Shown) -> None:
    """Keep the claim alive; when others changed what shows, run the page again. Draws nothing itself."""
    if st.session_state.get(Key.WATCHED) is not shown:
        # The page itself has looked just now.
        st.session_state[Key.WATCHED] = shown
        return
    review, view = services().review, shown.view
    with told_plainly():
        try:
            claimed_by = review.claim(actor, view.id)
            now = review.response(actor, view.id)
        except NotFound:
            st.rerun()
        marks = ("revision", "flagged", "flag_note", "comments", "machine_hidden")
        changed = any(getattr(now, mark) != getattr(view, mark) for mark in marks)
        reviewed = review.queue(actor, view.upload_id, only=shown.only).reviewed
        if changed or claimed_by != view.claimed_by or reviewed != shown.reviewed:
            st.rerun()
