"""The order in which an upload's answers are reviewed."""

from __future__ import annotations

import streamlit as st

from pages.components.session import Key
from scoring.services.scores import ScoreTable
from scoring.services.uploads import UploadSummary

# Column and direction (ascending) to sort by, after the unreviewed ones came first.
ORDERS = {
    "Least sure first": ("sureness", True),
    "In file order": ("row", True),
    "Lowest total first": ("total", True),
    "Highest total first": ("total", False),
}


def ordered(table: ScoreTable, order: str) -> list[int]:
    """Response ids in the order of the work; unreviewed ones first, but for the file's own order."""
    frame = table.frame
    sureness = frame[[f"{c.id}:probability" for c in table.task.criteria]].min(axis=1)
    keyed = frame.assign(
        sureness=sureness.astype("Float64").fillna(-1.0), total=frame["total"].astype("Float64").fillna(-1.0)
    )
    column, ascending = ORDERS[order]
    if column == "row":
        keyed = keyed.sort_values("row")
    else:
        keyed = keyed.sort_values(["reviewed", column, "row"], ascending=[True, ascending, True])
    return [int(i) for i in keyed["response_id"]]


def queue(upload: UploadSummary, table: ScoreTable) -> list[int]:
    """The order, frozen while one works through it, so that a decision does not shuffle what comes next."""
    order = st.selectbox("Order", list(ORDERS), key=Key.ORDER_CHOICE)
    # Scores that came in meanwhile do change it.
    for_what = (upload.id, order, upload.finished_at)
    held = st.session_state.get(Key.ORDER)
    if held is None or held[0] != for_what:
        held = (for_what, ordered(table, order))
        st.session_state[Key.ORDER] = held
    return list(held[1])
