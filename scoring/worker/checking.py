"""Looking at an upload's answers before a model does: urgent signs, response checks, and what says the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from db.engine import Database
from db.tables import Response, ResponseFlag, TaskVersion, Upload
from scoring.checks.alike import alike_groups
from scoring.checks.flags import Flag, FlagKind
from scoring.checks.likeness import UrgentLikeness, pieces
from scoring.checks.response import check_responses
from scoring.checks.task_texts import TaskTexts
from scoring.services.alerts import raise_alerts, raise_signs, showing_signs
from scoring.services.review_state import refresh
from scoring.services.tasks import task_of
from scoring.worker.meanings import Meanings

SLICE = 500  # answers saved in one transaction
OWN_KINDS = [kind for kind in FlagKind if kind is not FlagKind.BLANK]  # what is blank was seen at the file check, too


@dataclass(frozen=True)
class _Answer:
    """A response as the checks see it."""

    id: int
    row: int
    learner: int
    text: str


def raise_urgent(database: Database, upload_id: str) -> None:
    """Raise alerts for the urgent signs in an upload, whether or not it is ever scored. Again changes nothing."""
    answers = _answers(database, upload_id)
    for part in _slices(answers):
        # The search takes a while, and most slices show nothing: the write lock is for those that do.
        showing = showing_signs((answer.id, answer.text) for answer in part)
        if showing:
            with database.write() as session:
                there = _still_there(session, part)
                raise_alerts(session, [(i, text) for i, text in showing if i in there])


def raise_meant(database: Database, meanings: Meanings, upload_id: str, after: int) -> int | None:
    """Raise alerts for signs that are meant rather than said in telling words. Again changes nothing.

    Args:
        database: The database.
        meanings: The encoder; without one nothing is raised.
        upload_id: The upload.
        after: The last response that was looked at, 0 at first: a call takes a few seconds of work.

    Returns:
        The last response that was looked at now, `None` when there are no more.
    """
    if not meanings.available():
        return None
    part = _answers(database, upload_id, after, SLICE)
    likeness = UrgentLikeness.load()
    said = [pieces(answer.text) for answer in part]
    embeddings = meanings.embed([piece for each in said for piece in each])
    ends = accumulate(map(len, said), initial=0)
    signs = {
        answer.id: (answer.text, found)
        for answer, each, start in zip(part, said, ends, strict=False)
        if (found := likeness.signs(each, embeddings[start : start + len(each)]))
    }
    if signs:
        with database.write() as session:
            there = _still_there(session, part)
            raise_signs(session, {i: found for i, found in signs.items() if i in there})
    return part[-1].id if len(part) == SLICE else None


def check_answers(
    database: Database, upload_id: str, heartbeat: Callable[[], None], meanings: Meanings | None = None
) -> None:
    """Save what the checks find, and which answers say the same. Again replaces what was found before.

    Args:
        database: The database.
        upload_id: The upload.
        heartbeat: Called every few thousand answers; what it raises ends the work, with what was saved so far.
        meanings: The encoder, which makes the off-topic check better.
    """
    answers = _answers(database, upload_id)
    with database.read() as session:
        version = session.get(TaskVersion, session.get_one(Upload, upload_id).task_version_id)
        assert version is not None
        task = task_of(version)
    texts = [answer.text for answer in answers]
    embed = partial(meanings.embed, heartbeat=heartbeat) if meanings is not None and meanings.available() else None
    learners = [answer.learner for answer in answers]
    flags = check_responses(task, texts, learners=learners, embed=embed, heartbeat=heartbeat)
    heartbeat()
    groups = alike_groups(texts, language=TaskTexts.of(task).language)
    found = {answer.id: (own, group) for answer, own, group in zip(answers, flags, groups, strict=True)}
    for part in _slices(answers):
        heartbeat()
        with database.write() as session:
            there = _still_there(session, part)
            _save_flags(session, {i: found[i][0] for i in there}, answers)
            changed = [i for i, before in there.items() if before != found[i][1]]
            if changed:
                session.execute(update(Response), [{"id": i, "alike_group": found[i][1]} for i in changed])
                refresh(session, changed)


def _answers(database: Database, upload_id: str, after: int = 0, limit: int | None = None) -> list[_Answer]:
    with database.read() as session:
        rows = session.execute(
            select(Response.id, Response.row_number, Response.learner_id, Response.text)
            .where(Response.upload_id == upload_id, Response.id > after)
            .order_by(Response.id)
            .limit(limit)
        )
        return [_Answer(*row) for row in rows]


def _slices(answers: Sequence[_Answer]) -> list[Sequence[_Answer]]:
    return [answers[start : start + SLICE] for start in range(0, len(answers), SLICE)]


def _still_there(session: Session, answers: Sequence[_Answer]) -> dict[int, str | None]:
    """Ids of those that nobody erased meanwhile, with their groups as they are saved."""
    ids = [answer.id for answer in answers]
    return dict(session.execute(select(Response.id, Response.alike_group).where(Response.id.in_(ids))).all())


def _save_flags(session: Session, found: dict[int, list[Flag]], answers: Sequence[_Answer]) -> None:
    session.execute(
        delete(ResponseFlag).where(ResponseFlag.response_id.in_(list(found)), ResponseFlag.kind.in_(OWN_KINDS))
    )
    known = select(ResponseFlag.response_id).where(
        ResponseFlag.response_id.in_(list(found)), ResponseFlag.kind == FlagKind.BLANK
    )
    blank = set(session.scalars(known))
    session.add_all(
        ResponseFlag(response_id=i, kind=flag.kind, detail=_detail(flag, answers))
        for i, flags in found.items()
        for flag in flags
        if not (flag.kind is FlagKind.BLANK and i in blank)
    )


def _detail(flag: Flag, answers: Sequence[_Answer]) -> str:
    return flag.reason if flag.other is None else f"{flag.reason} It is in row {answers[flag.other].row}."
