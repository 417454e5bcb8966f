"""Who saw and did what and when, and whether that record is whole."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pandas as pd
import streamlit as st

from pages.components.audit_words import ACTIONS, KINDS, OBJECTS
from pages.components.frame import empty_state, heading, told_plainly
from pages.components.session import current_actor, services
from pages.components.words import counted, in_utc, told_apart
from scoring.services.accounts import Person
from scoring.services.actors import Actor
from scoring.services.audit import EVERYTHING, SYSTEM, AuditEntry, AuditFilter

PER_PAGE = 25
EVERYBODY, EVENHAND = "Everybody", "Evenhand itself"


def who(actor_id: int | None, people: dict[int, str]) -> str:
    """The name as the account has it today; the log itself holds the number."""
    if actor_id is None:
        return EVENHAND
    return people.get(actor_id, f"account {actor_id}")


def choose(people: list[Person]) -> AuditFilter:
    """The filters, side by side."""
    named = told_apart(people, lambda person: person.name, lambda person: person.email)
    ids = {EVERYBODY: None, EVENHAND: SYSTEM} | {name: person.id for name, person in named.items()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.selectbox("Show", list(KINDS), format_func=KINDS.__getitem__, key="audit-kind", width=240)
        person = st.selectbox("Who", list(ids), key="audit-person", width=240)
        thing = st.selectbox(
            "On", ["", *OBJECTS], format_func=lambda entry: OBJECTS.get(entry, "Anything").capitalize(),
            key="audit-object", width=170,
        )  # fmt: skip
        number = st.text_input(
            "Number", key="audit-number", max_chars=100, width=150,
            help="An answer's number stands in the address while you review it, an upload's in that of its results.",
        )  # fmt: skip
        since = st.date_input("From", None, key="audit-since", width=150)
        until = st.date_input("To", None, key="audit-until", width=150)
    return AuditFilter(
        action=kind,
        person=ids[person],
        object_type=thing,
        object_id=number.strip(),
        since=_midnight(since),
        until=_midnight(until, 1),
    )


def _midnight(day: date | None, days_later: int = 0) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC) + timedelta(days=days_later)


def show_events(events: list[AuditEntry], people: dict[int, str]) -> None:
    """A page of events, one row each."""
    frame = pd.DataFrame(
        {
            "No.": [event.id for event in events],
            "Time (UTC)": [in_utc(event.at) for event in events],
            "Who": [who(event.actor_id, people) for event in events],
            "What": [ACTIONS.get(event.action, event.action) for event in events],
            "On": [_object(event, people) for event in events],
            "Details": [_details(event.detail) for event in events],
        }
    )
    st.dataframe(
        frame, hide_index=True, height="content", alt="Events of the audit log, newest first",
        column_config={
            "No.": st.column_config.NumberColumn(width=60), "Details": st.column_config.TextColumn(width="medium"),
        },
    )  # fmt: skip


def _object(event: AuditEntry, people: dict[int, str]) -> str:
    if event.object_type == "user" and event.object_id.isdigit():
        return f"account {event.object_id} ({people.get(int(event.object_id), 'gone')})"
    return f"{OBJECTS.get(event.object_type, event.object_type)} {event.object_id}"


def _details(detail: dict[str, Any]) -> str:
    # What only tells looks apart says nothing to a reader.
    return "; ".join(f"{name}: {_plain(value)}" for name, value in detail.items() if name != "look")


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(entry)}" for name, entry in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(_plain(entry) for entry in value) or "none"
    return "none" if value is None else str(value)


def offer_file(actor: Actor, only: AuditFilter, total: int) -> None:
    """The events that match, as a file."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(counted(total, "event"), width="content")
        st.download_button(
            "Download these events (CSV)", lambda: services().audit.export(actor, only)[1],
            file_name=f"audit log {datetime.now(UTC):%Y-%m-%d}.csv", mime="text/csv", icon=":material/download:",
            on_click="ignore", help="With the seals, so that others can check the chain. The download is an event too.",
        )  # fmt: skip


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
    heading("Audit log", "Who saw, scored, changed and downloaded what, newest first. It is added to, never changed.")
    everyone = services().accounts.people(actor)
    people = {person.id: person.name for person in everyone}
    st.caption(
        "The log holds numbers of accounts and objects, never names or students' texts. The names of staff shown here "
        "are looked up now, from the accounts. A look at the same object counts once an hour. All times are in UTC."
    )
    only = choose(everyone)
    page_key = "audit-page-" + ("" if only == EVERYTHING else repr(only))
    page = st.session_state.get(page_key, 1)
    events, total = services().audit.events(actor, only, limit=PER_PAGE, offset=(page - 1) * PER_PAGE)
    if events:
        show_events(events, people)
        offer_file(actor, only, total)
        if total > PER_PAGE:
            st.pagination(-(-total // PER_PAGE), key=page_key)
    else:
        empty_state(
            "history", "No such events yet", "Choose **Everything** above, or fewer filters, to see what there is."
        )
    check_the_chain(actor)
