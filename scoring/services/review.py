"""Review: all that the screens and reports about people's decisions may call, each part in its own file."""

from __future__ import annotations

from collections.abc import Sequence

from db.engine import Database
from db.review_queries import QueueOrder
from scoring.domain import HIDDEN
from scoring.errors import InvalidInput
from scoring.services.actors import Actor, require
from scoring.services.decisions import Decisions
from scoring.services.erasing import Erasing
from scoring.services.evidence import Agreement, BlindReport, Evidence
from scoring.services.review_groups import GroupMember, Groups, Inconsistency
from scoring.services.review_marks import Marks
from scoring.services.review_queue import Queue, QueueFilter, QueueState, SearchHit
from scoring.services.review_views import (
    CheckView,
    CriterionView,
    HistoryEntry,
    ResponseView,
    StaleDecision,
    response_view,
    response_views,
    visible_response,
)

__all__ = [
    "HIDDEN", "Agreement", "BlindReport", "CheckView", "CriterionView", "GroupMember", "HistoryEntry", "Inconsistency",
    "QueueFilter", "QueueOrder", "QueueState", "ResponseView", "Review", "SearchHit", "StaleDecision",
]  # fmt: skip


class Review(Queue, Decisions, Groups, Marks, Evidence, Erasing):
    """Looking at responses and deciding on them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def response(self, actor: Actor, response_id: int) -> ResponseView:
        """One response with its rubric, scores and history."""
        with self._database.read() as session:
            user = require(session, actor)
            return response_view(session, user, visible_response(session, user, response_id))

    def responses(self, actor: Actor, response_ids: Sequence[int]) -> list[ResponseView]:
        """Several responses of one upload, in the order given. Raises `InvalidInput` where they are of several."""
        with self._database.read() as session:
            user = require(session, actor)
            responses = [visible_response(session, user, i) for i in response_ids]
            if len({response.upload_id for response in responses}) > 1:
                raise InvalidInput("These answers belong to several uploads; look at one upload at a time.")
            return response_views(session, user, responses) if responses else []
