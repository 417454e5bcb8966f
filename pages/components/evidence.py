"""What blind scores of an upload show: how well the model agrees, and whether seeing its level moves people."""

from __future__ import annotations

from math import isnan

import pandas as pd
import streamlit as st

from pages.components.session import services
from pages.components.words import counted
from scoring.services.actors import Actor
from scoring.services.review import Agreement, BlindReport

ENOUGH = 20  # fewer answers than this say next to nothing, and the screen says so


@st.cache_data(max_entries=8, ttl=900, show_spinner=False)
def _report(user_id: int, upload_id: str, stamp: tuple[object, ...], _actor: Actor) -> BlindReport:
    return services().review.blind_report(_actor, upload_id)


def show_evidence(actor: Actor, upload_id: str) -> None:
    """A short panel; closed, because it is for those who ask."""
    report = _report(actor.user_id, upload_id, services().scores.stamp(actor, upload_id), actor)
    if not report.drawn:
        return
    with st.expander(
        f"How well the model does here ({report.decided:,} of {report.drawn:,} blind answers scored)",
        icon=":material/visibility_off:",
    ):
        st.markdown(
            f"{counted(report.drawn, 'answer')} of this upload, drawn at random, {_is_are(report.drawn)} scored by a "
            "person before the model's score shows. Only these are evidence, because whoever sees the model's score "
            "first tends to agree with it."
        )
        if not report.decided:
            st.info("None of them is scored yet. They come first under **Review**.", icon=":material/hourglass_empty:")
            return
        if report.decided < ENOUGH:
            st.warning(
                f"Not enough evidence: {counted(report.decided, 'answer')} cannot say how well the model does. The "
                "figures below may change with each further answer.",
                icon=":material/help:",
            )
        show_agreement(report)
        show_anchoring(report)


def show_agreement(report: BlindReport) -> None:
    """Per criterion: how often the same level, and agreement beyond chance."""
    rows = [
        {
            "Criterion": part.criterion.name,
            "Same level as the model": _part(round(part.exact * part.n), part.n) if part.n else "–",
            "Agreement beyond chance (1 is perfect)": _figure(part),
        }
        for part in report.agreement
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Agreement of people with the model on blind answers")


def show_anchoring(report: BlindReport) -> None:
    """How often people differ from the model without and with its score on the screen."""
    st.markdown("**Does seeing the model's score move people?**")
    with st.container(horizontal=True, gap="large"):
        st.metric("Differ, scored blind", _part(report.blind.differing, report.blind.n), width="content")
        st.metric("Differ, model's score in view", _part(report.revealed.differing, report.revealed.n), width="content")
    st.caption(anchoring_words(report))


def anchoring_words(report: BlindReport) -> str:
    """The difference in a sentence that claims no more than its interval allows."""
    value, low, high = report.anchoring
    if isnan(value):
        return (
            "Nothing to compare yet: it takes answers scored blind and answers scored with the model's score in view."
        )
    between = f"between {100 * low:+.0f} and {100 * high:+.0f} percentage points, with 95% confidence"
    if low > 0:
        return (
            f"Yes: people differ from the model more often when they score blind, by something {between}. "
            "Trust the blind scores."
        )
    if high < 0:
        return f"People differ from the model less often when they score blind; the difference lies {between}."
    return f"No clear difference so far; the true one lies {between}."


def _part(count: int, n: int) -> str:
    return f"{count:,} of {n:,}" if n else "–"


def _figure(part: Agreement) -> str:
    if part.n < ENOUGH:
        return "not enough evidence"
    if isnan(part.qwk):
        return "–"
    between = "" if isnan(part.low) or isnan(part.high) else f" ({part.low:.2f} to {part.high:.2f})"
    return f"{part.qwk:.2f}{between}"


def _is_are(number: int) -> str:
    return "is" if number == 1 else "are"
