"""Trying another wording: what the model would say to an edited answer. It never becomes a score."""

from __future__ import annotations

import streamlit as st

from pages.components import highlights
from pages.components.explanation_charts import gate_bars, largest, layer_columns, layer_name
from pages.components.highlights import Meaning
from pages.components.session import Key, services
from pages.components.words import plain
from scoring.domain import Criterion
from scoring.errors import EvenhandError
from scoring.services.actors import Actor
from scoring.services.explanations import Explanation, ExplanationView, TrialView
from scoring.services.review import ResponseView


def current_trial(actor: Actor, response_id: int) -> TrialView | None:
    """The wording that was tried last on this response, in this tab."""
    held = st.session_state.get(Key.TRIAL)
    if held is None or held[0] != response_id:
        return None
    try:
        return services().explanations.trial(actor, held[1])
    except EvenhandError:
        # Its day is over, or the answer is not the actor's any more; the panel says the latter itself.
        st.session_state.pop(Key.TRIAL, None)
        return None


def show_what_if(actor: Actor, view: ResponseView, criterion: Criterion, state: ExplanationView) -> None:
    """The form, and under it what the last try got: all its scores, and its words for one criterion."""
    with st.form(f"what-if-{view.id}", border=False):
        text = st.text_area(
            "Change the answer here and see what the model makes of it", value=view.text, height=160,
            key=f"what-if-text-{view.id}",
        )  # fmt: skip
        sent = st.form_submit_button("See what changes", icon=":material/science:")
    st.caption("Only to understand the model: nothing of this is saved as a score, and it is deleted after a day.")
    if sent:
        st.session_state[Key.TRIAL] = (view.id, services().explanations.try_text(actor, view.id, text or ""))
        st.rerun()
    trial = current_trial(actor, view.id)
    if trial is None:
        return
    if trial.error:
        st.error(plain(trial.error), icon=":material/error:")
    elif trial.explanation is None:
        st.caption(":material/hourglass_top: The model reads the new wording…")
    else:
        _show_change(view, criterion, state.explanation, trial.text, trial.explanation)


def _show_change(view: ResponseView, criterion: Criterion, before: Explanation, text: str, after: Explanation) -> None:
    with st.container(horizontal=True, gap="medium"):
        for each in view.task.criteria:
            old, new = before.criterion(each.id), after.criterion(each.id)
            moved = new.expected - old.expected
            st.metric(
                plain(each.name),
                f"{old.level} → {new.level}" if old.level != new.level else f"still {new.level}",
                f"{moved:+.2f} points" if abs(moved) >= 0.005 else "no change",
                delta_color="off", delta_arrow="off" if abs(moved) < 0.005 else "auto", width="content",
                help=f"The model's average over the levels went from {old.expected:.2f} to {new.expected:.2f}.",
            )  # fmt: skip
    found = after.criterion(criterion.id)
    with st.container(border=True):
        st.html(
            highlights.highlighted(text, after.spans, found.gradient, found.scale, Meaning(), after.words_read)
            if text.strip()
            else highlights.plainly("(no words)")
        )
    whose = f" for “{plain(criterion.name)}”" if len(view.task.criteria) > 1 else ""
    st.caption(f"A first look at the new wording{whose}, not tested. {plain(after.note)}")
    layers = len(after.gate_weights)
    most = largest([*after.gate_weights, *before.gate_weights])
    for layer, column in enumerate(layer_columns(layers)):
        with column:
            st.markdown(f"**{layer_name(layer, layers)}**" if layers > 1 else "**Experts asked**")
            others = [("the answer as it was", before.gate_weights[layer])]
            key = f"what-if-gates-{view.id}-{layer}"
            gate_bars(after.gate_weights[layer], others, "the new wording", key, most)
