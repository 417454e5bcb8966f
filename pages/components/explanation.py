"""Why this score: the panel beside a response. Everything shown was made by the worker; this only draws it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st

from pages.components import highlights
from pages.components.explanation_parts import show_experts, show_neighbours, show_sureness
from pages.components.frame import told_plainly
from pages.components.highlights import Meaning
from pages.components.session import Key, services
from pages.components.what_if import current_trial, show_what_if
from pages.components.words import plain
from scoring.domain import Criterion
from scoring.errors import Conflict, InvalidInput
from scoring.services.actors import Actor
from scoring.services.explanations import (
    CriterionExplanation,
    Explanation,
    ExplanationView,
    Pending,
)
from scoring.services.review import ResponseView

POLL_S = 0.15
# What can be read already is drawn again at each look, and a look in the middle of the drawing begins it anew.
POLL_WHILE_READING_S = 0.4
# The first look is there sooner than a page's run that comes back for it: whoever just asked waits so long for it.
FIRST_WITHIN_S = 0.4
LOOK_EVERY_S = 0.03
SLOW_AFTER_S = 15
PARTS = ("How sure", "Similar answers", "Experts", "Try another wording")
# In log-odds: so much at least must a word move the choice between two levels to get the deepest colour.
LEAST_SCALE = 1.0


@st.fragment
def show_explanation(actor: Actor, view: ResponseView) -> None:
    """The panel: closed until somebody asks, then open on every response until it is closed again.

    A fragment, so that asking draws this panel alone: the page's own run would come before the first look.
    """
    if not st.toggle(
        "Show why", key=Key.WHY, persist_state="session",
        help="Which words moved the score, how sure the model is, and answers like this one.",
    ):  # fmt: skip
        return
    with told_plainly():
        try:
            state = _with_first_look(actor, view)
        except (Conflict, InvalidInput) as error:
            # Drawn to be scored blind, or without a score: there is a reason, and no fault.
            st.caption(plain(str(error)))
            return
        with st.container(key="why-panel"):
            waits = _waits(actor, state)
            # One function, so one fragment either way: a click that was on its way when polling ended is not lost.
            reads = isinstance(state, Pending) and state.first is not None
            every = (POLL_WHILE_READING_S if reads else POLL_S) if waits else None
            st.fragment(_panel, run_every=every)(actor, view, polling=waits)


def _with_first_look(actor: Actor, view: ResponseView) -> ExplanationView | Pending:
    """The explanation as it stands; one that was asked for just now gets a moment for its first look."""
    state = services().explanations.of(actor, view.id)
    while isinstance(state, Pending) and not state.failed and not state.first and state.seconds < FIRST_WITHIN_S:
        time.sleep(LOOK_EVERY_S)
        state = services().explanations.of(actor, view.id)
    return state


def _panel(actor: Actor, view: ResponseView, *, polling: bool) -> None:
    with told_plainly():
        state = services().explanations.of(actor, view.id)
        # Polling starts and ends with the page's own run; what was waited for shows before that.
        ended = polling and not _waits(actor, state)
        if (not polling and _waits(actor, state)) or (ended and st.session_state.get(Key.WHY_ENDED) == view.id):
            st.session_state.pop(Key.WHY_ENDED, None)
            st.rerun()
        if ended:
            st.session_state[Key.WHY_ENDED] = view.id
        if isinstance(state, Pending):
            _show_pending(actor, view, state)
        else:
            _show_whole(actor, view, state)


def _waits(actor: Actor, state: ExplanationView | Pending) -> bool:
    trial = current_trial(actor, state.response_id)
    return (isinstance(state, Pending) and not state.failed) or (trial is not None and trial.pending)


def _show_pending(actor: Actor, view: ResponseView, state: Pending) -> None:
    if state.failed:
        st.error(plain(state.error), icon=":material/error:")
        if st.button("Try once more", icon=":material/refresh:", key=f"again-{view.id}"):
            services().explanations.again(actor, view.id)
            st.rerun()
        return
    if state.first is not None:
        criterion = _choose_criterion(view)
        _show_words(view, state.first, _first_reading(state.first.criterion(criterion.id)))
        st.caption(":material/hourglass_top: A first look, not tested yet. The tested marks follow in a moment.")
    elif state.seconds > SLOW_AFTER_S and not services().health.ready()[0]:
        st.info("Waiting for the scoring program, which is starting. It goes on by itself.", icon=":material/pending:")
    else:
        st.caption(":material/hourglass_top: The model is looking at its own score…")


def _show_whole(actor: Actor, view: ResponseView, state: ExplanationView) -> None:
    if not state.version_active:
        st.caption(
            ":material/history: This score, and so this explanation, comes from an earlier version of the model. "
            "Score the upload again to hear the present one."
        )
    criterion = _choose_criterion(view)
    found = state.explanation.criterion(criterion.id)
    _show_words(view, state.explanation, _choose_reading(view, criterion, found))
    parts = [part for part in PARTS if part != "Experts" or state.explanation.gate_weights]
    tabs = dict(zip(parts, st.tabs(parts, key=Key.WHY_PART, on_change="rerun"), strict=True))
    with next(tab for tab in tabs.values() if tab.open):
        if tabs["How sure"].open:
            show_sureness(view, criterion, found, state.coverage)
        elif tabs["Similar answers"].open:
            show_neighbours(view, state)
        elif tabs["Try another wording"].open:
            show_what_if(actor, view, criterion, state)
        else:
            show_experts(view, state)


def _choose_criterion(view: ResponseView) -> Criterion:
    criteria = [part.criterion for part in view.criteria]
    if len(criteria) == 1:
        return criteria[0]
    names = {criterion.id: criterion.name for criterion in criteria}
    chosen = st.pills(
        "Criterion", list(names), default=criteria[0].id, required=True, key=f"{Key.WHY_CRITERION}-{view.task.id}",
        format_func=lambda key: plain(names[key]), label_visibility="collapsed",
    )  # fmt: skip
    return view.task.criterion(chosen or criteria[0].id)


@dataclass(frozen=True)
class Reading:
    """One set of values to highlight, with the sentence that says how far it can be trusted."""

    values: tuple[float, ...]
    scale: float
    meaning: Meaning
    shown: bool
    sentence: str


def _first_reading(found: CriterionExplanation) -> Reading:
    return Reading(found.gradient, found.scale, Meaning(), True, "")


def _choose_reading(view: ResponseView, criterion: Criterion, found: CriterionExplanation) -> Reading:
    """The expected score's attribution, or that of the choice between the level and one beside it."""
    assert found.attribution is not None
    whole = found.attribution
    readings = {
        "What moved the score": Reading(whole.values, found.scale, Meaning(), whole.trustworthy, whole.sentence)
    }
    for pair in found.pairs:
        if found.level not in (pair.lower, pair.upper):
            continue
        of, other = (pair.upper, pair.lower) if found.level == pair.upper else (pair.lower, pair.upper)
        part = pair.attribution
        scale = max([abs(value) for value in part.values] + [LEAST_SCALE])
        meaning = Meaning(f"speaks for level {pair.upper}", f"speaks for level {pair.lower}", "log-odds")
        readings[f"Why {of} and not {other}"] = Reading(part.values, scale, meaning, part.trustworthy, part.sentence)
    chosen = st.segmented_control(
        "Question", list(readings), default="What moved the score", required=True, label_visibility="collapsed",
        key=f"why-question-{view.id}-{criterion.id}",
    )  # fmt: skip
    return readings[chosen or "What moved the score"]


def _show_words(view: ResponseView, explanation: Explanation, reading: Reading) -> None:
    """The answer with its words marked, the legend, and what the test of the marks found."""
    if explanation.note:
        st.caption(":material/info: " + plain(explanation.note))
    spans, read = explanation.spans, explanation.words_read
    with st.container(border=True, key=f"why-words-{view.id}"):
        if not reading.shown:
            st.html(highlights.plainly(view.text or " "))
        else:
            st.html(highlights.highlighted(view.text, spans, reading.values, reading.scale, reading.meaning, read))
    if reading.sentence:
        st.markdown((":material/verified: " if reading.shown else ":material/block: ") + plain(reading.sentence))
    if reading.shown and not highlights.stands_out(reading.values, reading.scale):
        st.caption("No word stands out: many words did a little each.")
    elif reading.shown:
        st.html(highlights.legend(reading.meaning))
    if reading.shown:
        with st.expander("The words as a list"):
            _show_list(view, explanation, reading)


def _show_list(view: ResponseView, explanation: Explanation, reading: Reading) -> None:
    rows = sorted(
        zip(explanation.spans[: explanation.words_read], reading.values, strict=False), key=lambda row: -abs(row[1])
    )
    st.dataframe(
        {
            "Word": [view.text[slice(*span)] for span, _ in rows],
            "Does": [reading.meaning.up if value > 0 else reading.meaning.down for _, value in rows],
            f"By ({reading.meaning.unit})": [round(abs(value), 3) for _, value in rows],
        },
        hide_index=True, height=220, alt="Every word with what it did, strongest first",
    )  # fmt: skip
