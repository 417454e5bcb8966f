"""Reads that are more than one row by its key: dataclasses and DataFrames, never live rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from db.tables import (
    CriterionRow,
    HumanScoreRow,
    Learner,
    MachineScore,
    Response,
    ResponseFlag,
    SectionMember,
    TaskVersion,
    Upload,
    User,
)
from scoring.domain import CriterionScore, HumanScore, HumanScoreKind

RESPONSE_COLUMNS = ("response_id", "row", "learner", "name", "attempt", "text", "revision")
"""The columns of `responses_frame` before the flags."""


def members_by_identifier(session: Session, section_id: int) -> dict[str, int]:
    """Learner ids of a section by the identifier that its files use."""
    rows = session.execute(
        select(SectionMember.identifier, SectionMember.learner_id).where(SectionMember.section_id == section_id)
    )
    return dict(rows.all())


def earlier_attempts(session: Session, section_id: int, task_id: int) -> dict[int, int]:
    """How often each learner of a section has answered a task so far, in any version of it."""
    rows = session.execute(
        select(Response.learner_id, func.max(Response.attempt))
        .join(Upload, Upload.id == Response.upload_id)
        .join(TaskVersion, TaskVersion.id == Upload.task_version_id)
        .where(Upload.section_id == section_id, TaskVersion.task_id == task_id)
        .group_by(Response.learner_id)
    )
    return dict(rows.all())


def unscored_count(session: Session, upload_id: str, student_version_id: int | None) -> int:
    """How many non-blank responses of an upload a student version has not scored; `None`: all of them."""
    query = select(func.count()).select_from(Response).where(Response.upload_id == upload_id, *_scorable())
    if student_version_id is not None:
        query = query.where(~_scored_by(student_version_id).exists())
    return session.scalar(query) or 0


def next_unscored(
    session: Session,
    upload_id: str,
    student_version_id: int,
    job_id: str,
    *,
    again: bool,
    after: int,
    limit: int,
) -> list[tuple[int, str]]:
    """The next responses, id and text, that a job has to score; blanks are left to people.

    Args:
        session: A session for reading.
        upload_id: The upload.
        student_version_id: The student that scores.
        job_id: The job; with `again`, what another job scored is scored once more.
        again: Whether scores of this version that exist are made anew.
        after: Only responses with a greater id.
        limit: At most so many.
    """
    done = _scored_by(student_version_id)
    if again:
        done = done.where(MachineScore.job_id == job_id)
    rows = session.execute(
        select(Response.id, Response.text)
        .where(Response.upload_id == upload_id, Response.id > after, *_scorable(), ~done.exists())
        .order_by(Response.id)
        .limit(limit)
    )
    return list(rows.all())


def _scorable() -> tuple[Any, ...]:
    blank = select(ResponseFlag.id).where(ResponseFlag.response_id == Response.id, ResponseFlag.kind == "blank")
    return (~blank.exists(),)


def _scored_by(student_version_id: int) -> Any:
    return (
        select(MachineScore.id)
        .where(MachineScore.response_id == Response.id, MachineScore.student_version_id == student_version_id)
        .correlate(Response)
    )


def criterion_ids(session: Session, task_version_id: int) -> dict[str, int]:
    """Row ids of a task version's criteria by criterion key, in rubric order."""
    rows = session.execute(
        select(CriterionRow.key, CriterionRow.id)
        .where(CriterionRow.task_version_id == task_version_id)
        .order_by(CriterionRow.position)
    )
    return dict(rows.all())


def upload_stamp(session: Session, upload_id: str) -> tuple[str, int, int, int]:
    """The job at work, how far it is, the counts of responses and of decisions: changes whenever the table would."""
    job_id, scored, responses = session.execute(
        select(Upload.job_id, Upload.scored, Upload.response_count).where(Upload.id == upload_id)
    ).one()
    revisions = session.scalar(select(func.sum(Response.revision)).where(Response.upload_id == upload_id))
    return job_id, scored, responses, revisions or 0


def responses_frame(session: Session, upload_id: str) -> pd.DataFrame:
    """Responses of an upload: response_id, row, learner, name, attempt, text, revision, flags (space-joined)."""
    rows = session.execute(
        select(
            Response.id,
            Response.row_number,
            SectionMember.identifier,
            Learner.name,
            Response.attempt,
            Response.text,
            Response.revision,
        )
        .join(Upload, Upload.id == Response.upload_id)
        .join(Learner, Learner.id == Response.learner_id)
        .outerjoin(
            SectionMember,
            (SectionMember.learner_id == Response.learner_id) & (SectionMember.section_id == Upload.section_id),
        )
        .where(Response.upload_id == upload_id)
        .order_by(Response.row_number)
    ).all()
    frame = pd.DataFrame([tuple(row) for row in rows], columns=list(RESPONSE_COLUMNS))
    # Learners of files without identifiers go by their row.
    frame["learner"] = frame["learner"].fillna("Row " + frame["row"].astype(str))
    flags: dict[int, list[str]] = defaultdict(list)
    for response_id, kind in session.execute(
        select(ResponseFlag.response_id, ResponseFlag.kind)
        .join(Response, Response.id == ResponseFlag.response_id)
        .where(Response.upload_id == upload_id)
        .order_by(ResponseFlag.kind)
    ):
        flags[response_id].append(kind)
    frame["flags"] = [" ".join(flags.get(response_id, ())) for response_id in frame["response_id"]]
    return frame


@lru_cache(maxsize=1)
def hidden() -> ColumnElement[bool]:
    """The rule of blind scoring, as a condition on `Response`: nothing of the machine's view may be shown.

    It holds for a response that was drawn and that nobody has decided yet, and for the answers of the
    upload that say the same, because the machine's view of those tells its view of this one.
    """
    drawn = aliased(Response)
    alike = (
        select(drawn.id)
        .where(
            drawn.upload_id == Response.upload_id,
            drawn.alike_group == Response.alike_group,
            drawn.blind.is_(True),
            drawn.reviewed.is_(False),
        )
        .correlate(Response)
    )
    undecided = Response.blind.is_(True) & Response.reviewed.is_(False)
    return undecided | (Response.alike_group.is_not(None) & alike.exists())


def hidden_ids(session: Session, response_ids: Iterable[int]) -> set[int]:
    """Which of these responses nothing of the machine's view may be shown of now."""
    return set(session.scalars(select(Response.id).where(Response.id.in_(list(response_ids)), hidden())))


def hidden_in(session: Session, upload_id: str) -> set[int]:
    """The same for a whole upload."""
    return set(session.scalars(select(Response.id).where(Response.upload_id == upload_id, hidden())))


def is_hidden(session: Session, response_id: int) -> bool:
    """Whether nothing of the machine's view of this response may be shown now."""
    return bool(hidden_ids(session, [response_id]))


def machine_scores(
    session: Session,
    response_ids: Iterable[int] | None = None,
    upload_id: str = "",
    *,
    even_hidden: bool = False,
) -> dict[tuple[int, str], CriterionScore]:
    """The newest machine score by (response, criterion key), of some responses or of a whole upload.

    What is hidden from people is left out, unless `even_hidden`: that is
    for keeping the machine's level beside a decision, never for showing.
    """
    query = (
        select(
            MachineScore.response_id,
            CriterionRow.key,
            MachineScore.level,
            MachineScore.expected,
            MachineScore.probabilities,
            MachineScore.level_set,
        )
        .join(Response, Response.id == MachineScore.response_id)
        .join(CriterionRow, CriterionRow.id == MachineScore.criterion_id)
        .order_by(MachineScore.id)
    )
    if upload_id:
        query = query.where(Response.upload_id == upload_id)
    else:
        query = query.where(Response.id.in_(list(response_ids or ())))
    if not even_hidden:
        query = query.where(~hidden())
    return {
        (response_id, key): CriterionScore(key, level, expected, tuple(probabilities), tuple(level_set or ()))
        for response_id, key, level, expected, probabilities, level_set in session.execute(query)
    }


def human_scores(
    session: Session, response_ids: Iterable[int] | None = None, upload_id: str = ""
) -> dict[tuple[int, str], list[HumanScore]]:
    """Human scores by (response, criterion key), oldest first, of some responses or of a whole upload.

    Where the machine's view is hidden, nothing says whether a level agreed with it: such scores come as
    blind ones, without a reason.
    """
    query = (
        select(HumanScoreRow, CriterionRow.key, hidden())
        .join(CriterionRow, CriterionRow.id == HumanScoreRow.criterion_id)
        .join(Response, Response.id == HumanScoreRow.response_id)
        .order_by(HumanScoreRow.id)
    )
    if upload_id:
        query = query.where(Response.upload_id == upload_id)
    else:
        query = query.where(HumanScoreRow.response_id.in_(list(response_ids or ())))
    scores: dict[tuple[int, str], list[HumanScore]] = defaultdict(list)
    for row, key, unseen in session.execute(query):
        kind = HumanScoreKind(row.kind)
        tells = unseen and kind in (HumanScoreKind.CONFIRM, HumanScoreKind.OVERRIDE)
        scores[row.response_id, key].append(
            HumanScore(
                id=row.id,
                criterion_id=key,
                kind=HumanScoreKind.BLIND if tells else kind,
                level=row.level,
                rater_id=row.rater_id,
                created_at=row.created_at,
                reason="" if unseen else row.reason,
                retracts_id=row.retracts_id,
                reason_kind="" if unseen else row.reason_kind,
            )
        )
    return scores


def user_names(session: Session, user_ids: Iterable[int]) -> dict[int, str]:
    """Names of people by id."""
    rows = session.execute(select(User.id, User.name).where(User.id.in_(set(user_ids))))
    return dict(rows.all())
