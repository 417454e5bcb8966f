"""From a candidate to the version that scores: compare, preview, activate, go back, publish."""

from __future__ import annotations

import uuid

import pandas as pd
import streamlit as st

from pages.components.authoring.activating import ask_to_activate, roll_back_button
from pages.components.authoring.preview import show_preview
from pages.components.authoring.stepper import Standing
from pages.components.authoring.training import watch_run
from pages.components.frame import told_plainly
from pages.components.session import Key, remember_notice, services
from pages.components.words import ago, counted, measured, plain
from scoring.services.actors import Actor
from scoring.services.promotion import Candidate, Comparison
from scoring.services.versions import ACTIVE, Metric

MEASURES = {
    "qwk": ("Agreement (QWK)", "{:.2f}"),
    "exact": ("Same level", "{:.0%}"),
    "adjacent": ("At most one apart", "{:.0%}"),
}
STATES = {
    ACTIVE: ":green-badge[:material/check_circle: Active: scores new answers]",
    "candidate": ":blue-badge[:material/hourglass_empty: Not in use yet]",
}


def show_go_live(actor: Actor, stands: Standing) -> None:
    """The step for the newest version of the task, or another one that is chosen."""
    if stands.run is not None and not stands.run.finished:
        watch_run(actor, stands.run.id, stands.task.task)
        return
    if stands.run is not None and stands.run.brings_up_to_date and stands.run.error:
        st.error(plain(f"Bringing it up to date stopped: {stands.run.error}"), icon=":material/error:")
    chosen = _choose(stands.candidates)
    comparison = services().promotion.compare(actor, chosen.version_id)
    with st.container(border=True):
        st.markdown(f"#### Version {plain(chosen.key)}")
        st.markdown(STATES.get(chosen.state, ":gray-badge[:material/archive: In use before]"))
        size = f"{chosen.added_bytes / 1000:,.0f} kB more than the version it builds on"
        st.caption(
            plain(
                f"made {ago(chosen.created_at)} by {chosen.by or 'Evenhand'} from {chosen.parent_key or '–'} · {size}"
            )
        )
        if not chosen.fits:
            st.warning("The task was changed since this version was made, so it can't score it as it reads now.")
    show_comparison(comparison)
    st.markdown("#### What would change?")
    if chosen.state == ACTIVE:
        st.markdown("This version is the one that scores. Choose the task under **Score a class** to use it.")
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link("educator/score.py", label="Score a class", icon=":material/upload_file:")
            roll_back_button(actor, chosen.version_id, "live")
    elif chosen.stale:
        _show_stale(actor, chosen)
    else:
        show_preview(actor, chosen.version_id)
        _show_activate(actor, chosen, comparison)
    _show_publish(actor, stands)


def _choose(candidates: tuple[Candidate, ...]) -> Candidate:
    if len(candidates) == 1:
        return candidates[0]
    by_id = {candidate.version_id: candidate for candidate in candidates}
    first = next((c.version_id for c in candidates if c.state == ACTIVE), candidates[0].version_id)
    newest = candidates[0].version_id
    start = newest if newest > first else first
    return by_id[
        st.selectbox(
            "Version", list(by_id), index=list(by_id).index(start), key="candidate", width=420,
            format_func=lambda version_id: f"{by_id[version_id].key} · {by_id[version_id].state} · "
            f"{by_id[version_id].created_at:%d %b %Y, %H:%M} UTC",
        )
    ]  # fmt: skip


def show_comparison(comparison: Comparison) -> None:
    """Measured figures of the task under both versions, and that nothing else moved."""
    rows = []
    for criterion in comparison.criteria:
        for version, figures in (("this one", criterion.candidate), ("active now", criterion.active)):
            if version == "this one" or (figures is not None and comparison.active_id != comparison.candidate_id):
                told = {words: _figure((figures or {}).get(name), form) for name, (words, form) in MEASURES.items()}
                rows.append({"Criterion": criterion.name, "Version": version, **told})
    frame = pd.DataFrame(rows)
    if set(frame["Version"]) == {"this one"}:
        frame = frame.drop(columns="Version")
        if comparison.active_key and comparison.active_id != comparison.candidate_id:
            st.caption(plain(f"The active version, {comparison.active_key}, does not score this task yet."))
    st.dataframe(frame, hide_index=True, alt="Measured figures of this version and the active one")
    drift = comparison.drift
    if drift.get("identical"):
        st.markdown(
            f":material/verified: **No other task moves.** {counted(drift['tasks'], 'other task')} scored on "
            f"{counted(drift['texts'], 'text')} by both versions: identical to the last bit."
        )


def _figure(metric: Metric | None, form: str) -> str:
    return "not enough evidence" if metric is None else measured(metric.value, metric.low, metric.high, form)


def _show_stale(actor: Actor, chosen: Candidate) -> None:
    st.warning(
        "Another version became active since this one was made, and it may know tasks that this one does not. What "
        "was learned here can be put onto it; nothing is trained again.",
        icon=":material/update:",
    )
    if st.button("Bring it up to date", key=f"update-{chosen.version_id}", type="primary", icon=":material/merge:"):
        tokens = st.session_state.setdefault(Key.SUBMIT_TOKEN, {})
        token = tokens.setdefault(("update", chosen.version_id), uuid.uuid4().hex)
        with told_plainly():
            services().promotion.bring_up_to_date(actor, chosen.version_id, token)
            # Another press after this run has ended is another run.
            tokens.pop(("update", chosen.version_id), None)
            st.rerun()


def _show_activate(actor: Actor, chosen: Candidate, comparison: Comparison) -> None:
    if not comparison.may_activate:
        st.info(plain(comparison.why_not), icon=":material/block:")
        return
    if comparison.failed_checks:
        st.warning(
            f"The stress test failed ({plain(', '.join(comparison.failed_checks))}). You can activate it all the same, "
            "with a reason.",
            icon=":material/warning:",
        )
    if st.button(
        "Let it score", key=f"activate-{chosen.version_id}", type="primary", icon=":material/play_arrow:",
        disabled=not chosen.fits,
    ):  # fmt: skip
        ask_to_activate(
            actor, chosen.version_id, chosen.key, comparison.active_id, comparison.active_key,
            failed=comparison.failed_checks,
        )  # fmt: skip


def _show_publish(actor: Actor, stands: Standing) -> None:
    task = stands.task
    if task.owner_id is None:
        return
    if not actor.is_administrator:
        st.caption("The task is yours alone. An administrator can publish it for every educator.")
        return
    whose = "yours" if task.owner_id == actor.user_id else f"{plain(task.owner)}’s"
    st.markdown(f"The task is {whose} alone.")
    if st.button("Publish it for every educator", key="publish", icon=":material/public:"):
        with told_plainly():
            services().authoring.publish(actor, task.id)
            remember_notice("Every educator can use the task now.")
            st.rerun()
