"""A teacher decides. A decision is one message, saved whole before the next response shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.engine import Database
from db.queries import criterion_ids, human_scores, user_names
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
from scoring.domain import (
    COUNTING_KINDS,
    Criterion,
    CriterionScore,
    FinalScore,
    HumanScore,
    HumanScoreKind,
    Task,
    final_score,
)
from scoring.errors import Conflict, InvalidInput, NotFound
from scoring.services.actors import Actor, require
from scoring.services.audit import record
from scoring.services.tasks import task_of
from scoring.services.uploads import require_upload

LONGEST_REASON = 2_000


@dataclass(frozen=True)
class HistoryEntry:
    """A decision as the history shows it."""

    at: datetime
    rater: str
    kind: HumanScoreKind
    level: int | None
    reason: str
    retracted: bool


@dataclass(frozen=True)
class CriterionView:
    """One criterion of a response: what the machine says, what stands, and how it came about."""

    criterion: Criterion
    machine: CriterionScore | None
    final: FinalScore
    history: tuple[HistoryEntry, ...]


@dataclass(frozen=True)
class ResponseView:
    """All that a screen shows of one response. `revision` goes back with a decision."""

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

    @property
    def reviewed(self) -> bool:
        """Whether a person has decided every criterion."""
        return all(view.final.reviewed for view in self.criteria)


class Review:
    """Looking at responses and deciding on them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def response(self, actor: Actor, response_id: int) -> ResponseView:
        """One response with its rubric, scores and history."""
        with self._database.read() as session:
            user = require(session, actor)
            return _view(session, user, _visible_response(session, user, response_id))

    def decide(
        self,
        actor: Actor,
        response_id: int,
        revision: int,
        levels: Mapping[str, int],
        nonce: str,
        reason: str = "",
        machine_seen: Mapping[str, int] | None = None,
    ) -> ResponseView:
        """Append the actor's levels: a confirmation where the machine agrees, else an override.

        Args:
            actor: Who decides; must own the section.
            response_id: The response that was on the screen.
            revision: The revision that was on the screen.
            levels: Criterion id -> level, for one or more criteria.
            nonce: Made once per decision. The same nonce again changes nothing.
            reason: Needed when a level differs from the machine's.
            machine_seen: The machine's levels that were on the screen; when they changed since, nothing is saved.

        Raises:
            Conflict: somebody decided meanwhile, or the nonce came with another decision before; nothing was saved.
            InvalidInput: a level or criterion does not exist, or a reason is missing.
        """
        with self._database.write() as session:
            user = require(session, actor)
            response = _visible_response(session, user, response_id)
            if _sent_before(session, user, response_id, nonce, levels):
                return _view(session, user, response)
            task, criteria_rows = _rubric(session, response)
            reason = reason.strip()
            machine = _machine_levels(session, response_id)
            if machine_seen is not None and dict(machine_seen) != machine:
                raise Conflict(
                    "The model scored this response again while you were looking at it. Nothing was saved; "
                    "look at its new suggestion, then decide."
                )
            kinds = _kinds(task, levels, machine)
            if len(reason) > LONGEST_REASON:
                raise InvalidInput(f"The reason may have at most {LONGEST_REASON} characters.")
            if HumanScoreKind.OVERRIDE in kinds.values() and not reason:
                raise InvalidInput("You chose another level than the model. Say why, in a word or a sentence.")
            _advance(session, response_id, revision)
            for criterion_id, level in levels.items():
                session.add(
                    HumanScoreRow(
                        response_id=response_id,
                        criterion_id=criteria_rows[criterion_id],
                        kind=kinds[criterion_id],
                        level=level,
                        machine_level=machine.get(criterion_id),
                        rater_id=user.id,
                        reason=reason,
                        nonce=nonce,
                    )
                )
            session.flush()
            record(
                session, user.id, "response.decide", "response", response_id,
                levels=dict(levels), kinds={key: kind.value for key, kind in kinds.items()},
            )  # fmt: skip
            session.refresh(response)
            return _view(session, user, response)

    def undo(self, actor: Actor, response_id: int, revision: int, nonce: str) -> ResponseView:
        """Retract the actor's latest decision on this response; what stood before stands again.

        Raises:
            Conflict: somebody decided meanwhile, or there is nothing of the actor's to undo.
        """
        with self._database.write() as session:
            user = require(session, actor)
            response = _visible_response(session, user, response_id)
            if _sent_before(session, user, response_id, nonce, None):
                return _view(session, user, response)
            rows = _undoable(session, user.id, response_id)
            if not rows:
                raise Conflict("There is no decision of yours to undo on this response.")
            _advance(session, response_id, revision)
            for row in rows:
                session.add(
                    HumanScoreRow(
                        response_id=response_id,
                        criterion_id=row.criterion_id,
                        kind=HumanScoreKind.RETRACT,
                        level=None,
                        rater_id=user.id,
                        nonce=nonce,
                        retracts_id=row.id,
                    )
                )
            session.flush()
            record(session, user.id, "response.undo", "response", response_id, rows=[row.id for row in rows])
            session.refresh(response)
            return _view(session, user, response)


def _sent_before(session: Session, user: User, response_id: int, nonce: str, levels: Mapping[str, int] | None) -> bool:
    """Whether this very message, a decision or (without levels) an undo, was saved already.

    Raises:
        Conflict: another message came with this nonce; taking it for saved would lose this one.
    """
    rows = session.execute(
        select(HumanScoreRow, CriterionRow.key)
        .join(CriterionRow, CriterionRow.id == HumanScoreRow.criterion_id)
        .where(HumanScoreRow.nonce == nonce)
    ).all()
    if not rows:
        return False
    if any(row.response_id != response_id or row.rater_id != user.id for row, _ in rows):
        raise Conflict("This decision belongs to another response. Reload the page, then decide again.")
    undone = all(row.kind == HumanScoreKind.RETRACT for row, _ in rows)
    if undone != (levels is None) or (levels is not None and {key: row.level for row, key in rows} != dict(levels)):
        raise Conflict("Another decision was saved from this screen already. Reload the page, then decide again.")
    return True


def _visible_response(session: Session, user: User, response_id: int) -> Response:
    response = session.get(Response, response_id)
    if response is None:
        raise NotFound("There is no such response among yours.")
    try:
        require_upload(session, user, response.upload_id)
    except NotFound:
        raise NotFound("There is no such response among yours.") from None
    return response


def _rubric(session: Session, response: Response) -> tuple[Task, dict[str, int]]:
    version = _version(session, response)
    return task_of(version), criterion_ids(session, version.id)


def _version(session: Session, response: Response) -> TaskVersion:
    version = session.scalar(
        select(TaskVersion)
        .join(Upload, Upload.task_version_id == TaskVersion.id)
        .where(Upload.id == response.upload_id)
    )
    assert version is not None
    return version


def _machine_scores(session: Session, response_id: int) -> dict[str, CriterionScore]:
    rows = session.execute(
        select(CriterionRow.key, MachineScore)
        .join(CriterionRow, CriterionRow.id == MachineScore.criterion_id)
        .where(MachineScore.response_id == response_id)
        .order_by(MachineScore.created_at, MachineScore.id)
    )
    return {key: CriterionScore(key, m.level, m.expected, tuple(m.probabilities)) for key, m in rows}


def _machine_levels(session: Session, response_id: int) -> dict[str, int]:
    return {key: score.level for key, score in _machine_scores(session, response_id).items()}


def _kinds(task: Task, levels: Mapping[str, int], machine: Mapping[str, int]) -> dict[str, HumanScoreKind]:
    if not levels:
        raise InvalidInput("Choose a level for at least one criterion.")
    kinds = {}
    for criterion_id, level in levels.items():
        criterion = task.criterion(criterion_id)
        if level not in criterion.values:
            raise InvalidInput(f"{criterion.name}: level {level} is not one of {list(criterion.values)}.")
        differs = criterion_id in machine and machine[criterion_id] != level
        kinds[criterion_id] = HumanScoreKind.OVERRIDE if differs else HumanScoreKind.CONFIRM
    return kinds


def _advance(session: Session, response_id: int, revision: int) -> None:
    """One conditional update decides the race; the loser saves nothing."""
    done = session.execute(
        update(Response)
        .where(Response.id == response_id, Response.revision == revision)
        .values(revision=Response.revision + 1)
        .execution_options(synchronize_session=False)
    )
    if done.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict(
            "Somebody decided on this response while you were looking at it. Nothing of yours was saved; "
            "the page now shows their decision."
        )


def _undoable(session: Session, user_id: int, response_id: int) -> list[HumanScoreRow]:
    """The rows of the user's latest decision that was not retracted."""
    rows = list(
        session.scalars(
            select(HumanScoreRow)
            .where(HumanScoreRow.response_id == response_id, HumanScoreRow.rater_id == user_id)
            .order_by(HumanScoreRow.id)
        )
    )
    retracted = {row.retracts_id for row in rows}
    open_rows = [row for row in rows if row.kind in COUNTING_KINDS and row.id not in retracted]
    return [row for row in open_rows if row.nonce == open_rows[-1].nonce]


def _view(session: Session, user: User, response: Response) -> ResponseView:
    version = _version(session, response)
    task = task_of(version)
    machine = _machine_scores(session, response.id)
    human = human_scores(session, [response.id])
    raters = user_names(session, (score.rater_id for scores in human.values() for score in scores))
    identifier = session.scalar(
        select(SectionMember.identifier)
        .join(Upload, Upload.section_id == SectionMember.section_id)
        .where(Upload.id == response.upload_id, SectionMember.learner_id == response.learner_id)
    )
    learner = session.get(Learner, response.learner_id)
    flags = session.scalars(
        select(ResponseFlag.kind).where(ResponseFlag.response_id == response.id).order_by(ResponseFlag.kind)
    )
    criteria = []
    for criterion in task.criteria:
        scores = human.get((response.id, criterion.id), [])
        score = machine.get(criterion.id)
        criteria.append(
            CriterionView(
                criterion,
                score,
                final_score(score.level if score else None, scores),
                _history(scores, raters),
            )
        )
    return ResponseView(
        id=response.id,
        upload_id=response.upload_id,
        revision=response.revision,
        learner=identifier or f"Row {response.row_number}",
        learner_name=learner.name if learner else "",
        attempt=response.attempt,
        row=response.row_number,
        text=response.text,
        flags=tuple(flags),
        task=task,
        figure=version.figure,
        criteria=tuple(criteria),
        may_undo=bool(_undoable(session, user.id, response.id)),
    )


def _history(scores: list[HumanScore], raters: Mapping[int, str]) -> tuple[HistoryEntry, ...]:
    retracted = {score.retracts_id for score in scores}
    return tuple(
        HistoryEntry(
            score.created_at, raters.get(score.rater_id, ""), score.kind, score.level, score.reason,
            score.id in retracted,
        )
        for score in scores
    )  # fmt: skip
