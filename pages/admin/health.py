"""Whether Evenhand works right now, in one sentence, and the details behind it."""

from __future__ import annotations

import streamlit as st

from pages.components.frame import empty_state, heading, told_plainly
from pages.components.session import current_actor, services
from pages.components.words import ago, plain
from scoring.services.actors import Actor
from scoring.services.health import QueueHealth, WorkerHealth
from scoring.services.versions import ACTIVE

REFRESH_S = 5
STATE_WORDS = {
    "starting": "starting: it loads the model",
    "ready": "ready",
    "stopping": "stopping: it finishes what it began",
    "stopped": "stopped",
    "failed": "failed",
    "silent": "silent: no sign of life for a while",
}
RESTART = (
    "Evenhand starts its worker again by itself within a minute. If this stays, start Evenhand again; if that does "
    "not help, the worker's log below says why."
)
BY_HAND = "This Evenhand does not start its own worker (`EVENHAND_WORKER=external`): start `python -m scoring.worker`."


def verdict(workers: list[WorkerHealth], queue: QueueHealth, has_model: bool) -> None:
    """One sentence: everything works, or what does not and what to do."""
    waiting = f"{queue.queued} {'upload waits' if queue.queued == 1 else 'uploads wait'}"
    if any(worker.ok for worker in workers) and not has_model:
        st.warning(
            "Nothing can be scored: there is no active model. Choose one under **Model versions**.",
            icon=":material/warning:",
        )
    elif any(worker.ok for worker in workers):
        behind = f" {waiting} for their turn." if queue.queued else ""
        st.success(f"Everything works: a file uploaded now is scored.{behind}", icon=":material/check_circle:")
    elif any(worker.state == "starting" for worker in workers):
        st.info("The worker is starting. A file uploaded now is scored in a moment.", icon=":material/hourglass_top:")
    else:
        why = f"the worker {_said(workers[0])}" if workers else "no worker has started yet"
        todo = RESTART if services().settings.worker == "supervised" else BY_HAND
        kept = f" {waiting}, and nothing is lost." if queue.queued else " Files can be uploaded; they wait."
        st.error(f"Nothing is scored at the moment: {why}.{kept} {todo}", icon=":material/error:")


def _said(worker: WorkerHealth) -> str:
    words = {
        "failed": f"failed ({plain(worker.message.rstrip('.'))})" if worker.message else "failed",
        "silent": f"gave its last sign of life {ago(worker.heartbeat_at)}",
        "stopped": "has stopped",
        "stopping": "is stopping",
    }
    return words.get(worker.state, f"is {worker.state}")


def show_workers(workers: list[WorkerHealth]) -> None:
    """One short list a worker."""
    st.subheader("Workers", anchor=False)
    if not workers:
        empty_state("engineering", "No worker has reported yet", "The sentence above says what to do.")
        return
    for worker in workers:
        facts = {
            "Worker": worker.executor_id,
            "State": STATE_WORDS.get(worker.state, worker.state),
            "It says": worker.message,
            "Last sign of life": ago(worker.heartbeat_at),
            "Runs on": _device(worker.device),
            "Model version": worker.student_version_key or "none",
            "Started": ago(worker.started_at),
        }
        st.table(
            {name: plain(value) for name, value in facts.items() if value},
            border="horizontal", width="content", alt=f"{worker.executor_id}: what it last reported",
        )  # fmt: skip


def _device(device: str) -> str:
    if not device:
        return "not known yet"
    return "graphics card" if device.startswith("cuda") else "processor" if device == "cpu" else device


@st.fragment(run_every=REFRESH_S)
def now(actor: Actor, has_model: bool) -> None:
    """Everything that changes by itself. Asks with the actor it was given, so that looking is not a sign of use."""
    health = services().health
    with told_plainly():
        database = health.database()
        if not database.ok:
            st.error(
                f"{database.message} Nothing can be uploaded or scored. Start Evenhand again: it brings the database "
                "up to date by itself, after a backup. If this stays, see whether the disk is full.",
                icon=":material/error:",
            )
            return
        queue = health.queue(actor)
        workers = health.workers()
        verdict(workers, queue, has_model)
        with st.container(horizontal=True):
            st.metric("Database", "Works", border=True, help=f"Revision {database.revision} of its tables.")
            st.metric("Uploads that wait", queue.queued, border=True)
            st.metric("Uploads being scored", queue.running, border=True)
        show_workers(workers)
        with st.expander("The end of the worker's log", icon=":material/terminal:"):
            log = health.worker_log(actor)
            if log:
                st.code(log, language=None, height=360)
            else:
                st.caption("Nothing yet. A worker that was started by hand writes to its own console instead.")
        st.caption(f"This page looks again every {REFRESH_S} seconds.")


with told_plainly():
    actor = current_actor()
    heading("Health", "Whether answers that are uploaded now are scored, and what to do if not.")
    has_model = any(version.state == ACTIVE for version in services().versions.all(actor))
    now(actor, has_model)
