"""The orders in which answers are reviewed, and how far the work is, in words."""

from __future__ import annotations

from pages.components.progress import duration
from pages.components.words import counted
from scoring.services.review import QueueFilter, QueueOrder, QueueState

ORDERS = {
    QueueOrder.UNCERTAIN: "Least sure first",
    QueueOrder.FILE: "As in the file",
    QueueOrder.LOWEST: "Lowest first",
    QueueOrder.HIGHEST: "Highest first",
    QueueOrder.FLAGGED: "Flagged first",
    QueueOrder.ALIKE: "Alike together",
}
FILTERS: dict[QueueFilter | None, str] = {
    None: "All answers",
    QueueFilter.UNREVIEWED: "Not reviewed",
    QueueFilter.FLAGGED: "Flagged",
    QueueFilter.CHECKED: "With signs to look at",
}


def queue_words(state: QueueState) -> str:
    """Progress, what is left, and about how long it will take at the pace so far."""
    if not state.left:
        return f"All {counted(state.total, 'answer')} reviewed."
    time = f", {duration(state.seconds_left)} at your pace" if state.seconds_left is not None else ""
    return f"{state.reviewed:,} of {state.total:,} reviewed · {state.left:,} left{time}"
