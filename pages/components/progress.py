"""An upload's progress, from the database, so that it survives a reload and a closed browser."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from pages.components.frame import told_plainly
from pages.components.session import services
from pages.components.words import counted
from scoring.domain import UploadStatus
from scoring.services.actors import Actor

Colour = Literal["gray", "blue", "green", "orange", "red"]
STATUS_WORDS: dict[UploadStatus, tuple[str, str, Colour]] = {
    UploadStatus.QUEUED: ("waiting", ":material/hourglass_top:", "gray"),
    UploadStatus.RUNNING: ("being scored", ":material/autorenew:", "blue"),
    UploadStatus.DONE: ("scored", ":material/check_circle:", "green"),
    UploadStatus.CANCELLED: ("stopped", ":material/stop_circle:", "orange"),
    UploadStatus.FAILED: ("failed", ":material/error:", "red"),
}


def duration(seconds: float) -> str:
    """A time left in plain words.

    >>> duration(4), duration(75), duration(4000)
    ('a few seconds', 'about 2 minutes', 'about 67 minutes')
    """
    if seconds < 10:
        return "a few seconds"
    if seconds < 60:
        return f"about {round(seconds, -1):.0f} seconds"
    return f"about {counted(int(seconds / 60 + 0.999), 'minute')}"


@st.fragment(run_every=1)
def watch(actor: Actor, upload_id: str) -> None:
    """The progress bar with its cancel button; when the job has ended, the whole page is run again."""
    with told_plainly():
        upload = services().uploads.get(actor, upload_id)
        if upload.finished:
            st.rerun()
        share = upload.done / upload.total if upload.total else 0.0
        if upload.status is UploadStatus.QUEUED:
            text = "Waiting for its turn…"
            if not services().health.ready()[0]:
                text = "Waiting: the scoring program is starting. Nothing is lost; it goes on by itself."
        else:
            left = f" · {duration(upload.seconds_left)} left" if upload.seconds_left is not None else ""
            text = f"{upload.done:,} of {upload.total:,} answers scored{left}"
        st.progress(min(share, 1.0), text=text)
        if st.button("Stop scoring", icon=":material/stop_circle:", key=f"cancel-{upload_id}"):
            services().uploads.cancel(actor, upload_id)
            st.rerun()
        st.caption("You may close this page; scoring goes on.")
