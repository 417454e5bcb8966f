"""Words that move the scores of a class, and the answers on which people decided otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from pages.components import highlights
from pages.components.frame import told_plainly
from pages.components.highlights import Meaning
from pages.components.session import Key, services
from pages.components.words import counted, plain
from scoring.domain import Criterion
from scoring.services.actors import Actor
from scoring.services.tasks import TaskSummary
from scoring.services.uploads import UploadSummary
from scoring.services.word_reports import Disagreement, TaskWords, WordEffect

LOOK_EVERY_S = 2
FEW = 20  # explained answers below which the words may change with each further one
SHOWN = 12  # answers with a disagreement that are shown in full


def show_words(actor: Actor, upload: UploadSummary, criterion: Criterion) -> None:
    """What the explanations of an upload say together, and the way to have more of it explained."""
    state = services().word_reports.state(actor, upload.id)
    if state.running:
        _watch(actor, upload.id)
    elif state.explained < state.wanted:
        st.markdown(f"{state.explained:,} of {counted(state.wanted, 'answer')} are explained so far.")
        if st.button(_explain_label(state.explained), icon=":material/play_arrow:"):
            services().word_reports.explain_upload(actor, upload.id)
            st.rerun()
    if state.explained:
        show_effects(services().word_reports.words(actor, upload.id, criterion.id), "this class")


def _explain_label(explained: int) -> str:
    return "Explain the others" if explained else "Explain them"


@st.fragment(run_every=LOOK_EVERY_S)
def _watch(actor: Actor, upload_id: str) -> None:
    """How far the explaining is; when it has ended, the page is run again."""
    with told_plainly():
        state = services().word_reports.state(actor, upload_id)
        if not state.running:
            st.rerun()
        st.progress(
            state.explained / max(1, state.wanted),
            text=f"{state.explained:,} of {counted(state.wanted, 'answer')} explained; anything else goes first",
        )
        if st.button("Stop explaining", icon=":material/stop_circle:"):
            services().word_reports.stop(actor, upload_id)
            st.rerun()


def show_effects(words: TaskWords, where: str) -> None:
    """The words in two tables, with how much their evidence is worth."""
    if 0 < words.answers < FEW:
        st.warning(
            f"Not much evidence: {counted(words.answers, 'answer')}. The words may change with each further one.",
            icon=":material/help:",
        )
    up, down = st.columns(2, gap="large")
    with up:
        st.markdown("**Words that raise the score**")
        _effects(words.up, "raise")
    with down:
        st.markdown("**Words that lower the score**")
        _effects(words.down, "lower")
    st.caption(
        f"From {counted(words.answers, 'answer')} of {where} whose highlights passed their test; "
        f"{words.withheld:,} did not and are left out. A word is listed if at least 3 answers have it and its "
        "effect is not by chance."
    )


def _effects(effects: Sequence[WordEffect], direction: str) -> None:
    if not effects:
        st.caption("None that is sure.")
        return
    st.dataframe(
        pd.DataFrame(
            {
                "Word": [effect.word for effect in effects],
                "Points": [effect.effect for effect in effects],
                "Give or take": [effect.margin for effect in effects],
                "Answers": [effect.answers for effect in effects],
            }
        ),
        hide_index=True, alt=f"Words that {direction} the score, strongest first",
        column_config={
            "Points": st.column_config.NumberColumn(format="%+.2f", help="Mean over the answers that have the word."),
            "Give or take": st.column_config.NumberColumn(
                format="%.2f", help="Half the width of the 95% interval of that mean."
            ),
        },
    )  # fmt: skip


def show_disagreements(actor: Actor, task: TaskSummary, criterion: Criterion) -> None:
    """Where people's levels stand that are not the model's: in figures, then answer by answer."""
    use = services().word_reports
    found = use.disagreements(actor, task.id, criterion.id)
    if not found:
        st.caption("On this criterion no person's decision that stands differs from the model's newest score.")
        return
    kinder = [each for each in found if each.machine > each.human]
    unexplained = sum(each.explanation is None for each in found)
    with st.container(horizontal=True, gap="large"):
        st.metric("Model was kinder", f"{len(kinder):,}", width="content")
        st.metric("Model was stricter", f"{len(found) - len(kinder):,}", width="content")
        st.metric("Explained", f"{len(found) - unexplained:,} of {len(found):,}", width="content")
    label = _explain_label(len(found) - unexplained)
    if unexplained and st.button(label, icon=":material/play_arrow:", key="explain-disagreements"):
        asked = use.explain_disagreements(actor, task.id, criterion.id)
        if asked:
            st.toast(f"{counted(asked, 'answer')} will be explained while nothing else is to do.")
        else:
            st.toast("They are on their way.")
    st.html(highlights.legend(Meaning()))
    for each in found[:SHOWN]:
        _show_disagreement(each, criterion)
    if len(found) > SHOWN:
        st.caption(f"The {SHOWN} newest of {len(found):,} are shown.")


def _show_disagreement(each: Disagreement, criterion: Criterion) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            kind = "kinder" if each.machine > each.human else "stricter"
            st.markdown(f"Model **{each.machine}** · person **{each.human}** · the model was {kind}")
            st.space("stretch")
            if st.button("Open", key=f"disagreement-{each.response_id}", icon=":material/open_in_full:"):
                st.switch_page(
                    "educator/review.py",
                    query_params={Key.UPLOAD.value: each.upload_id, Key.RESPONSE.value: str(each.response_id)},
                )
        of = each.explanation.criterion(criterion.id) if each.explanation else None
        if each.explanation is None or of is None or of.attribution is None or not of.attribution.trustworthy:
            st.html(highlights.plainly(each.text, small=True))
            st.caption("Not explained yet." if of is None else plain(of.attribution.sentence if of.attribution else ""))
            return
        st.html(
            highlights.highlighted(
                each.text, each.explanation.spans, of.attribution.values, of.scale, Meaning(),
                each.explanation.words_read,
            )
        )  # fmt: skip
