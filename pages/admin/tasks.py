"""The item bank: every published task, what it holds, and whether it is in use."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.authoring.stepper import Step
from pages.components.charts import level_counts
from pages.components.frame import empty_state, heading, told_plainly
from pages.components.session import Key, current_actor, remember_notice, services
from pages.components.task_card import show_criterion, show_task
from pages.components.words import counted, plain
from scoring.services.actors import Actor
from scoring.services.tasks import TaskSummary
from scoring.services.versions import ACTIVE


def overview(tasks: list[TaskSummary]) -> None:
    """One row a task."""
    frame = pd.DataFrame(
        {
            "Task": [task.task.title for task in tasks],
            "In use": ["retired" if task.retired else "in use" for task in tasks],
            "Scored by the model": ["yes" if task.scorable else "not yet" for task in tasks],
            "Criteria": [len(task.task.criteria) for task in tasks],
            "Labelled answers": [task.examples for task in tasks],
            "Version": [task.version_number for task in tasks],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        alt="All tasks of the item bank, retired ones last",
    )


def in_words(task: TaskSummary) -> str:
    """The task's state, so that no colour is needed."""
    use = ":gray-badge[:material/archive: Retired]" if task.retired else ":green-badge[:material/check: In use]"
    model = (
        ":blue-badge[:material/smart_toy: Scored by the active model]"
        if task.scorable
        else ":orange-badge[:material/hourglass_empty: Not scored by the active model yet]"
    )
    return f"{use} {model}"


def detail(actor: Actor, task: TaskSummary) -> None:
    """One task with its rubric and its labelled answers."""
    item = task.task
    st.subheader(plain(item.title), anchor=False)
    st.markdown(in_words(task))
    facts = [item.subject, f"grade {item.grade}" if item.grade else "", f"version {task.version_number}", item.id]
    st.caption(plain(" · ".join(fact for fact in facts if fact)))
    retire_or_bring_back(actor, task)
    st.page_link(
        "educator/new_task.py", label="Edit or train this task", icon=":material/edit:",
        query_params={Key.TASK.value: str(task.id), Key.STEP.value: Step.DESCRIBE.value},
    )  # fmt: skip
    question, rubric = st.columns(2, gap="large")
    with question:
        st.markdown("#### What students see")
        show_task(item, task.figure)
    with rubric:
        st.markdown("#### Rubric")
        if item.rubric_text:
            st.caption(plain(item.rubric_text))
        for criterion in item.criteria:
            show_criterion(criterion)
    st.markdown("#### Labelled answers")
    if not task.examples:
        st.caption("None came with this task. The model can only learn it from answers that people have scored.")
        return
    st.caption(f"{task.examples} labelled answers came with this task. How many there are at each level:")
    charts = st.container(horizontal=True)
    for number, example in enumerate(services().tasks.examples(actor, task.id)):
        with charts.container(width=300):
            st.markdown(f"**{plain(example.criterion.name)}**")
            level_counts(example.criterion, example.counts, key=f"counts-{task.id}-{number}")


def retire_or_bring_back(actor: Actor, task: TaskSummary) -> None:
    """The one switch; it can be turned back, so it does not ask first."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if task.retired:
            clicked = st.button("Bring back", key=f"back-{task.id}", icon=":material/unarchive:")
            st.caption("Educators can't choose this task for new uploads. What was scored is still there.")
        else:
            clicked = st.button("Retire", key=f"retire-{task.id}", icon=":material/archive:")
            st.caption("Takes the task out of the list for new uploads. Nothing that was scored is touched.")
    if clicked:
        with told_plainly():
            services().tasks.set_retired(actor, task.id, not task.retired)
            state = "in use again" if task.retired else "retired; nothing was deleted"
            remember_notice(f"{plain(task.task.title)} is {state}.")
            st.rerun()


def educators_own(actor: Actor) -> None:
    """Tasks that serve their author alone, to look at and to publish."""
    own = [task for task in services().authoring.mine(actor) if task.owner_id is not None]
    if not own:
        return
    st.subheader("Educators' own tasks", anchor=False)
    st.caption("Each serves its author alone. Published, every educator can use it, and only administrators change it.")
    for task in own:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            with st.container(width=420):
                st.markdown(f"**{plain(task.task.title)}**")
                scored = "scored by the active model" if task.scorable else "not scored by the active model yet"
                st.caption(plain(f"by {task.owner} · {counted(task.examples, 'labelled answer')} · {scored}"))
            st.space("stretch")
            st.page_link(
                "educator/new_task.py", label="Look", icon=":material/visibility:",
                query_params={Key.TASK.value: str(task.id)},
            )  # fmt: skip
            if st.button("Publish", key=f"publish-{task.id}", icon=":material/public:"):
                with told_plainly():
                    services().authoring.publish(actor, task.id)
                    remember_notice(f"Every educator can use {plain(task.task.title)} now.")
                    st.rerun()


with told_plainly():
    actor = current_actor()
    heading("Item bank", "Every task that educators can score, and those that were retired.")
    st.page_link("educator/new_task.py", label="Add a task", icon=":material/add_task:")
    educators_own(actor)
    active = next((version for version in services().versions.all(actor) if version.state == ACTIVE), None)
    tasks = services().tasks.available(actor, retired=True)
    if not tasks:
        empty_state(
            "inventory_2",
            "No tasks yet",
            "Tasks come in as an item bank folder (`tasks.json` with `responses.csv`). Ask whoever runs this server "
            "to set `EVENHAND_CLASSROOM` to such a folder and to start Evenhand again.",
        )
    else:
        in_use = [task for task in tasks if not task.retired]
        scored = sum(task.scorable for task in in_use)
        st.markdown(
            f"The active model, version `{active.version_key}`, scores {scored} of the {len(in_use)} tasks in use."
            if active
            else "No model is active yet, so none of these tasks can be scored. See **Model versions**."
        )
        overview(tasks)
        by_id = {task.id: task for task in tasks}
        chosen = st.selectbox(
            "Look at a task", list(by_id), key="bank-task", width=560,
            format_func=lambda task_id: by_id[task_id].task.title + (" (retired)" if by_id[task_id].retired else ""),
        )  # fmt: skip
        detail(actor, by_id[chosen])
