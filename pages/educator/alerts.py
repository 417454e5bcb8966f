"""Urgent signs: answers that may tell of harm, for a person to read and to deal with."""

from __future__ import annotations

import uuid

import streamlit as st

from pages.components.frame import empty_state, heading, told_plainly
from pages.components.marked import marked
from pages.components.session import Key, current_actor, remember_notice, services
from pages.components.words import ago, counted, plain
from scoring.services.actors import Actor
from scoring.services.alerts import LONGEST_NOTE, MISSES_HAPPEN, REASONS, Alert

PER_PAGE = 10
WAITING, DEALT_WITH = "Waiting for somebody", "Dealt with"


def show(actor: Actor, alert: Alert) -> None:
    """One answer: where it is from, its text on demand, and what was or can be done."""
    with st.container(border=True, key=f"alert-{alert.response_id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(alert.learner)}** · {plain(alert.section)}", width="content")
            for kind in alert.kinds:
                st.badge(kind.replace("_", "-"), icon=":material/emergency_home:", color="red")
        st.markdown(" ".join(REASONS[kind] for kind in REASONS if kind in alert.kinds))
        st.caption(f"“{plain(alert.task)}” · came in {ago(alert.raised_at)} · told: {plain(', '.join(alert.told))}")
        if alert.handled_at is not None:
            st.markdown(f"{plain(alert.handled_by)}, {ago(alert.handled_at)}: “{plain(alert.note)}”")
        looks = st.session_state.setdefault(Key.LOOKS, {})
        if alert.response_id in looks:
            show_text(actor, alert, looks[alert.response_id])
        with st.container(horizontal=True, vertical_alignment="center"):
            offer_text(alert, looks)
            if alert.handled_at is None:
                handle(actor, alert)
            else:
                reopen(actor, alert)


def show_text(actor: Actor, alert: Alert, look: str) -> None:
    """The answer as typed, with its signs marked; each opening is one event in the audit log."""
    with told_plainly():
        answer = services().alerts.read(actor, alert.response_id, look)
        with st.container(border=True):
            st.html(marked(answer.text, answer.signs))


def offer_text(alert: Alert, looks: dict[int, str]) -> None:
    """Open the answer or close it, and the way to its scores for those whose section it is."""
    if alert.response_id not in looks:
        if st.button("Read the answer", key=f"read-{alert.response_id}", icon=":material/visibility:", type="primary"):
            looks[alert.response_id] = uuid.uuid4().hex
            st.rerun()
        return
    if st.button("Close the answer", key=f"close-{alert.response_id}", icon=":material/visibility_off:"):
        del looks[alert.response_id]
        st.rerun()
    if alert.mine:
        st.page_link(
            "educator/review.py", label="Show it under Review", icon=":material/rate_review:",
            query_params={Key.UPLOAD.value: alert.upload_id, Key.RESPONSE.value: str(alert.response_id)},
        )  # fmt: skip


def reopen(actor: Actor, alert: Alert) -> None:
    """Back among those that wait."""
    if st.button("Take it up again", key=f"reopen-{alert.response_id}", icon=":material/undo:"):
        with told_plainly():
            services().alerts.reopen(actor, alert.response_id)
            remember_notice("It waits again for somebody to deal with it.")
            st.rerun()


def handle(actor: Actor, alert: Alert) -> None:
    """The form that closes it, with what was done."""
    with (
        st.popover("Mark as dealt with", icon=":material/task_alt:"),
        told_plainly(),
        st.form(f"handle-{alert.response_id}", border=False),
    ):
        note = st.text_area(
            "What was done?", max_chars=LONGEST_NOTE, key=f"note-{alert.response_id}",
            placeholder="For example: talked with the counsellor; or: nothing to it, a quotation",
        )  # fmt: skip
        st.caption("Everybody who is told of this answer sees the note and your name.")
        if st.form_submit_button("Save", type="primary"):
            services().alerts.handle(actor, alert.response_id, note)
            remember_notice("Marked as dealt with.")
            st.rerun()


def main(actor: Actor) -> None:
    """The screen."""
    heading("Urgent signs", "Answers that may tell of harm, self-harm, abuse or bullying, for a person to read soon.")
    st.warning(
        f"{MISSES_HAPPEN} An empty list does not say that all is well, and nothing here replaces what your school does "
        "when it worries about a student. A sign never changes a score. Who opens an answer is kept in the audit log.",
        icon=":material/info:",
    )
    which = st.radio("Show", [WAITING, DEALT_WITH], horizontal=True, key="alerts-which", label_visibility="collapsed")
    page_key = f"alerts-page-{which}"
    page = st.session_state.get(page_key, 1)
    alerts, total = services().alerts.all(
        actor, handled=which == DEALT_WITH, limit=PER_PAGE, offset=(page - 1) * PER_PAGE
    )
    if not total:
        what = "No answer waits" if which == WAITING else "Nothing was dealt with so far"
        empty_state("task_alt", what, "Answers are looked at as they come in. What needs reading will show here.")
        return
    st.caption(f"{counted(total, 'answer')}, newest first")
    for alert in alerts:
        show(actor, alert)
    if total > PER_PAGE:
        st.pagination(-(-total // PER_PAGE), key=page_key)


with told_plainly():
    main(current_actor())
