"""What surrounds every screen: the title, errors in plain words, the signed-out screen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from pages.components.session import services, show_notice
from pages.components.words import plain
from scoring.errors import EvenhandError, NotSignedIn
from scoring.services.actors import Actor

# The notice of urgent signs has a frame that no other box has, in a red that shows on light and on dark.
URGENT_STYLE = "<style>.st-key-urgent { border: 3px solid #d9480f; }</style>"


def heading(title: str, lead: str = "") -> None:
    """The screen's one title, with a sentence that says what it is for; both may hold typed text."""
    st.title(plain(title), anchor=False)
    if lead:
        st.caption(plain(lead))
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
        # Messages quote file names and titles, which are typed text.
        st.error(plain(str(error)), icon=":material/error:")


def alert_banner(actor: Actor) -> None:
    """On top of every screen, while answers that may tell of harm wait for somebody who is told of them."""
    waiting = 0
    with told_plainly():
        waiting = services().alerts.waiting(actor)
    if not waiting:
        return
    said = "1 answer may tell of harm.** A person should read it now."
    if waiting > 1:
        said = f"{waiting:,} answers may tell of harm.** A person should read each of them now."
    st.html(URGENT_STYLE)
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="urgent"):
        st.markdown(f":red[:material/emergency_home:] **{said}", width="content")
        st.page_link("educator/alerts.py", label="Go to Urgent signs", icon=":material/arrow_forward:")


def signed_out(message: str) -> None:
    """The only screen for somebody without a valid session; takes the browser to the sign-in form."""
    st.title("Evenhand", anchor=False)
    st.info(message, icon=":material/lock:")
    st.html(
        '<p><a href="/session/sign-in" target="_self">Go to sign-in</a></p>'
        "<script>window.top.location.replace('/session/sign-in');</script>",
        unsafe_allow_javascript=True,
    )


def empty_state(icon: str, title: str, what_next: str, page: str = "", label: str = "") -> None:
    """Say that there is nothing yet and what to do about it, with the way to the page where that is done."""
    with st.container(border=True):
        st.subheader(f":material/{icon}: {title}", anchor=False)
        st.markdown(what_next)
        if page:
            st.page_link(page, label=label, icon=":material/arrow_forward:")
