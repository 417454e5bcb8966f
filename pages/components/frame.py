"""What surrounds every screen: the title, errors in plain words, the signed-out screen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from pages.components.session import show_notice
from scoring.errors import EvenhandError, NotSignedIn


def heading(title: str, lead: str = "") -> None:
    """The screen's one title, with a sentence that says what it is for."""
    st.title(title, anchor=False)
    if lead:
        st.caption(lead)
    show_notice()


@contextmanager
def told_plainly() -> Iterator[None]:
    """Show what a person can act on as a message; everything else goes to the log as an error."""
    try:
        yield
    except NotSignedIn as error:
        signed_out(str(error))
        st.stop()
    except EvenhandError as error:
        st.error(str(error), icon=":material/error:")


def signed_out(message: str) -> None:
    """The only screen for somebody without a valid session; takes the browser to the sign-in form."""
    st.title("Evenhand", anchor=False)
    st.info(message, icon=":material/lock:")
    st.html(
        '<p><a href="/session/sign-in" target="_self">Go to sign-in</a></p>'
        "<script>window.top.location.replace('/session/sign-in');</script>",
        unsafe_allow_javascript=True,
    )


def empty_state(icon: str, title: str, what_next: str) -> None:
    """Say that there is nothing yet, and what to do about it."""
    with st.container(border=True, horizontal_alignment="center"):
        st.markdown(f"### :material/{icon}: {title}")
        st.markdown(what_next)
