"""Versions of the scoring model: what each was trained on, how well it agrees with labels, which one scores."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.admin.cards import show_card
from pages.components.frame import empty_state, heading, told_plainly
from pages.components.session import current_actor, remember_notice, services
from pages.components.words import ago, in_utc, plain
from scoring.services.actors import Actor
from scoring.services.versions import ACTIVE, CANDIDATE, VersionSummary

STATES = {
    ACTIVE: ":green-badge[:material/check_circle: Active: scores new answers]",
    CANDIDATE: ":blue-badge[:material/hourglass_empty: Candidate: not in use yet]",
}
RETIRED_BADGE = ":gray-badge[:material/archive: Retired: in use before]"


@st.dialog("Let this version score?", icon=":material/model_training:", width="medium")
def activate(actor: Actor, version: VersionSummary, active: VersionSummary | None, titles: dict[str, str]) -> None:
    """Say what will change, then do it."""
    st.markdown(
        f"New answers will be scored by **{plain(version.version_key)}**"
        + (f" instead of **{plain(active.version_key)}**. " if active else ". ")
        + "Scores that exist stay as they are until an educator scores an upload again, and people's decisions "
        "always stand. You can go back to the other version here at any time."
    )
    lost = [titles.get(key, key) for key in (active.task_keys if active else ()) if key not in version.task_keys]
    if lost:
        st.warning(
            f"It can't score everything that is scored now. Missing: {', '.join(lost)}. New uploads there are refused.",
            icon=":material/warning:",
        )
    with st.container(horizontal=True):
        agreed = st.button("Activate", key="activate-yes", type="primary")
        if st.button("Cancel", key="activate-no"):
            st.rerun()
    if agreed:
        with told_plainly():
            services().versions.activate(actor, version.id)
            remember_notice(f"{plain(version.version_key)} scores new answers from now on.")
            st.rerun()


def trained(card: dict[str, Any], version: VersionSummary) -> str:
    """When it was trained, else when Evenhand got to know it."""
    return f"trained on {card['date']}" if card.get("date") else f"came in {ago(version.created_at)}"


def show(
    actor: Actor, version: VersionSummary, active: VersionSummary | None, names: dict[tuple[str, str], str],
    titles: dict[str, str],
) -> None:  # fmt: skip
    """One version with its card."""
    with st.container(border=True):
        st.markdown(f"#### {plain(version.version_key)}")
        st.markdown(STATES.get(version.state, RETIRED_BADGE))
        facts = [
            trained(version.card, version),
            f"{len(version.task_keys)} tasks",
            f"{version.bytes_on_disk / 1_000_000:.1f} MB",
            f"{version.scores:,} scores given",
        ]
        if version.activated_at:
            facts.append(f"last activated {in_utc(version.activated_at)} UTC")
        st.caption(" · ".join(facts))
        if version.state != ACTIVE:
            label = "Activate" if version.state == CANDIDATE else "Activate again"
            if st.button(label, key=f"activate-{version.id}", icon=":material/play_arrow:"):
                activate(actor, version, active, titles)
        with st.expander("What it was trained on, and how well it agrees with labels", icon=":material/description:"):
            show_card(version.card, titles, names)


with told_plainly():
    actor = current_actor()
    heading("Model versions", "The model that suggests scores. One version is active; you decide which.")
    versions = services().versions.all(actor)
    tasks = [summary.task for summary in services().tasks.available(actor, retired=True)]
    titles = {task.id: task.title for task in tasks}
    names = {(task.id, criterion.id): criterion.name for task in tasks for criterion in task.criteria}
    active = next((version for version in versions if version.state == ACTIVE), None)
    if not versions:
        empty_state(
            "model_training",
            "No model yet",
            "Until there is one, answers can be uploaded to no task. Ask whoever runs this server to train one with "
            "`python -m scoring train`, to set `EVENHAND_STUDENT` to its folder and to start Evenhand again.",
        )
    elif active is None:
        st.warning("No version is active, so nothing can be scored. Activate one below.", icon=":material/warning:")
    for version in versions:
        show(actor, version, active, names, titles)
