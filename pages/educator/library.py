"""The tasks that can be scored, with rubric, labelled answers and how well the model does on them."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.authoring.stepper import Step
from pages.components.charts import level_counts
from pages.components.frame import empty_state, heading, told_plainly
from pages.components.session import Key, current_actor, services
from pages.components.task_card import show_criterion, show_task
from pages.components.words import counted, measured, plain, told_apart
from scoring.services.actors import Actor
from scoring.services.tasks import TaskSummary

# What is measured, in a teacher's words, and how its figures are written.
MEASURES = {
    "qwk": ("Agreement (1 is perfect)", "{:.2f}"),
    "exact": ("Same level", "{:.0%}"),
    "adjacent": ("At most one apart", "{:.0%}"),
}


def show(actor: Actor, summary: TaskSummary) -> None:
    """One task from its prompt to its figures."""
    task = summary.task
    st.subheader(plain(task.title), anchor=False)
    about = filter(None, [task.subject, task.grade and f"grade {task.grade}", task.standard])
    st.caption(plain(" · ".join(about)))
    if actor.is_administrator or summary.owner_id == actor.user_id:
        st.page_link(
            "educator/new_task.py", label="Edit or train this task", icon=":material/edit:",
            query_params={Key.TASK.value: str(summary.id), Key.STEP.value: Step.DESCRIBE.value},
        )  # fmt: skip
    left, right = st.columns(2, gap="large")
    with left:
        show_task(task, summary.figure)
        if task.reference_answers:
            with st.expander("Answers with full points"):
                for answer in task.reference_answers:
                    st.markdown(f"> {plain(answer)}")
    with right:
        for criterion in task.criteria:
            show_criterion(criterion)
    if summary.examples:
        st.subheader(f"{counted(summary.examples, 'labelled answer')} came with this task", anchor=False)
        examples = services().tasks.examples(actor, summary.id)
        for column, example in zip(st.columns(max(2, len(examples))), examples, strict=False):
            with column:
                st.caption(plain(example.criterion.name))
                level_counts(example.criterion, example.counts, f"counts-{summary.id}-{example.criterion.id}")
    st.subheader("How far to trust the model here", anchor=False)
    show_measured(actor, summary)


def show_measured(actor: Actor, summary: TaskSummary) -> None:
    """How often the model agreed with the labels of answers that it had not seen."""
    if not summary.scorable:
        st.info(
            "The model does not score this task yet. Its labelled answers are there for adding it.",
            icon=":material/hourglass_empty:",
        )
        return
    metrics = services().versions.metrics(actor, task_key=summary.task.id)
    rows = []
    for criterion in summary.task.criteria:
        found = {m.name: m for m in metrics if m.criterion_key == criterion.id and m.name in MEASURES}
        if found:
            figures = {
                words: measured(found[name].value, found[name].low, found[name].high, form)
                for name, (words, form) in MEASURES.items()
                if name in found
            }
            rows.append({"Criterion": criterion.name, **figures, "Answers": next(iter(found.values())).n})
    if not rows:
        st.info("No figures were measured for this task: not enough evidence.", icon=":material/help:")
        return
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Agreement of the model with the labels, by criterion")
    st.caption(
        "The model's levels against the labels of answers that it was not trained on; in brackets, where the true "
        "figure lies with 95% confidence, if that can be told. With so few answers, treat it as a first impression."
    )


def main(actor: Actor) -> None:
    """The screen."""
    heading("Tasks", "Questions with their rubrics. Those the model scores can be chosen under “Score a class”.")
    st.page_link("educator/new_task.py", label="Add a task", icon=":material/add_task:")
    tasks = services().tasks.available(actor)
    if not tasks:
        empty_state(
            "menu_book", "No tasks yet", "Write one yourself, or ask an administrator to load an item bank folder.",
            "educator/new_task.py", "Add a task",
        )  # fmt: skip
        return
    labelled = told_apart(
        tasks,
        lambda task: task.task.title + ("" if task.scorable else " (not scored by the model yet)"),
        lambda task: task.task.id,
    )
    show(actor, labelled[st.selectbox("Task", labelled)])


with told_plainly():
    main(current_actor())
