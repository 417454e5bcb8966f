"""Taking an answer out at somebody's request, with all that was said about it."""

from __future__ import annotations

from sqlalchemy import delete, select

from db.engine import Database
from db.tables import MachineScore, Response, ResponseFlag, UploadFile
from scoring.services.actors import Actor, require
from scoring.services.audit import record
from scoring.services.review_state import refresh
from scoring.services.review_views import visible_response
from scoring.services.uploads import FINISHED, require_upload


class Erasing:
    """Privacy requests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def erase_response(self, actor: Actor, response_id: int) -> None:
        """Erase a response for good: its text, scores, explanations, comments and signs.

        The upload's original file holds the text too, so it goes with it, and so do the file check's
        remarks on the row. The audit log keeps the ids of what was done. Backups are not touched: let them
        expire, or make a new one and delete the old.
        """
        with self._database.write() as session:
            user = require(session, actor)
            response = visible_response(session, user, response_id)
            upload = require_upload(session, user, response.upload_id)
            upload.problems = [p for p in upload.problems if p["number"] != response.row_number]
            upload.response_count -= 1
            flags = set(session.scalars(select(ResponseFlag.kind).where(ResponseFlag.response_id == response_id)))
            scored = select(MachineScore.id).where(
                MachineScore.response_id == response_id, MachineScore.job_id == upload.job_id
            )
            if upload.status not in FINISHED and "blank" not in flags and session.scalar(scored.limit(1)) is None:
                upload.total -= 1  # one fewer for the job that runs
            alike = []
            if response.alike_group is not None:
                alike = list(
                    session.scalars(
                        select(Response.id).where(
                            Response.upload_id == upload.id,
                            Response.alike_group == response.alike_group,
                            Response.id != response_id,
                        )
                    )
                )
            session.execute(delete(UploadFile).where(UploadFile.upload_id == upload.id))
            session.execute(delete(Response).where(Response.id == response_id))
            session.expunge(response)
            refresh(session, alike)
            record(session, user.id, "response.erase", "response", response_id, upload=upload.id)
        self._database.flush_log()
