"""Who is at the screen, and what screens remember. Session state holds ids, selections and revisions only."""

from __future__ import annotations

from enum import StrEnum

import streamlit as st

from scoring.errors import NotSignedIn
from scoring.services.actors import Actor
from scoring.services.house import Services, shared_services
from scoring.web.cookies import Cookies


class Key(StrEnum):
    """Names in session state; one list, so that no two screens share one by accident."""

    FIRST_SIGN_IN = "first-sign-in"
    SECTION = "section"
    UPLOAD = "upload"
    RESPONSE = "response"
    NOTICE = "notice"
    FORM = "form"
    SUBMIT_TOKEN = "submit_token"
    DESK = "desk"
    SITTING = "sitting"
    ANSWER = "answer"
    CLAIMED = "claimed"
    WATCHED = "watched"
    RESULTS_PAGE = "results-page"
    WHY = "why"
    WHY_CRITERION = "why-criterion"
    WHY_PART = "why-part"
    WHY_ENDED = "why-ended"
    TRIAL = "trial"
    INSIDE = "inside"
    LOOKS = "looks"
    NONCE = "nonce"
    TASK = "task"
    STEP = "step"
    DRAFT = "task-draft"
    CARRIED = "carried-examples"
    PREVIEWED = "previewed"


@st.cache_resource(show_spinner=False)
def _cookies() -> Cookies:
    return Cookies(shared_services().settings)


def services() -> Services:
    """The use cases; all that a page may call."""
    return shared_services()


def current_actor() -> Actor:
    """The person whose session cookie this browser sent.

    Raises:
        NotSignedIn: there is none, or it no longer counts.
    """
    cookies = _cookies()
    token = cookies.token(st.context.cookies.get(cookies.name))
    if token is None:
        raise NotSignedIn("You are signed out. Sign in again to go on.")
    return services().accounts.resume(token)


def remember_notice(message: str) -> None:
    """Keep a message over the next rerun or page change."""
    st.session_state[Key.NOTICE] = message


def show_notice() -> None:
    """Show what an action just before left to say."""
    message = st.session_state.pop(Key.NOTICE, None)
    if message:
        st.toast(message, icon=":material/check_circle:")
