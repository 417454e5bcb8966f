"""The tasks that can be scored, with rubric, labelled answers and how well the model does on them."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.charts import level_counts
from pages.components.frame import empty_state, heading, told_plainly
from pages.components.session import current_actor, services
from pages.components.task_card import show_criterion, show_task
from scoring.services.actors import Actor
from scoring.services.tasks import TaskSummary

METRIC_WORDS = {
    "qwk": "agreement (QWK, 1 is perfect)",
    "exact": "same level",
    "adjacent": "at most one level apart",
}


def show(actor: Actor, summary: TaskSummary) -> None:
    """One task from its prompt to its figures."""
    task = summary.task
    st.subheader(task.title, anchor=False)
    st.caption(" · ".join(filter(None, [task.subject, task.grade and f"grade {task.grade}", task.standard])))
    left, right = st.columns(2, gap="large")
    with left:
        show_task(task, summary.figure)
        if task.reference_answers:
            with st.expander("Answers with full points"):
                for answer in task.reference_answers:
                    st.markdown(f"> {answer}")
    with right:
        for criterion in task.criteria:
            show_criterion(criterion)
    examples = services().tasks.examples(actor, summary.id)
    if summary.examples:
        st.markdown(f"##### {summary.examples} labelled answers came with this task")
        for column, example in zip(st.columns(len(examples)), examples, strict=True):
            with column:
                st.caption(example.criterion.name)
                level_counts(example.criterion, example.counts, f"counts-{summary.id}-{example.criterion.id}")
    show_measured(actor, summary)


def show_measured(actor: Actor, summary: TaskSummary) -> None:
    """How often the model agreed with people on answers that it had not seen."""
    st.markdown("##### How far to trust the model here")
    if not summary.scorable:
        st.info(
            "The model does not score this task yet. Its labelled answers are there for adding it.",
            icon=":material/hourglass_empty:",
        )
        return
    metrics = services().versions.metrics(actor, task_key=summary.task.id)
    rows = []
    for criterion in summary.task.criteria:
        found = {m.name: m for m in metrics if m.criterion_key == criterion.id}
        if found:
            row: dict[str, object] = {"Criterion": criterion.name}
            for name, words in METRIC_WORDS.items():
                if name in found:
                    m = found[name]
                    interval = (
                        f" ({m.low:.2f} to {m.high:.2f})" if m.low is not None and m.high is not None else ""
                    )
                    row[words] = f"{m.value:.2f}{interval}"
            row["answers"] = next(iter(found.values())).n
            rows.append(row)
    if not rows:
        st.info("No figures were measured for this task: not enough evidence.", icon=":material/help:")
        return
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Agreement of the model with people, by criterion")
    st.caption(
        "Measured on labelled answers that the model was not trained on; in brackets, where the true figure "
        "lies with 95% confidence. With so few answers, treat it as a first impression."
    )


def main(actor: Actor) -> None:
    """The screen."""
    heading(
        "Tasks", "Questions with their rubrics. Those the model scores can be chosen under “Score a class”."
    )
    tasks = services().tasks.available(actor)
    if not tasks:
        empty_state(
            "menu_book", "No tasks yet", "An administrator can load an item bank folder; see the README."
        )
        return
    chosen = st.selectbox(
        "Task",
        tasks,
        format_func=lambda t: t.task.title + ("" if t.scorable else " (not scored by the model yet)"),
    )
    show(actor, chosen)


with told_plainly():
    main(current_actor())
