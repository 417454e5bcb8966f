"""A file becomes scores: checking, submitting, progress, cancelling, scoring again."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.engine import Database
from db.queries import earlier_attempts, members_by_identifier, unscored_count
from db.tables import (
    Learner,
    Response,
    ResponseFlag,
    Section,
    SectionMember,
    TaskVersion,
    Upload,
    UploadFile,
    User,
    utc_now,
)
from scoring.domain import UploadStatus, content_hash
from scoring.errors import Conflict, InvalidFile, ModelUnavailable, NotFound
from scoring.intake.checking import CheckedFile, CheckedRow, Mapping, check_rows, suggest_mapping
from scoring.intake.mapping import asked_column
from scoring.intake.reading import ClassFile, read_class_file
from scoring.services.actors import Actor, require, require_section, visible_section_ids
from scoring.services.audit import record
from scoring.services.blind import draw
from scoring.services.jobs import Jobs
from scoring.services.tasks import require_current, task_of, visible_task
from scoring.services.versions import active_version

# What pages need of reading a file, so that they know the services only.
__all__ = ["CheckedFile", "CheckedRow", "ClassFile", "Mapping", "SavedProblem", "UploadSummary", "Uploads"]

FINISHED = (UploadStatus.DONE, UploadStatus.CANCELLED, UploadStatus.FAILED)


@dataclass(frozen=True)
class UploadSummary:
    """An upload as lists show it. `done` of `total` counts what the running or last job has to score."""

    id: str
    section_id: int
    section: str
    task_title: str
    task_version_id: int
    file_name: str
    educator: str
    status: UploadStatus
    responses: int
    reviewed: int
    done: int
    total: int
    seconds_left: float | None
    error: str
    created_at: datetime
    finished_at: datetime | None

    @property
    def finished(self) -> bool:
        """Whether no job is at work on it."""
        return self.status in FINISHED


@dataclass(frozen=True)
class SavedProblem:
    """Something the file check said about a row, kept with the upload."""

    row: int
    field: str
    found: str
    message: str
    severity: str


class Uploads:
    """Class files and the jobs that score them."""

    def __init__(self, database: Database, jobs: Jobs, max_bytes: int) -> None:
        self._database = database
        self._jobs = jobs
        self._max_bytes = max_bytes

    # Before anything is saved ---------------------------------------------------------------------

    def read_file(self, actor: Actor, name: str, data: bytes, sheet: str | None = None) -> ClassFile:
        """Read a class file. Raises `InvalidFile` with what was found and the remedy."""
        with self._database.read() as session:
            require(session, actor)
        return read_class_file(name, data, sheet=sheet, limit_bytes=self._max_bytes)

    def suggest_mapping(
        self, actor: Actor, class_file: ClassFile, task_version_id: int | None = None
    ) -> Mapping | None:
        """The columns the actor chose for such a header before, else what the header looks like.

        A column that is headed by the task's own prompt wins: a quiz's export has one for each question.
        """
        with self._database.read() as session:
            user = require(session, actor)
            remembered = session.scalar(
                select(Upload.mapping)
                .where(
                    Upload.uploaded_by == user.id,
                    Upload.headers_sha256 == content_hash(list(class_file.headers)),
                )
                .order_by(Upload.created_at.desc())
                .limit(1)
            )
            version = session.get(TaskVersion, task_version_id) if task_version_id else None
            if version is not None:
                visible_task(session, user, version.task_id)
            prompt = task_of(version).prompt if version else ""
        suggested = Mapping(**remembered) if remembered else suggest_mapping(class_file)
        asked = asked_column(class_file.headers, prompt)
        if asked is None or suggested is None:
            return suggested
        return replace(suggested, answer=asked)

    def check(self, actor: Actor, class_file: ClassFile, mapping: Mapping) -> CheckedFile:
        """Check every row; saves nothing."""
        with self._database.read() as session:
            require(session, actor)
        return check_rows(class_file, mapping)

    def same_file(self, actor: Actor, section_id: int, sha256: str) -> list[UploadSummary]:
        """Earlier uploads of these very bytes in this section: worth a warning, not a wall."""
        with self._database.read() as session:
            require_section(session, require(session, actor), section_id)
            rows = session.scalars(
                select(Upload)
                .where(Upload.section_id == section_id, Upload.file_sha256 == sha256)
                .order_by(Upload.created_at.desc())
            )
            return [_summary(session, row) for row in rows]

    # The one transaction --------------------------------------------------------------------------

    def submit(
        self,
        actor: Actor,
        section_id: int,
        task_version_id: int,
        name: str,
        data: bytes,
        mapping: Mapping,
        token: str,
        *,
        sheet: str | None = None,
        take_good_rows: bool = False,
    ) -> str:
        """Save a file's rows and queue their scoring, all or nothing.

        Args:
            actor: Who submits; must own the section.
            section_id: Where the learners are.
            task_version_id: The version of the task that the actor saw.
            name: The file's name.
            data: Its bytes; they are kept.
            mapping: Which column holds what.
            token: Made once per form. The same token again gives the same upload, so that a double
                click or a retry saves once.
            sheet: The sheet of a workbook.
            take_good_rows: Leave out the rows with errors instead of refusing the file.

        Returns:
            The upload's id.

        Raises:
            InvalidFile: it can't be read, or rows have errors and `take_good_rows` is false.
            Conflict: the task was changed or retired meanwhile, or the token came with another form before.
            ModelUnavailable: no active student scores this task.
            StorageFull: the disk is full; nothing was saved.
        """
        form = (actor.user_id, section_id, task_version_id, hashlib.sha256(data).hexdigest())
        with self._database.read() as session:
            require_section(session, require(session, actor), section_id)
            before = _by_token(session, token, form)
        if before is not None:
            return before.id
        # The slow part stays outside the transaction, so that nobody waits for the write lock.
        class_file = read_class_file(name, data, sheet=sheet, limit_bytes=self._max_bytes)
        checked = check_rows(class_file, mapping)
        _require_usable(checked, take_good_rows)
        upload_id = str(uuid.uuid4())
        with self._database.write() as session:
            user = require(session, actor)
            before = _by_token(session, token, form)
            if before is not None:
                return before.id
            section = require_section(session, user, section_id)
            if section.archived_at is not None:
                raise Conflict("This section was put away meanwhile. Bring it back, then upload again.")
            version = require_current(session, user, task_version_id)
            _require_scorable(session, version)
            responses = _add_responses(
                session, upload_id, section_id, version, checked.good, anonymous=mapping.learner is None
            )
            upload = Upload(
                id=upload_id,
                section_id=section_id,
                task_version_id=version.id,
                uploaded_by=user.id,
                file_name=name[:300],
                file_sha256=class_file.sha256,
                headers_sha256=content_hash(list(class_file.headers)),
                mapping=asdict(mapping),
                problems=[asdict(problem) for problem in checked.problems],
                submit_token=token,
                job_id=upload_id,
                status=UploadStatus.QUEUED,
                total=sum(not row.is_blank for row in checked.good),
                response_count=len(responses),
            )
            session.add(upload)
            session.flush()
            session.add(UploadFile(upload_id=upload_id, content=data))
            session.flush()
            _insert_responses(session, responses, checked)
            share, blind = draw(session, upload_id)
            self._jobs.enqueue_scoring(session, upload_id, upload_id, again=False)
            record(
                session, user.id, "upload.submit", "upload", upload_id,
                section=section_id, task_version=version.id, responses=len(responses),
                left_out=len(checked.rows) - len(checked.good), blind=blind, blind_share=share,
            )  # fmt: skip
        return upload_id

    # Afterwards -----------------------------------------------------------------------------------

    def recent(
        self, actor: Actor, *, section_id: int | None = None, limit: int = 50, offset: int = 0
    ) -> tuple[list[UploadSummary], int]:
        """A page of the actor's uploads, newest first, and how many there are."""
        with self._database.read() as session:
            user = require(session, actor)
            query = select(Upload).where(Upload.section_id.in_(visible_section_ids(session, user)))
            if section_id is not None:
                query = query.where(Upload.section_id == section_id)
            total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
            rows = session.scalars(query.order_by(Upload.created_at.desc(), Upload.id).limit(limit).offset(offset))
            return [_summary(session, row) for row in rows], total

    def get(self, actor: Actor, upload_id: str) -> UploadSummary:
        """One upload with its progress."""
        with self._database.read() as session:
            return _summary(session, require_upload(session, require(session, actor), upload_id))

    def problems(self, actor: Actor, upload_id: str) -> list[SavedProblem]:
        """What the file check said when the upload was submitted, rows left out included."""
        with self._database.read() as session:
            upload = require_upload(session, require(session, actor), upload_id)
            return [
                SavedProblem(p["number"], p["field"], p["found"], p["message"], p["severity"]) for p in upload.problems
            ]

    def original(self, actor: Actor, upload_id: str) -> tuple[str, bytes]:
        """The file as it came: name and bytes."""
        with self._database.write() as session:
            user = require(session, actor)
            upload = require_upload(session, user, upload_id)
            file = session.get(UploadFile, upload_id)
            if file is None:
                raise NotFound("The original file was removed with an answer that was erased at somebody's request.")
            record(session, user.id, "upload.download_original", "upload", upload_id)
            return upload.file_name, file.content

    def cancel(self, actor: Actor, upload_id: str) -> None:
        """Stop scoring; what is scored stays. Does nothing when the job has ended already."""
        with self._database.write() as session:
            user = require(session, actor)
            upload = require_upload(session, user, upload_id)
            if upload.status in FINISHED:
                return
            # The worker looks at this before each chunk and inside each write, and ends the job itself.
            upload.status, upload.finished_at = UploadStatus.CANCELLED, utc_now()
            record(session, user.id, "upload.cancel", "upload", upload_id, scored=upload.scored)

    def score_rest(self, actor: Actor, upload_id: str) -> None:
        """Score what no active student has scored yet, after a cancel or a failure."""
        self._start(actor, upload_id, again=False)

    def score_again(self, actor: Actor, upload_id: str) -> None:
        """Score everything again with the active student. Human scores stand."""
        self._start(actor, upload_id, again=True)

    def _start(self, actor: Actor, upload_id: str, *, again: bool) -> None:
        with self._database.write() as session:
            user = require(session, actor)
            upload = require_upload(session, user, upload_id)
            if upload.status not in FINISHED:
                raise Conflict("This upload is being scored already.")
            version = session.get(TaskVersion, upload.task_version_id)
            assert version is not None
            student_id = _require_scorable(session, version)
            upload.job_id = f"{upload_id}:{uuid.uuid4().hex[:8]}"
            upload.status, upload.error, upload.scored = UploadStatus.QUEUED, "", 0
            upload.started_at = upload.finished_at = None
            upload.total = unscored_count(session, upload_id, None if again else student_id)
            self._jobs.enqueue_scoring(session, upload_id, upload.job_id, again=again)
            record(session, user.id, "upload.score_again" if again else "upload.score_rest", "upload", upload_id)


def require_upload(session: Session, user: User, upload_id: str) -> Upload:
    """An upload in a section of the user's. Raises `NotFound` for others."""
    upload = session.get(Upload, upload_id)
    if upload is None:
        raise NotFound("There is no such upload among yours.")
    try:
        require_section(session, user, upload.section_id)
    except NotFound:
        raise NotFound("There is no such upload among yours.") from None
    return upload


def _by_token(session: Session, token: str, form: tuple[int, int, int, str]) -> Upload | None:
    """What this form saved before; another form with its token must not be taken for saved."""
    before = session.scalar(select(Upload).where(Upload.submit_token == token))
    if before is not None and form != (
        before.uploaded_by, before.section_id, before.task_version_id, before.file_sha256,
    ):  # fmt: skip
        raise Conflict(
            "This form was sent before, with another file, class or task. Reload the page, then send it again."
        )
    return before


def _require_usable(checked: CheckedFile, take_good_rows: bool) -> None:
    errors = [problem for problem in checked.problems if problem.severity == "error"]
    if errors and not take_good_rows:
        first = errors[0]
        raise InvalidFile(
            f"{len(errors)} problems, the first in row {first.number}, {first.field}: {first.message} "
            "Correct the file, or choose to take the good rows."
        )
    if not checked.good:
        raise InvalidFile("No row of this file can be used; nothing was saved. Correct the file and upload it again.")


def _require_scorable(session: Session, version: TaskVersion) -> int:
    student = active_version(session)
    task = task_of(version)
    if student is None or student.shapes.get(task.id) != task.scoring_shape():
        raise ModelUnavailable(f"“{version.title}” has no scoring model yet. Choose another task; nothing was saved.")
    return student.id


def _add_responses(
    session: Session,
    upload_id: str,
    section_id: int,
    version: TaskVersion,
    rows: tuple[CheckedRow, ...],
    *,
    anonymous: bool,
) -> list[dict[str, object]]:
    """Find or make each row's learner, and number the attempts after those of earlier uploads.

    Identifiers are compared without regard to case, as the file check does. A row of a file without
    identifiers is a learner of its own: the row of that number in another file is somebody else.
    """
    if anonymous:
        learners = [Learner(name=row.learner_name[:200]) for row in rows]
        session.add_all(learners)
        session.flush()
        owners, attempts = [learner.id for learner in learners], {}
    else:
        members = _members(session, section_id, rows)
        owners = [members[row.learner.casefold()] for row in rows]
        attempts = earlier_attempts(session, section_id, version.task_id)
    return [
        {
            "upload_id": upload_id,
            "learner_id": owner,
            "row_number": row.number,
            "attempt": attempts.get(owner, 0) + row.attempt,
            "text": row.text,
            "revision": 0,
        }
        for owner, row in zip(owners, rows, strict=True)
    ]  # fmt: skip


def _members(session: Session, section_id: int, rows: tuple[CheckedRow, ...]) -> dict[str, int]:
    """Learner ids of the section by case-folded identifier; whoever is new is added."""
    known = members_by_identifier(session, section_id)
    members = {identifier.casefold(): learner_id for identifier, learner_id in known.items()}
    spelt: dict[str, str] = {}
    names: dict[str, str] = {}
    for row in rows:
        key = row.learner.casefold()
        if key not in members:
            spelt.setdefault(key, row.learner)
            names[key] = row.learner_name or names.get(key, "")
    learners = [Learner(name=names[key][:200]) for key in spelt]
    session.add_all(learners)
    session.flush()
    for (key, identifier), learner in zip(spelt.items(), learners, strict=True):
        members[key] = learner.id
        session.add(SectionMember(section_id=section_id, learner_id=learner.id, identifier=identifier))
    session.flush()
    return members


def _insert_responses(session: Session, responses: list[dict[str, object]], checked: CheckedFile) -> None:
    session.execute(Response.__table__.insert(), responses)  # type: ignore[attr-defined]
    upload_id = responses[0]["upload_id"]
    ids = dict(session.execute(select(Response.row_number, Response.id).where(Response.upload_id == upload_id)).all())
    flags = [
        {"response_id": ids[row.number], "kind": kind, "detail": ""}
        for row in checked.good
        for kind, raised in (("blank", row.is_blank), ("truncated", row.truncated))
        if raised
    ]
    if flags:
        session.execute(ResponseFlag.__table__.insert(), flags)  # type: ignore[attr-defined]


def _summary(session: Session, upload: Upload) -> UploadSummary:
    section = session.get(Section, upload.section_id)
    version = session.get(TaskVersion, upload.task_version_id)
    educator = session.get(User, upload.uploaded_by)
    assert section is not None
    assert version is not None
    assert educator is not None
    reviewed = select(func.count()).select_from(Response).where(Response.upload_id == upload.id, Response.reviewed)
    seconds_left = None
    if upload.status == UploadStatus.RUNNING and upload.started_at is not None and upload.scored:
        elapsed = (utc_now() - upload.started_at).total_seconds()
        seconds_left = elapsed / upload.scored * (upload.total - upload.scored)
    return UploadSummary(
        id=upload.id,
        section_id=section.id,
        section=section.name,
        task_title=version.title,
        task_version_id=version.id,
        file_name=upload.file_name,
        educator=educator.name,
        status=UploadStatus(upload.status),
        responses=upload.response_count,
        reviewed=session.scalar(reviewed) or 0,
        done=upload.scored,
        total=upload.total,
        seconds_left=seconds_left,
        error=upload.error,
        created_at=upload.created_at,
        finished_at=upload.finished_at,
    )
