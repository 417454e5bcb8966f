"""A teacher's classes: make, rename, share, put away."""

from __future__ import annotations

import streamlit as st

from pages.components.frame import empty_state, heading, told_plainly
from pages.components.session import current_actor, remember_notice, services
from scoring.services.actors import Actor
from scoring.services.sections import SectionSummary


def show(actor: Actor, section: SectionSummary) -> None:
    """One section as a card with its actions."""
    sections = services().sections
    with st.container(border=True):
        st.markdown(f"#### {section.name}")
        st.caption(
            f"{section.learners} students · {section.uploads} uploads · taught by {', '.join(section.educators)}"
        )
        with st.container(horizontal=True):
            if section.archived:
                if st.button("Bring back", key=f"back-{section.id}", icon=":material/unarchive:"):
                    sections.set_archived(actor, section.id, False)
                    st.rerun()
                return
            with st.popover("Rename", icon=":material/edit:"), st.form(f"rename-{section.id}", border=False):
                name = st.text_input("Name", value=section.name, max_chars=200)
                if st.form_submit_button("Save"):
                    sections.rename(actor, section.id, name)
                    st.rerun()
            with (
                st.popover("Share", icon=":material/group_add:"),
                st.form(f"share-{section.id}", border=False),
            ):
                email = st.text_input("Colleague's e-mail address", max_chars=254)
                st.caption("They will see and score everything in this section.")
                if st.form_submit_button("Share"):
                    sections.share(actor, section.id, email)
                    remember_notice(f"{section.name} is shared.")
                    st.rerun()
            if st.button("Put away", key=f"away-{section.id}", icon=":material/archive:"):
                sections.set_archived(actor, section.id, True)
                remember_notice(f"{section.name} is put away; nothing was deleted.")
                st.rerun()


with told_plainly():
    actor = current_actor()
    heading("My sections", "A section is one class. Its students come in with the files that you upload.")
    with st.form("new-section", clear_on_submit=True, width=560):
        name = st.text_input("Name of the new section", placeholder="Grade 7, period 2", max_chars=200)
        if st.form_submit_button("Make a section", type="primary", icon=":material/add:"):
            made = services().sections.create(actor, name)
            remember_notice(f"{made.name} is ready. Upload a class under “Score a class”.")
            st.rerun()
    mine = services().sections.mine(actor)
    if not mine:
        empty_state("groups", "No sections yet", "Name your first class above, then go to **Score a class**.")
    for section in mine:
        show(actor, section)
    away = services().sections.mine(actor, archived=True)
    if away:
        with st.expander(f"Put away ({len(away)})"):
            for section in away:
                show(actor, section)
