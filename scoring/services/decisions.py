"""Deciding, taking back, putting back. A decision is one message, saved whole before the next response shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.engine import Database
from db.tables import HumanScoreRow, Response
from scoring.errors import Conflict, InvalidInput
from scoring.services.actors import Actor, require
from scoring.services.audit import record
from scoring.services.decision_reading import (
    newest_standing,
    require_same_decision,
    require_same_move,
    sent_before,
    to_put_back,
)
from scoring.services.decision_writing import Wish, append, put_back, retract
from scoring.services.review_state import standing_levels
from scoring.services.review_views import ResponseView, response_view, visible_response
from scoring.services.uploads import require_upload


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
            if sent := sent_before(session, user, nonce):
                require_same_decision(session, sent, [response_id], levels)
                return response_view(session, user, response)
            wish = Wish(levels, reason, reason_kind)
            kinds = append(session, user, {response_id: revision}, wish, nonce, seen={response_id: machine_seen})
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
            actor, response_id, revisions, Wish(levels, reason, reason_kind), nonce, machine_seen or {}, "group"
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
        return self._decide_many(actor, first, revisions, Wish(levels, reason, reason_kind), nonce, {}, "reconcile")

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
            if sent := sent_before(session, user, nonce):
                require_same_move(session, sent, response.upload_id, back=True, response_id=response_id)
                return response_view(session, user, response)
            newest = newest_standing(session, user, HumanScoreRow.response_id == response_id)
            if newest is None:
                raise Conflict("There is no decision of yours to undo on this response.")
            retract(session, user, newest, nonce, {response_id: revision})
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
            if sent := sent_before(session, user, nonce):
                require_same_move(session, sent, upload_id, back=True)
                return sent[0].response_id
            here = HumanScoreRow.response_id.in_(select(Response.id).where(Response.upload_id == upload_id))
            newest = newest_standing(session, user, HumanScoreRow.id > since, here)
            if newest is None:
                raise Conflict("Nothing that you decided in this sitting is left to take back.")
            return retract(session, user, newest, nonce, {})

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
            if sent := sent_before(session, user, nonce):
                require_same_move(session, sent, upload_id, back=False)
                return sent[0].response_id
            retractions = to_put_back(session, user, upload_id, since)
            if not retractions:
                raise Conflict("Nothing that you took back in this sitting is left to put back.")
            return put_back(session, user, retractions, nonce)

    def _decide_many(
        self,
        actor: Actor,
        looked_at: int,
        revisions: Mapping[int, int],
        wish: Wish,
        nonce: str,
        seen: Mapping[int, Mapping[str, int]],
        action: str,
    ) -> list[int]:
        with self._database.write() as session:
            user = require(session, actor)
            response = visible_response(session, user, looked_at)
            ids = [looked_at, *sorted(set(revisions) - {looked_at})]
            if sent := sent_before(session, user, nonce):
                require_same_decision(session, sent, ids, wish.levels)
                return ids
            _require_alike(session, response, ids)
            if action == "reconcile" and set(standing_levels(session, ids)) != set(ids):
                raise InvalidInput("Only answers that somebody has scored can be reconciled. Score this one first.")
            fresh = {i: revisions[i] for i in ids}
            append(session, user, fresh, wish, nonce, seen=seen, batch=nonce)
            record(
                session, user.id, f"response.decide_{action}", "response", looked_at,
                responses=ids, levels=dict(wish.levels),
            )  # fmt: skip
            return ids


def _require_alike(session: Session, looked_at: Response, ids: Sequence[int]) -> None:
    """All of a decision's answers belong to one group; one alone needs none."""
    group = (Response.upload_id == looked_at.upload_id, Response.alike_group == looked_at.alike_group)
    alike = select(Response.id).where(Response.id.in_(ids), Response.alike_group.is_not(None), *group)
    if set(ids) - set(session.scalars(alike)) - {looked_at.id}:
        raise InvalidInput(
            "Not all of these answers say the same any more, or one was erased. Reload the page, then decide again."
        )
