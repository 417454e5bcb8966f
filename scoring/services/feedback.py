"""What learners are told: a person's comments on an answer, and templates that stand ready per criterion and level.

A comment is a text, `None` where nothing shall be told, or not there: then the template of the level is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.engine import Database
from db.tables import Comment, CommentTemplate, CriterionRow, Response, utc_now
from scoring.domain import Criterion, Level, Task
from scoring.errors import InvalidInput
from scoring.services.actors import Actor, require
from scoring.services.audit import record
from scoring.services.tasks import newest_version, task_of, visible_task

LONGEST_COMMENT = 2_000
WHOLE_ANSWER = ""  # where a criterion's key would stand, for a comment on all of it


@dataclass(frozen=True)
class Template:
    """What stands ready for one level. A draft repeats the rubric; nobody has made it theirs yet."""

    level: Level
    text: str
    draft: bool


@dataclass(frozen=True)
class CriterionTemplates:
    """A criterion with a template for each level, lowest first."""

    criterion: Criterion
    templates: tuple[Template, ...]

    @property
    def own(self) -> bool:
        """Whether the person has saved templates for this criterion."""
        return not any(template.draft for template in self.templates)


class Feedback:
    """A person's own comment templates; others have theirs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def templates(self, actor: Actor, task_id: int) -> list[CriterionTemplates]:
        """The actor's templates for a task's newest version; drafts from the rubric where there are none."""
        with self._database.read() as session:
            user = require(session, actor)
            task = task_of(newest_version(session, visible_task(session, user, task_id)))
            own = own_templates(session, user.id, task_id)
        return [
            CriterionTemplates(
                criterion,
                tuple(
                    Template(level, own.get((criterion.id, level.value), drafted(level)),
                             (criterion.id, level.value) not in own)
                    for level in criterion.levels
                ),
            )
            for criterion in task.criteria
        ]  # fmt: skip

    def save(self, actor: Actor, task_id: int, criterion_key: str, texts: Mapping[int, str]) -> None:
        """Make these texts the actor's templates of a criterion, one for each of its levels.

        An empty text is a choice too: nothing stands ready for that level.

        Raises:
            InvalidInput: the task has no such criterion, a level is missing or unknown, or a text is too long.
        """
        with self._database.write() as session:
            user = require(session, actor)
            task = task_of(newest_version(session, visible_task(session, user, task_id)))
            criterion = task.criterion(criterion_key)
            if set(texts) != set(criterion.values):
                raise InvalidInput(
                    f"{criterion.name}: levels {sorted(texts)} were sent, the rubric has {list(criterion.values)}. "
                    "It may have been changed meanwhile; reload the page."
                )
            for level, text in texts.items():
                if len(text) > LONGEST_COMMENT:
                    raise InvalidInput(
                        f"{criterion.name}, level {level}: the comment has {len(text):,} characters; "
                        f"at most {LONGEST_COMMENT:,} fit. Shorten it."
                    )
            _forget(session, user.id, task_id, criterion_key)
            session.add_all(
                CommentTemplate(
                    task_id=task_id, criterion_key=criterion_key, level=level, owner_id=user.id,
                    text=text.strip(), updated_at=utc_now(),
                )
                for level, text in texts.items()
            )  # fmt: skip
            record(session, user.id, "template.save", "task", task_id, criterion=criterion_key, levels=len(texts))

    def restore(self, actor: Actor, task_id: int, criterion_key: str) -> None:
        """Give up the actor's templates of a criterion; the rubric's drafts show again."""
        with self._database.write() as session:
            user = require(session, actor)
            visible_task(session, user, task_id)
            _forget(session, user.id, task_id, criterion_key)
            record(session, user.id, "template.restore", "task", task_id, criterion=criterion_key)


def drafted(level: Level) -> str:
    """A start for a comment: what the rubric says about the level."""
    return level.descriptor or level.label


def own_templates(session: Session, user_id: int, task_id: int) -> dict[tuple[str, int], str]:
    """What a person has saved for a task, by criterion key and level."""
    rows = session.scalars(
        select(CommentTemplate).where(CommentTemplate.task_id == task_id, CommentTemplate.owner_id == user_id)
    )
    return {(row.criterion_key, row.level): row.text for row in rows}


def templates_for(session: Session, user_id: int, task_id: int, task: Task) -> dict[str, dict[int, str]]:
    """What a review screen offers: criterion key -> level -> text; the rubric's words where nothing was saved.

    Args:
        session: Any session.
        user_id: Whose templates.
        task_id: The task, whatever its version.
        task: The version that the response answers; its levels are covered.
    """
    own = own_templates(session, user_id, task_id)
    return {
        criterion.id: {level.value: own.get((criterion.id, level.value), drafted(level)) for level in criterion.levels}
        for criterion in task.criteria
    }


def ready_for(session: Session, user_id: int, task_id: int, task: Task) -> dict[str, dict[int, str]]:
    """What is told where no comment is written: criterion key -> level -> the person's own text, if it holds any.

    Args are those of `templates_for`.
    """
    own = own_templates(session, user_id, task_id)
    return {
        criterion.id: {level: text for level in criterion.values if (text := own.get((criterion.id, level), ""))}
        for criterion in task.criteria
    }


def newest_comments(
    session: Session, response_ids: Iterable[int] | None = None, upload_id: str = ""
) -> dict[int, dict[str, str | None]]:
    """The comments that stand, by response and criterion key, of some responses or of a whole upload.

    The newest of a response and criterion counts, whoever wrote it; an empty one took the earlier back, and `None`
    says that nothing shall be told there.
    """
    query = (
        select(Comment.response_id, CriterionRow.key, Comment.text)
        .outerjoin(CriterionRow, CriterionRow.id == Comment.criterion_id)
        .order_by(Comment.id)
    )
    if upload_id:
        query = query.join(Response, Response.id == Comment.response_id).where(Response.upload_id == upload_id)
    else:
        query = query.where(Comment.response_id.in_(list(response_ids or ())))
    found: dict[int, dict[str, str | None]] = defaultdict(dict)
    for response_id, key, text in session.execute(query):
        found[response_id][key or WHOLE_ANSWER] = text
    return {
        response_id: {key: text for key, text in comments.items() if text != ""}
        for response_id, comments in found.items()
    }


def _forget(session: Session, user_id: int, task_id: int, criterion_key: str) -> None:
    session.execute(
        delete(CommentTemplate).where(
            CommentTemplate.task_id == task_id,
            CommentTemplate.owner_id == user_id,
            CommentTemplate.criterion_key == criterion_key,
        )
    )
