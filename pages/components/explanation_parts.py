"""What stands under the highlighted words: how sure the model is, answers like this one, and its experts."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.components import highlights
from pages.components.charts import level_probabilities
from pages.components.explanation_charts import gate_bars, largest, layer_columns, layer_name
from pages.components.words import counted, plain
from scoring.domain import Criterion, CriterionScore, Task
from scoring.services.explanation_context import Expert, ScoredAnswer
from scoring.services.explanations import CriterionExplanation, ExplanationView
from scoring.services.review import ResponseView

QUOTED = 280  # characters of an answer that only serves as an example


def show_sureness(
    view: ResponseView, criterion: Criterion, found: CriterionExplanation, coverage: float | None
) -> None:
    """The distribution over levels, the set of levels, what they say in plain words, and how the marks were tested."""
    score = next((part.machine for part in view.criteria if part.criterion.id == criterion.id), None)
    if score is None:
        st.caption("The model gave no score here.")
        return
    st.markdown(sure_sentence(criterion, score, coverage))
    level_probabilities(criterion, score, f"why-sure-{view.id}-{criterion.id}")
    tested = found.attribution.faithfulness if found.attribution else None
    if tested is not None:
        taken = counted(tested.deleted, "word")
        st.caption(
            f"How the marks were tested: the answer was scored again without the {taken} that raised the score most, "
            f"without the {taken} that lowered it most, and without {taken} picked at random, {tested.draws} times. "
            "Marks are shown only if at most 1 in 20 pairs of random picks does as well."
        )
    if found.agreement is not None:
        alike = "agree" if found.agreement >= 0.6 else "agree in part" if found.agreement >= 0.3 else "disagree"
        st.caption(f"The quick first look and these marks {alike} (rank correlation {found.agreement:.2f}).")


def sure_sentence(criterion: Criterion, score: CriterionScore, coverage: float | None) -> str:
    """How sure the model is of one score, as people say it."""
    share = score.probability(criterion)
    words = next(
        text
        for least, text in ((0.9, "very sure"), (0.7, "fairly sure"), (0.5, "not very sure"), (0.0, "unsure"))
        if share >= least
    )
    sentence = f"The model is **{words}** of level {score.level}: it finds it {100 * share:.0f}% likely."
    if not score.level_set:
        return sentence
    low, high = min(score.level_set), max(score.level_set)
    held = f"such ranges are made to hold the level that people give in {100 * coverage:.0f} of 100 answers" if (
        coverage
    ) else "such ranges are made to hold the level that people give"  # fmt: skip
    if low == high:
        return f"{sentence} No other level is in its range; {held}."
    if (low, high) == (criterion.values[0], criterion.highest):
        return f"{sentence} It can't rule out any level ({low} to {high}); {held}."
    return f"{sentence} Its range is **{low} to {high}**; {held}."


def show_neighbours(view: ResponseView, state: ExplanationView) -> None:
    """The nearest answers that people scored, their levels, and where they differ from this one."""
    if not state.context.neighbours:
        st.caption("No answer to this task has been scored by people yet, so there is none to compare with.")
        return
    st.caption(
        "Answers that the model reads most like this one, with the levels that people gave. "
        "What this answer does not have is underlined."
    )
    if not state.explanation.gate_weights:
        st.caption(
            "The model learnt this task from few labelled answers, and scores by comparing with those, in meaning and "
            "in wording. Its experts take no part."
        )
    for neighbour in state.context.neighbours:
        with st.container(border=True):
            given = levels_given(neighbour.answer, view.task)
            same = not neighbour.ours and not neighbour.theirs
            alike = "word for word the same" if same else f"{round(100 * neighbour.similarity)}% alike"
            st.markdown(f"{given} · {alike} · {_origin(neighbour.answer)}")
            st.html(highlights.with_differences(neighbour.answer.text, neighbour.theirs))


def show_experts(view: ResponseView, state: ExplanationView) -> None:
    """Which of its experts the model asked, against what is usual, and what each is asked for."""
    context, gates = state.context, state.explanation.gate_weights
    st.caption(
        "The model asks several experts and mixes what they say. The bars are their shares for this answer. "
        "What an expert is for is not named, only shown by the answers that it serves."
    )
    most = largest([*gates, *context.task_gates, *context.other_gates])
    for layer, (column, weights) in enumerate(zip(layer_columns(len(gates)), gates, strict=True)):
        with column:
            st.markdown(f"**{layer_name(layer, len(gates))}**")
            usual = (("usual for this task", context.task_gates), ("usual for other tasks", context.other_gates))
            others = [(name, rows[layer]) for name, rows in usual if rows]
            gate_bars(weights, others, "this answer", f"why-gates-{view.id}-{layer}", most)
    if context.alike:
        with st.expander(f"Answers that took the same way ({len(context.alike)})"):
            for answer in context.alike:
                _show_example(answer, view.task)
    describe_experts(context.experts, view.task)


def describe_experts(layers: Sequence[Sequence[Expert]], task: Task | None = None) -> None:
    """What each expert of each layer is asked for, by the words and answers that set it apart."""
    for layer, experts in enumerate(layers):
        with st.expander(f"What each expert is asked for · {layer_name(layer, len(layers)).lower()}"):
            for number, expert in enumerate(experts, start=1):
                _show_expert(number, expert, task)


def _show_expert(number: int, expert: Expert, task: Task | None) -> None:
    st.markdown(f"**Expert {number}**")
    if expert.points is not None and expert.other_points is not None:
        st.caption(
            f"People gave the answers that it serves most {100 * expert.points:.0f}% of the points on average, "
            f"and {100 * expert.other_points:.0f}% to the rest."
        )
    if expert.words:
        st.markdown("Words typical of its answers: " + ", ".join(f"*{plain(word)}*" for word in expert.words))
    for answer in expert.answers:
        _show_example(answer, task)


def _show_example(answer: ScoredAnswer, task: Task | None) -> None:
    short = answer.text if len(answer.text) <= QUOTED else answer.text[:QUOTED].rsplit(" ", 1)[0] + " …"
    with st.container(border=True):
        st.markdown(f"{levels_given(answer, task)} · {_origin(answer)}")
        st.html(highlights.plainly(short, small=True))


def levels_given(answer: ScoredAnswer, task: Task | None) -> str:
    """The levels that people gave an answer; to another task only how many points they make."""
    names = {criterion.id: criterion for criterion in task.criteria} if task else {}
    if task is None or answer.task_key != task.id or not set(answer.levels) <= set(names):
        whose = "An answer" if task is None else "An answer to another task"
        return f"{whose}: people gave **{counted(sum(answer.levels.values()), 'point')}**"
    if len(names) == len(answer.levels) == 1:
        [(key, level)] = answer.levels.items()
        return f"People gave **{level}** of {names[key].highest}"
    given = ", ".join(f"{plain(names[key].name)} **{level}**" for key, level in answer.levels.items())
    return f"People gave: {given}"


def _origin(answer: ScoredAnswer) -> str:
    return "from this class" if answer.of_class else "from the task's examples"
