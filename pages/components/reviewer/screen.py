"""The desk over one upload: hears what it sent, has it done, and draws what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from pages.components.reviewer.component import sent_message, show_desk
from pages.components.reviewer.messages import Answer, Sitting, carry_out, first_to_review
from pages.components.reviewer.payload import desk_data
from pages.components.selection import select_response, selected_response
from pages.components.session import Key, services
from scoring.services.actors import Actor
from scoring.services.review import QueueFilter, ResponseView


@dataclass(frozen=True)
class Shown:
    """What the desk shows: one response, and how many of those looked through are reviewed."""

    view: ResponseView
    only: QueueFilter | None
    reviewed: int


def review_at_desk(actor: Actor, upload_id: str) -> Shown | None:
    """Draw the desk; `None` when the upload has no response to show."""
    key = f"{Key.DESK}-{upload_id}"
    answer = _hear(actor, _sitting(actor, upload_id), sent_message(key))
    sitting = _sitting(actor, upload_id)
    ids = _around(actor, sitting)
    current = selected_response()
    if current not in ids:
        return None
    views = services().review.responses(actor, ids)
    state = services().review.queue(actor, upload_id, only=sitting.only)
    message = show_desk(desk_data(views, current, state, sitting.order, sitting.only, _told(answer)), key)
    if message is not None and (answer is None or message.get("nonce") != answer.nonce):
        # After a lost connection the message is known only once the desk is drawn again.
        st.rerun()
    return Shown(next(view for view in views if view.id == current), sitting.only, state.reviewed)


def _sitting(actor: Actor, upload_id: str) -> Sitting:
    """This tab's stay at the desk; another upload begins another one."""
    sittings: dict[str, Sitting] = st.session_state.setdefault(Key.SITTING, {})
    if upload_id not in sittings:
        sittings[upload_id] = Sitting(upload_id, services().review.queue(actor, upload_id).mark)
    return sittings[upload_id]


def _hear(actor: Actor, sitting: Sitting, message: Mapping[str, Any] | None) -> Answer | None:
    """What became of the newest message. It is done once, however often the page runs."""
    answers: dict[str, Answer] = st.session_state.setdefault(Key.ANSWER, {})
    answer = answers.get(sitting.upload_id)
    if message is None or (answer is not None and answer.nonce == message.get("nonce")):
        return answer
    answer = carry_out(actor, sitting, message)
    if answer.sitting is not None:
        st.session_state[Key.SITTING][sitting.upload_id] = answer.sitting
    if answer.show is not None:
        select_response(answer.show)
    answers[sitting.upload_id] = answer
    return answer


def _around(actor: Actor, sitting: Sitting) -> list[int]:
    """The responses around the one in the address, if that is one of this upload, else around the first to review."""
    review, chosen = services().review, selected_response()
    ids = [] if chosen is None else review.window(actor, sitting.upload_id, sitting.order, chosen, only=sitting.only)
    if chosen in ids:
        return ids
    first = first_to_review(actor, sitting)
    if first is None:
        return []
    # Into the address, so that this answer stays on the screen when somebody else decides on it.
    select_response(first)
    return review.window(actor, sitting.upload_id, sitting.order, first, only=sitting.only)


def _told(answer: Answer | None) -> dict[str, Any] | None:
    """The answer as the desk reads it."""
    if answer is None:
        return None
    told = asdict(answer)
    del told["sitting"]
    return told
