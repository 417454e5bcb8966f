"""One response at a time: its rubric, what the model says, and the person's decision."""

from __future__ import annotations

import uuid

import streamlit as st

from pages.components.charts import level_probabilities
from pages.components.frame import empty_state, heading, told_plainly
from pages.components.selection import select_response, selected_response, selected_upload
from pages.components.session import Key, current_actor, services
from pages.components.tables import FLAG_WORDS, score_table
from pages.components.task_card import show_task
from scoring.domain import HumanScoreKind
from scoring.errors import EvenhandError, InvalidInput
from scoring.services.actors import Actor
from scoring.services.review import CriterionView, ResponseView
from scoring.services.scores import ScoreTable

ORDERS = ("Least sure first", "In file order", "Lowest total first", "Highest total first")
KIND_WORDS = {
    HumanScoreKind.CONFIRM: "agreed with the model",
    HumanScoreKind.OVERRIDE: "changed",
    HumanScoreKind.RETRACT: "took back a decision",
}


def ordered(table: ScoreTable, order: str) -> list[int]:
    """Response ids in the order of the work; unreviewed ones first."""
    frame = table.frame
    sureness = (
        frame[[f"{c.id}:probability" for c in table.task.criteria]].min(axis=1).astype("Float64").fillna(-1.0)
    )
    keyed = frame.assign(sureness=sureness, total=frame["total"].astype("Float64").fillna(-1.0))
    columns = {
        "Least sure first": (["reviewed", "sureness", "row"], [True, True, True]),
        "In file order": (["row"], [True]),
        "Lowest total first": (["reviewed", "total", "row"], [True, True, True]),
        "Highest total first": (["reviewed", "total", "row"], [True, False, True]),
    }[order]
    return [int(i) for i in keyed.sort_values(columns[0], ascending=columns[1])["response_id"]]


def queue(actor: Actor, upload_id: str, table: ScoreTable) -> list[int]:
    """The order, frozen while one works through it, so that a decision does not shuffle what comes next."""
    order = st.selectbox("Order", ORDERS, key="order-choice")
    held = st.session_state.get(Key.ORDER)
    if held is None or held[0] != (upload_id, order) or len(held[1]) != len(table.frame):
        held = ((upload_id, order), ordered(table, order))
        st.session_state[Key.ORDER] = held
    return list(held[1])


def nonce_for(view: ResponseView, what: str) -> str:
    """One nonce per response, revision and kind of action: the same press twice is the same decision."""
    nonces = st.session_state.setdefault(Key.NONCE, {})
    return nonces.setdefault((view.id, view.revision, what), uuid.uuid4().hex)


def level_key(view: ResponseView, criterion_id: str) -> str:
    """The widget of one criterion of one response at one revision; never shared with another response."""
    return f"level-{view.id}-{view.revision}-{criterion_id}"


def save(actor: Actor, view: ResponseView, nonce: str, following: int | None) -> None:
    """Send the decision as one message; go on only when it is saved."""
    levels = {v.criterion.id: st.session_state.get(level_key(view, v.criterion.id)) for v in view.criteria}
    reason = st.session_state.get(f"reason-{view.id}-{view.revision}", "")
    try:
        if any(level is None for level in levels.values()):
            raise InvalidInput("Choose a level for every criterion, then save.")
        services().review.decide(actor, view.id, view.revision, levels, nonce, reason)
    except EvenhandError as error:
        st.session_state[Key.NOTICE] = ""
        st.session_state["review-error"] = (view.id, str(error))
        return
    st.session_state[Key.NOTICE] = f"Saved for {view.learner}."
    if following is not None:
        select_response(following)


def undo(actor: Actor, view: ResponseView, nonce: str) -> None:
    """Take back the actor's last decision on this response."""
    try:
        services().review.undo(actor, view.id, view.revision, nonce)
        st.session_state[Key.NOTICE] = "Taken back; what stood before stands again."
    except EvenhandError as error:
        st.session_state["review-error"] = (view.id, str(error))


def show_criterion(view: ResponseView, part: CriterionView) -> None:
    """The levels to choose from, with the model's own view beside them."""
    criterion = part.criterion
    st.markdown(f"**{criterion.name}**", help=criterion.description or None)
    values = list(criterion.values)
    chosen = part.final.level
    st.radio(
        criterion.name, values, key=level_key(view, criterion.id), label_visibility="collapsed",
        index=values.index(chosen) if chosen in values else None,
        format_func=lambda value: label(part, value),
        captions=[level.descriptor for level in criterion.levels],
    )  # fmt: skip
    if part.machine is not None:
        with st.expander(f"How sure the model is: {100 * part.machine.probability(criterion):.0f}%"):
            level_probabilities(criterion, part.machine, f"p-{view.id}-{criterion.id}")
    else:
        st.caption("The model gave no score here.")


def label(part: CriterionView, value: int) -> str:
    """A level's number and short name, with the model's choice marked in words."""
    level = part.criterion.levels[value - part.criterion.levels[0].value]
    name = f"{value} · {level.label}" if level.label else f"level {value}"
    chosen = part.machine is not None and part.machine.level == value
    return f"{name}  :material/smart_toy: model" if chosen else name


def show_history(view: ResponseView) -> None:
    """Who decided what on this response."""
    lines = [
        (entry.at, f"{entry.at:%d %b %Y, %H:%M} UTC · **{part.criterion.name}** · {entry.rater} "
                   f"{KIND_WORDS.get(entry.kind, entry.kind)}"
                   + (f" to {entry.level}" if entry.level is not None else "")
                   + (f": “{entry.reason}”" if entry.reason else "")
                   + (" (taken back)" if entry.retracted else ""))
        for part in view.criteria
        for entry in part.history
    ]  # fmt: skip
    if lines:
        with st.expander(f"History ({len(lines)})"):
            for _, line in sorted(lines, key=lambda pair: pair[0]):
                st.markdown(line)


def show_answer(view: ResponseView) -> None:
    """The learner's text as typed; never read as Markdown or HTML."""
    who = f"{view.learner_name} ({view.learner})" if view.learner_name else view.learner
    st.markdown(
        f"#### {who.replace('*', '').replace('[', '(')}"
        + (f" · attempt {view.attempt}" if view.attempt > 1 else "")
    )
    with st.container(horizontal=True):
        if view.reviewed:
            st.badge("reviewed", icon=":material/check:", color="green")
        elif any(part.machine for part in view.criteria):
            st.badge("unreviewed: the model's suggestion", icon=":material/smart_toy:", color="orange")
        else:
            st.badge("unreviewed: no score yet", icon=":material/pending:", color="orange")
        for flag in view.flags:
            st.badge(FLAG_WORDS.get(flag, flag), icon=":material/flag:", color="violet")
    with st.container(border=True, key="answer"):
        st.text(view.text or "(blank)")
    with st.expander("The task"):
        show_task(view.task, view.figure)


def show_response(actor: Actor, view: ResponseView, ids: list[int], reviewed: set[int]) -> None:
    """Answer on the left, decision on the right; one above the other on a phone."""
    position = ids.index(view.id)
    following = next(
        (i for i in ids[position + 1 :] + ids[:position] if i not in reviewed and i != view.id), None
    )
    left, right = st.columns([5, 4], gap="large")
    with left:
        show_answer(view)
        with st.container(horizontal=True):
            if st.button("Previous", icon=":material/arrow_back:", disabled=position == 0):
                select_response(ids[position - 1])
                st.rerun()
            if st.button("Next", icon=":material/arrow_forward:", disabled=position == len(ids) - 1):
                select_response(ids[position + 1])
                st.rerun()
            if view.may_undo:
                st.button("Take back my decision", icon=":material/undo:", on_click=undo,
                          args=(actor, view, nonce_for(view, "undo")))  # fmt: skip
        show_history(view)
    with right:
        failed = st.session_state.pop("review-error", None)
        if failed and failed[0] == view.id:
            st.error(failed[1], icon=":material/error:")
        with st.form(f"decision-{view.id}-{view.revision}"):
            for part in view.criteria:
                show_criterion(view, part)
            st.text_input(
                "Reason (needed when you choose another level than the model)", max_chars=2000,
                key=f"reason-{view.id}-{view.revision}", placeholder="For example: uses the number from the table",
            )  # fmt: skip
            st.form_submit_button(
                "Save and go on" if following is not None else "Save", type="primary", icon=":material/check:",
                on_click=save, args=(actor, view, nonce_for(view, "decide"), following),
            )  # fmt: skip


def main(actor: Actor) -> None:
    """The screen."""
    upload_id = selected_upload()
    if upload_id is None:
        heading("Review")
        empty_state("rate_review", "Choose an upload first", "Open one under **Results**, then come back.")
        st.page_link("educator/results.py", label="Go to Results", icon=":material/arrow_forward:")
        return
    upload = services().uploads.get(actor, upload_id)
    table = score_table(actor, upload_id)
    heading("Review", f"{upload.task_title} · {upload.section} · {upload.file_name}")
    if not upload.finished:
        st.info(
            "This upload is still being scored; what is not scored yet shows no level.",
            icon=":material/autorenew:",
        )
    reviewed = {int(i) for i in table.frame.loc[table.frame["reviewed"], "response_id"]}
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    with right:
        ids = queue(actor, upload_id, table)
    response_id = selected_response()
    if response_id not in ids:
        response_id = next((i for i in ids if i not in reviewed), ids[0])
    with left:
        done = len(reviewed)
        st.progress(
            done / len(ids),
            text=f"{done:,} of {len(ids):,} reviewed · showing {ids.index(response_id) + 1:,}",
        )
    if done == len(ids):
        st.success("Every answer of this upload is reviewed.", icon=":material/task_alt:")
    show_response(actor, services().review.response(actor, response_id), ids, reviewed)


with told_plainly():
    main(current_actor())
