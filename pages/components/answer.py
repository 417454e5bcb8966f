"""What was decided on a learner's answer, and by whom."""

from __future__ import annotations

import streamlit as st

from pages.components.words import plain
from scoring.domain import HumanScoreKind
from scoring.services.review import CriterionView, HistoryEntry, ResponseView


def show_history(view: ResponseView) -> None:
    """Who decided what on this response, oldest first."""
    entries = [(entry, part) for part in view.criteria for entry in part.history]
    if entries:
        with st.expander(f"History ({len(entries)})"):
            for entry, part in sorted(entries, key=lambda pair: pair[0].at):
                reasons = "; ".join(plain(text) for text in (entry.reason_kind, entry.reason) if text)
                st.markdown(
                    f"{entry.at:%d %b %Y, %H:%M} UTC · **{plain(part.criterion.name)}** · {plain(entry.rater)} "
                    f"{done_words(entry, part)}{f': “{reasons}”' if reasons else ''}"
                    f"{' (taken back)' if entry.retracted else ''}"
                )


def done_words(entry: HistoryEntry, part: CriterionView) -> str:
    """What somebody did, as the end of a sentence about them."""
    if entry.kind is HumanScoreKind.RETRACT:
        return "took back a decision"
    if entry.kind is HumanScoreKind.OVERRIDE:
        return f"changed it to level {entry.level}"
    if entry.kind is HumanScoreKind.BLIND:
        return f"chose level {entry.level} before the model's level showed"
    if entry.kind is HumanScoreKind.GROUP:
        return f"chose level {entry.level} for all answers that say the same"
    # Without a score of the model there was nothing to agree with.
    return f"agreed with the model on level {entry.level}" if part.machine else f"chose level {entry.level}"
