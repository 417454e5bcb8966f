"""Answers that say the same and were given different levels by people, side by side, to be made alike."""

from __future__ import annotations

import uuid
from functools import partial

import streamlit as st

from pages.components.frame import empty_state, heading, told_plainly
from pages.components.selection import opened_upload
from pages.components.session import Key, current_actor, remember_notice, services
from pages.components.upload_list import choose_upload
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


def show_answer(upload: UploadSummary, member: GroupMember) -> None:
    """One of the two: its text as typed, and the way to all that is known of it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(member.learner)}**", width="content")
        st.page_link(
            "educator/review.py", label="Review", icon=":material/rate_review:",
            help=f"Opens {plain(member.learner)}'s answer under Review.",
            query_params={Key.UPLOAD.value: upload.id, Key.RESPONSE.value: str(member.id)},
        )  # fmt: skip
    with st.container(border=True):
        st.text(member.text)


def show_pair(actor: Actor, upload: UploadSummary, pair: Inconsistency) -> None:
    """Two answers with what differs, and the form that gives both the same level."""
    view = services().review.response(actor, pair.usual.id)
    with st.container(border=True, key=f"pair-{pair_key(pair)}"):
        left, right = st.columns(2)
        with left:
            show_answer(upload, pair.usual)
        with right:
            show_answer(upload, pair.other)
        reconcile(actor, pair, view)


def reconcile(actor: Actor, pair: Inconsistency, view: ResponseView) -> None:
    """One level for both, per criterion that differs; with the house's reasons, in case the model said otherwise."""
    key = pair_key(pair)
    nonces = st.session_state.setdefault(Key.NONCE, {})
    with told_plainly(), st.form(f"form-{key}", border=False):
        levels = {
            criterion_id: choose_level(view.task.criterion(criterion_id), pair, key) for criterion_id in pair.criteria
        }
        kind, words = choose_reason(view, key)
        if not st.form_submit_button("Give both these levels", icon=":material/join:"):
            return
        chosen = {criterion_id: level for criterion_id, level in levels.items() if level is not None}
        if len(chosen) < len(levels):
            st.error("Choose a level for each criterion, then press the button again.", icon=":material/error:")
            return
        services().review.reconcile(
            actor, {member.id: member.revision for member in (pair.usual, pair.other)}, chosen,
            nonces.setdefault((key, *sorted(chosen.items())), uuid.uuid4().hex), words, kind,
        )  # fmt: skip
        remember_notice("Both answers have the same levels now.")
        st.rerun()


def choose_level(criterion: Criterion, pair: Inconsistency, key: str) -> int | None:
    """A criterion that differs: who gave what, and the level for both."""
    given = " · ".join(f"{plain(m.learner)}: {m.levels[criterion.id]}" for m in (pair.usual, pair.other))
    return st.radio(
        f"**{plain(criterion.name)}** (so far {given})", list(criterion.values), index=None, horizontal=True,
        format_func=partial(_level_words, criterion), key=f"level-{key}-{criterion.id}",
    )  # fmt: skip


def choose_reason(view: ResponseView, key: str) -> tuple[str, str]:
    """An entry of the house's list and words of one's own, side by side; either may be empty."""
    kind, words = None, ""
    with st.container(horizontal=True):
        if view.reasons:
            kind = st.selectbox(
                "Reason, if the model says otherwise", list(view.reasons), None, key=f"kind-{key}", width=360,
                placeholder="Choose one",
            )  # fmt: skip
        if view.free_text != NEVER:
            words = st.text_input("In your own words", key=f"words-{key}", max_chars=2000, width=360)
    return kind or "", words


def _level_words(criterion: Criterion, value: int) -> str:
    label = criterion.levels[value - criterion.levels[0].value].label
    return f"{value} · {plain(label)}" if label else str(value)


def main(actor: Actor) -> None:
    """The screen."""
    upload = opened_upload(actor)
    if upload is None:
        heading("Consistency", "Which class's answers?")
        choose_upload(actor)
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
