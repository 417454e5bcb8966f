"""Deciding, taking back, putting back. A decision is one message, saved whole before the next response shows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, or_, select, update
from sqlalchemy.orm import Session, aliased

from db.engine import Database
from db.queries import criterion_ids, hidden_ids, machine_scores
from db.tables import CriterionRow, HumanScoreRow, Response, User
from scoring.domain import COUNTING_KINDS, HumanScoreKind, Task
from scoring.errors import Conflict, InvalidInput
from scoring.services.actors import Actor, require
from scoring.services.audit import record
from scoring.services.review_state import refresh, standing_levels
from scoring.services.review_views import (
    ResponseView,
    StaleDecision,
    response_view,
    version_of,
    visible_response,
)
from scoring.services.rules import OVERRIDE_REASONS, check_reason, rule
from scoring.services.tasks import task_of
from scoring.services.uploads import require_upload

LONGEST_REASON = 2_000
LONGEST_NONCE = 64


@dataclass(frozen=True)
class _Wish:
    """What somebody wants to stand, and why."""

    levels: Mapping[str, int]
    reason: str
    reason_kind: str


class Decisions:
    """Levels that people give. Rows are only ever appended; a nonce makes each message count once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def decide(
        self,
        actor: Actor,
        response_id: int,
        revision: int,
        levels: Mapping[str, int],
        nonce: str,
        reason: str = "",
        machine_seen: Mapping[str, int] | None = None,
        *,
        reason_kind: str = "",
    ) -> ResponseView:
        """Append the actor's levels: a confirmation where the machine agrees, else an override.

        Where the machine's view is hidden, the levels are blind ones and need no reason.

        Args:
            actor: Who decides; must own the section.
            response_id: The response that was on the screen.
            revision: The revision that was on the screen.
            levels: Criterion id -> level, for one or more criteria.
            nonce: Made once per decision. The same nonce again changes nothing.
            reason: In the actor's words, why a level differs from the machine's.
            machine_seen: The machine's levels that were on the screen, empty while they are hidden; when
                they changed since, nothing is saved.
            reason_kind: The same from the house's short list; house rules say which of the two is needed.

        Raises:
            StaleDecision: somebody decided meanwhile; it carries what stands now. Nothing was saved.
            Conflict: the machine's view changed, or the nonce came with another message; nothing was saved.
            InvalidInput: a level or criterion does not exist, or a reason is missing.
        """
        with self._database.write() as session:
            user = require(session, actor)
            response = visible_response(session, user, response_id)
            if sent := _sent(session, user, nonce):
                _require_same_decision(session, sent, [response_id], levels)
                return response_view(session, user, response)
            wish = _Wish(levels, reason, reason_kind)
            kinds = _append(session, user, {response_id: revision}, wish, nonce, seen={response_id: machine_seen})
            record(
                session, user.id, "response.decide", "response", response_id,
                levels=dict(levels), kinds={key: kind.value for key, kind in kinds[response_id].items()},
            )  # fmt: skip
            session.refresh(response)
            return response_view(session, user, response)

    def decide_group(
        self,
        actor: Actor,
        response_id: int,
        revisions: Mapping[int, int],
        levels: Mapping[str, int],
        nonce: str,
        reason: str = "",
        reason_kind: str = "",
        machine_seen: Mapping[int, Mapping[str, int]] | None = None,
    ) -> list[int]:
        """One decision on answers that say the same; it is taken back as one, too.

        Args:
            actor: Who decides.
            response_id: The answer that was looked at; one of `revisions`.
            revisions: Every answer that the decision is for, with the revision that was on the screen.
            levels: As in `decide`, for all of them.
            nonce: As in `decide`.
            reason: As in `decide`; needed when a level differs from the machine's on any of them.
            reason_kind: As in `decide`.
            machine_seen: As in `decide`, by response.

        Returns:
            The answers that were decided, the one that was looked at first.

        Raises:
            StaleDecision: somebody decided one of them meanwhile; nothing was saved on any.
            InvalidInput: an answer is not of the group, or as in `decide`.
        """
        return self._decide_many(
            actor, response_id, revisions, _Wish(levels, reason, reason_kind), nonce, machine_seen or {}, "group"
        )

    def reconcile(
        self,
        actor: Actor,
        revisions: Mapping[int, int],
        levels: Mapping[str, int],
        nonce: str,
        reason: str = "",
        reason_kind: str = "",
    ) -> list[int]:
        """Give the same levels to answers that say the same and had different ones; undone as one.

        Args and errors are those of `decide_group`; the first of `revisions` is taken as looked at.
        """
        if len(revisions) < 2:
            raise InvalidInput("Choose two answers that say the same.")
        first = next(iter(revisions))
        return self._decide_many(actor, first, revisions, _Wish(levels, reason, reason_kind), nonce, {}, "reconcile")

    def undo(self, actor: Actor, response_id: int, revision: int, nonce: str) -> ResponseView:
        """Retract the actor's latest decision on this response; what stood before stands again.

        A decision on a group is taken back on all of its answers.

        Raises:
            StaleDecision: somebody decided meanwhile; it carries what stands now.
            Conflict: there is nothing of the actor's to undo.
        """
        with self._database.write() as session:
            user = require(session, actor)
            response = visible_response(session, user, response_id)
            if sent := _sent(session, user, nonce):
                _require_same_move(session, sent, response.upload_id, back=True, response_id=response_id)
                return response_view(session, user, response)
            newest = _newest_standing(session, user, HumanScoreRow.response_id == response_id)
            if newest is None:
                raise Conflict("There is no decision of yours to undo on this response.")
            _retract(session, user, newest, nonce, {response_id: revision})
            session.refresh(response)
            return response_view(session, user, response)

    def undo_last(self, actor: Actor, upload_id: str, nonce: str, since: int) -> int:
        """Take back the actor's newest decision in this upload that still stands, back to the start of the sitting.

        Args:
            actor: Whose decision.
            upload_id: The upload.
            nonce: Made once per press. The same nonce again changes nothing.
            since: The `mark` of `queue()` when the sitting began. Not a time: clocks may jump.

        Returns:
            The response to show; of a group, the one that was looked at.

        Raises:
            Conflict: nothing of this sitting is left to take back.
        """
        with self._database.write() as session:
            user = require(session, actor)
            require_upload(session, user, upload_id)
            if sent := _sent(session, user, nonce):
                _require_same_move(session, sent, upload_id, back=True)
                return sent[0].response_id
            here = HumanScoreRow.response_id.in_(select(Response.id).where(Response.upload_id == upload_id))
            newest = _newest_standing(session, user, HumanScoreRow.id > since, here)
            if newest is None:
                raise Conflict("Nothing that you decided in this sitting is left to take back.")
            return _retract(session, user, newest, nonce, {})

    def redo_last(self, actor: Actor, upload_id: str, nonce: str, since: int) -> int:
        """Put the decision back that the actor took back last: same levels, same reason, as a new score.

        Args and result are those of `undo_last`. A new decision since the undo leaves nothing to put back.

        Raises:
            StaleDecision: somebody else decided there since; it carries what stands now.
            Conflict: nothing of this sitting is left to put back.
        """
        with self._database.write() as session:
            user = require(session, actor)
            require_upload(session, user, upload_id)
            if sent := _sent(session, user, nonce):
                _require_same_move(session, sent, upload_id, back=False)
                return sent[0].response_id
            retractions = _to_put_back(session, user, upload_id, since)
            if not retractions:
                raise Conflict("Nothing that you took back in this sitting is left to put back.")
            return _put_back(session, user, retractions, nonce)

    def _decide_many(
        self,
        actor: Actor,
        looked_at: int,
        revisions: Mapping[int, int],
        wish: _Wish,
        nonce: str,
        seen: Mapping[int, Mapping[str, int]],
        action: str,
    ) -> list[int]:
        with self._database.write() as session:
            user = require(session, actor)
            response = visible_response(session, user, looked_at)
            ids = [looked_at, *sorted(set(revisions) - {looked_at})]
            if sent := _sent(session, user, nonce):
                _require_same_decision(session, sent, ids, wish.levels)
                return ids
            _require_alike(session, response, ids)
            if action == "reconcile" and set(standing_levels(session, ids)) != set(ids):
                raise InvalidInput("Only answers that somebody has scored can be reconciled. Score this one first.")
            fresh = {i: revisions[i] for i in ids}
            _append(session, user, fresh, wish, nonce, seen=seen, batch=nonce)
            record(
                session, user.id, f"response.decide_{action}", "response", looked_at,
                responses=ids, levels=dict(wish.levels),
            )  # fmt: skip
            return ids


# Has it been sent before? -------------------------------------------------------------------------------------


def _sent(session: Session, user: User, nonce: str) -> list[HumanScoreRow]:
    """What this nonce saved before, oldest first."""
    if not 1 <= len(nonce) <= LONGEST_NONCE:
        raise InvalidInput(f"A decision needs a nonce of 1 to {LONGEST_NONCE} characters. Reload the page.")
    rows = session.scalars(
        select(HumanScoreRow)
        .where(or_(HumanScoreRow.nonce == nonce, HumanScoreRow.batch == nonce))
        .order_by(HumanScoreRow.id)
    ).all()
    if any(row.rater_id != user.id for row in rows):
        raise Conflict("This decision belongs to another response. Reload the page, then decide again.")
    return list(rows)


def _require_same_decision(
    session: Session, sent: Sequence[HumanScoreRow], ids: Sequence[int], levels: Mapping[str, int]
) -> None:
    """Taking another message with this nonce for saved would lose this one."""
    if {row.response_id for row in sent} != set(ids):
        raise Conflict("This decision belongs to another response. Reload the page, then decide again.")
    keys = dict(session.execute(select(CriterionRow.id, CriterionRow.key)).all())
    saved = {(row.response_id, keys[row.criterion_id], row.level) for row in sent}
    wanted = {(i, key, level) for i in ids for key, level in levels.items()}
    if saved != wanted or any(row.retracts_id is not None for row in sent):
        raise Conflict("Another decision was saved from this screen already. Reload the page, then decide again.")


def _require_same_move(
    session: Session, sent: Sequence[HumanScoreRow], upload_id: str, *, back: bool, response_id: int | None = None
) -> None:
    """The same for taking back (`back`) and putting back."""
    response = session.get(Response, sent[0].response_id)
    moved = all(row.retracts_id is not None and (row.kind == HumanScoreKind.RETRACT) is back for row in sent)
    elsewhere = response_id is not None and response_id not in {row.response_id for row in sent}
    if not moved or elsewhere or response is None or response.upload_id != upload_id:
        raise Conflict("Another decision was saved from this screen already. Reload the page, then decide again.")


# Saving -------------------------------------------------------------------------------------------------------


def _append(
    session: Session,
    user: User,
    revisions: Mapping[int, int],
    wish: _Wish,
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
            # One by one, because undo and redo go by the order of the ids.
            session.flush()
    refresh(session, ids)
    return kinds


def _retract(session: Session, user: User, newest: HumanScoreRow, nonce: str, revisions: Mapping[int, int]) -> int:
    """Take back the decision that a row belongs to; returns the response that was looked at."""
    rows = _standing(session, user, _message(newest))
    _advance(session, user, _current(session, rows) | dict(revisions))
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


def _put_back(session: Session, user: User, retractions: Sequence[HumanScoreRow], nonce: str) -> int:
    """Append the retracted scores anew; returns the response that was looked at."""
    current = _current(session, retractions)
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


# What stands --------------------------------------------------------------------------------------------------


def _standing(session: Session, user: User, *conditions: ColumnElement[bool]) -> list[HumanScoreRow]:
    """The user's scores under the conditions that were not taken back, oldest first."""
    return list(session.scalars(_not_taken_back(user, *conditions).order_by(HumanScoreRow.id)))


def _newest_standing(session: Session, user: User, *conditions: ColumnElement[bool]) -> HumanScoreRow | None:
    return session.scalars(_not_taken_back(user, *conditions).order_by(HumanScoreRow.id.desc()).limit(1)).first()


def _not_taken_back(user: User, *conditions: ColumnElement[bool]) -> Select[HumanScoreRow]:
    retraction = aliased(HumanScoreRow)
    taken_back = select(retraction.id).where(
        retraction.response_id == HumanScoreRow.response_id,
        retraction.retracts_id == HumanScoreRow.id,
        retraction.kind == HumanScoreKind.RETRACT,
    )
    return select(HumanScoreRow).where(
        HumanScoreRow.rater_id == user.id, HumanScoreRow.kind.in_(COUNTING_KINDS), ~taken_back.exists(), *conditions
    )


def _message(row: HumanScoreRow) -> ColumnElement[bool]:
    """The rows that were saved together with this one."""
    return HumanScoreRow.batch == row.batch if row.batch else HumanScoreRow.nonce == row.nonce


def _to_put_back(session: Session, user: User, upload_id: str, since: int) -> list[HumanScoreRow]:
    """The newest retraction of the user's, whole, that was not put back and that no new decision followed."""
    rows = session.scalars(
        select(HumanScoreRow)
        .join(Response, Response.id == HumanScoreRow.response_id)
        .where(HumanScoreRow.rater_id == user.id, HumanScoreRow.id > since, Response.upload_id == upload_id)
        .order_by(HumanScoreRow.id.desc())
        .execution_options(yield_per=50)
    )
    put_back = set()
    for row in rows:
        if row.kind == HumanScoreKind.RETRACT:
            if row.id not in put_back:
                whole = select(HumanScoreRow).where(_message(row), HumanScoreRow.kind == HumanScoreKind.RETRACT)
                return list(session.scalars(whole.order_by(HumanScoreRow.id)))
        elif row.retracts_id is None:
            return []
        else:
            put_back.add(row.retracts_id)
    return []


def _current(session: Session, rows: Sequence[HumanScoreRow]) -> dict[int, int]:
    """The revisions as they stand, of the responses that rows belong to."""
    ids = {row.response_id for row in rows}
    return dict(session.execute(select(Response.id, Response.revision).where(Response.id.in_(ids))).all())


# What is refused ----------------------------------------------------------------------------------------------


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


def _require_reason(session: Session, wish: _Wish, *, needed: bool) -> None:
    if len(wish.reason) > LONGEST_REASON:
        raise InvalidInput(f"The reason may have at most {LONGEST_REASON} characters.")
    if needed:
        check_reason(session, wish.reason_kind, wish.reason)
    elif wish.reason_kind and wish.reason_kind not in rule(session, OVERRIDE_REASONS)["reasons"]:
        raise InvalidInput(f"“{wish.reason_kind}” is not among the reasons to choose from. Choose another one.")


def _require_alike(session: Session, looked_at: Response, ids: Sequence[int]) -> None:
    """All of a decision's answers belong to one group; one alone needs none."""
    group = (Response.upload_id == looked_at.upload_id, Response.alike_group == looked_at.alike_group)
    alike = set(session.scalars(select(Response.id).where(Response.id.in_(ids), *group)))
    if set(ids) - alike - {looked_at.id}:
        raise InvalidInput(
            "Not all of these answers say the same any more, or one was erased. Reload the page, then decide again."
        )
