"""A learner's answer on the screen, and what was decided on it."""

from __future__ import annotations

import streamlit as st

from pages.components.tables import FLAG_WORDS
from pages.components.task_card import show_task
from pages.components.words import plain
from scoring.domain import HumanScoreKind
from scoring.services.review import CriterionView, HistoryEntry, ResponseView


def show_answer(view: ResponseView) -> None:
    """The learner's text as typed; never read as Markdown or HTML."""
    who = f"{view.learner_name} ({view.learner})" if view.learner_name else view.learner
    st.subheader(plain(who) + (f" · attempt {view.attempt}" if view.attempt > 1 else ""), anchor=False)
    with st.container(horizontal=True):
        if view.reviewed:
            st.badge("reviewed", icon=":material/check:", color="green")
        elif any(part.machine for part in view.criteria):
            st.badge("unreviewed: the model's suggestion", icon=":material/smart_toy:", color="orange")
        else:
            st.badge("unreviewed: no score yet", icon=":material/pending:", color="orange")
        for flag in view.flags:
            st.badge(FLAG_WORDS.get(flag, flag), icon=":material/flag:", color="violet")
    with st.container(border=True, key="answer"):
        st.text(view.text or "(blank)")
    with st.expander("The task"):
        show_task(view.task, view.figure)


def show_history(view: ResponseView) -> None:
    """Who decided what on this response, oldest first."""
    entries = [(entry, part) for part in view.criteria for entry in part.history]
    if entries:
        with st.expander(f"History ({len(entries)})"):
            for entry, part in sorted(entries, key=lambda pair: pair[0].at):
                reason = f": “{plain(entry.reason)}”" if entry.reason else ""
                st.markdown(
                    f"{entry.at:%d %b %Y, %H:%M} UTC · **{plain(part.criterion.name)}** · {plain(entry.rater)} "
                    f"{done_words(entry, part)}{reason}{' (taken back)' if entry.retracted else ''}"
                )


def done_words(entry: HistoryEntry, part: CriterionView) -> str:
    """What somebody did, as the end of a sentence about them."""
    if entry.kind is HumanScoreKind.RETRACT:
        return "took back a decision"
    if entry.kind is HumanScoreKind.OVERRIDE:
        return f"changed it to level {entry.level}"
    # Without a score of the model there was nothing to agree with.
    return f"agreed with the model on level {entry.level}" if part.machine else f"chose level {entry.level}"
