"""A teacher's classes: make, rename, share, put away."""

from __future__ import annotations

import streamlit as st

from pages.components.frame import empty_state, heading, told_plainly
from pages.components.session import current_actor, remember_notice, services
from pages.components.words import counted, plain
from scoring.services.actors import Actor
from scoring.services.sections import SectionSummary


def show(actor: Actor, section: SectionSummary) -> None:
    """One section as a card with its actions."""
    with st.container(border=True):
        st.subheader(plain(section.name), anchor=False)
        st.caption(
            f"{counted(section.learners, 'student')} · {counted(section.uploads, 'upload')} · "
            f"taught by {plain(', '.join(section.educators))}"
        )
        with told_plainly(), st.container(horizontal=True):
            if section.archived:
                if st.button("Bring back", key=f"back-{section.id}", icon=":material/unarchive:"):
                    services().sections.set_archived(actor, section.id, False)
                    remember_notice(f"{plain(section.name)} is back.")
                    st.rerun()
                return
            with st.popover("Rename", icon=":material/edit:"):
                rename(actor, section)
            with st.popover("Share", icon=":material/group_add:"):
                share(actor, section)
            if st.button("Put away", key=f"away-{section.id}", icon=":material/archive:"):
                services().sections.set_archived(actor, section.id, True)
                remember_notice(f"{plain(section.name)} is put away; nothing was deleted.")
                st.rerun()


def rename(actor: Actor, section: SectionSummary) -> None:
    """The form for another name."""
    with st.form(f"rename-{section.id}", border=False), told_plainly():
        name = st.text_input("Name", value=section.name, max_chars=200)
        if st.form_submit_button("Save"):
            services().sections.rename(actor, section.id, name)
            st.rerun()


def share(actor: Actor, section: SectionSummary) -> None:
    """The form for a colleague's address; a wrong one is told where it was typed."""
    with st.form(f"share-{section.id}", border=False), told_plainly():
        email = st.text_input("Colleague's e-mail address", max_chars=254)
        st.caption("They will see and score everything in this section.")
        if st.form_submit_button("Share"):
            services().sections.share(actor, section.id, email)
            remember_notice(f"{plain(section.name)} is shared.")
            st.rerun()


def make(actor: Actor) -> None:
    """The form for a new section."""
    with st.form("new-section", clear_on_submit=True, width=560), told_plainly():
        name = st.text_input("Name of the new section", placeholder="Grade 7, period 2", max_chars=200)
        if st.form_submit_button("Make a section", type="primary", icon=":material/add:"):
            section = services().sections.create(actor, name)
            remember_notice(f"{plain(section.name)} is ready. Upload a class under “Score a class”.")
            st.rerun()


def main(actor: Actor) -> None:
    """The screen."""
    heading("My sections", "A section is one class. Its students come in with the files that you upload.")
    make(actor)
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


with told_plainly():
    main(current_actor())
