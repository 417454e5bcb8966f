"""What would change if a version scored: its progress, then every changed level. Nothing is changed by looking."""

from __future__ import annotations

import uuid

import pandas as pd
import streamlit as st

from pages.components.frame import told_plainly
from pages.components.progress import duration
from pages.components.session import Key, services
from pages.components.words import ago, counted, plain
from scoring.services.actors import Actor
from scoring.services.promotion import PreviewView, RunStatus

PER_PAGE = 25


def show_preview(actor: Actor, candidate_id: int) -> None:
    """The newest preview of a version, and the way to make one."""
    page = st.session_state.get(f"preview-page-{candidate_id}", 1)
    preview = services().promotion.newest_preview(actor, candidate_id, limit=PER_PAGE, offset=(page - 1) * PER_PAGE)
    if preview is not None and not preview.finished:
        _watch(actor, preview.id)
        return
    if preview is not None:
        _show_outcome(preview)
    fresh = preview is not None and preview.status is RunStatus.DONE and not preview.outdated
    label = "Look again" if preview is not None else "See what would change"
    if st.button(
        label, key=f"preview-{candidate_id}", icon=":material/compare:", type="tertiary" if fresh else "secondary"
    ):
        tokens = st.session_state.setdefault(Key.SUBMIT_TOKEN, {})
        token = tokens.setdefault(("preview", candidate_id, preview.id if preview else ""), uuid.uuid4().hex)
        with told_plainly():
            services().promotion.preview(actor, candidate_id, token)
            st.rerun()


@st.fragment(run_every=1)
def _watch(actor: Actor, preview_id: str) -> None:
    """The progress with its cancel button; when it has ended, the whole page is run again."""
    with told_plainly():
        preview = services().promotion.preview_state(actor, preview_id, limit=1)
        if preview.finished:
            st.rerun()
        left = f" · {duration(preview.seconds_left)} left" if preview.seconds_left is not None else ""
        text = f"{preview.done:,} of {preview.total:,} answers scored by both versions{left}"
        if preview.status is RunStatus.QUEUED:
            text = "Waiting for its turn…"
        st.progress(min(preview.done / preview.total, 1.0) if preview.total else 0.0, text=text)
        if st.button("Stop", icon=":material/stop_circle:", key=f"stop-{preview_id}"):
            services().promotion.cancel_preview(actor, preview_id)
            st.rerun()
        st.caption("You may close this page; it goes on.")


def _show_outcome(preview: PreviewView) -> None:
    if preview.status is RunStatus.FAILED:
        st.error(plain(f"The preview stopped: {preview.error}"), icon=":material/error:")
        return
    if preview.status is RunStatus.CANCELLED:
        st.info("The preview was stopped before its end.", icon=":material/stop_circle:")
        return
    if preview.outdated:
        st.warning(
            "Another version became active since this preview. Look again before you decide.",
            icon=":material/update:",
        )
    others = preview.other_tasks
    if not preview.answers:
        st.success("No answer is scored in this house yet, so nothing would change.", icon=":material/verified:")
    elif others.identical:
        st.success(
            f"{others.moved:,} of {counted(others.answers, 'answer')} of other tasks would change. Each was scored by "
            "both versions, and every figure came out the same to the last bit.",
            icon=":material/verified:",
        )
    else:
        st.error(
            f"{others.moved:,} of {counted(others.answers, 'answer')} of other tasks would change. This version should "
            "not be used.",
            icon=":material/error:",
        )
    st.caption(f"Looked at {ago(preview.finished_at)}.")
    if preview.changed_count:
        _show_changes(preview)
    elif preview.answers > others.answers:
        st.markdown("No score of this task would change.")


def _show_changes(preview: PreviewView) -> None:
    st.markdown(f"**{counted(preview.changed_count, 'level')} of this task would be another one**")
    frame = pd.DataFrame(
        [
            {
                "Class": change.section, "File": change.file_name, "Row": change.row, "Criterion": change.criterion,
                "Now": "–" if change.before is None else str(change.before),
                "Then": "–" if change.after is None else str(change.after),
                "Final score": "stays: reviewed by a person" if change.reviewed else "changes when scored again",
                "Answer": change.text,
            }
            for change in preview.changed
        ]
    )  # fmt: skip
    st.dataframe(
        frame, hide_index=True, alt=f"{counted(len(frame), 'changed level')} of {preview.changed_count}",
        column_config={"Answer": st.column_config.TextColumn(width=360)},
    )  # fmt: skip
    if preview.changed_count > PER_PAGE:
        st.pagination((preview.changed_count + PER_PAGE - 1) // PER_PAGE, key=f"preview-page-{preview.candidate_id}")
