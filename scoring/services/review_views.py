"""What a review screen shows of one response. Everything of the machine's comes through `machine_scores`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

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
from scoring.services.check_words import check_words
from scoring.services.feedback import newest_comments, ready_for, templates_for
from scoring.services.rules import OVERRIDE_REASONS, rule
from scoring.services.tasks import task_of
from scoring.services.uploads import require_upload

Mark = TypeVar("Mark", ReviewFlag, ResponseFlag)


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
    comments: Mapping[str, str | None]  # criterion id, or "" for the whole answer -> a text; None: nothing is told
    group_id: str | None
    group_size: int  # answers that say the same, with this one
    checks: tuple[CheckView, ...]
    reasons: tuple[str, ...]  # the house's short list for another level than the machine's
    free_text: str  # whether words of one's own are "never", "allowed" or "required" for that
    templates: Mapping[str, Mapping[int, str]]  # criterion id -> level -> a comment to begin with
    ready: Mapping[str, Mapping[int, str]]  # the actor's own ones among them: told where no comment stands

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
    return response_views(session, user, [response])[0]


def response_views(session: Session, user: User, responses: Sequence[Response]) -> list[ResponseView]:
    """The same of several responses of one upload, at the cost of little more than one."""
    ids = [response.id for response in responses]
    version = version_of(session, responses[0].upload_id)
    task = task_of(version)
    machine, human, unseen = machine_scores(session, ids), human_scores(session, ids), hidden_ids(session, ids)
    raters = user_names(session, (score.rater_id for scores in human.values() for score in scores))
    names = dict(
        session.execute(select(Learner.id, Learner.name).where(Learner.id.in_([r.learner_id for r in responses]))).all()
    )
    labels = _learner_labels(session, responses)
    flags = {flag.response_id: flag for flag in _marks(session, ReviewFlag, ids)}
    checks = sorted(_marks(session, ResponseFlag, ids), key=lambda check: check.kind)
    claims, sizes = _claims(session, user, ids), _group_sizes(session, responses)
    comments = newest_comments(session, ids)
    templates, house = templates_for(session, user.id, version.task_id, task), rule(session, OVERRIDE_REASONS)
    ready = ready_for(session, user.id, version.task_id, task)
    views = []
    for response in responses:
        criteria = []
        for criterion in task.criteria:
            scores = human.get((response.id, criterion.id), [])
            score = machine.get((response.id, criterion.id))
            final = final_score(score.level if score else None, scores, hidden=response.id in unseen)
            criteria.append(CriterionView(criterion, score, final, _history(scores, raters)))
        own = [check for check in checks if check.response_id == response.id]
        flag = flags.get(response.id)
        views.append(
            ResponseView(
                id=response.id,
                upload_id=response.upload_id,
                revision=response.revision,
                learner=labels[response.id],
                learner_name=names.get(response.learner_id, ""),
                attempt=response.attempt,
                row=response.row_number,
                text=response.text,
                flags=tuple(check.kind for check in own),
                task=task,
                figure=version.figure,
                criteria=tuple(criteria),
                may_undo=_may_undo(
                    [s for (i, _), scores in human.items() if i == response.id for s in scores], user.id
                ),
                machine_hidden=response.id in unseen,
                blind=response.blind,
                flagged=flag is not None,
                flag_note=flag.note if flag else "",
                claimed_by=claims.get(response.id),
                comments=comments.get(response.id, {}),
                group_id=response.alike_group,
                group_size=sizes.get(response.alike_group or "", 1),
                checks=tuple(CheckView(c.kind, check_words([c.kind]), c.detail) for c in own),
                reasons=tuple(house["reasons"]),
                free_text=house["free_text"],
                templates=templates,
                ready=ready,
            )
        )
    return views


def _marks(session: Session, table: type[Mark], ids: Sequence[int]) -> Sequence[Mark]:
    return session.scalars(select(table).where(table.response_id.in_(ids))).all()


def _learner_labels(session: Session, responses: Sequence[Response]) -> dict[int, str]:
    """The identifiers that the section's files use, else the rows, by response."""
    found = dict(
        session.execute(
            select(Response.id, SectionMember.identifier)
            .join(Upload, Upload.id == Response.upload_id)
            .join(
                SectionMember,
                (SectionMember.section_id == Upload.section_id) & (SectionMember.learner_id == Response.learner_id),
            )
            .where(Response.id.in_([response.id for response in responses]))
        ).all()
    )
    return {response.id: found.get(response.id) or f"Row {response.row_number}" for response in responses}


def claimed_by(session: Session, user: User, response_id: int) -> str | None:
    """The name of another person who has the response open just now."""
    return _claims(session, user, [response_id]).get(response_id)


def _claims(session: Session, user: User, ids: Sequence[int]) -> dict[int, str]:
    return dict(
        session.execute(
            select(Claim.response_id, User.name)
            .join(User, Claim.user_id == User.id)
            .where(Claim.response_id.in_(ids), Claim.user_id != user.id, Claim.until > utc_now(), User.active.is_(True))
        ).all()
    )


def _group_sizes(session: Session, responses: Sequence[Response]) -> dict[str, int]:
    """How many answers of the upload say the same, by group."""
    groups = {response.alike_group for response in responses if response.alike_group is not None}
    if not groups:
        return {}
    query = select(Response.alike_group, func.count()).where(
        Response.upload_id == responses[0].upload_id, Response.alike_group.in_(groups)
    )
    return {str(group): size for group, size in session.execute(query.group_by(Response.alike_group))}


def _may_undo(scores: Sequence[HumanScore], user_id: int) -> bool:
    """Whether a decision of the user's on it was not taken back."""
    mine = [score for score in scores if score.rater_id == user_id]
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
