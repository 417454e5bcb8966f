"""One's own password."""

from __future__ import annotations

import streamlit as st

from pages.components.frame import heading, told_plainly
from pages.components.session import current_actor, remember_notice, services

with told_plainly():
    actor = current_actor()
    first = actor.must_change_password
    heading(
        "Choose your own password" if first else "My account",
        "Your first password was only for getting in."
        if first
        else f"{actor.name} · {actor.email} · {actor.role}",
    )
    with st.form("password", width=480):
        current = st.text_input("Current password", type="password", autocomplete="current-password")
        new = st.text_input(
            "New password", type="password", autocomplete="new-password",
            help="At least 10 characters. A short sentence works well.",
        )  # fmt: skip
        again = st.text_input("New password once more", type="password", autocomplete="new-password")
        sent = st.form_submit_button("Change password", type="primary")
    if sent:
        if new != again:
            st.error("The two new passwords differ. Type them again.", icon=":material/error:")
        else:
            services().accounts.change_password(actor, current, new)
            remember_notice("Password changed. Other browsers were signed out.")
            st.rerun()
