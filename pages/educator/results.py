"""Uploads and their scores: progress, distribution, table, download."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.charts import level_distribution, total_distribution
from pages.components.evidence import show_evidence
from pages.components.frame import heading, told_plainly
from pages.components.progress import watch
from pages.components.selection import opened_upload, select_upload
from pages.components.session import Key, current_actor, remember_notice, services
from pages.components.tables import score_table, show_table
from pages.components.upload_list import choose_upload
from pages.components.words import counted, plain
from scoring.domain import UploadStatus
from scoring.services.actors import Actor
from scoring.services.scores import ScoreTable
from scoring.services.uploads import UploadSummary


def show_actions(actor: Actor, upload: UploadSummary) -> None:
    """What can be done with an upload whose job has ended; what is refused is told here, above the scores."""
    uploads = services().uploads
    with told_plainly(), st.container(horizontal=True):
        if st.button("Review answers", type="primary", icon=":material/rate_review:"):
            st.switch_page("educator/review.py", query_params={Key.UPLOAD.value: upload.id})
        st.download_button(
            "Download scores (CSV)", lambda: services().scores.export(actor, upload.id)[1],
            file_name=f"{upload.file_name.rsplit('.', 1)[0]} - scores.csv", mime="text/csv",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip
        if upload.status is not UploadStatus.DONE:
            if st.button("Score the rest", icon=":material/play_arrow:"):
                uploads.score_rest(actor, upload.id)
                st.rerun()
        elif st.button(
            "Score again", icon=":material/refresh:",
            help="Asks the active model once more. Your own decisions stand.",
        ):  # fmt: skip
            uploads.score_again(actor, upload.id)
            remember_notice("Scoring again. Your decisions stay as they are.")
            st.rerun()


def show_upload(actor: Actor, upload: UploadSummary) -> None:
    """One upload from its state down to its table."""
    if st.button("All uploads", icon=":material/arrow_back:", type="tertiary"):
        select_upload(None)
        st.rerun()
    heading(upload.task_title, f"{upload.section} · {upload.file_name} · {upload.created_at:%d %B %Y, %H:%M} UTC")
    if not upload.finished:
        watch(actor, upload.id)
        return
    if upload.status is UploadStatus.FAILED:
        st.error(plain(f"Scoring stopped: {upload.error} What was scored is kept."), icon=":material/error:")
    if upload.status is UploadStatus.CANCELLED:
        st.info("Scoring was stopped. What was scored is kept.", icon=":material/stop_circle:")
    services().looks.upload(actor, upload.id)
    table = score_table(actor, upload.id)
    show_actions(actor, upload)
    show_summary(table, upload.id)
    show_evidence(actor, upload.id)
    st.subheader("Answers", anchor=False)
    st.caption("Click a heading to sort, the box at the left of a row to open that answer.")
    chosen = show_table(table, f"table-{upload.id}")
    if chosen is not None:
        st.switch_page(
            "educator/review.py", query_params={Key.UPLOAD.value: upload.id, Key.RESPONSE.value: str(chosen)}
        )
    show_file(actor, upload)


def show_summary(table: ScoreTable, key: str) -> None:
    """The figures of the class, and its distributions once something is scored."""
    frame, task = table.frame, table.task
    unscored, mean = int(frame["total"].isna().sum()), frame["total"].mean()
    with st.container(horizontal=True, gap="large"):
        st.metric("Answers", f"{len(frame):,}", width="content")
        st.metric("Reviewed by a person", f"{table.reviewed:,} of {len(frame):,}", width="content")
        st.metric("Mean total", "–" if pd.isna(mean) else f"{mean:.1f} of {task.highest}", width="content")
        st.metric(
            "Without a score", f"{unscored:,}", help="Blank answers, and answers not scored yet.", width="content"
        )
    if unscored == len(frame):
        return
    if table.reviewed < len(frame):
        st.caption(
            ":material/smart_toy: Unreviewed scores come from the model alone. "
            "They are a suggestion until you have looked."
        )
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Levels per criterion", anchor=False)
        level_distribution(task, frame, f"levels-{key}")
    with right:
        st.subheader("Totals", anchor=False)
        total_distribution(task, frame, f"totals-{key}")


def show_file(actor: Actor, upload: UploadSummary) -> None:
    """What the file check said, and the file itself."""
    problems = services().uploads.problems(actor, upload.id)
    with st.expander(f"About the file ({counted(len(problems), 'remark')})"):
        if problems:
            st.dataframe(
                pd.DataFrame(
                    [{"Row": p.row, "Column": p.field, "Found": p.found, "Remark": p.message,
                      "Taken": "no" if p.severity == "error" else "yes"} for p in problems]
                ),
                hide_index=True, alt=f"{counted(len(problems), 'remark')} on the file",
            )  # fmt: skip
        else:
            st.caption("Every row was taken as it was.")
        st.download_button(
            "Download the original file", lambda: services().uploads.original(actor, upload.id)[1],
            file_name=upload.file_name, icon=":material/description:", on_click="ignore",
        )  # fmt: skip


def main(actor: Actor) -> None:
    """The upload in the address, else the list of all."""
    upload = opened_upload(actor)
    if upload is None:
        heading("Results", "Each upload is one class's answers to one task.")
        choose_upload(actor)
    else:
        show_upload(actor, upload)


with told_plainly():
    main(current_actor())
