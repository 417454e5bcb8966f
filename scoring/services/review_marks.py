"""What people put beside an answer while they review: a flag, a comment, and that they have it open."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select

from db.engine import Database
from db.queries import criterion_ids
from db.tables import Claim, Comment, ReviewFlag, utc_now
from scoring.errors import Conflict, InvalidInput
from scoring.services.actors import Actor, require
from scoring.services.audit import record
from scoring.services.feedback import LONGEST_COMMENT
from scoring.services.review_views import claimed_by, version_of, visible_response

CLAIM = timedelta(seconds=90)
LONGEST_NOTE = 500


class Marks:
    """Flags, comments and claims."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def flag(self, actor: Actor, response_id: int, on: bool, note: str = "") -> None:
        """Mark a response to come back to it, or take the mark off; the section's educators share it."""
        note = note.strip()
        if len(note) > LONGEST_NOTE:
            raise InvalidInput(f"The note may have at most {LONGEST_NOTE} characters.")
        with self._database.write() as session:
            user = require(session, actor)
            visible_response(session, user, response_id)
            before = session.get(ReviewFlag, response_id)
            if (before is not None) is on and (before is None or before.note == note):
                return
            session.execute(delete(ReviewFlag).where(ReviewFlag.response_id == response_id))
            session.expunge_all()
            if on:
                session.add(ReviewFlag(response_id=response_id, user_id=user.id, note=note))
            record(session, user.id, "response.flag" if on else "response.unflag", "response", response_id)

    def comment(self, actor: Actor, response_id: int, criterion_id: str | None, text: str | None, nonce: str) -> None:
        """Write to the learner, on one criterion or (`None`) on the whole answer.

        Args:
            actor: Who writes.
            response_id: The response.
            criterion_id: The criterion, `None` for the whole answer.
            text: What is told instead of the template for the level. Empty takes an earlier comment back; `None`
                keeps the template from this learner: nothing is told.
            nonce: Made once per comment. The same nonce again changes nothing.

        Raises:
            Conflict: the nonce came with another comment before; nothing was saved.
            InvalidInput: the text is too long, or there is no such criterion.
        """
        text = text.strip() if text is not None else None
        if text is not None and len(text) > LONGEST_COMMENT:
            raise InvalidInput(f"A comment may have at most {LONGEST_COMMENT:,} characters; shorten it.")
        with self._database.write() as session:
            user = require(session, actor)
            response = visible_response(session, user, response_id)
            criterion = None
            if criterion_id:
                criterion = criterion_ids(session, version_of(session, response.upload_id).id).get(criterion_id)
                if criterion is None:
                    raise InvalidInput("The rubric of this answer has no such criterion. Reload the page.")
            row = Comment(response_id=response_id, criterion_id=criterion, author_id=user.id, text=text, nonce=nonce)
            sent = session.scalar(select(Comment).where(Comment.nonce == nonce))
            if sent is not None:
                same = ("response_id", "criterion_id", "author_id", "text")
                if any(getattr(sent, name) != getattr(row, name) for name in same):
                    raise Conflict("Another comment was saved from this screen already. Reload the page.")
                return
            session.add(row)
            action = "response.comment" if text is not None else "response.withhold_comment"
            record(session, user.id, action, "response", response_id, criterion=criterion)

    def claim(self, actor: Actor, response_id: int) -> str | None:
        """Say that the actor has a response open, for 90 seconds from now; it warns others and locks nothing.

        Returns:
            The name of another person who has it open; theirs stays until it lapses.
        """
        with self._database.write() as session:
            user = require(session, actor)
            visible_response(session, user, response_id)
            other = claimed_by(session, user, response_id)
            if other is None:
                session.merge(Claim(response_id=response_id, user_id=user.id, until=utc_now() + CLAIM))
            return other

    def release(self, actor: Actor, response_id: int) -> None:
        """Say that the actor has left a response."""
        with self._database.write() as session:
            user = require(session, actor)
            visible_response(session, user, response_id)
            session.execute(delete(Claim).where(Claim.response_id == response_id, Claim.user_id == user.id))
