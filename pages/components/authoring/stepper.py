"""Where a task stands between its first words and its first scores, and the way from step to step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn

import streamlit as st

from pages.components.session import Key, services
from scoring.services.actors import Actor
from scoring.services.adaptations import AdaptationView
from scoring.services.examples import ExampleOverview
from scoring.services.promotion import Candidate
from scoring.services.tasks import TaskSummary
from scoring.services.versions import ACTIVE

PAGE = "educator/new_task.py"


class Step(StrEnum):
    """The steps in their order."""

    DESCRIBE = "describe"
    EXAMPLES = "examples"
    TRAIN = "train"
    TRUST = "trust"
    STRESS = "stress"
    LIVE = "live"


NAMES = {
    Step.DESCRIBE: "Describe",
    Step.EXAMPLES: "Examples",
    Step.TRAIN: "Train",
    Step.TRUST: "Trust",
    Step.STRESS: "Stress test",
    Step.LIVE: "Go live",
}


@dataclass(frozen=True)
class Standing:
    """All that the steps show of one task."""

    task: TaskSummary
    overview: ExampleOverview
    run: AdaptationView | None
    candidates: tuple[Candidate, ...]

    @property
    def fitting(self) -> tuple[Candidate, ...]:
        """Versions that score the task as it reads now, newest first."""
        return tuple(candidate for candidate in self.candidates if candidate.fits)

    @property
    def report(self) -> Mapping[str, Any] | None:
        """What was measured last of the task as it reads now."""
        run = self.run
        fresh = run is not None and run.task_version == self.task.version_number and not run.brings_up_to_date
        if run is not None and run.report and fresh and (run.candidate_id is None or not run.finished):
            return run.report
        return next((candidate.report for candidate in self.fitting if candidate.report), None)

    def done(self, step: Step) -> bool:
        """Whether nothing is left to do there."""
        live = any(candidate.state == ACTIVE for candidate in self.fitting)
        certificate = (self.report or {}).get("certificate", ())
        return {
            Step.DESCRIBE: True,
            Step.EXAMPLES: self.overview.ready,
            Step.TRAIN: bool(self.fitting),
            Step.TRUST: live,
            Step.STRESS: bool(certificate) and all(check["passed"] is not False for check in certificate),
            Step.LIVE: live,
        }[step]

    def open(self, step: Step) -> bool:
        """Whether there is something to see there yet."""
        if step in (Step.TRUST, Step.STRESS):
            return self.report is not None
        return step is not Step.LIVE or bool(self.candidates)

    @property
    def current(self) -> Step:
        """Where the work goes on."""
        if self.run is not None and not self.run.finished:
            return Step.TRAIN
        if self.done(Step.LIVE):
            return Step.LIVE
        if self.report is not None:
            return Step.TRUST
        return Step.TRAIN if self.overview.ready else Step.EXAMPLES


def standing(actor: Actor, task_id: int) -> Standing:
    """A task as it stands now. Raises `NotFound` or `NotAllowed` when the actor may not change it."""
    return Standing(
        services().authoring.get(actor, task_id),
        services().examples.overview(actor, task_id),
        services().adaptations.newest(actor, task_id),
        tuple(services().promotion.candidates(actor, task_id)),
    )


def selected_task() -> int | None:
    """The task in the address."""
    given = st.query_params.get(Key.TASK, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 18 else None


def selected_step(stands: Standing) -> Step:
    """The step in the address if there is something to see, else the one where the work goes on."""
    given = st.query_params.get(Key.STEP, "")
    step = Step(given) if given in set(Step) else stands.current
    return step if stands.open(step) else stands.current


def go(task_id: int | None, step: Step | None = None) -> NoReturn:
    """Show a step of a task; `None` goes back to the start."""
    st.session_state.pop(Key.DRAFT, None)
    for key, value in ((Key.TASK, task_id), (Key.STEP, step)):
        if value is None:
            st.query_params.pop(key, None)
        else:
            st.query_params[key] = str(value)
    st.rerun()
    raise AssertionError("a rerun does not come back")


def show_stepper(stands: Standing, current: Step) -> None:
    """The six steps; those without anything to see can't be pressed."""
    with st.container(horizontal=True, gap="small", key="stepper"):
        for number, step in enumerate(Step, 1):
            if step is current:
                icon = ":material/arrow_right_alt:"
            elif not stands.open(step):
                icon = ":material/lock:"
            else:
                icon = ":material/check_circle:" if stands.done(step) else ":material/radio_button_unchecked:"
            pressed = st.button(
                f"{number}. {NAMES[step]}", key=f"step-{step}", icon=icon, disabled=not stands.open(step),
                type="primary" if step is current else "secondary",
            )  # fmt: skip
            if pressed and step is not current:
                go(stands.task.id, step)
    place = list(Step).index(current) + 1
    st.subheader(f"Step {place} of {len(Step)}: {NAMES[current]}", anchor=False)


def next_button(task_id: int, step: Step, label: str, key: str = "next") -> None:
    """The way on."""
    if st.button(label, key=f"{key}-{step}", type="primary", icon=":material/arrow_forward:"):
        go(task_id, step)
