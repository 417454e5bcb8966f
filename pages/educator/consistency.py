"""Answers that say the same and were given different levels by people, side by side, to be made alike."""

from __future__ import annotations

import uuid
from functools import partial

import streamlit as st

from pages.components.frame import empty_state, heading, told_plainly
from pages.components.selection import opened_upload
from pages.components.session import Key, current_actor, remember_notice, services
from pages.components.words import counted, plain
from scoring.domain import Criterion
from scoring.services.actors import Actor
from scoring.services.review import GroupMember, Inconsistency, ResponseView
from scoring.services.rules import NEVER
from scoring.services.uploads import UploadSummary

PER_PAGE = 10


def pair_key(pair: Inconsistency) -> str:
    """Names the widgets of a pair as both answers stand now; a decision on either gives it new ones."""
    return f"{pair.usual.id}-{pair.usual.revision}-{pair.other.id}-{pair.other.revision}"


def show_answer(upload: UploadSummary, member: GroupMember, criteria: list[Criterion]) -> None:
    """One of the two: its text as typed, and the levels that people gave."""
    st.markdown(f"**{plain(member.learner)}**")
    with st.container(border=True):
        st.text(member.text)
    for criterion in criteria:
        st.markdown(f"{plain(criterion.name)}: **level {member.levels[criterion.id]}**")
    st.page_link(
        "educator/review.py", label="Open under Review", icon=":material/rate_review:",
        query_params={Key.UPLOAD.value: upload.id, Key.RESPONSE.value: str(member.id)},
    )  # fmt: skip


def show_pair(actor: Actor, upload: UploadSummary, pair: Inconsistency) -> None:
    """Two answers with what differs, and the form that gives both the same level."""
    view = services().review.response(actor, pair.usual.id)
    criteria = [view.task.criterion(key) for key in pair.criteria]
    with st.container(border=True):
        left, right = st.columns(2, gap="large")
        with left:
            show_answer(upload, pair.usual, criteria)
        with right:
            show_answer(upload, pair.other, criteria)
        reconcile(actor, pair, view, criteria)


def reconcile(actor: Actor, pair: Inconsistency, view: ResponseView, criteria: list[Criterion]) -> None:
    """One level for both, per criterion that differs; with the house's reasons, in case the model said otherwise."""
    key = pair_key(pair)
    with told_plainly(), st.form(f"pair-{key}", border=False):
        levels = {
            criterion.id: st.radio(
                f"{plain(criterion.name)}: level for both", list(criterion.values), index=None, horizontal=True,
                format_func=partial(_level_words, criterion), key=f"level-{key}-{criterion.id}",
            )
            for criterion in criteria
        }  # fmt: skip
        kind = st.selectbox(
            "Reason, if the model says otherwise", list(view.reasons), None, key=f"kind-{key}", width=460,
            placeholder="Choose one",
        ) if view.reasons else None  # fmt: skip
        words = ""
        if view.free_text != NEVER:
            words = st.text_input("In your own words", key=f"words-{key}", max_chars=2000, width=460)
        nonces = st.session_state.setdefault(Key.NONCE, {})
        if not st.form_submit_button("Give both this level", icon=":material/join:"):
            return
        chosen = {criterion: level for criterion, level in levels.items() if level is not None}
        if len(chosen) < len(levels):
            st.error("Choose a level first.", icon=":material/error:")
            return
        services().review.reconcile(
            actor, {member.id: member.revision for member in (pair.usual, pair.other)}, chosen,
            nonces.setdefault(key, uuid.uuid4().hex), words, kind or "",
        )  # fmt: skip
        remember_notice("Both answers have the same level now.")
        st.rerun()


def _level_words(criterion: Criterion, value: int) -> str:
    label = criterion.levels[value - criterion.levels[0].value].label
    return f"{value} · {plain(label)}" if label else str(value)


def main(actor: Actor) -> None:
    """The screen."""
    upload = opened_upload(actor)
    if upload is None:
        heading("Consistency")
        empty_state(
            "balance", "Choose an upload first", "Open one under **Results**, then come back.",
            "educator/results.py", "Go to Results",
        )  # fmt: skip
        return
    heading("Consistency", f"{upload.task_title} · {upload.section} · {upload.file_name}")
    services().looks.upload(actor, upload.id)
    st.markdown(
        "Answers of this upload that say the same, or nearly so, and that people gave different levels. Both may be "
        "right: look before you make them alike. A level you give here counts as your decision and can be taken back."
    )
    pairs = services().review.inconsistencies(actor, upload.id)
    if not pairs:
        empty_state(
            "balance", "No two alike answers have different levels",
            "So far: what people decide from now on is compared as well.",
        )  # fmt: skip
        return
    page_key = f"consistency-page-{upload.id}"
    page = min(st.session_state.get(page_key, 1), -(-len(pairs) // PER_PAGE))
    st.caption(f"{counted(len(pairs), 'pair')} that differ" + ("s" if len(pairs) == 1 else ""))
    for pair in pairs[(page - 1) * PER_PAGE : page * PER_PAGE]:
        show_pair(actor, upload, pair)
    if len(pairs) > PER_PAGE:
        st.pagination(-(-len(pairs) // PER_PAGE), key=page_key)


with told_plainly():
    main(current_actor())
