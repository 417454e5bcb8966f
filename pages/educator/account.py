"""One's own password."""

from __future__ import annotations

import streamlit as st

from pages.components.frame import heading, told_plainly
from pages.components.session import current_actor, remember_notice, services
from scoring.errors import InvalidInput


def main() -> None:
    """The screen."""
    actor = current_actor()
    if actor.must_change_password:
        heading("Choose your own password", "Your first password was only for getting in.")
    else:
        heading("My account", f"{actor.name} · {actor.email} · {actor.role}")
    # Emptied at each try: nobody corrects letters that they can't see.
    with st.form("password", width=480, clear_on_submit=True):
        current = st.text_input("Current password", type="password", autocomplete="current-password")
        new = st.text_input(
            "New password", type="password", autocomplete="new-password",
            help="At least 10 characters. A short sentence works well.",
        )  # fmt: skip
        again = st.text_input("New password once more", type="password", autocomplete="new-password")
        sent = st.form_submit_button("Change password", type="primary")
    if sent:
        if new != again:
            raise InvalidInput("The two new passwords differ. Type them again.")
        services().accounts.change_password(actor, current, new)
        remember_notice("Password changed. Other browsers were signed out.")
        st.rerun()


with told_plainly():
    main()
