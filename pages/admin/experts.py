"""What the model does over whole tasks: its experts' use, the words that move scores, and where people disagree."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from pages.components.explanation_charts import gate_bars, layer_name, use_map, use_over_time
from pages.components.explanation_parts import describe_experts
from pages.components.frame import empty_state, heading, told_plainly
from pages.components.session import Key, current_actor, services
from pages.components.word_report import show_disagreements, show_words
from pages.components.words import counted, plain, told_apart
from scoring.domain import Criterion, UploadStatus
from scoring.services.actors import Actor
from scoring.services.expert_use import ExpertReport
from scoring.services.tasks import TaskSummary

PARTS = ("Experts", "Words of a class", "Where people decided otherwise")
UPLOADS = 50
ALL_LEVELS = "All levels"


def show_experts(actor: Actor, tasks: Sequence[TaskSummary]) -> None:
    """How the experts share the work, by task, by level and by day."""
    report = services().expert_use.report(actor)
    if report is None:
        st.info(
            "This is found out while the scoring program has nothing else to do. Look again in a minute or two.",
            icon=":material/hourglass_top:",
        )
        return
    layers = len(report.experts)
    if not layers:
        st.info("The active version of the model has no experts.", icon=":material/info:")
        return
    _say_if_healthy(report)
    layer = 0
    if layers > 1:
        chosen = st.segmented_control(
            "Step", list(range(layers)), default=0, required=True, format_func=lambda at: layer_name(at, layers),
            help="The model mixes its experts' answers in several steps, one after the other.",
        )  # fmt: skip
        layer = chosen or 0
    st.subheader("By task", anchor=False)
    st.caption("The mean share of each expert in the labelled answers of each task.")
    use_map(
        [use.title for use in report.tasks.values()], [use.weights[layer] for use in report.tasks.values()], "tasks"
    )
    with st.expander("How evenly the work is shared"):
        st.dataframe(
            pd.DataFrame(
                {
                    "Task": [use.title for use in report.tasks.values()],
                    "Labelled answers": [use.answers for use in report.tasks.values()],
                    "Evenness": [use.entropy[layer] for use in report.tasks.values()],
                }
            ),
            hide_index=True, alt="Gate entropy of each task",
            column_config={
                "Evenness": st.column_config.NumberColumn(
                    format="%.2f",
                    help="Entropy of the gate: 0 when each answer has one expert, 1 when all experts share it alike.",
                )
            },
        )  # fmt: skip
    known = {task.task.id: task for task in tasks if task.task.id in report.tasks}
    if known:
        _show_task(actor, report, known, layer)
    st.subheader("What they are asked for", anchor=False)
    describe_experts(report.experts)


def _say_if_healthy(report: ExpertReport) -> None:
    layers = len(report.experts)
    for layer in report.collapsed:
        st.warning(
            f"{layer_name(layer, layers)}: one expert does nearly everything, so the others add nothing.",
            icon=":material/warning:",
        )
    if report.unused:
        named = ", ".join(f"expert {e + 1} ({layer_name(at, layers).lower()})" for at, e in report.unused)
        st.warning(f"No task makes use of {named}.", icon=":material/warning:")
    if not report.collapsed and not report.unused:
        st.success("Every expert is used by some task, and none does everything.", icon=":material/check_circle:")


def _show_task(actor: Actor, report: ExpertReport, tasks: dict[str, TaskSummary], layer: int) -> None:
    st.subheader("By level and by day", anchor=False)
    labels = told_apart(tasks.values(), lambda task: task.task.title, lambda task: task.task.id)
    task = labels[st.selectbox("Task", list(labels), key="experts-task") or next(iter(labels))]
    levels = report.tasks[task.task.id].levels
    if levels:
        st.caption("The mean share of each expert in the answers that people gave each level.")
        use_map(
            [f"{of.criterion}: {of.level} ({counted(of.answers, 'answer')})" for of in levels],
            [of.weights[layer] for of in levels], "levels",
        )  # fmt: skip
    choices: dict[str, tuple[str | None, int | None]] = {ALL_LEVELS: (None, None)}
    for criterion in task.task.criteria:
        choices |= {f"{criterion.name}: {value}": (criterion.id, value) for value in criterion.values}
    chosen = st.selectbox("Answers that the model gave", list(choices), key="experts-level")
    days = services().expert_use.over_time(actor, task.id, *choices[chosen or ALL_LEVELS])
    if not days:
        st.caption("No answers to this task were scored in the last 90 days, or none with this level.")
        return
    if len(days) == 1:
        usual = [("labelled answers of the task", report.tasks[task.task.id].weights[layer])]
        gate_bars(days[0].weights[layer], usual, "scored answers", "days")
    else:
        use_over_time([f"{use.day:%d %b %Y}" for use in days], [use.weights[layer] for use in days], "days")
    st.caption(
        f"The mean share of each expert in {counted(sum(use.answers for use in days), 'scored answer')}, by day."
    )


def show_class_words(actor: Actor, tasks: Sequence[TaskSummary]) -> None:
    """Choose an upload and a criterion, then the words."""
    uploads, _ = services().uploads.recent(actor, limit=UPLOADS)
    finished = [upload for upload in uploads if upload.status is UploadStatus.DONE]
    if not finished:
        empty_state("upload_file", "No class is scored yet", "Once one is, the words that moved its scores show here.")
        return
    labels = told_apart(
        finished, lambda upload: f"{upload.task_title} · {upload.section}",
        lambda upload: f"{upload.file_name}, {upload.created_at:%d %b %Y, %H:%M}",
    )  # fmt: skip
    upload = labels[st.selectbox("Class", list(labels), key="words-upload") or next(iter(labels))]
    criteria = services().word_reports.criteria(actor, upload.id)
    criterion = _choose_criterion(criteria, "words-criterion")
    show_words(actor, upload, criterion)


def show_all_disagreements(actor: Actor, tasks: Sequence[TaskSummary]) -> None:
    """Choose a task and a criterion, then the answers."""
    if not tasks:
        empty_state("menu_book", "No tasks yet", "Load some into the item bank first.")
        return
    labels = told_apart(tasks, lambda task: task.task.title, lambda task: task.task.id)
    task = labels[st.selectbox("Task", list(labels), key="disagreements-task") or next(iter(labels))]
    show_disagreements(actor, task, _choose_criterion(task.task.criteria, "disagreements-criterion"))


def _choose_criterion(criteria: Sequence[Criterion], key: str) -> Criterion:
    labels = told_apart(criteria, lambda criterion: plain(criterion.name), lambda criterion: criterion.id)
    if len(labels) == 1:
        return next(iter(labels.values()))
    return labels[st.selectbox("Criterion", list(labels), key=key) or next(iter(labels))]


with told_plainly():
    actor = current_actor()
    heading(
        "Inside the model",
        "What its experts are used for, which words move the scores of a class, and where people decided otherwise.",
    )
    tasks = services().tasks.available(actor, retired=True)
    shows = dict(zip(PARTS, (show_experts, show_class_words, show_all_disagreements), strict=True))
    for tab, show in zip(st.tabs(PARTS, key=Key.INSIDE, on_change="rerun"), shows.values(), strict=True):
        if tab.open:
            with tab, told_plainly():
                show(actor, tasks)
