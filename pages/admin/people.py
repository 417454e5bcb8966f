"""Accounts: add a person, hand over a first password, change a role, switch an account off and on."""

from __future__ import annotations

import streamlit as st

from pages.admin.passwords import reset_password, show_first_password
from pages.components.frame import empty_state, heading, told_plainly
from pages.components.session import Key, current_actor, remember_notice, services
from pages.components.words import ago, plain
from scoring.domain import Role
from scoring.services.accounts import Person
from scoring.services.actors import Actor

PER_PAGE = 20
ROLES = {
    Role.EDUCATOR: "Educator: uploads, reviews and exports their own sections",
    Role.ADMINISTRATOR: "Administrator: sees every section and these administration screens as well",
}


@st.dialog("Deactivate this account?", icon=":material/person_off:")
def deactivate(actor: Actor, person: Person) -> None:
    """Say what will happen, then do it."""
    you = " This is your own account: you will be signed out." if person.id == actor.user_id else ""
    st.markdown(
        f"**{plain(person.name)}** is signed out at once and can't sign in any more.{you} Nothing is deleted: "
        "sections, scores and decisions stay, and you can reactivate the account here."
    )
    with st.container(horizontal=True):
        agreed = st.button("Deactivate", key="deactivate-yes", type="primary")
        if st.button("Cancel", key="deactivate-no"):
            st.rerun()
    if agreed:
        with told_plainly():
            services().accounts.set_active(actor, person.id, False)
            remember_notice(f"{plain(person.name)} is deactivated; nothing was deleted.")
            st.rerun()


def add_person(actor: Actor) -> None:
    """The form; its key changes after each success, so that it comes back empty."""
    filled = st.session_state.setdefault(Key.FORM, 0)
    with st.form(f"add-person-{filled}", width=560, border=False):
        name = st.text_input("Name", max_chars=200, key=f"new-name-{filled}")
        email = st.text_input("E-mail address", max_chars=254, key=f"new-email-{filled}")
        role = st.radio("Role", list(ROLES), format_func=ROLES.__getitem__, key=f"new-role-{filled}")
        sent = st.form_submit_button("Add person", type="primary", icon=":material/person_add:")
    if sent:
        with told_plainly():
            person, password = services().accounts.add_person(actor, name, email, role)
            st.session_state[Key.FORM] += 1
            show_first_password(person, password)


def show(actor: Actor, person: Person) -> None:
    """One account with what can be done about it."""
    you = person.id == actor.user_id
    with st.container(border=True):
        with st.container(gap=None):
            off = "" if person.active else " :gray-badge[:material/person_off: Deactivated]"
            st.markdown(f"**{plain(person.name)}**{' (you)' if you else ''} · {person.role.capitalize()}{off}")
            st.text(person.email)
            waiting = " · has not chosen a password of their own yet" if person.must_change_password else ""
            st.caption(f"Last sign-in: {ago(person.last_sign_in_at)}{waiting}")
        with st.container(horizontal=True):
            if not person.active:
                reactivate(actor, person)
                return
            with st.popover("Role", icon=":material/badge:"):
                change_role(actor, person)
            if st.button("New password", key=f"reset-{person.id}", icon=":material/key:"):
                reset_password(actor, person)
            if st.button("Deactivate", key=f"deactivate-{person.id}", icon=":material/person_off:"):
                deactivate(actor, person)


def reactivate(actor: Actor, person: Person) -> None:
    """Let somebody in again; nothing to confirm."""
    if st.button("Reactivate", key=f"reactivate-{person.id}", icon=":material/person_check:"):
        with told_plainly():
            services().accounts.set_active(actor, person.id, True)
            remember_notice(f"{plain(person.name)} can sign in again.")
            st.rerun()


def change_role(actor: Actor, person: Person) -> None:
    """Choose and save."""
    with st.form(f"role-{person.id}", border=False):
        role = st.radio(
            "Role", list(ROLES), index=list(ROLES).index(person.role), format_func=ROLES.__getitem__,
            key=f"role-of-{person.id}-{person.role}",
        )  # fmt: skip
        if person.id == actor.user_id:
            st.caption("This is your own account. As an educator you lose these screens at once.")
        if st.form_submit_button("Change role") and role != person.role:
            with told_plainly():
                services().accounts.set_role(actor, person.id, role)
                remember_notice(f"{plain(person.name)} is now {role}.")
                st.rerun()


with told_plainly():
    actor = current_actor()
    heading("People", "Who may sign in, and what they may do.")
    everyone = services().accounts.people(actor)
    alone = len(everyone) == 1
    with st.expander("Add a person", expanded=alone, icon=":material/person_add:", key="add-person"):
        add_person(actor)
    if alone:
        empty_state("group_add", "Nobody but you yet", "Add an educator above, so that they can score their classes.")
    wanted = ""
    if len(everyone) > PER_PAGE:
        wanted = st.text_input("Find by name or e-mail", icon=":material/search:", key="find", width=400)
    found = [p for p in everyone if wanted.strip().casefold() in f"{p.name} {p.email}".casefold()]
    if not found:
        st.info("Nobody here has that in their name or e-mail address. Try fewer letters.")
    pages = max(1, -(-len(found) // PER_PAGE))
    page = st.pagination(pages, key=f"people-{wanted}") if pages > 1 else 1
    for person in found[(page - 1) * PER_PAGE : page * PER_PAGE]:
        show(actor, person)
