"""Appending rows to the human scores. Every write moves the revisions of its responses, or nothing is saved."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.queries import criterion_ids, hidden_ids, machine_scores
from db.tables import HumanScoreRow, Response, User
from scoring.domain import HumanScoreKind, Task
from scoring.errors import Conflict, InvalidInput
from scoring.services.audit import record
from scoring.services.decision_reading import current_revisions, same_message, standing_rows
from scoring.services.review_state import refresh
from scoring.services.review_views import StaleDecision, response_view, version_of
from scoring.services.rules import OVERRIDE_REASONS, check_reason, rule
from scoring.services.tasks import task_of

LONGEST_REASON = 2_000


@dataclass(frozen=True)
class Wish:
    """What somebody wants to stand, and why."""

    levels: Mapping[str, int]
    reason: str
    reason_kind: str


def append(
    session: Session,
    user: User,
    revisions: Mapping[int, int],
    wish: Wish,
    nonce: str,
    *,
    seen: Mapping[int, Mapping[str, int] | None],
    batch: str | None = None,
) -> dict[int, dict[str, HumanScoreKind]]:
    """Save one decision on responses of one upload; returns what kind of score each criterion got."""
    _advance(session, user, revisions)
    ids = list(revisions)
    version = version_of(session, session.get_one(Response, ids[0]).upload_id)
    task, rows = task_of(version), criterion_ids(session, version.id)
    _require_levels(task, wish.levels)
    unseen = hidden_ids(session, ids)
    machine: dict[int, dict[str, int]] = {i: {} for i in ids}
    for (i, key), score in machine_scores(session, ids, even_hidden=True).items():
        machine[i][key] = score.level
    kinds = {}
    for i in ids:
        _require_seen(seen.get(i), {} if i in unseen else machine[i])
        kinds[i] = {key: _kind(machine[i].get(key, level), level, i in unseen) for key, level in wish.levels.items()}
    _require_reason(session, wish, needed=any(HumanScoreKind.OVERRIDE in each.values() for each in kinds.values()))
    for i in ids:
        for key, level in wish.levels.items():
            session.add(
                HumanScoreRow(
                    response_id=i,
                    criterion_id=rows[key],
                    kind=HumanScoreKind.GROUP if batch else kinds[i][key],
                    level=level,
                    machine_level=machine[i].get(key),
                    rater_id=user.id,
                    reason=wish.reason.strip(),
                    reason_kind=wish.reason_kind,
                    blind=i in unseen,
                    nonce=_own_nonce(nonce, i, batch),
                    batch=batch,
                )
            )
    # Ids come in the order of adding, by which undo and redo know what was looked at.
    session.flush()
    refresh(session, ids)
    return kinds


def retract(session: Session, user: User, newest: HumanScoreRow, nonce: str, revisions: Mapping[int, int]) -> int:
    """Take back the decision that a row belongs to; returns the response that was looked at."""
    rows = standing_rows(session, user, same_message(newest))
    _advance(session, user, current_revisions(session, rows) | dict(revisions))
    batch = nonce if newest.batch else None
    for row in rows:
        session.add(
            HumanScoreRow(
                response_id=row.response_id,
                criterion_id=row.criterion_id,
                kind=HumanScoreKind.RETRACT,
                level=None,
                rater_id=user.id,
                nonce=_own_nonce(nonce, row.response_id, batch),
                batch=batch,
                retracts_id=row.id,
            )
        )
    session.flush()
    refresh(session, {row.response_id for row in rows})
    first = rows[0].response_id
    record(session, user.id, "response.undo", "response", first, rows=[row.id for row in rows])
    return first


def put_back(session: Session, user: User, retractions: Sequence[HumanScoreRow], nonce: str) -> int:
    """Append the retracted scores anew; returns the response that was looked at."""
    current = current_revisions(session, retractions)
    for row in retractions:
        later = select(HumanScoreRow.id).where(
            HumanScoreRow.response_id == row.response_id, HumanScoreRow.id > row.id, HumanScoreRow.rater_id != user.id
        )
        if session.scalars(later.limit(1)).first() is not None:
            raise _stale(session, user, row.response_id)
    _advance(session, user, current)
    batch = nonce if retractions[0].batch else None
    for row in retractions:
        before = session.get_one(HumanScoreRow, row.retracts_id)
        session.add(
            HumanScoreRow(
                response_id=before.response_id,
                criterion_id=before.criterion_id,
                kind=before.kind,
                level=before.level,
                machine_level=before.machine_level,
                rater_id=user.id,
                reason=before.reason,
                reason_kind=before.reason_kind,
                blind=before.blind,
                nonce=_own_nonce(nonce, before.response_id, batch),
                batch=batch,
                retracts_id=row.id,
            )
        )
    session.flush()
    refresh(session, current)
    first = retractions[0].response_id
    record(session, user.id, "response.redo", "response", first, rows=[row.retracts_id for row in retractions])
    return first


def _advance(session: Session, user: User, revisions: Mapping[int, int]) -> None:
    """Conditional updates decide the race; whoever loses it saves nothing."""
    for response_id, revision in revisions.items():
        done = session.execute(
            update(Response)
            .where(Response.id == response_id, Response.revision == revision)
            .values(revision=Response.revision + 1)
            .execution_options(synchronize_session=False)
        )
        if done.rowcount != 1:  # type: ignore[attr-defined]
            raise _stale(session, user, response_id)


def _stale(session: Session, user: User, response_id: int) -> StaleDecision:
    response = session.get_one(Response, response_id, populate_existing=True)
    newest = session.scalar(
        select(HumanScoreRow.rater_id)
        .where(HumanScoreRow.response_id == response_id)
        .order_by(HumanScoreRow.id.desc())
        .limit(1)
    )
    who = "You decided on this response in another window" if newest == user.id else "Somebody decided on this response"
    return StaleDecision(
        f"{who} while you were looking at it. Nothing of yours was saved; the page now shows what was decided.",
        response_view(session, user, response),
    )


def _own_nonce(nonce: str, response_id: int, batch: str | None) -> str:
    """What makes each row of a message unique: the nonce, and in a group the response with it."""
    return hashlib.sha256(f"{nonce}:{response_id}".encode()).hexdigest() if batch else nonce


def _require_levels(task: Task, levels: Mapping[str, int]) -> None:
    if not levels:
        raise InvalidInput("Choose a level for at least one criterion.")
    for criterion_id, level in levels.items():
        criterion = task.criterion(criterion_id)
        if level not in criterion.values:
            raise InvalidInput(f"{criterion.name}: level {level} is not one of {list(criterion.values)}.")


def _require_seen(seen: Mapping[str, int] | None, shown: Mapping[str, int]) -> None:
    if seen is not None and dict(seen) != dict(shown):
        raise Conflict(
            "The model scored this response again while you were looking at it, or its score has come into view. "
            "Nothing was saved; look at what the page shows now, then decide."
        )


def _kind(machine_level: int, level: int, unseen: bool) -> HumanScoreKind:
    if unseen:
        return HumanScoreKind.BLIND
    return HumanScoreKind.CONFIRM if machine_level == level else HumanScoreKind.OVERRIDE


def _require_reason(session: Session, wish: Wish, *, needed: bool) -> None:
    if len(wish.reason) > LONGEST_REASON:
        raise InvalidInput(f"The reason may have at most {LONGEST_REASON} characters.")
    if needed:
        check_reason(session, wish.reason_kind, wish.reason)
    elif wish.reason_kind and wish.reason_kind not in rule(session, OVERRIDE_REASONS)["reasons"]:
        raise InvalidInput(f"“{wish.reason_kind}” is not among the reasons to choose from. Choose another one.")
