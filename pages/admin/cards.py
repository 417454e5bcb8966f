"""A model card in plain words. Cards come from the trainer; whatever one lacks is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

Names = Mapping[tuple[str, str], str]

COLUMNS = {
    "Agreement": st.column_config.NumberColumn(
        format="%.2f",
        help="Quadratic weighted kappa (QWK): 1 is perfect, 0 is what chance would give. .70 is the usual bar.",
    ),
    "95% interval": st.column_config.TextColumn(
        help="Where the agreement would lie for other answers to the same task. A wide one means few answers."
    ),
    "Same level": st.column_config.NumberColumn(format="percent", help="The model gave the level that a person gave."),
    "Within one": st.column_config.NumberColumn(format="percent", help="At most one level away from the person."),
    "Kinder or stricter": st.column_config.NumberColumn(
        format="%+.2f",
        help="Mean difference in the person's standard deviations (SMD): above 0 the model is kinder, below stricter. "
        "Up to .15 either way is the usual bar.",
    ),
    "Two ratings": st.column_config.NumberColumn(
        format="%.2f", help="How well two ratings of the same answers agree (QWK), where there are two."
    ),
    "Answers": st.column_config.NumberColumn(help="How many answers the figures rest on."),
}


def show_card(card: Mapping[str, Any], titles: Mapping[str, str], names: Names) -> None:
    """The card as a person reads it.

    Args:
        card: `card.json` as the trainer wrote it, or an empty mapping.
        titles: task key -> title.
        names: (task key, criterion key) -> the criterion's name.
    """
    if not card:
        st.markdown("This version came without a model card, so nothing is known about how well it scores.")
        return
    own = {entry["id"]: entry.get("title") or entry["id"] for entry in card.get("tasks", []) if "id" in entry}
    titles = {**titles, **own}
    if card.get("intended_use"):
        st.markdown(f"**What it is for.** {card['intended_use']}")
    st.markdown("##### Agreement with the labels of answers it was not trained on")
    if card.get("sample_size_statement"):
        st.markdown(card["sample_size_statement"])
    frame = figures(card.get("val") or {}, titles, names)
    if frame.empty:
        st.caption("No figures came with this version: it is not known how well it agrees with labels.")
    else:
        overall(card["val"])
        st.dataframe(
            frame, hide_index=True, column_config=COLUMNS, alt="Agreement with the labels per task and criterion"
        )
        st.caption("An empty cell can't be computed: only one level was used, or no second person scored.")
    rows = [{"Task": titles.get(t.get("id"), t.get("id")), **_counts(t.get("rows"))} for t in card.get("tasks", [])]
    if rows:
        st.markdown("##### How many answers were used for what")
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Number of answers per task")
    if card.get("limits"):
        st.markdown("##### Limits\n" + "\n".join(f"- {limit}" for limit in card["limits"]))
    facts = origin(card)
    if facts:
        st.markdown("##### Where it comes from")
        st.table(facts, border="horizontal", alt="Origin of this version")


def overall(val: Mapping[str, Any]) -> None:
    """The mean over tasks in one sentence."""
    mean, low, high = (val.get(key) for key in ("mean_qwk", "mean_qwk_low", "mean_qwk_high"))
    if mean is not None:
        st.markdown(f"Mean agreement over tasks: **{mean:.2f}** (95% interval {span(low, high) or 'not known'}).")


def figures(val: Mapping[str, Any], titles: Mapping[str, str], names: Names) -> pd.DataFrame:
    """One row a task and criterion."""
    rows = []
    for task in val.get("tasks", []):
        key = task.get("task_id", "")
        for criterion in task.get("criteria", []):
            name = criterion.get("criterion_id", "")
            rows.append(
                {
                    "Task": titles.get(key, key),
                    "Criterion": names.get((key, name), name),
                    "Agreement": criterion.get("qwk"),
                    "95% interval": span(criterion.get("qwk_low"), criterion.get("qwk_high")),
                    "Same level": criterion.get("exact"),
                    "Within one": criterion.get("adjacent"),
                    "Kinder or stricter": criterion.get("smd"),
                    "Two ratings": criterion.get("human_qwk"),
                    "Answers": criterion.get("n"),
                }
            )
    frame = pd.DataFrame(rows)
    if not frame.empty and frame["Two ratings"].isna().all():
        frame = frame.drop(columns="Two ratings")
    return frame.astype({column: "Float64" for column in frame.columns if column in _MEASURED})


def origin(card: Mapping[str, Any]) -> dict[str, str]:
    """What was used to make it."""
    part: dict[str, Mapping[str, Any]] = {
        key: card[key] if isinstance(card.get(key), Mapping) else {}
        for key in ("data", "training", "weights", "encoder")
    }
    seconds, size = part["training"].get("seconds"), part["weights"].get("parameters")
    facts = {
        "Data": part["data"].get("name"),
        "Language model it builds on": part["encoder"].get("name"),
        "Training": f"{seconds / 60:.0f} minutes" if seconds else None,
        "Own weights": f"{size:,} numbers" if size else None,
        "Program revision": card.get("code_revision"),
    }
    return {name: str(value) for name, value in facts.items() if value}


def span(low: float | None, high: float | None) -> str:
    """An interval as text; empty where it is not known."""
    return "" if low is None or high is None else f"{low:.2f} to {high:.2f}"


_MEASURED = {"Agreement", "Same level", "Within one", "Kinder or stricter", "Two ratings"}


def _counts(rows: object) -> dict[str, object]:
    found = rows if isinstance(rows, Mapping) else {}
    words = {"train": "For training", "dev": "For choosing when to stop", "val": "For this report"}
    return {word: found.get(key) for key, word in words.items()}
