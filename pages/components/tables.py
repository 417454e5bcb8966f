"""The score table, read once per change of the scores."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from pages.components.session import services
from pages.components.words import counted
from scoring.services.actors import Actor
from scoring.services.check_words import check_words
from scoring.services.scores import ScoreTable


@st.cache_data(max_entries=2, ttl=900, show_spinner=False)
def _table(user_id: int, upload_id: str, stamp: tuple[str, int, int, int], _actor: Actor) -> ScoreTable:
    return services().scores.table(_actor, upload_id)


def score_table(actor: Actor, upload_id: str) -> ScoreTable:
    """The scores of an upload as they stand now; the actor's rights are checked each time."""
    return _table(actor.user_id, upload_id, services().scores.stamp(actor, upload_id), actor)


def display_frame(table: ScoreTable) -> tuple[pd.DataFrame, dict[str, Any]]:
    """What a teacher reads, and its headings.

    Columns are named by position and headed apart from that, because a criterion may be called
    "Total", and two may share a name.
    """
    frame, task = table.frame, table.task
    columns: list[tuple[pd.Series, Any]] = [
        (frame["row"], st.column_config.NumberColumn("Row", width=60)),
        (frame["learner"], st.column_config.TextColumn("Student")),
    ]
    if (frame["name"] != "").any():
        columns.append((frame["name"], st.column_config.TextColumn("Name")))
    if (frame["attempt"] > 1).any():
        columns.append((frame["attempt"], st.column_config.NumberColumn("Attempt")))
    columns += [
        (
            frame["reviewed"].map({True: "✓ reviewed", False: "unreviewed"}),
            st.column_config.TextColumn("Reviewed", width=110),
        ),
        (frame["total"], st.column_config.NumberColumn("Total", format=f"%d / {task.highest}", width=80)),
    ]
    for criterion in task.criteria:
        sureness = frame[f"{criterion.id}:probability"].astype("Float64") * 100
        columns += [
            (frame[criterion.id], st.column_config.NumberColumn(criterion.name, format=f"%d / {criterion.highest}")),
            (
                sureness,
                st.column_config.NumberColumn(
                    f"{criterion.name}: sure", format="%d%%",
                    help="How likely the model finds its own level for this criterion.",
                ),
            ),
        ]  # fmt: skip
    flags = [check_words(flags.split()) for flags in frame["flags"]]
    columns += [
        (frame["text"], st.column_config.TextColumn("Answer", width="large")),
        (pd.Series(flags, index=frame.index), st.column_config.TextColumn("Signs")),
    ]
    shown = pd.concat([values for values, _ in columns], axis=1)
    shown.columns = [str(position) for position in range(len(columns))]
    return shown, {str(position): config for position, (_, config) in enumerate(columns)}


def show_table(table: ScoreTable, key: str) -> int | None:
    """Draw the sortable table; returns the response whose row was chosen."""
    shown, headings = display_frame(table)
    event = st.dataframe(
        shown, hide_index=True, key=key, on_select="rerun", selection_mode="single-row", column_config=headings,
        placeholder="–",
        height=min(36 * (len(shown) + 1) + 4, 520), alt=f"Scores of {counted(len(shown), 'answer')}",
    )  # fmt: skip
    chosen = event["selection"]["rows"]
    return int(table.frame["response_id"].iloc[chosen[0]]) if chosen else None
