"""Putting work into the job engine, in the same transaction as the rows that it is about."""

from __future__ import annotations

import threading
from typing import Any

from dbos import DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions
from sqlalchemy.orm import Session

from scoring.jobs import (
    ADD_TASK,
    APPLICATION_NAME,
    APPLICATION_VERSION,
    BACKGROUND_QUEUE,
    BRING_UP_TO_DATE,
    BULK_QUEUE,
    EXPLAIN_RESPONSE,
    EXPLAIN_UPLOAD,
    INTERACTIVE_QUEUE,
    PREVIEW,
    PREVIEW_QUEUE,
    SCORE_UPLOAD,
    TRAINING_QUEUE,
    TRY_TEXT,
)

AFTER_TRIALS = 1  # a job without a priority goes before one with any


class Jobs:
    """A client of the job engine; work is named, never imported. A job exists once the caller's transaction commits."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._lock = threading.Lock()
        self._client: DBOSClient | None = None

    def enqueue_scoring(self, session: Session, upload_id: str, job_id: str, *, again: bool) -> None:
        """Queue the scoring of an upload."""
        self._enqueue(session, BULK_QUEUE, SCORE_UPLOAD, job_id, upload_id, job_id, again)

    def enqueue_explanation(self, session: Session, explanation_id: int, job_id: str) -> None:
        """Queue an explanation that somebody waits for."""
        self._enqueue(
            session, INTERACTIVE_QUEUE, EXPLAIN_RESPONSE, job_id, explanation_id, job_id, priority=AFTER_TRIALS
        )

    def enqueue_explanations(self, session: Session, job_id: str) -> None:
        """Queue the explanations that carry this job's id, for a report."""
        self._enqueue(session, BACKGROUND_QUEUE, EXPLAIN_UPLOAD, job_id, job_id)

    def enqueue_trial(self, session: Session, trial_id: str) -> None:
        """Queue the scoring of an edited text."""
        self._enqueue(session, INTERACTIVE_QUEUE, TRY_TEXT, trial_id, trial_id)

    def enqueue_adaptation(self, session: Session, run_id: str, job_id: str) -> None:
        """Queue the training of a task."""
        self._enqueue(session, TRAINING_QUEUE, ADD_TASK, job_id, run_id, job_id)

    def enqueue_bring_up_to_date(self, session: Session, run_id: str, job_id: str) -> None:
        """Queue putting what a candidate learned onto the active version."""
        self._enqueue(session, PREVIEW_QUEUE, BRING_UP_TO_DATE, job_id, run_id, job_id)

    def enqueue_preview(self, session: Session, preview_id: str, job_id: str) -> None:
        """Queue a preview of what a candidate would change."""
        self._enqueue(session, PREVIEW_QUEUE, PREVIEW, job_id, preview_id, job_id)

    def close(self) -> None:
        """Give the client's connections back."""
        with self._lock:
            if self._client is not None:
                self._client.destroy()
                self._client = None

    def _enqueue(
        self, session: Session, queue: str, workflow: str, job_id: str, *arguments: Any, priority: int | None = None
    ) -> None:
        options: EnqueueOptions = {
            "queue_name": queue,
            "workflow_name": workflow,
            "workflow_id": job_id,
            "app_version": APPLICATION_VERSION,
        }
        if priority is not None:
            options["priority"] = priority
        self._connect().enqueue_in_transaction(session, options, *arguments)

    def _connect(self) -> DBOSClient:
        # Late, because the tables of the engine exist only after the first migration.
        with self._lock:
            if self._client is None:
                self._client = DBOSClient(
                    system_database_url=self._url,
                    serializer=DBOSPortableJSONSerializer(),
                    application_name=APPLICATION_NAME,
                )
            return self._client
