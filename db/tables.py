"""The schema. What each table is for stands in its docstring; times are UTC; texts never repeat in the audit log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite keeps no zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: they would silently mean another zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone can't be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give back an aware time."""
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def utc_now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Root of the schema; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


class User(Base):
    """A person who signs in."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str] = mapped_column(String(200))
    active: Mapped[bool] = mapped_column(default=True)
    must_change_password: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    last_sign_in_at: Mapped[datetime | None]


class SignInSession(Base):
    """A signed-in browser. The key is the SHA-256 of the cookie's token, so that a stolen file opens nothing."""

    __tablename__ = "sessions"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    last_seen_at: Mapped[datetime] = mapped_column(default=utc_now)
    revoked_at: Mapped[datetime | None]


class SignInAttempt(Base):
    """A failed sign-in or set-up, kept for rate limiting."""

    __tablename__ = "sign_in_attempts"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(300), index=True)
    at: Mapped[datetime] = mapped_column(default=utc_now)


class SetupCode(Base):
    """The one-time code that lets the first visitor become the first administrator."""

    __tablename__ = "setup_codes"
    id: Mapped[int] = mapped_column(primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Section(Base):
    """One class of learners."""

    __tablename__ = "sections"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    archived_at: Mapped[datetime | None]


class SectionEducator(Base):
    """Who owns a section; several educators may."""

    __tablename__ = "section_educators"
    section_id: Mapped[int] = mapped_column(ForeignKey("sections.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)


class Learner(Base):
    """A person who writes responses. The name is optional everywhere."""

    __tablename__ = "learners"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), default="")


class SectionMember(Base):
    """A learner in a section, under the identifier that this section's files use."""

    __tablename__ = "section_members"
    __table_args__ = (UniqueConstraint("section_id", "identifier"),)
    section_id: Mapped[int] = mapped_column(ForeignKey("sections.id", ondelete="CASCADE"), primary_key=True)
    learner_id: Mapped[int] = mapped_column(ForeignKey("learners.id", ondelete="CASCADE"), primary_key=True, index=True)
    identifier: Mapped[str] = mapped_column(String(200))


class GroupValue(Base):
    """A group a learner belongs to (grade, English learner), for fairness figures only."""

    __tablename__ = "group_values"
    learner_id: Mapped[int] = mapped_column(ForeignKey("learners.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))


class TaskRow(Base):
    """An assessment item. Without an owner it is published to everyone."""

    __tablename__ = "tasks"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(100), unique=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    submit_token: Mapped[str | None] = mapped_column(String(64), unique=True)  # of the form that made it
    retired_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    versions: Mapped[list[TaskVersion]] = relationship(back_populates="task", order_by="TaskVersion.number")


class TaskVersion(Base):
    """What a task said at one time; responses and scores point here. Never changed once written."""

    __tablename__ = "task_versions"
    __table_args__ = (UniqueConstraint("task_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    number: Mapped[int]
    title: Mapped[str] = mapped_column(String(300))
    content: Mapped[dict[str, Any]]  # the item bank entry without its criteria
    figure: Mapped[str] = mapped_column(Text, default="")  # the stimulus figure as SVG
    content_hash: Mapped[str] = mapped_column(String(64))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    task: Mapped[TaskRow] = relationship(back_populates="versions")
    criteria: Mapped[list[CriterionRow]] = relationship(order_by="CriterionRow.position", cascade="all, delete-orphan")


class CriterionRow(Base):
    """One rubric dimension of a task version."""

    __tablename__ = "criteria"
    __table_args__ = (UniqueConstraint("task_version_id", "key"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    task_version_id: Mapped[int] = mapped_column(ForeignKey("task_versions.id", ondelete="CASCADE"))
    position: Mapped[int]
    key: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    levels: Mapped[list[LevelRow]] = relationship(order_by="LevelRow.value", cascade="all, delete-orphan")


class LevelRow(Base):
    """One score point of a criterion."""

    __tablename__ = "levels"
    __table_args__ = (UniqueConstraint("criterion_id", "value"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    criterion_id: Mapped[int] = mapped_column(ForeignKey("criteria.id", ondelete="CASCADE"))
    value: Mapped[int]
    label: Mapped[str] = mapped_column(String(100), default="")
    descriptor: Mapped[str] = mapped_column(Text, default="")


class LabelledExample(Base):
    """An answer that a task is learned from. Without levels it waits in the pool to be labelled."""

    __tablename__ = "labelled_examples"
    __table_args__ = (UniqueConstraint("task_version_id", "response_key"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    task_version_id: Mapped[int] = mapped_column(ForeignKey("task_versions.id", ondelete="CASCADE"))
    response_key: Mapped[str] = mapped_column(String(100))
    text: Mapped[str] = mapped_column(Text)
    levels: Mapped[dict[str, Any]]
    second: Mapped[dict[str, Any]]
    fold: Mapped[str] = mapped_column(String(20), default="")
    source: Mapped[str] = mapped_column(String(10), default="bank", server_default="bank")  # bank, file, screen
    added_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    added_at: Mapped[datetime | None]


class ExampleFile(Base):
    """A file of labelled answers that was taken in; its token makes a second click harmless."""

    __tablename__ = "example_files"
    id: Mapped[int] = mapped_column(primary_key=True)
    task_version_id: Mapped[int] = mapped_column(ForeignKey("task_versions.id", ondelete="CASCADE"), index=True)
    submit_token: Mapped[str] = mapped_column(String(64), unique=True)
    file_name: Mapped[str] = mapped_column(String(300))
    file_sha256: Mapped[str] = mapped_column(String(64))
    added: Mapped[int]
    changed: Mapped[int]
    left_out: Mapped[int]  # rows with errors, and copies
    added_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    added_at: Mapped[datetime] = mapped_column(default=utc_now)


class Adaptation(Base):
    """One run that gives a task version to a student version; at its end there is a candidate, or an error.

    With `source_version_id`, nothing is trained: what that candidate learned is put onto the base version.
    """

    __tablename__ = "adaptations"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    task_version_id: Mapped[int] = mapped_column(ForeignKey("task_versions.id", ondelete="CASCADE"), index=True)
    base_student_version_id: Mapped[int] = mapped_column(ForeignKey("student_versions.id"))
    source_version_id: Mapped[int | None] = mapped_column(ForeignKey("student_versions.id"))
    requested_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    submit_token: Mapped[str] = mapped_column(String(64), unique=True)
    job_id: Mapped[str] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(20))  # queued, running, done, failed, cancelled
    quick: Mapped[bool] = mapped_column(default=False)  # stop at the first usable model
    examples: Mapped[int]  # labelled ones, when it was asked for
    stage: Mapped[str] = mapped_column(String(40), default="")
    message: Mapped[str] = mapped_column(Text, default="")  # what it does now, for people
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    parts: Mapped[dict[str, Any]]  # key -> result of what is finished, so that a killed run goes on
    report: Mapped[dict[str, Any] | None]
    candidate_version_id: Mapped[int | None] = mapped_column(ForeignKey("student_versions.id"))
    error: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Preview(Base):
    """Every answer of the house scored by a candidate and by the active version, to see what would change."""

    __tablename__ = "previews"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    candidate_version_id: Mapped[int] = mapped_column(ForeignKey("student_versions.id", ondelete="CASCADE"), index=True)
    active_version_id: Mapped[int] = mapped_column(ForeignKey("student_versions.id"))
    requested_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    submit_token: Mapped[str] = mapped_column(String(64), unique=True)
    job_id: Mapped[str] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(20))  # queued, running, done, failed, cancelled
    cursor: Mapped[int] = mapped_column(default=0)  # the last response that was looked at; ids ascend
    done: Mapped[int] = mapped_column(default=0)  # answers scored by both
    total: Mapped[int] = mapped_column(default=0)
    others: Mapped[int] = mapped_column(default=0)  # of these, answers to tasks that the candidate must not move
    moved: Mapped[int] = mapped_column(default=0)  # of those, how many it did move
    error: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class PreviewChange(Base):
    """A level that would be another one under a preview's candidate."""

    __tablename__ = "preview_changes"
    preview_id: Mapped[str] = mapped_column(ForeignKey("previews.id", ondelete="CASCADE"), primary_key=True)
    response_id: Mapped[int] = mapped_column(
        ForeignKey("responses.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    criterion_id: Mapped[int] = mapped_column(ForeignKey("criteria.id"), primary_key=True)
    before: Mapped[int | None]  # None where the active version does not score the task
    after: Mapped[int | None]


class Upload(Base):
    """One file of responses and the state of its scoring. `job_id` is the durable workflow that may write scores."""

    __tablename__ = "uploads"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    section_id: Mapped[int] = mapped_column(ForeignKey("sections.id"), index=True)
    task_version_id: Mapped[int] = mapped_column(ForeignKey("task_versions.id"), index=True)
    uploaded_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    file_name: Mapped[str] = mapped_column(String(300))
    file_sha256: Mapped[str] = mapped_column(String(64), index=True)
    mapping: Mapped[dict[str, Any]]
    problems: Mapped[list[Any]]  # what the file check said: [{row, field, message, severity}]
    submit_token: Mapped[str] = mapped_column(String(64), unique=True)
    job_id: Mapped[str] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(20))
    total: Mapped[int]  # responses that the job has to score
    scored: Mapped[int] = mapped_column(default=0)  # of these, how many it has scored
    response_count: Mapped[int]
    headers_sha256: Mapped[str] = mapped_column(String(64), index=True)  # to remember the mapping of such files
    error: Mapped[str] = mapped_column(Text, default="")
    student_version_id: Mapped[int | None] = mapped_column(ForeignKey("student_versions.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class UploadFile(Base):
    """The original bytes of an upload."""

    __tablename__ = "upload_files"
    upload_id: Mapped[str] = mapped_column(ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Response(Base):
    """One learner's text for one task. `revision` counts decisions, so that a stale screen is refused.

    `reviewed`, `uncertainty`, `machine_total` and `alike_group` are what the review queue is ordered and
    counted by; they are written in the same transaction as the scores and decisions that they follow from.
    Ids ascend in file order within an upload.
    """

    __tablename__ = "responses"
    __table_args__ = (
        UniqueConstraint("upload_id", "row_number"),
        Index("ix_responses_learner", "learner_id"),
        Index("ix_responses_queue", "upload_id", "reviewed", "blind", "uncertainty", "id"),
        Index("ix_responses_total", "upload_id", "reviewed", "blind", "machine_total", "id"),
        Index("ix_responses_file", "upload_id", "reviewed", "id"),
        Index("ix_responses_alike", "upload_id", "alike_group", "id", "reviewed", "blind"),
        {"sqlite_autoincrement": True},  # the id of an erased answer never comes back for another one
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    upload_id: Mapped[str] = mapped_column(ForeignKey("uploads.id", ondelete="CASCADE"))
    learner_id: Mapped[int] = mapped_column(ForeignKey("learners.id"))
    row_number: Mapped[int]
    attempt: Mapped[int] = mapped_column(default=1)
    text: Mapped[str] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(default=0)
    reviewed: Mapped[bool] = mapped_column(default=False, server_default=false())  # every criterion was decided
    blind: Mapped[bool] = mapped_column(default=False, server_default=false())  # drawn for scoring without the machine
    # Of the newest machine scores; None without any, for answers drawn blind, and for their undecided likes.
    uncertainty: Mapped[float | None]  # 0 sure to 1 unsure
    machine_total: Mapped[int | None]  # points
    alike_group: Mapped[str | None] = mapped_column(String(64))  # same for answers of an upload that say the same


class ResponseGates(Base):
    """How one student version routed a response through its experts."""

    __tablename__ = "response_gates"
    response_id: Mapped[int] = mapped_column(ForeignKey("responses.id", ondelete="CASCADE"), primary_key=True)
    student_version_id: Mapped[int] = mapped_column(ForeignKey("student_versions.id"), primary_key=True)
    weights: Mapped[list[Any]]  # (layers, experts)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class ExpertProfile(Base):
    """What the experts of a student version are used for over the item bank; kept, as it takes long to find out."""

    __tablename__ = "expert_profiles"
    student_version_id: Mapped[int] = mapped_column(
        ForeignKey("student_versions.id", ondelete="CASCADE"), primary_key=True
    )
    examples: Mapped[int]  # labelled answers in the bank then; another count makes it stale
    content: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class ReviewFlag(Base):
    """A person's mark on a response, to come back to it."""

    __tablename__ = "review_flags"
    response_id: Mapped[int] = mapped_column(ForeignKey("responses.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    note: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Claim(Base):
    """Who is looking at a response just now, so that two people don't decide on it at once. It lapses by itself."""

    __tablename__ = "claims"
    response_id: Mapped[int] = mapped_column(ForeignKey("responses.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    until: Mapped[datetime]


class Comment(Base):
    """What a person wrote to the learner, on the whole answer or on one criterion. Appended; the newest counts."""

    __tablename__ = "comments"
    id: Mapped[int] = mapped_column(primary_key=True)
    response_id: Mapped[int] = mapped_column(ForeignKey("responses.id", ondelete="CASCADE"), index=True)
    criterion_id: Mapped[int | None] = mapped_column(ForeignKey("criteria.id"))
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    text: Mapped[str | None] = mapped_column(Text)  # empty takes an earlier one back; NULL: nothing is told at all
    nonce: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class CommentTemplate(Base):
    """A comment that a person wrote for a level of a criterion of a task, in every version of it."""

    __tablename__ = "comment_templates"
    __table_args__ = (UniqueConstraint("task_id", "criterion_key", "level", "owner_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    criterion_key: Mapped[str] = mapped_column(String(100))
    level: Mapped[int]
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    text: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)


class UrgentAlert(Base):
    """An answer that may tell of harm, for a person to read. Never a score."""

    __tablename__ = "urgent_alerts"
    __table_args__ = (UniqueConstraint("response_id", "kind"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    response_id: Mapped[int] = mapped_column(ForeignKey("responses.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(40))
    matched: Mapped[list[Any]]  # [start, end] of each sign in the response's text
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    handled_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    handled_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(Text, default="")


class Explanation(Base):
    """Why a student version scored a response as it did; made by the worker, once per settings."""

    __tablename__ = "explanations"
    __table_args__ = (UniqueConstraint("response_id", "student_version_id", "settings_hash"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    response_id: Mapped[int] = mapped_column(ForeignKey("responses.id", ondelete="CASCADE"))
    student_version_id: Mapped[int] = mapped_column(ForeignKey("student_versions.id"))
    settings_hash: Mapped[str] = mapped_column(String(64))
    job_id: Mapped[str] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(20))  # waiting, first, done, failed
    first: Mapped[dict[str, Any] | None]  # the fast highlights
    content: Mapped[dict[str, Any] | None]  # the whole explanation
    error: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]


class Trial(Base):
    """An edited text that a person wants scored to see what moves. Kept for a day, never a score."""

    __tablename__ = "trials"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    response_id: Mapped[int] = mapped_column(ForeignKey("responses.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    text: Mapped[str] = mapped_column(Text)
    content: Mapped[dict[str, Any] | None]
    error: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class HouseRule(Base):
    """A choice of this school, such as the share scored blind, by name; absent ones have a default in code."""

    __tablename__ = "house_rules"
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[dict[str, Any]]
    changed_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    changed_at: Mapped[datetime] = mapped_column(default=utc_now)


class ResponseFlag(Base):
    """A check that a response did not pass (blank, truncated, …)."""

    __tablename__ = "response_flags"
    __table_args__ = (UniqueConstraint("response_id", "kind"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    response_id: Mapped[int] = mapped_column(ForeignKey("responses.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(40))
    detail: Mapped[str] = mapped_column(Text, default="")


class StudentVersion(Base):
    """One checkpoint of the student, never changed. One that adds a task names its parent and that task's version."""

    __tablename__ = "student_versions"
    id: Mapped[int] = mapped_column(primary_key=True)
    version_key: Mapped[str] = mapped_column(String(64), unique=True)
    folder: Mapped[str] = mapped_column(String(1000))
    state: Mapped[str] = mapped_column(String(20))
    shapes: Mapped[dict[str, Any]]  # task key -> criterion key -> score points
    card: Mapped[dict[str, Any]]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("student_versions.id"))
    task_version_id: Mapped[int | None] = mapped_column(ForeignKey("task_versions.id"), index=True)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    activated_at: Mapped[datetime | None]
    activated_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    activation_note: Mapped[str] = mapped_column(Text, default="", server_default="")  # why, despite a failed check
    replaced_id: Mapped[int | None] = mapped_column(ForeignKey("student_versions.id"))  # active before; to roll back to


class VersionMetric(Base):
    """One measured figure of a student version, with its 95% interval where there is one."""

    __tablename__ = "version_metrics"
    __table_args__ = (UniqueConstraint("student_version_id", "task_key", "criterion_key", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    student_version_id: Mapped[int] = mapped_column(ForeignKey("student_versions.id", ondelete="CASCADE"))
    task_key: Mapped[str] = mapped_column(String(100))
    criterion_key: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(40))
    value: Mapped[float]
    low: Mapped[float | None]
    high: Mapped[float | None]
    n: Mapped[int]


class MachineScore(Base):
    """A student version's view of one response on one criterion; `job_id` is the run that wrote it."""

    __tablename__ = "machine_scores"
    __table_args__ = (UniqueConstraint("response_id", "criterion_id", "student_version_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    response_id: Mapped[int] = mapped_column(ForeignKey("responses.id", ondelete="CASCADE"))
    criterion_id: Mapped[int] = mapped_column(ForeignKey("criteria.id"))
    student_version_id: Mapped[int] = mapped_column(ForeignKey("student_versions.id"))
    level: Mapped[int]
    expected: Mapped[float]
    probabilities: Mapped[list[Any]]  # calibrated where the version says how
    level_set: Mapped[list[Any] | None]  # levels that hold the human one with the version's stated coverage
    job_id: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class HumanScoreRow(Base):
    """A person's decision; appended, never changed.

    A retraction names the row that it takes back; a decision that was put back names that retraction.
    """

    __tablename__ = "human_scores"
    __table_args__ = (
        UniqueConstraint("nonce", "criterion_id"),
        Index("ix_human_scores_rater", "rater_id", "id"),
        CheckConstraint("kind = 'retract' OR level IS NOT NULL", name="level_given"),
        CheckConstraint("kind <> 'retract' OR retracts_id IS NOT NULL", name="retraction_named"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    response_id: Mapped[int] = mapped_column(ForeignKey("responses.id", ondelete="CASCADE"), index=True)
    criterion_id: Mapped[int] = mapped_column(ForeignKey("criteria.id"))
    kind: Mapped[str] = mapped_column(String(20))
    level: Mapped[int | None]
    machine_level: Mapped[int | None]  # what the machine said when the person decided
    rater_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    reason: Mapped[str] = mapped_column(Text, default="")
    reason_kind: Mapped[str] = mapped_column(String(60), default="", server_default="")  # from the house's short list
    blind: Mapped[bool] = mapped_column(default=False, server_default=false())  # the machine's level was hidden
    batch: Mapped[str | None] = mapped_column(String(64), index=True)  # one decision on a group of alike answers
    nonce: Mapped[str] = mapped_column(String(64))
    retracts_id: Mapped[int | None] = mapped_column(ForeignKey("human_scores.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class AuditEvent(Base):
    """Who did what to which object. Holds ids only; each row's hash covers the row before it."""

    __tablename__ = "audit_events"
    __table_args__ = (Index("ix_audit_events_object", "object_type", "object_id"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    actor_id: Mapped[int | None]
    action: Mapped[str] = mapped_column(String(60), index=True)
    object_type: Mapped[str] = mapped_column(String(40))
    object_id: Mapped[str] = mapped_column(String(100))
    detail: Mapped[dict[str, Any]]
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """The end of the audit chain: one row, locked by whoever appends."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True)
    last_id: Mapped[int]
    last_hash: Mapped[str] = mapped_column(String(64))


class Worker(Base):
    """A worker process as it last reported itself."""

    __tablename__ = "workers"
    executor_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    pid: Mapped[int]
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(20))  # starting, ready, stopping, failed
    device: Mapped[str] = mapped_column(String(100), default="")
    student_version_key: Mapped[str] = mapped_column(String(64), default="")
    message: Mapped[str] = mapped_column(Text, default="")
