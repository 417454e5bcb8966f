"""Who did what and when, and whether that record is whole."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.frame import empty_state, heading, told_plainly
from pages.components.session import current_actor, services
from pages.components.words import in_utc
from scoring.services.actors import Actor
from scoring.services.audit import AuditEntry

PER_PAGE = 25
KINDS = {
    "": "Everything",
    "session.": "Signing in and out",
    "user.": "Accounts",
    "section.": "Sections",
    "upload.": "Uploads",
    "response.": "Decisions on answers",
    "scores.": "Downloads of scores",
    "task.": "Tasks",
    "itembank.": "Loading of item banks",
    "version.": "Model versions",
}
ACTIONS = {
    "itembank.load": "loaded an item bank",
    "response.decide": "decided on an answer",
    "response.undo": "took a decision back",
    "scores.export": "downloaded scores",
    "section.archive": "put a section away",
    "section.create": "made a section",
    "section.rename": "renamed a section",
    "section.share": "shared a section",
    "section.unarchive": "brought a section back",
    "session.sign_in": "signed in",
    "session.sign_out": "signed out",
    "task.retire": "retired a task",
    "task.unretire": "brought a task back",
    "upload.cancel": "stopped scoring",
    "upload.download_original": "downloaded an original file",
    "upload.score_again": "had an upload scored again",
    "upload.score_rest": "had the rest of an upload scored",
    "upload.submit": "uploaded a file",
    "user.activate": "reactivated an account",
    "user.add": "added a person",
    "user.change_password": "changed their password",
    "user.deactivate": "deactivated an account",
    "user.reset_password": "gave somebody a new password",
    "user.set_role": "changed a role",
    "user.set_up": "set Evenhand up",
    "version.activate": "activated a model version",
    "version.register": "took in a model version",
}

OBJECTS = {"student_version": "model version", "itembank": "item bank"}


def who(actor_id: int | None, people: dict[int, str]) -> str:
    """The name as the account has it today; the log itself holds the number."""
    if actor_id is None:
        return "Evenhand itself"
    return people.get(actor_id, f"account {actor_id}")


def show_events(events: list[AuditEntry], people: dict[int, str]) -> None:
    """A page of events, one row each."""
    frame = pd.DataFrame(
        {
            "Time (UTC)": [in_utc(event.at) for event in events],
            "Who": [who(event.actor_id, people) for event in events],
            "What": [ACTIONS.get(event.action, event.action) for event in events],
            "On": [_object(event, people) for event in events],
            "Details": [
                ", ".join(f"{name}: {_plain(value)}" for name, value in event.detail.items()) for event in events
            ],
            "No.": [event.id for event in events],
        }
    )
    st.dataframe(
        frame, hide_index=True, height="content", alt="Events of the audit log, newest first",
        column_config={"No.": st.column_config.NumberColumn(width=60)},
    )  # fmt: skip


def _object(event: AuditEntry, people: dict[int, str]) -> str:
    if event.object_type == "user" and event.object_id.isdigit():
        return f"account {event.object_id} ({people.get(int(event.object_id), 'gone')})"
    return f"{OBJECTS.get(event.object_type, event.object_type)} {event.object_id}"


def _plain(value: object) -> str:
    return "none" if value is None else str(value)


def check_the_chain(actor: Actor) -> None:
    """Recompute every link and say plainly what came out."""
    st.subheader("Is the record whole?", anchor=False)
    st.markdown(
        "Each event is sealed together with the one before it, so a change made later behind Evenhand's back shows."
    )
    if not st.button("Check the chain", icon=":material/link:"):
        return
    with st.spinner("Reading every event …"):
        report = services().audit.verify(actor)
    if report.intact:
        st.success(
            f"The record is intact: all {report.events:,} events fit together, none was changed or removed.",
            icon=":material/check_circle:",
        )
        return
    st.error(
        f"The record breaks at event {report.broken_at}: {report.reason}. Events before it can be trusted; from there "
        "on they can't. Somebody or something changed the database from outside Evenhand. Keep a copy of the database "
        "as it is now, find out who had access to the server, and compare with a backup.",
        icon=":material/error:",
    )


with told_plainly():
    actor = current_actor()
    heading("Audit log", "Who did what, newest first. It can be added to, never changed.")
    people = {person.id: person.name for person in services().accounts.people(actor)}
    st.caption(
        "The log holds numbers of accounts and objects, never names or students' texts. The names of staff shown here "
        "are looked up now, from the accounts. All times are in UTC."
    )
    kind = st.selectbox("Show", list(KINDS), format_func=KINDS.__getitem__, key="audit-kind", width=320)
    page_key = f"audit-page-{kind}"
    page = st.session_state.get(page_key, 1)
    events, total = services().audit.events(actor, action=kind, limit=PER_PAGE, offset=(page - 1) * PER_PAGE)
    if events:
        show_events(events, people)
        st.caption(f"{total:,} events")
        if total > PER_PAGE:
            st.pagination(-(-total // PER_PAGE), key=page_key)
    else:
        empty_state("history", "No such events yet", "Choose **Everything** above to see what there is.")
    check_the_chain(actor)
