"""From a candidate to the model that scores: compared, previewed, activated, rolled back."""

from __future__ import annotations

import uuid
from pathlib import Path

from sqlalchemy import select

from db.adaptation_queries import answer_count
from db.engine import Database
from db.tables import Adaptation, Preview, StudentVersion, TaskVersion, utc_now
from scoring.domain import Role
from scoring.errors import Conflict
from scoring.services.actors import Actor, require
from scoring.services.adaptations import new_run, require_idle
from scoring.services.audit import record
from scoring.services.jobs import Jobs
from scoring.services.promotion_rights import (
    back_to,
    newest_preview,
    require_adding,
    require_preview,
    require_version,
)
from scoring.services.promotion_views import (
    Candidate,
    Change,
    Comparison,
    CriterionComparison,
    LineageEntry,
    OtherTasks,
    PreviewView,
    candidate_view,
    comparison_view,
    lineage_view,
    preview_view,
)
from scoring.services.runs import OPEN, RunStatus
from scoring.services.tasks import editable_task, newest_version, task_of
from scoring.services.versions import (
    ACTIVE,
    CANDIDATE,
    RETIRED,
    active_version,
    is_stale,
    read_manifest,
    switch_to,
)

# What pages need, so that they know the services only.
__all__ = [
    "Candidate", "Change", "Comparison", "CriterionComparison", "LineageEntry", "OtherTasks", "PreviewView",
    "Promotion", "RunStatus",
]  # fmt: skip

SENT_BEFORE = "This form was sent before, for another version. Reload the page, then send it again."


class Promotion:
    """What the owner of a task, or an administrator, does with a candidate."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    # Looking --------------------------------------------------------------------------------------

    def candidates(self, actor: Actor, task_id: int) -> list[Candidate]:
        """Versions that add a task, newest first."""
        with self._database.read() as session:
            row = editable_task(session, require(session, actor), task_id)
            active, shape = active_version(session), task_of(newest_version(session, row)).scoring_shape()
            found = session.scalars(
                select(StudentVersion)
                .join(TaskVersion, TaskVersion.id == StudentVersion.task_version_id)
                .where(TaskVersion.task_id == task_id)
                .order_by(StudentVersion.id.desc())
            )
            return [candidate_view(session, version, row.key, shape, active) for version in found]

    def compare(self, actor: Actor, candidate_id: int) -> Comparison:
        """A candidate's measured figures and certificate beside the active version's figures."""
        with self._database.read() as session:
            user = require(session, actor)
            version, task_version = require_adding(session, user, candidate_id)
            return comparison_view(session, user, version, task_version)

    def lineage(self, actor: Actor) -> list[LineageEntry]:
        """Every version with what it came from and who did what, newest first. Administrators only."""
        with self._database.read() as session:
            require(session, actor, Role.ADMINISTRATOR)
            active = active_version(session)
            rows = session.scalars(select(StudentVersion).order_by(StudentVersion.id.desc()))
            return [lineage_view(session, row, active) for row in rows]

    # Previewing -----------------------------------------------------------------------------------

    def preview(self, actor: Actor, candidate_id: int, token: str) -> str:
        """Score every answer of the house with the candidate and with the active version, and list what changes.

        Returns:
            The preview's id. The same token, or a preview of the same two versions that goes on, gives that one.

        Raises:
            Conflict: there is nothing to compare with, or the candidate is the active version itself.
        """
        with self._database.write() as session:
            user = require(session, actor)
            version = require_version(session, user, candidate_id)
            active = active_version(session)
            if active is None or active.id == version.id:
                raise Conflict("This version is the active one, so there is nothing to compare it with.")
            going_on = (Preview.active_version_id == active.id) & Preview.status.in_(OPEN)
            before = session.scalar(
                select(Preview)
                .where(
                    (Preview.submit_token == token) | ((Preview.candidate_version_id == version.id) & going_on),
                )
                .order_by(Preview.submit_token != token)
                .limit(1)
            )
            if before is not None:
                if before.candidate_version_id != version.id:
                    raise Conflict(SENT_BEFORE)
                return before.id
            preview_id = str(uuid.uuid4())
            session.add(
                Preview(
                    id=preview_id,
                    candidate_version_id=version.id,
                    active_version_id=active.id,
                    requested_by=user.id,
                    submit_token=token,
                    job_id=preview_id,
                    status=RunStatus.QUEUED,
                    total=answer_count(session),
                )
            )
            session.flush()
            self._jobs.enqueue_preview(session, preview_id, preview_id)
            record(
                session, user.id, "version.preview", "student_version", version.id, active=active.id, preview=preview_id
            )
            return preview_id

    def preview_state(self, actor: Actor, preview_id: str, *, limit: int = 50, offset: int = 0) -> PreviewView:
        """A preview with its progress, and a page of its changes in the sections that the actor may see."""
        with self._database.read() as session:
            user = require(session, actor)
            return preview_view(session, user, require_preview(session, user, preview_id), limit, offset)

    def newest_preview(
        self, actor: Actor, candidate_id: int, *, limit: int = 50, offset: int = 0
    ) -> PreviewView | None:
        """The newest preview of a candidate, if there was one."""
        with self._database.read() as session:
            user = require(session, actor)
            version = require_version(session, user, candidate_id)
            row = newest_preview(session, version.id)
            return None if row is None else preview_view(session, user, row, limit, offset)

    def cancel_preview(self, actor: Actor, preview_id: str) -> None:
        """Stop a preview. Does nothing when it has ended already."""
        with self._database.write() as session:
            user = require(session, actor)
            row = require_preview(session, user, preview_id)
            if RunStatus(row.status).finished:
                return
            row.status, row.finished_at = RunStatus.CANCELLED, utc_now()
            record(session, user.id, "version.cancel_preview", "student_version", row.candidate_version_id)

    # Deciding -------------------------------------------------------------------------------------

    def activate(self, actor: Actor, candidate_id: int, expected_active_id: int | None, despite: str = "") -> None:
        """Let a candidate score from now on; scores that exist stay until somebody scores again.

        Args:
            actor: The owner of the task that it adds, or an administrator.
            candidate_id: The version.
            expected_active_id: The version that the screen showed as active.
            despite: Why it is activated although its stress test failed; needed then, and only then.

        Raises:
            Conflict: another version is active than the screen showed, the candidate must be brought up to date,
                or its preview found a score of another task that moved.
            InvalidInput: its stress test failed and no reason is given.
            ModelUnavailable: its folder is missing or damaged; the active version stays.
        """
        with self._database.read() as session:
            version = require_version(session, require(session, actor), candidate_id)
            folder, shapes = Path(version.folder), version.shapes
        # Outside the transaction: it reads the whole file.
        manifest = read_manifest(folder)
        if manifest["student"]["tasks"] != shapes:
            raise Conflict("The version's folder holds another model than the one that was registered.")
        with self._database.write() as session:
            user = require(session, actor)
            version = require_version(session, user, candidate_id)
            active = active_version(session)
            if (active and active.id) != expected_active_id:
                raise Conflict("Another version became active meanwhile. Reload the page and look again.")
            preview = newest_preview(session, version.id)
            if preview is not None and version.task_version_id is not None and preview.moved:
                raise Conflict("The preview found scores of other tasks that would change. This version can't be used.")
            switch_to(session, user.id, version, despite)

    def roll_back(self, actor: Actor, expected_active_id: int) -> int:
        """Go back to the version that was active before.

        Args:
            actor: Who activated the version that is active now, or an administrator.
            expected_active_id: The version that the screen showed as active.

        Returns:
            The id of the version that scores now.

        Raises:
            Conflict: another version is active than the screen showed, or there is none to go back to.
            NotAllowed: somebody else activated it.
            ModelUnavailable: the folder of the earlier version is missing or damaged; nothing changes.
        """
        with self._database.read() as session:
            before = back_to(session, require(session, actor), expected_active_id)
            folder = Path(before.folder)
        read_manifest(folder)
        with self._database.write() as session:
            user = require(session, actor)
            before = back_to(session, user, expected_active_id)
            active = active_version(session)
            assert active is not None
            # It can be looked at, corrected and activated once more.
            active.state = CANDIDATE if active.parent_id is not None else RETIRED
            session.flush()
            before.state, before.activated_at = ACTIVE, utc_now()
            record(session, user.id, "version.roll_back", "student_version", before.id, before=active.id)
            return before.id

    def bring_up_to_date(self, actor: Actor, candidate_id: int, token: str = "") -> str:
        """Put what a candidate learned onto the version that is active now; makes a new candidate.

        Returns:
            The id of the run, as in `adaptations`.

        Raises:
            Conflict: it is up to date, or its task is being trained.
        """
        with self._database.write() as session:
            user = require(session, actor)
            version, task_version = require_adding(session, user, candidate_id)
            before = session.scalar(select(Adaptation).where(Adaptation.submit_token == token)) if token else None
            if before is not None:
                if before.source_version_id != version.id:
                    raise Conflict(SENT_BEFORE)
                return before.id
            active = active_version(session)
            if active is None or not is_stale(version, active):
                raise Conflict("This version is up to date already.")
            require_idle(session, task_version.task_id)
            report = version.card.get("adaptation") or {}
            run = new_run(
                task_version.id, active.id, user.id, token or str(uuid.uuid4()),
                examples=int(report.get("examples") or 0), source_version_id=version.id,
            )  # fmt: skip
            session.add(run)
            session.flush()
            self._jobs.enqueue_bring_up_to_date(session, run.id, run.job_id)
            record(
                session,
                user.id,
                "version.bring_up_to_date",
                "student_version",
                version.id,
                active=active.id,
                run=run.id,
            )
            return run.id
