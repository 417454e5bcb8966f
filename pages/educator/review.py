"""One response at a time: its rubric, what the model says, and the person's decision."""

from __future__ import annotations

import uuid

import streamlit as st

from pages.components.answer import show_answer, show_history
from pages.components.charts import level_probabilities
from pages.components.frame import empty_state, heading, told_plainly
from pages.components.queue import queue
from pages.components.selection import opened_upload, select_response, selected_response
from pages.components.session import Key, current_actor, remember_notice, services
from pages.components.tables import score_table
from pages.components.words import plain
from scoring.errors import EvenhandError, InvalidInput
from scoring.services.actors import Actor
from scoring.services.review import CriterionView, ResponseView


def nonce_for(view: ResponseView, what: str) -> str:
    """One nonce per response, revision and kind of action: the same press twice is the same decision."""
    nonces = st.session_state.setdefault(Key.NONCE, {})
    return str(nonces.setdefault((view.id, view.revision, what), uuid.uuid4().hex))


def level_key(view: ResponseView, criterion_id: str) -> str:
    """The widget of one criterion of one response at one revision; never shared with another response."""
    return f"{Key.LEVEL}-{view.id}-{view.revision}-{criterion_id}"


def reason_key(view: ResponseView) -> str:
    """The widget of the reason, likewise."""
    return f"{Key.REASON}-{view.id}-{view.revision}"


def save(actor: Actor, view: ResponseView, nonce: str, following: int | None) -> None:
    """Send the decision as one message; go on only when it is saved."""
    levels = {v.criterion.id: st.session_state.get(level_key(view, v.criterion.id)) for v in view.criteria}
    try:
        chosen = {criterion_id: level for criterion_id, level in levels.items() if level is not None}
        if len(chosen) < len(levels):
            raise InvalidInput("Choose a level for every criterion, then save.")
        seen = {v.criterion.id: v.machine.level for v in view.criteria if v.machine is not None}
        reason = st.session_state[reason_key(view)]
        services().review.decide(actor, view.id, view.revision, chosen, nonce, reason, seen)
    except EvenhandError as error:
        st.session_state[Key.REVIEW_ERROR] = (view.id, str(error))
        return
    remember_notice(f"Saved for {plain(view.learner)}.")
    if following is not None:
        select_response(following)


def undo(actor: Actor, view: ResponseView, nonce: str) -> None:
    """Take back the actor's last decision on this response."""
    try:
        services().review.undo(actor, view.id, view.revision, nonce)
        remember_notice("Taken back; what stood before stands again.")
    except EvenhandError as error:
        st.session_state[Key.REVIEW_ERROR] = (view.id, str(error))


def show_criterion(view: ResponseView, part: CriterionView) -> None:
    """The levels to choose from, with the model's own view beside them."""
    criterion = part.criterion
    st.markdown(f"**{plain(criterion.name)}**", help=plain(criterion.description) or None)
    values = list(criterion.values)
    chosen = part.final.level
    st.radio(
        criterion.name, values, key=level_key(view, criterion.id), label_visibility="collapsed",
        index=values.index(chosen) if chosen in values else None,
        format_func=lambda value: label(part, value),
        captions=[plain(level.descriptor) for level in criterion.levels],
    )  # fmt: skip
    if part.machine is None:
        st.caption("The model gave no score here.")
        return
    with st.expander(f"How sure the model is: {100 * part.machine.probability(criterion):.0f}%"):
        level_probabilities(criterion, part.machine, f"p-{view.id}-{criterion.id}")
        if part.machine.probability(criterion) < max(part.machine.probabilities):
            st.caption("It suggests the level nearest to the average of all; another one alone is likelier.")


def label(part: CriterionView, value: int) -> str:
    """A level's number and short name, with the model's choice marked in words."""
    level = part.criterion.levels[value - part.criterion.levels[0].value]
    name = f"{value} · {plain(level.label)}" if level.label else f"level {value}"
    chosen = part.machine is not None and part.machine.level == value
    return f"{name}  :material/smart_toy: model" if chosen else name


def show_ways(actor: Actor, view: ResponseView, ids: list[int]) -> None:
    """To the answer before, to the one after, and back from a decision."""
    position = ids.index(view.id)
    with st.container(horizontal=True):
        if st.button("Previous", icon=":material/arrow_back:", disabled=position == 0):
            select_response(ids[position - 1])
            st.rerun()
        if st.button("Next", icon=":material/arrow_forward:", disabled=position == len(ids) - 1):
            select_response(ids[position + 1])
            st.rerun()
        if view.may_undo:
            st.button(
                "Take back my decision", icon=":material/undo:", on_click=undo,
                args=(actor, view, nonce_for(view, "undo")),
            )  # fmt: skip


def show_decision(actor: Actor, view: ResponseView, following: int | None) -> None:
    """The form with a level per criterion, and why the last try was refused."""
    failed = st.session_state.pop(Key.REVIEW_ERROR, None)
    if failed and failed[0] == view.id:
        st.error(plain(failed[1]), icon=":material/error:")
    with st.form(f"decision-{view.id}-{view.revision}"):
        for part in view.criteria:
            show_criterion(view, part)
        st.text_input(
            "Reason (needed when you choose another level than the model)", max_chars=2000,
            key=reason_key(view), placeholder="For example: uses the number from the table",
        )  # fmt: skip
        st.form_submit_button(
            "Save and go on" if following is not None else "Save", type="primary", icon=":material/check:",
            on_click=save, args=(actor, view, nonce_for(view, "decide"), following),
        )  # fmt: skip


def main(actor: Actor) -> None:
    """The screen."""
    upload = opened_upload(actor)
    if upload is None:
        heading("Review")
        empty_state(
            "rate_review", "Choose an upload first", "Open one under **Results**, then come back.",
            "educator/results.py", "Go to Results",
        )  # fmt: skip
        return
    table = score_table(actor, upload.id)
    heading("Review", f"{upload.task_title} · {upload.section} · {upload.file_name}")
    if not upload.finished:
        st.info(
            "This upload is still being scored; what is not scored yet shows no level.",
            icon=":material/autorenew:",
        )
    reviewed = {int(i) for i in table.frame.loc[table.frame["reviewed"], "response_id"]}
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    with right:
        ids = queue(upload, table)
    response_id = selected_response()
    if response_id not in ids:
        response_id = next((i for i in ids if i not in reviewed), ids[0])
        # Into the address, so that this answer stays on the screen when somebody else decides on it.
        select_response(response_id)
    with left:
        st.progress(
            len(reviewed) / len(ids),
            text=f"{len(reviewed):,} of {len(ids):,} reviewed · showing {ids.index(response_id) + 1:,}",
        )
    if len(reviewed) == len(ids):
        st.success("Every answer of this upload is reviewed.", icon=":material/task_alt:")
    view = services().review.response(actor, response_id)
    position = ids.index(view.id)
    others = (i for i in ids[position + 1 :] + ids[:position] if i not in reviewed)
    left, right = st.columns([5, 4], gap="large")
    with left:
        show_answer(view)
        show_ways(actor, view, ids)
        show_history(view)
    with right:
        show_decision(actor, view, next(others, None))


with told_plainly():
    main(current_actor())
