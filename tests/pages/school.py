"""A small school in the database: a student version that can score, classes, uploads and their scores."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping as Levels
from collections.abc import Sequence

from sqlalchemy import select, update

from db.tables import (
    CriterionRow,
    HouseRule,
    MachineScore,
    Response,
    StudentVersion,
    TaskRow,
    TaskVersion,
    Upload,
    utc_now,
)
from scoring.domain import Role, UploadStatus
from scoring.intake.checking import Mapping
from scoring.services.actors import Actor
from scoring.services.house import Services
from scoring.services.review_state import refresh
from scoring.services.tasks import newest_version
from scoring.services.versions import ACTIVE

SHAPES = {"melting-ice": {"heat": [0, 1]}, "plant-light": {"score": [0, 1, 2]}}
HEADER = ("Student", "Name", "Answer")
COLUMNS = Mapping(answer="Answer", learner="Student", learner_name="Name")
NAMED = [("s1", "Ann", "Heat flows into it."), ("s2", "Ben", "It is cold."), ("s3", "Cat", "It gets warm.")]


def class_csv(rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER, delimiter: str = ",") -> bytes:
    """A class file as a spreadsheet writes it."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([header, *rows])
    return out.getvalue().encode()


def hire_student(services: Services) -> None:
    """A version that scores both tasks, as far as anything but the worker looks at it."""
    with services.database.write() as session:
        session.add(
            StudentVersion(
                version_key="v1", folder="nowhere", state=ACTIVE, shapes=SHAPES, card={}, activated_at=utc_now()
            )
        )
        # Every score shows at once; tests of blind scoring set a share.
        session.add(HouseRule(name="blind", value={"share": 0}))


def task_version(services: Services, key: str) -> int:
    """The id of a task's newest version."""
    with services.database.read() as session:
        return newest_version(session, session.scalars(select(TaskRow).where(TaskRow.key == key)).one()).id


def upload_class(
    services: Services,
    actor: Actor,
    section_id: int,
    rows: Sequence[Sequence[str]] = tuple(NAMED),
    *,
    task: str = "melting-ice",
    name: str = "class.csv",
) -> str:
    """Submit a class; nothing scores it."""
    version = task_version(services, task)
    token = f"{section_id}-{task}-{name}-{utc_now().isoformat()}"
    return services.uploads.submit(actor, section_id, version, name, class_csv(rows), COLUMNS, token)


def set_status(services: Services, upload_id: str, status: UploadStatus, **values: object) -> None:
    """What the worker would have written about its job."""
    with services.database.write() as session:
        ended = utc_now() if status in (UploadStatus.DONE, UploadStatus.CANCELLED, UploadStatus.FAILED) else None
        session.execute(update(Upload).where(Upload.id == upload_id).values(status=status, finished_at=ended, **values))


def score(services: Services, upload_id: str, levels: Levels[int, int], sure: float = 0.7) -> None:
    """The model's level by row number, the same on every criterion; then the job is done."""
    with services.database.write() as session:
        upload = session.get_one(Upload, upload_id)
        version = session.get_one(TaskVersion, upload.task_version_id)
        [student] = session.scalars(select(StudentVersion))
        for response in session.scalars(select(Response).where(Response.upload_id == upload_id)):
            if response.row_number not in levels:
                continue
            for criterion in session.scalars(select(CriterionRow).where(CriterionRow.task_version_id == version.id)):
                level, count = levels[response.row_number], len(criterion.levels)
                shares = [sure if n == level else (1 - sure) / (count - 1) for n in range(count)]
                session.add(
                    MachineScore(
                        response_id=response.id, criterion_id=criterion.id, student_version_id=student.id, level=level,
                        expected=float(level), probabilities=shares, job_id=upload.job_id,
                    )
                )  # fmt: skip
        session.flush()
        refresh(session, session.scalars(select(Response.id).where(Response.upload_id == upload_id)))
    set_status(services, upload_id, UploadStatus.DONE, scored=len(levels), started_at=utc_now())


def response_ids(services: Services, actor: Actor, upload_id: str) -> list[int]:
    """The upload's responses in file order."""
    return [int(i) for i in services.scores.table(actor, upload_id).frame["response_id"]]


def another_educator(services: Services, administrator: Actor, name: str, email: str, password: str) -> Actor:
    """A colleague, signed in."""
    _, first = services.accounts.add_person(administrator, name, email, Role.EDUCATOR)
    token = services.accounts.sign_in(email, first, "127.0.0.1")
    services.accounts.change_password(services.accounts.resume(token), first, password)
    return services.accounts.resume(token)
