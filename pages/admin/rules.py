"""House rules: the share scored blind, the reasons for an override, who is told of urgent signs."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.components.frame import heading, told_plainly
from pages.components.session import current_actor, remember_notice, services
from pages.components.words import ago, counted, plain, told_apart
from scoring.services.actors import Actor
from scoring.services.rules import (
    ALERTS,
    ALLOWED,
    BLIND,
    LONGEST_REASON_KIND,
    MOST_REASONS,
    NEVER,
    OVERRIDE_REASONS,
    REQUIRED,
    RuleState,
)

FREE_TEXT = {
    ALLOWED: "A reason from the list, words of one's own, or both",
    REQUIRED: "Words of one's own each time; a reason from the list comes on top",
    NEVER: "A reason from the list, nothing else",
}


def save(actor: Actor, name: str, value: dict[str, Any], done: str) -> None:
    """Save one rule, or say beside its form what is wrong with it."""
    with told_plainly():
        services().rules.change(actor, name, value)
        remember_notice(done)
        st.rerun()


def last_changed(state: RuleState) -> None:
    """Whose choice this is."""
    if state.changed_at is None:
        st.caption("As delivered; nobody has changed it yet.")
    else:
        who = f" by {plain(state.changed_by)}" if state.changed_by else ""
        st.caption(f"Changed{who}, {ago(state.changed_at)}.")


def show_blind(actor: Actor, state: RuleState) -> None:
    """How much of an upload people score before they see the model's score."""
    with st.container(border=True):
        st.subheader("Scored by a person first", anchor=False)
        st.markdown(
            "On this share of each upload, drawn at random, the model's score stays hidden everywhere until a person "
            "has scored the answer. People who see the model's score first tend to agree with it, so only these "
            "answers show how well the model does at your school."
        )
        percent = st.number_input(
            "Share of each upload, in percent",
            0,
            100,
            round(100 * state.value["share"]),
            5,
            key="blind-share",
            width=280,
        )
        st.caption(effect_of(percent))
        if st.button("Save the share", key="save-blind", icon=":material/save:"):
            save(actor, BLIND, {"share": percent / 100}, f"From now on {percent}% of each upload is scored blind.")
        last_changed(state)


def effect_of(percent: int) -> str:
    """What a share means for a class, in answers."""
    if percent == 0:
        return "Nothing is hidden, and nothing can be said about how well the model does at your school."
    if percent == 100:
        return "Every answer is scored by a person before the model’s score shows. Holds for new uploads."
    hidden = max(1, round(30 * percent / 100))
    come = "comes" if hidden == 1 else "come"
    return (
        f"In a class of 30, {counted(hidden, 'answer')} {come} up without the model’s score, before all others. "
        "Holds for new uploads."
    )


def show_reasons(actor: Actor, state: RuleState) -> None:
    """What people may say when they choose another level than the model."""
    with st.container(border=True):
        st.subheader("Reasons for another level than the model's", anchor=False)
        st.markdown(
            "Whoever chooses another level than the model says why. A short list makes that quick, and lets you see "
            "later where the model goes wrong."
        )
        with st.form("reasons", border=False):
            listed = st.text_area(
                "Reasons to choose from, one a line", "\n".join(state.value["reasons"]), height=180, key="reasons-list",
                help=f"At most {MOST_REASONS}, each of at most {LONGEST_REASON_KIND} characters.", width=560,
            )  # fmt: skip
            choices = list(FREE_TEXT)
            free_text = st.radio(
                "What is asked for", choices, index=choices.index(state.value["free_text"]),
                format_func=FREE_TEXT.__getitem__, key="reasons-free-text",
            )  # fmt: skip
            st.caption("Decisions that were made keep their reason, also when you take it off the list.")
            sent = st.form_submit_button("Save the reasons", icon=":material/save:")
        if sent:
            value = {"reasons": listed.splitlines(), "free_text": free_text}
            save(actor, OVERRIDE_REASONS, value, "The reasons are saved.")
        last_changed(state)


def show_alerts(actor: Actor, state: RuleState) -> None:
    """Who hears of answers that may tell of harm."""
    with st.container(border=True):
        st.subheader("Who is told of urgent signs", anchor=False)
        st.markdown(
            "When an answer may tell of harm, self-harm or abuse, the educators of its section see a notice on every "
            "screen. The people you choose here see it too, for every section, and can read the answer. Each look at "
            "it is kept in the audit log."
        )
        people = [person for person in services().accounts.people(actor) if person.active]
        labelled = told_apart(people, lambda person: person.name, lambda person: person.email)
        told = [label for label, person in labelled.items() if person.id in state.value["people"]]
        with st.form("told", border=False):
            chosen = st.multiselect(
                "Also told, besides the educators of the section", list(labelled), told, key="alert-people",
                placeholder="Nobody else: only the educators of the section", width=560,
            )  # fmt: skip
            st.caption(
                "If nobody who is told can sign in any more, administrators are told. Signs are missed at times: "
                "this never replaces reading the answers, nor what your school does to protect its students."
            )
            sent = st.form_submit_button("Save who is told", icon=":material/save:")
        if sent:
            ids = [labelled[label].id for label in chosen]
            save(actor, ALERTS, {"people": ids}, "Who is told is saved.")
        last_changed(state)


with told_plainly():
    actor = current_actor()
    heading("House rules", "Choices of your school. They hold from now on; what was decided before stays as it is.")
    rules = services().rules.get_all(actor)
    show_blind(actor, rules[BLIND])
    show_reasons(actor, rules[OVERRIDE_REASONS])
    show_alerts(actor, rules[ALERTS])
