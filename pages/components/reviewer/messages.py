"""What the desk asks for, carried out: each message once, each write re-checked by the services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pages.components.reviewer.payload import member_data, refusal_rows, who
from pages.components.session import services
from scoring.errors import Conflict, EvenhandError, InvalidInput, NotFound, NotSignedIn
from scoring.services.actors import Actor
from scoring.services.review import QueueFilter, QueueOrder, ResponseView, StaleDecision


@dataclass(frozen=True)
class Sitting:
    """One person's stay at the desk of one upload; undo reaches back to its beginning, the queue's `mark` then."""

    upload_id: str
    mark: int
    order: QueueOrder = QueueOrder.UNCERTAIN
    only: QueueFilter | None = None


@dataclass(frozen=True)
class Answer:
    """What became of one message.

    `show` is the response to show next, `None` the one that shows; `saved` are the responses decided on.
    """

    nonce: str
    done: bool
    text: str = ""
    show: int | None = None
    saved: tuple[int, ...] = ()
    refused: Mapping[str, Any] | None = None
    members: list[dict[str, Any]] | None = None
    found: list[dict[str, Any]] | None = None
    sitting: Sitting | None = field(default=None, repr=False)


def carry_out(actor: Actor, sitting: Sitting, message: Mapping[str, Any]) -> Answer:
    """Do what one message asks for. The same message again changes nothing, so that it may come twice.

    Raises:
        NotSignedIn: the person was signed out; everything else comes back as an answer that is not `done`.
    """
    nonce = str(message.get("nonce", ""))
    try:
        return _DOES[str(message.get("kind"))](actor, sitting, message, nonce)
    except NotSignedIn:
        raise
    except (Conflict, NotFound) as error:
        return Answer(nonce, False, str(error), refused=_refusal(actor, message, error))
    except EvenhandError as error:
        return Answer(nonce, False, str(error))
    except (KeyError, TypeError, ValueError):
        return Answer(nonce, False, "The page sent something that can't be read. Reload it, then try again.")


def _decide(actor: Actor, sitting: Sitting, message: Mapping[str, Any], nonce: str) -> Answer:
    response_id = int(message["response_id"])
    view = services().review.decide(
        actor, response_id, int(message["revision"]), _by_criterion(message["levels"]), nonce, str(message["reason"]),
        _by_criterion(message["seen"]), reason_kind=str(message["reason_kind"]),
    )  # fmt: skip
    _comment_all(actor, message, nonce)
    return Answer(
        nonce, True, f"Saved for {who(view.learner, view.learner_name)}.",
        show=_next_open(actor, sitting, response_id), saved=(response_id,),
    )  # fmt: skip


def _decide_group(actor: Actor, sitting: Sitting, message: Mapping[str, Any], nonce: str) -> Answer:
    response_id = int(message["response_id"])
    revisions = {int(key): int(revision) for key, revision in message["revisions"].items()}
    saved = services().review.decide_group(
        actor, response_id, revisions, _by_criterion(message["levels"]), nonce, str(message["reason"]),
        str(message["reason_kind"]), {int(key): _by_criterion(levels) for key, levels in message["seen"].items()},
    )  # fmt: skip
    _comment_all(actor, message, nonce)
    return Answer(
        nonce, True, f"Saved for all {len(saved)} answers.", show=_next_open(actor, sitting, response_id),
        saved=tuple(saved),
    )  # fmt: skip


def _comment(actor: Actor, sitting: Sitting, message: Mapping[str, Any], nonce: str) -> Answer:
    _comment_all(actor, message, nonce)
    untold = [text for text in message["comments"].values() if text is None]
    return Answer(nonce, True, "Saved: nothing is told there." if untold else "Comment saved.")


def _comment_all(actor: Actor, message: Mapping[str, Any], nonce: str) -> None:
    for place, (target, text) in enumerate(sorted(message["comments"].items())):
        said = None if text is None else str(text)
        services().review.comment(actor, int(message["response_id"]), target or None, said, f"{nonce}-{place}")


def _undo(actor: Actor, sitting: Sitting, message: Mapping[str, Any], nonce: str) -> Answer:
    response_id = services().review.undo_last(actor, sitting.upload_id, nonce, sitting.mark)
    return Answer(nonce, True, f"Taken back for {_whose(actor, response_id)}.", show=response_id)


def _redo(actor: Actor, sitting: Sitting, message: Mapping[str, Any], nonce: str) -> Answer:
    response_id = services().review.redo_last(actor, sitting.upload_id, nonce, sitting.mark)
    return Answer(nonce, True, f"Put back for {_whose(actor, response_id)}.", show=response_id)


def _flag(actor: Actor, sitting: Sitting, message: Mapping[str, Any], nonce: str) -> Answer:
    on = bool(message["on"])
    services().review.flag(actor, int(message["response_id"]), on, str(message["note"]))
    return Answer(nonce, True, "Flagged." if on else "Flag taken away.")


def _go(actor: Actor, sitting: Sitting, message: Mapping[str, Any], nonce: str) -> Answer:
    view = _response(actor, message)
    if view.upload_id != sitting.upload_id:
        raise NotFound("There is no such response in this upload.")
    return Answer(nonce, True, show=view.id)


def _step(actor: Actor, sitting: Sitting, message: Mapping[str, Any], nonce: str) -> Answer:
    direction = 1 if int(message["direction"]) > 0 else -1
    beside = services().review.next(
        actor, sitting.upload_id, sitting.order, int(message["response_id"]), direction=direction, only=sitting.only,
        unreviewed_only=False,
    )  # fmt: skip
    if beside is None:
        raise InvalidInput("This is the last answer." if direction > 0 else "This is the first answer.")
    return Answer(nonce, True, show=beside)


def _jump(actor: Actor, sitting: Sitting, message: Mapping[str, Any], nonce: str) -> Answer:
    return Answer(nonce, True, show=services().review.jump(actor, sitting.upload_id, str(message["to"])))


def _search(actor: Actor, sitting: Sitting, message: Mapping[str, Any], nonce: str) -> Answer:
    hits = services().review.search(actor, sitting.upload_id, str(message["words"]))
    found = [{"id": hit.id, "who": hit.learner, "snippet": hit.snippet} for hit in hits]
    return Answer(nonce, True, found=found)


def _alike(actor: Actor, sitting: Sitting, message: Mapping[str, Any], nonce: str) -> Answer:
    members = services().review.group(actor, int(message["response_id"]))
    return Answer(nonce, True, members=[member_data(member) for member in members])


def _queue(actor: Actor, sitting: Sitting, message: Mapping[str, Any], nonce: str) -> Answer:
    only = QueueFilter(message["only"]) if message["only"] else None
    changed = replace(sitting, order=QueueOrder(message["order"]), only=only)
    first = first_to_review(actor, changed)
    if first is None:
        raise InvalidInput("No answer is like that. The list stays as it was.")
    return Answer(nonce, True, show=first, sitting=changed)


_DOES = {
    "decide": _decide, "decide_group": _decide_group, "comment": _comment, "undo": _undo, "redo": _redo,
    "flag": _flag, "go": _go, "step": _step, "jump": _jump, "search": _search, "alike": _alike, "queue": _queue,
}  # fmt: skip


def first_to_review(actor: Actor, sitting: Sitting) -> int | None:
    """Where to begin: the first answer that nobody has decided, else the first of all."""
    found = _next_open(actor, sitting, None)
    if found is not None:
        return found
    return services().review.next(
        actor, sitting.upload_id, sitting.order, None, only=sitting.only, unreviewed_only=False
    )


def _next_open(actor: Actor, sitting: Sitting, after: int | None) -> int | None:
    """The next undecided answer, from the beginning again after the last; `None` when all are decided."""
    return services().review.next(actor, sitting.upload_id, sitting.order, after, only=sitting.only)


def _by_criterion(levels: Mapping[str, Any]) -> dict[str, int]:
    return {str(criterion): int(level) for criterion, level in levels.items()}


def _whose(actor: Actor, response_id: int) -> str:
    view = services().review.response(actor, response_id)
    return who(view.learner, view.learner_name)


def _refusal(actor: Actor, message: Mapping[str, Any], error: EvenhandError) -> dict[str, Any] | None:
    """A refused decision beside what stands now; `None` for messages that decide nothing."""
    if message.get("kind") not in ("decide", "decide_group"):
        return None
    try:
        now = error.now if isinstance(error, StaleDecision) else _response(actor, message)
    except NotFound:
        return {"who": "This answer", "text": str(error), "rows": [], "gone": True}
    return {
        "who": who(now.learner, now.learner_name), "text": str(error), "gone": False,
        "rows": refusal_rows(now, _by_criterion(message["levels"])),
    }  # fmt: skip


def _response(actor: Actor, message: Mapping[str, Any]) -> ResponseView:
    return services().review.response(actor, int(message["response_id"]))
