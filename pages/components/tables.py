"""The score table, read once per change of the scores."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.session import services
from scoring.domain import Criterion
from scoring.services.actors import Actor
from scoring.services.scores import ScoreTable

FLAG_WORDS = {"blank": "blank", "truncated": "cut short"}
LAZY_FROM_ROWS = 2_000


@st.cache_data(max_entries=16, ttl=900, show_spinner=False)
def _table(user_id: int, upload_id: str, stamp: tuple[str, int, int], _actor: Actor) -> ScoreTable:
    return services().scores.table(_actor, upload_id)


def score_table(actor: Actor, upload_id: str) -> ScoreTable:
    """The scores of an upload as they stand now; the actor's rights are checked each time."""
    return _table(actor.user_id, upload_id, services().scores.stamp(actor, upload_id), actor)


def sureness_name(criterion: Criterion) -> str:
    """The heading of a criterion's probability column."""
    return f"{criterion.name}: sure"


def display_frame(table: ScoreTable) -> pd.DataFrame:
    """The table with the headings a teacher reads."""
    frame = table.frame
    shown = pd.DataFrame({"Row": frame["row"], "Student": frame["learner"]})
    if (frame["name"] != "").any():
        shown["Name"] = frame["name"]
    if (frame["attempt"] > 1).any():
        shown["Attempt"] = frame["attempt"]
    shown["Reviewed"] = frame["reviewed"].map({True: "✓ reviewed", False: "unreviewed"})
    shown["Total"] = frame["total"]
    for criterion in table.task.criteria:
        shown[criterion.name] = frame[criterion.id]
        shown[sureness_name(criterion)] = frame[f"{criterion.id}:probability"].astype("Float64") * 100
    shown["Answer"] = frame["text"]
    shown["Signs"] = [
        ", ".join(FLAG_WORDS.get(flag, flag) for flag in flags.split()) for flags in frame["flags"]
    ]
    return shown


def show_table(table: ScoreTable, key: str) -> int | None:
    """Draw the sortable table; returns the response whose row was chosen."""
    shown = display_frame(table)
    columns = {
        "Row": st.column_config.NumberColumn(width=60),
        "Total": st.column_config.NumberColumn(format=f"%d / {table.task.highest}", width=80),
        "Answer": st.column_config.TextColumn(width="large"),
        "Reviewed": st.column_config.TextColumn(width=110),
    }
    for criterion in table.task.criteria:
        columns[criterion.name] = st.column_config.NumberColumn(format=f"%d / {criterion.highest}")
        columns[sureness_name(criterion)] = st.column_config.NumberColumn(
            format="%d%%", help="How likely the model finds its own level for this criterion."
        )
    event = st.dataframe(
        shown, hide_index=True, key=key, on_select="rerun", selection_mode="single-row", column_config=columns,
        height=min(36 * (len(shown) + 1) + 4, 520), alt=f"Scores of {len(shown)} answers",
    )  # fmt: skip
    chosen = event["selection"]["rows"]
    return int(table.frame["response_id"].iloc[chosen[0]]) if chosen else None
