"""A task from its first words to its first scores: describe, examples, train, trust, stress test, go live."""

from __future__ import annotations

import streamlit as st

from pages.components.authoring.certificate import show_certificate
from pages.components.authoring.describe import show_form
from pages.components.authoring.examples import show_examples
from pages.components.authoring.go_live import show_go_live
from pages.components.authoring.start import show_begun, show_new, show_put_away
from pages.components.authoring.stepper import (
    Standing,
    Step,
    go,
    next_button,
    selected_step,
    selected_task,
    show_stepper,
    standing,
)
from pages.components.authoring.training import show_training
from pages.components.authoring.trust import show_trust
from pages.components.frame import heading, told_plainly
from pages.components.session import Key, current_actor, remember_notice, services
from scoring.errors import NotAllowed, NotFound
from scoring.services.actors import Actor
from scoring.services.tasks import TaskSummary


def show_step(actor: Actor, stands: Standing, step: Step) -> None:
    """One step."""
    if step is not Step.DESCRIBE:
        st.session_state.pop(Key.DRAFT, None)
    if step is Step.DESCRIBE:
        if stands.task.version_number > 1:
            st.caption(f"Version {stands.task.version_number}. Scores stay with the version that they were given for.")
        show_form(actor, stands.task)
        put_away(actor, stands.task)
    elif step is Step.EXAMPLES:
        show_examples(actor, stands)
    elif step is Step.TRAIN:
        show_training(actor, stands)
    elif step is Step.TRUST:
        show_trust(actor, stands)
    elif step is Step.STRESS:
        assert stands.report is not None
        st.caption("Made-up answers that should get few points, or be pointed out to you before they count.")
        show_certificate(stands.task.task, stands.report["certificate"])
        if stands.open(Step.LIVE):
            next_button(stands.task.id, Step.LIVE, "Go on to going live")
    else:
        show_go_live(actor, stands)


def put_away(actor: Actor, task: TaskSummary) -> None:
    """Take a task of one's own out of use."""
    if task.owner_id != actor.user_id:
        return
    st.space("small")
    if st.button("Put this task away", key="put-away", icon=":material/archive:", type="tertiary"):
        with told_plainly():
            services().authoring.retire(actor, task.id)
            remember_notice("The task is put away. Nothing was deleted; you can take it back here.")
            go(None)


def main(actor: Actor) -> None:
    """The screen."""
    task_id = selected_task()
    stands = None
    if task_id is not None:
        try:
            stands = standing(actor, task_id)
        except (NotFound, NotAllowed) as error:
            st.error(str(error), icon=":material/error:")
    if stands is None:
        heading(
            "Add a task", "Bring 30 to 300 answers that people have scored, and the model learns to score the rest."
        )
        show_begun(actor)
        show_put_away(actor)
        show_new(actor)
        return
    if st.button("All tasks", icon=":material/arrow_back:", type="tertiary"):
        go(None)
    heading(
        stands.task.task.title, "From its first words to its first scores. You can leave at any time and go on later."
    )
    step = selected_step(stands)
    show_stepper(stands, step)
    show_step(actor, stands, step)


with told_plainly():
    main(current_actor())
