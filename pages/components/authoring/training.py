"""Training a task: start, watch, stop. All state is in the database, so a closed page loses nothing."""

from __future__ import annotations

import uuid
from collections import defaultdict

import streamlit as st

from pages.components.authoring.charts import learning_curve
from pages.components.authoring.stepper import Standing, Step, go, next_button
from pages.components.frame import told_plainly
from pages.components.progress import duration
from pages.components.session import Key, services
from pages.components.words import ago, counted, plain
from scoring.domain import Task
from scoring.services.actors import Actor
from scoring.services.adaptations import AdaptationView, CurvePoint, RunStatus


def show_training(actor: Actor, stands: Standing) -> None:
    """The step: the run that is under way, else what came of the last one and the way to start."""
    run = stands.run
    if run is not None and not run.finished:
        watch_run(actor, run.id, stands.task.task)
        return
    if run is not None:
        show_outcome(run, stands)
    if not stands.overview.ready:
        st.warning(plain(stands.overview.why_not), icon=":material/warning:")
        next_button(stands.task.id, Step.EXAMPLES, "Go to the examples")
        return
    _show_start(actor, stands)


def show_outcome(run: AdaptationView, stands: Standing) -> None:
    """How the last run ended."""
    if run.status is RunStatus.FAILED:
        st.error(plain(f"The training stopped: {run.error}"), icon=":material/error:")
        return
    if run.status is RunStatus.CANCELLED:
        st.info("The training was stopped. The active model was not touched.", icon=":material/stop_circle:")
        return
    took = duration(run.seconds)
    what = "Brought up to date" if run.brings_up_to_date else f"Trained on {counted(run.examples, 'labelled answer')}"
    quick = " as a quick first model" if run.quick else ""
    st.success(f"{what}{quick} {ago(run.finished_at)}, in {took}.", icon=":material/check_circle:")
    if run.task_version != stands.task.version_number:
        st.warning("The task was changed since. Train once more, so that the model knows it as it reads now.")
        return
    if stands.report is not None:
        if stands.report.get("examples") != stands.overview.labelled:
            st.info(
                f"The task has {counted(stands.overview.labelled, 'labelled answer')} now; training once more uses "
                "all of them.",
                icon=":material/update:",
            )
        next_button(stands.task.id, Step.TRUST, "See how far to trust it")


def _show_start(actor: Actor, stands: Standing) -> None:
    known = counted(stands.overview.labelled, "labelled answer")
    st.markdown(
        f"The model learns this task from **{known}**"
        + (f" and reads {stands.overview.unlabelled:,} more without a label. " if stands.overview.unlabelled else ". ")
        + "Nothing that it knows of other tasks is changed, and nothing is scored differently before you say so."
    )
    if stands.task.scorable and not stands.candidates:
        st.info(
            "The active model scores this task already. Training makes another version, which learns it anew from "
            "these answers; you compare the two before you decide.",
            icon=":material/info:",
        )
    first = stands.run is None or not stands.fitting
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        st.markdown("**Thorough training**")
        st.caption(
            "The best model that these answers allow. Tests on held-out answers, a learning curve and a stress test "
            "come with it. Takes some minutes; you may close this page."
        )
        full = st.button("Train", key="train-full", type="primary" if first else "secondary", icon=":material/school:")
    with right, st.container(border=True):
        st.markdown("**Quick first model**")
        st.caption(
            "A simpler model, much sooner, with the same tests. Good for a first look at whether the levels can be "
            "learned at all."
        )
        quick = st.button("Train quickly", key="train-quick", icon=":material/bolt:")
    if full or quick:
        tokens = st.session_state.setdefault(Key.SUBMIT_TOKEN, {})
        token = tokens.setdefault(("train", stands.task.id, stands.run.id if stands.run else ""), uuid.uuid4().hex)
        with told_plainly():
            services().adaptations.start(actor, stands.task.id, token, quick=quick)
            go(stands.task.id, Step.TRAIN)


@st.fragment(run_every=2)
def watch_run(actor: Actor, run_id: str, task: Task) -> None:
    """Progress, learning curve and the way to stop; when the run has ended, the whole page is run again."""
    with told_plainly():
        run = services().adaptations.get(actor, run_id)
        if run.finished:
            st.rerun()
        left = f" · {duration(run.seconds_left)} left" if run.seconds_left is not None else ""
        text = f"{plain(run.message)}{left}" if run.status is RunStatus.RUNNING else "Waiting for its turn…"
        if run.status is RunStatus.QUEUED and not services().health.ready()[0]:
            text = "Waiting: the scoring program is starting. Nothing is lost; it goes on by itself."
        st.progress(min(run.done / run.total, 1.0) if run.total else 0.0, text=text)
        if st.button("Stop the training", icon=":material/stop_circle:", key=f"stop-{run_id}"):
            services().adaptations.cancel(actor, run_id)
            st.rerun()
        st.caption("You may close this page; the training goes on. Classes that wait to be scored go first.")
        if run.curve:
            st.markdown("**Agreement on held-out answers, so far**")
            show_curves(task, run.curve, f"live-{run_id}")


def show_curves(task: Task, points: tuple[CurvePoint, ...], key: str) -> None:
    """A small curve for each criterion that has points."""
    by_criterion: dict[str, list[dict[str, float | int | None]]] = defaultdict(list)
    for point in points:
        by_criterion[point.criterion_id].append(
            {"labels": point.labels, "qwk": point.qwk, "low": point.low, "high": point.high}
        )
    with st.container(horizontal=True, gap="medium"):
        for criterion in task.criteria:
            if by_criterion[criterion.id]:
                with st.container(width=380):
                    st.markdown(plain(criterion.name))
                    learning_curve(criterion.name, by_criterion[criterion.id], f"{key}-{criterion.id}", height=220)
