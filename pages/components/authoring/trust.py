"""How far to trust the model on a task: held-out figures with their intervals, said plainly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from pages.components.authoring.charts import GOAL, agreement_dots, between, confusion, learning_curve
from pages.components.authoring.doubts import show_mislabels, show_to_label
from pages.components.authoring.stepper import Standing, Step, next_button
from pages.components.words import counted, plain
from scoring.domain import Criterion, Task
from scoring.services.actors import Actor

QWK_HELP = (
    "Quadratic weighted kappa: how well two ratings agree beyond what chance would give. 1 is perfect, 0 is chance; "
    f"a miss by two levels counts four times a miss by one. {GOAL:.2f} is usually asked for before scores count."
)
SMD_HELP = (
    "The model’s mean level less the labels’, in standard deviations of the labels: above 0 it is kinder, below 0 "
    "stricter. Up to 0.15 either way is usually accepted."
)


def show_trust(actor: Actor, stands: Standing) -> None:
    """The step: verdict, figures, one criterion closely, labels to look at, answers to label."""
    report, task = stands.report, stands.task.task
    assert report is not None
    criteria = {told["criterion_id"]: told for told in report["criteria"]}
    show_verdict(report)
    st.caption(
        f"Measured on {counted(report['examples'], 'labelled answer')}, each scored by a model that had not seen its "
        "label. In brackets: where the true figure lies with 95% confidence."
    )
    known = [criteria[c.id] for c in task.criteria if c.id in criteria]
    if any(told["qwk"] is not None for told in known):
        agreement_dots(task, known, f"dots-{stands.task.version_id}")
    show_figures(task, criteria)
    _show_closely(task, criteria, str(stands.task.version_id))
    show_mislabels(actor, stands)
    show_to_label(actor, stands)
    with st.container(horizontal=True):
        next_button(stands.task.id, Step.STRESS, "Go on to the stress test")


def show_verdict(report: Mapping[str, Any]) -> None:
    """The report's own sentence, marked where it says that nothing can be said."""
    if report["enough"]:
        st.info(plain(report["verdict"]), icon=":material/insights:")
    else:
        st.warning(plain(report["verdict"]), icon=":material/help:")


def show_figures(task: Task, criteria: Mapping[str, Mapping[str, Any]]) -> None:
    """One row a criterion."""
    rows = []
    for criterion in task.criteria:
        told = criteria.get(criterion.id)
        if told is None:
            continue
        human = told["human"]
        rows.append(
            {
                "Criterion": criterion.name,
                "Agreement (QWK)": figure(told, "qwk"),
                "Two people (QWK)": "–" if not human or human["qwk"] is None else f"{human['qwk']:.2f}",
                "Same level": figure(told, "exact", "{:.0%}"),
                "At most one apart": figure(told, "adjacent", "{:.0%}"),
                "Kinder or stricter": figure(told, "smd", "{:+.2f}"),
                "Answers": told["n"],
            }
        )
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, alt="Agreement of the model with the labels, by criterion",
        column_config={
            "Criterion": st.column_config.TextColumn(width=180),
            "Agreement (QWK)": st.column_config.TextColumn(help=QWK_HELP),
            "Kinder or stricter": st.column_config.TextColumn(help=SMD_HELP),
            "Two people (QWK)": st.column_config.TextColumn(help="How well two people agreed on the same answers."),
        },
    )  # fmt: skip
    with st.expander("What do these figures mean?", icon=":material/help:"):
        st.markdown(f"**Agreement (QWK).** {QWK_HELP}\n\n**Kinder or stricter.** {SMD_HELP}")


def figure(told: Mapping[str, Any], name: str, form: str = "{:.2f}") -> str:
    """A figure with its interval; words where it is not defined."""
    return "not enough evidence" if told[name] is None else form.format(told[name]) + between(told, name, form)


def _show_closely(task: Task, criteria: Mapping[str, Mapping[str, Any]], key: str) -> None:
    chosen = task.criteria[0]
    if len(task.criteria) > 1:
        st.markdown("#### One criterion closely")
        names = {criterion.id: criterion.name for criterion in task.criteria}
        picked = st.radio(
            "Criterion", list(names), format_func=lambda name: plain(names[name]), horizontal=True,
            key=f"closely-{key}", label_visibility="collapsed",
        )  # fmt: skip
        chosen = task.criterion(picked)
    told = criteria.get(chosen.id)
    if told is None:
        return
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Which levels are mixed up?**")
        confusion(chosen, told["confusion"], f"confusion-{key}-{chosen.id}")
        st.caption(
            "Each row is the level that people gave, each column the model’s; framed: the same. "
            + by_level_words(chosen, told)
        )
    with right:
        st.markdown("**Would more labels help?**")
        if len(told["curve"]) > 1:
            learning_curve(
                chosen.name, told["curve"], f"curve-{key}-{chosen.id}", forecast=told["forecast"]
            )  # fmt: skip
        st.markdown(plain(told["forecast"]["sentence"]))
        thin = told["thinnest"]
        st.caption(
            f"Thinnest level: {thin['value']}, with {counted(thin['n'], 'labelled answer')}. More at that level help "
            "most."
        )


def by_level_words(criterion: Criterion, told: Mapping[str, Any]) -> str:
    """How often the model gives the same level, level by level."""
    parts = [
        f"level {level['value']}: {level['exact']:.0%} of {level['n']}"
        if level["n"]
        else f"level {level['value']}: none"
        for level in told["by_level"]
    ]
    return "The same level at " + ", ".join(parts) + "."
