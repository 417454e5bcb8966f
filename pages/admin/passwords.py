"""First passwords: shown once, in a dialog that stays until the administrator has copied them."""

from __future__ import annotations

import streamlit as st

from pages.components.frame import told_plainly
from pages.components.session import services
from pages.components.words import plain
from scoring.services.accounts import Person
from scoring.services.actors import Actor

DONE = "password-done"


def password_to_hand_over(name: str, email: str, password: str) -> None:
    """The first password with what to do about it; it can't be shown again."""
    st.text(f"{name} signs in as {email} with this first password:")
    st.code(password, language=None)
    st.markdown(
        "Copy it now: it is shown only this once. Hand it over in person or by phone rather than by e-mail. "
        f"{plain(name)} is asked to choose a password of their own at the first sign-in."
    )
    if st.button("Done, I have copied it", key=DONE, type="primary"):
        st.rerun()


@st.dialog("Account made", dismissible=False, icon=":material/key:")
def show_first_password(person: Person, password: str) -> None:
    """After adding somebody."""
    password_to_hand_over(person.name, person.email, password)


@st.dialog("New password", dismissible=False, icon=":material/key:")
def reset_password(actor: Actor, person: Person) -> None:
    """Ask first, then show the new password in the same place."""
    if st.session_state.get(DONE):  # the button that shows only right after the answer, so it must be asked for here
        st.rerun()
    asked = st.empty()
    with asked.container():
        st.markdown(
            f"**{plain(person.name)}** will be signed out everywhere, and the password used until now stops working."
        )
        with st.container(horizontal=True):
            agreed = st.button("Make a new password", key="reset-yes", type="primary")
            if st.button("Cancel", key="reset-no"):
                st.rerun()
    if agreed:
        with told_plainly():
            password = services().accounts.reset_password(actor, person.id)
            asked.empty()
            password_to_hand_over(person.name, person.email, password)
