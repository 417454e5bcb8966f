"""Who is signed in, and so which screens there are. Runs first on every page."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.components.frame import alert_banner, signed_out
from pages.components.session import Key, current_actor, services
from pages.components.words import plain
from scoring.errors import NotSignedIn
from scoring.services.actors import Actor

# A file of ours: a Material icon here would be fetched from another host.
ICON = Path(__file__).parent / "components" / "icon.svg"


def screens(actor: Actor) -> dict[str, list[st.Page]]:
    """The pages a person gets. Not authorisation: services check every call again."""
    account = st.Page(
        "educator/account.py", title="My account", icon=":material/account_circle:", url_path="account",
        help="Your password, and signing out.",
    )  # fmt: skip
    if actor.must_change_password:
        return {"": [account]}
    teaching = [
        st.Page(
            "educator/score.py", title="Score a class", icon=":material/upload_file:", url_path="score", default=True,
            help="Upload a file of answers and have it scored.",
        ),
        st.Page(
            "educator/results.py", title="Results", icon=":material/table_chart:", url_path="results",
            help="Scores of each upload, their distribution, and the download.",
        ),
        st.Page(
            "educator/review.py", title="Review", icon=":material/rate_review:", url_path="review",
            help="Look at one answer at a time; confirm or change its score.",
        ),
        st.Page(
            "educator/consistency.py", title="Consistency", icon=":material/balance:", url_path="consistency",
            help="Answers that say the same and were given different levels.",
        ),
        st.Page(
            "educator/alerts.py", title="Urgent signs", icon=":material/emergency_home:", url_path="urgent-signs",
            help="Answers that may tell of harm, for a person to read.",
        ),
        st.Page(
            "educator/feedback.py", title="Comments", icon=":material/chat:", url_path="comments",
            help="What you tell students at each level, written once.",
        ),
        st.Page(
            "educator/sections.py", title="My sections", icon=":material/groups:", url_path="sections",
            help="Your classes, and who else teaches them.",
        ),
        st.Page(
            "educator/library.py", title="Tasks", icon=":material/menu_book:", url_path="tasks",
            help="The questions that can be scored, with their rubrics.",
        ),
        st.Page(
            "educator/new_task.py", title="Add a task", icon=":material/add_task:", url_path="add-task",
            help="Teach the model a task from answers that people have scored.",
        ),
    ]  # fmt: skip
    pages = {"Teaching": teaching}
    if actor.is_administrator:
        pages["Administration"] = [
            st.Page("admin/people.py", title="People", icon=":material/badge:", url_path="people",
                    help="Accounts, roles and passwords."),
            st.Page("admin/rules.py", title="House rules", icon=":material/gavel:", url_path="house-rules",
                    help="The share scored blind, reasons for overrides, who is told of urgent signs."),
            st.Page("admin/tasks.py", title="Item bank", icon=":material/inventory_2:", url_path="item-bank",
                    help="Retire tasks and bring them back."),
            st.Page("admin/versions.py", title="Model versions", icon=":material/model_training:",
                    url_path="versions", help="The scoring model: versions, figures and model card."),
            st.Page("admin/experts.py", title="Inside the model", icon=":material/hub:", url_path="inside",
                    help="What its experts are used for, and which words move scores."),
            st.Page("admin/health.py", title="Health", icon=":material/monitor_heart:", url_path="health",
                    help="Whether database and worker do their work."),
            st.Page("admin/audit.py", title="Audit log", icon=":material/history:", url_path="audit",
                    help="Who did what, and whether the record is whole."),
        ]  # fmt: skip
    pages["Account"] = [account]
    return pages


def main() -> None:
    """Show the page that was asked for, or the way to sign in."""
    st.set_page_config(page_title="Evenhand", page_icon=str(ICON), layout="wide")
    try:
        actor = current_actor()
    except NotSignedIn as error:
        message = str(error)
        st.navigation([st.Page(lambda: signed_out(message), title="Sign in")], position="hidden").run()
        return
    # In one list: with headings between its parts a screen reader does not find it to be one.
    page = st.navigation([screen for part in screens(actor).values() for screen in part], expanded=True)
    if actor.must_change_password:
        st.session_state[Key.FIRST_SIGN_IN] = True
    elif st.session_state.pop(Key.FIRST_SIGN_IN, False):
        # The password is chosen; go on to the work.
        st.switch_page("educator/score.py")
    with st.sidebar:
        st.caption(f"Signed in as **{plain(actor.name)}**")
        if st.button("Sign out", icon=":material/logout:", type="tertiary"):
            services().accounts.sign_out(actor)
            st.rerun()
    if not actor.must_change_password:
        alert_banner(actor)
    page.run()


main()
