"""Who saw what: one event per person, object and hour, so that the log says it without being flooded."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from db.engine import Database
from db.tables import User
from scoring.services.actors import Actor, require
from scoring.services.audit import record_look, seen_lately
from scoring.services.review_views import visible_response
from scoring.services.uploads import require_upload

Check = Callable[[Session, User], None]


class Looks:
    """Putting on record that a screen showed somebody an object of theirs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def upload(self, actor: Actor, upload_id: str) -> None:
        """An upload's results were opened."""

        def check(session: Session, user: User) -> None:
            require_upload(session, user, upload_id)

        self._record(actor, "upload.see", "upload", upload_id, check)

    def response(self, actor: Actor, response_id: int) -> None:
        """A response's text was opened."""

        def check(session: Session, user: User) -> None:
            visible_response(session, user, response_id)

        self._record(actor, "response.see", "response", response_id, check)

    def _record(self, actor: Actor, action: str, object_type: str, object_id: object, check: Check) -> None:
        # Most looks are on record already; those need no place in the queue of writers.
        with self._database.read() as session:
            user = require(session, actor)
            check(session, user)
            if seen_lately(session, user.id, action, object_type, object_id):
                return
        with self._database.write() as session:
            record_look(session, require(session, actor).id, action, object_type, object_id)
