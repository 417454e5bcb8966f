"""What a review screen shows of one response. Everything of the machine's comes through `machine_scores`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.queries import hidden_ids, human_scores, machine_scores, user_names
from db.tables import (
    Claim,
    Learner,
    Response,
    ResponseFlag,
    ReviewFlag,
    SectionMember,
    TaskVersion,
    Upload,
    User,
    utc_now,
)
from scoring.domain import Criterion, CriterionScore, FinalScore, HumanScore, HumanScoreKind, Task, final_score
from scoring.errors import Conflict, NotFound
from scoring.services.feedback import newest_comments, templates_for
from scoring.services.rules import OVERRIDE_REASONS, rule
from scoring.services.tasks import task_of
from scoring.services.uploads import require_upload


@dataclass(frozen=True)
class HistoryEntry:
    """A decision as the history shows it."""

    at: datetime
    rater: str
    kind: HumanScoreKind
    level: int | None
    reason: str
    retracted: bool
    reason_kind: str = ""


@dataclass(frozen=True)
class CriterionView:
    """One criterion of a response: what the machine says, what stands, and how it came about."""

    criterion: Criterion
    machine: CriterionScore | None
    final: FinalScore
    history: tuple[HistoryEntry, ...]


@dataclass(frozen=True)
class CheckView:
    """A response check that the answer did not pass."""

    kind: str
    words: str
    detail: str


@dataclass(frozen=True)
class ResponseView:
    """All that a screen shows of one response. `revision` goes back with a decision.

    While `machine_hidden`, no person has scored the answer that this one was drawn for, and nothing here
    tells what the machine thinks: `machine` is `None`, and a level that nobody gave has the source `hidden`.
    """

    id: int
    upload_id: str
    revision: int
    learner: str
    learner_name: str
    attempt: int
    row: int
    text: str
    flags: tuple[str, ...]
    task: Task
    figure: str
    criteria: tuple[CriterionView, ...]
    may_undo: bool
    machine_hidden: bool
    blind: bool  # drawn for scoring without the machine
    flagged: bool
    flag_note: str
    claimed_by: str | None  # the name of another person who has it open just now
    comments: Mapping[str, str]  # criterion id, or "" for the whole answer -> what stands
    group_id: str | None
    group_size: int  # answers that say the same, with this one
    checks: tuple[CheckView, ...]
    reasons: tuple[str, ...]  # the house's short list for another level than the machine's
    free_text: str  # whether words of one's own are "never", "allowed" or "required" for that
    templates: Mapping[str, Mapping[int, str]]  # criterion id -> level -> a comment that stands ready

    @property
    def reviewed(self) -> bool:
        """Whether a person has decided every criterion."""
        return all(view.final.reviewed for view in self.criteria)


class StaleDecision(Conflict):
    """Somebody else decided first; `now` is the response as it stands, to show beside what was refused."""

    def __init__(self, message: str, now: ResponseView) -> None:
        super().__init__(message)
        self.now = now


def visible_response(session: Session, user: User, response_id: int) -> Response:
    """A response in a section of the user's.

    Raises:
        NotFound: it was erased, never was, or is somebody else's; the three look alike on purpose.
    """
    response = session.get(Response, response_id)
    if response is not None:
        try:
            require_upload(session, user, response.upload_id)
            return response
        except NotFound:
            pass
    raise NotFound("There is no such response among yours. It may have been erased meanwhile; go on with another one.")


def version_of(session: Session, upload_id: str) -> TaskVersion:
    """The task version that an upload's responses answer, whatever became of the task since."""
    return session.scalars(
        select(TaskVersion).join(Upload, Upload.task_version_id == TaskVersion.id).where(Upload.id == upload_id)
    ).one()


def response_view(session: Session, user: User, response: Response) -> ResponseView:
    """Put together what stands now."""
    version = version_of(session, response.upload_id)
    task = task_of(version)
    machine = machine_scores(session, [response.id])
    unseen = response.id in hidden_ids(session, [response.id])
    human = human_scores(session, [response.id])
    raters = user_names(session, (score.rater_id for scores in human.values() for score in scores))
    criteria = []
    for criterion in task.criteria:
        scores = human.get((response.id, criterion.id), [])
        score = machine.get((response.id, criterion.id))
        final = final_score(score.level if score else None, scores, hidden=unseen)
        criteria.append(CriterionView(criterion, score, final, _history(scores, raters)))
    learner = session.get(Learner, response.learner_id)
    flag = session.get(ReviewFlag, response.id)
    checks = session.execute(
        select(ResponseFlag.kind, ResponseFlag.detail)
        .where(ResponseFlag.response_id == response.id)
        .order_by(ResponseFlag.kind)
    ).all()
    house = rule(session, OVERRIDE_REASONS)
    return ResponseView(
        id=response.id,
        upload_id=response.upload_id,
        revision=response.revision,
        learner=learner_label(session, response),
        learner_name=learner.name if learner else "",
        attempt=response.attempt,
        row=response.row_number,
        text=response.text,
        flags=tuple(kind for kind, _ in checks),
        task=task,
        figure=version.figure,
        criteria=tuple(criteria),
        may_undo=_may_undo(human, user.id),
        machine_hidden=unseen,
        blind=response.blind,
        flagged=flag is not None,
        flag_note=flag.note if flag else "",
        claimed_by=claimed_by(session, user, response.id),
        comments=newest_comments(session, [response.id]).get(response.id, {}),
        group_id=response.alike_group,
        group_size=_group_size(session, response),
        checks=tuple(CheckView(kind, CHECK_WORDS.get(kind, kind), detail) for kind, detail in checks),
        reasons=tuple(house["reasons"]),
        free_text=house["free_text"],
        templates=templates_for(session, user.id, version.task_id, task),
    )


def learner_label(session: Session, response: Response) -> str:
    """The identifier that the section's files use, else the row."""
    identifier = session.scalar(
        select(SectionMember.identifier)
        .join(Upload, Upload.section_id == SectionMember.section_id)
        .where(Upload.id == response.upload_id, SectionMember.learner_id == response.learner_id)
    )
    return identifier or f"Row {response.row_number}"


def claimed_by(session: Session, user: User, response_id: int) -> str | None:
    """The name of another person who has the response open just now."""
    return session.scalar(
        select(User.name)
        .join(Claim, Claim.user_id == User.id)
        .where(
            Claim.response_id == response_id, Claim.user_id != user.id, Claim.until > utc_now(), User.active.is_(True)
        )
    )


def _group_size(session: Session, response: Response) -> int:
    if response.alike_group is None:
        return 1
    query = select(func.count()).where(
        Response.upload_id == response.upload_id, Response.alike_group == response.alike_group
    )
    return session.scalar(query) or 1


def _may_undo(human: Mapping[tuple[int, str], list[HumanScore]], user_id: int) -> bool:
    """Whether a decision of the user's on it was not taken back."""
    mine = [score for scores in human.values() for score in scores if score.rater_id == user_id]
    retracted = {score.retracts_id for score in mine if score.kind is HumanScoreKind.RETRACT}
    return any(score.kind is not HumanScoreKind.RETRACT and score.id not in retracted for score in mine)


def _history(scores: list[HumanScore], raters: Mapping[int, str]) -> tuple[HistoryEntry, ...]:
    undone = {score.retracts_id for score in scores if score.retracts_id is not None}
    return tuple(
        HistoryEntry(
            score.created_at, raters.get(score.rater_id, ""), score.kind, score.level, score.reason,
            score.id in undone, score.reason_kind,
        )
        for score in scores
    )  # fmt: skip


CHECK_WORDS = {
    "blank": "blank",
    "truncated": "cut short in the file",
    "read_in_part": "long: the model read only its beginning",
}
"""Response checks in plain words."""
