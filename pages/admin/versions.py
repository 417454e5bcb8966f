"""Versions of the scoring model: where each comes from, how well it agrees with labels, which one scores."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.admin.cards import show_card
from pages.components.authoring.activating import ask_to_activate, roll_back_button
from pages.components.authoring.preview import show_preview
from pages.components.authoring.stepper import Step
from pages.components.frame import empty_state, heading, told_plainly
from pages.components.session import Key, current_actor, services
from pages.components.words import ago, counted, in_utc, plain
from scoring.services.actors import Actor
from scoring.services.promotion import LineageEntry
from scoring.services.versions import ACTIVE, CANDIDATE, VersionSummary

STATES = {
    ACTIVE: ":green-badge[:material/check_circle: Active: scores new answers]",
    CANDIDATE: ":blue-badge[:material/hourglass_empty: Candidate: not in use yet]",
}
RETIRED_BADGE = ":gray-badge[:material/archive: Retired: in use before]"
STALE_BADGE = ":orange-badge[:material/update: Made before the active version: bring it up to date first]"


def trained(card: dict[str, Any], version: VersionSummary) -> str:
    """When it was trained, else when Evenhand got to know it."""
    return f"trained on {card['date']}" if card.get("date") else f"came in {ago(version.created_at)}"


def origin(entry: LineageEntry) -> str:
    """What it adds to which version, and whose work that was."""
    who = plain(entry.by) or "Evenhand itself"
    if entry.parent_key:
        return (
            f"Adds **{plain(entry.task_title)}** to version {plain(entry.parent_key)} "
            f"({entry.added_bytes / 1000:,.0f} kB) · made {ago(entry.created_at)} by {who}"
        )
    return f"A version of its own, not made from another · brought in {ago(entry.created_at)} by {who}"


def in_use(entry: LineageEntry) -> str:
    """When and by whom it was let score last."""
    if entry.activated_at is None:
        return "Never in use."
    return f"Last activated {in_utc(entry.activated_at)} UTC by {plain(entry.activated_by) or 'Evenhand itself'}."


def show(
    actor: Actor, version: VersionSummary, entry: LineageEntry, active: VersionSummary | None,
    names: dict[tuple[str, str], str], titles: dict[str, str],
) -> None:  # fmt: skip
    """One version with its card."""
    with st.container(border=True):
        st.markdown(f"#### {plain(version.version_key)}")
        badges = STATES.get(version.state, RETIRED_BADGE)
        st.markdown(f"{badges} {STALE_BADGE}" if entry.stale else badges)
        st.markdown(origin(entry))
        facts = [] if entry.parent_key else [trained(version.card, version)]
        facts += [
            counted(len(version.task_keys), "task"),
            f"{version.bytes_on_disk / 1_000_000:.1f} MB",
            f"{version.scores:,} scores given",
        ]
        st.caption(" · ".join(facts) + f". {in_use(entry)}")
        with st.container(horizontal=True, vertical_alignment="center"):
            if version.state != ACTIVE:
                show_choices(actor, version, entry, active, titles)
            elif entry.rolls_back_to is not None:
                roll_back_button(actor, version.id, str(version.id))
            if entry.task_id is not None:
                st.page_link(
                    "educator/new_task.py", label="Figures and stress test", icon=":material/insights:",
                    query_params={Key.TASK.value: str(entry.task_id), Key.STEP.value: Step.LIVE.value},
                )  # fmt: skip
        if st.session_state.get(Key.PREVIEWED) == version.id and version.state != ACTIVE:
            with st.container(border=True):
                st.markdown("**What would change?**")
                show_preview(actor, version.id)
        with st.expander("What it was trained on, and how well it agrees with labels", icon=":material/description:"):
            show_card(version.card, titles, names)


def show_choices(
    actor: Actor, version: VersionSummary, entry: LineageEntry, active: VersionSummary | None, titles: dict[str, str]
) -> None:
    """Activate it, or see first what that would change."""
    label = "Activate" if version.state == CANDIDATE else "Activate again"
    if st.button(label, key=f"activate-{version.id}", icon=":material/play_arrow:", disabled=entry.stale):
        lost = [titles.get(key, key) for key in (active.task_keys if active else ()) if key not in version.task_keys]
        ask_to_activate(
            actor, version.id, version.version_key, active.id if active else None,
            active.version_key if active else "", failed=failed_checks(entry), lost=tuple(lost),
        )  # fmt: skip
    if active is not None and st.button("What would change?", key=f"look-{version.id}", icon=":material/compare:"):
        st.session_state[Key.PREVIEWED] = None if st.session_state.get(Key.PREVIEWED) == version.id else version.id
        st.rerun()


def failed_checks(entry: LineageEntry) -> tuple[str, ...]:
    """The titles of the stress tests that it did not pass."""
    report = entry.card.get("adaptation")
    checks = report.get("certificate") or [] if isinstance(report, dict) else []
    return tuple(str(check.get("title") or check["check"]) for check in checks if check.get("passed") is False)


with told_plainly():
    actor = current_actor()
    heading("Model versions", "The model that suggests scores. One version is active; you decide which.")
    versions = services().versions.all(actor)
    entries = {entry.version_id: entry for entry in services().promotion.lineage(actor)}
    tasks = [summary.task for summary in services().tasks.available(actor, retired=True)]
    tasks += [summary.task for summary in services().authoring.mine(actor)]
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
        show(actor, version, entries[version.id], active, names, titles)
