"""Labels that the model doubts, and the answers whose labels would teach it most."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.components.authoring.labelling import label_form, level_name
from pages.components.authoring.stepper import Standing, Step, go
from pages.components.frame import told_plainly
from pages.components.session import remember_notice, services
from pages.components.words import counted, plain
from scoring.services.actors import Actor

AT_ONCE = 5


def show_mislabels(actor: Actor, stands: Standing) -> None:
    """Suspected mislabels, most suspicious first, each with its reason and the way to change it."""
    report, task = stands.report, stands.task
    assert report is not None
    found = report["mislabels"]
    st.markdown("#### Labels to look at again")
    if not found:
        st.caption("No label stands out from the rest.")
        return
    st.caption(
        f"{counted(len(found), 'label')} that the rest of the labels speak against. The model may be the one that is "
        "wrong: only change what you find wrong yourself."
    )
    answers = {
        answer.response_key: answer
        for answer in services().examples.pool(actor, task.id, [suspect["response_id"] for suspect in found])
    }
    everything = len(found) > AT_ONCE and st.checkbox(f"Show all {len(found)}", key="all-mislabels")
    for place, suspect in enumerate(found if everything else found[:AT_ONCE]):
        answer = answers.get(suspect["response_id"])
        known = {criterion.id: criterion for criterion in task.task.criteria}
        criterion = known.get(suspect["criterion_id"])
        if answer is None or criterion is None:
            continue
        now = answer.levels.get(criterion.id)
        with st.container(border=True):
            st.markdown(plain(answer.text) or "*(no words)*")
            st.caption(plain(f"{criterion.name} · {suspect['reason']}"))
            if now is None or now != suspect["given"]:
                st.markdown(f":green-badge[:material/check: Changed to {now if now is not None else 'no label'} since]")
                continue
            key = f"suspect-{task.version_id}-{place}"
            with st.form(key, border=False), st.container(horizontal=True, vertical_alignment="bottom"):
                level = st.radio(
                    plain(criterion.name), criterion.values, index=criterion.values.index(now), horizontal=True,
                    format_func=partial(level_name, criterion), key=f"{key}-level",
                )  # fmt: skip
                sent = st.form_submit_button("Change the label")
            if sent:
                if level is None or level == now:
                    st.info("This is the level that it has already.")
                else:
                    with told_plainly():
                        levels = {**answer.levels, criterion.id: level}
                        services().examples.label(actor, task.id, answer.response_key, levels)
                        remember_notice("The label is changed. It counts when the task is trained the next time.")
                        st.rerun()


def show_to_label(actor: Actor, stands: Standing) -> None:
    """The answers without a label that would teach most, to label in place."""
    report, task = stands.report, stands.task
    assert report is not None
    st.markdown("#### Answers to label next")
    if not report["to_label"]:
        st.caption(
            "There are no answers without a label. Upload some under Examples, without levels, and the model proposes "
            "which of them to label."
        )
    else:
        why = {pick["response_id"]: pick["reason"] for pick in report["to_label"]}
        answers = services().examples.pool(actor, task.id, list(why))
        waiting = [answer for answer in answers if not answer.levels]
        st.caption(
            f"Of the answers that wait for a label, these would teach the model most. "
            f"{len(answers) - len(waiting)} of {len(answers)} labelled."
        )
        everything = len(waiting) > 3 and st.checkbox(f"Show all {len(waiting)}", key="all-to-label")
        for answer in waiting if everything else waiting[:3]:
            label_form(actor, task, answer, f"next-{task.version_id}-{answer.response_key}", why[answer.response_key])
    if report["examples"] != stands.overview.labelled:
        st.info(
            f"Labels were added since: {stands.overview.labelled:,} now, {report['examples']:,} when it was trained.",
            icon=":material/update:",
        )
        if st.button("Train again", key="train-again", icon=":material/school:"):
            go(task.id, Step.TRAIN)
