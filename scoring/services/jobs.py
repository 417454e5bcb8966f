"""Putting work into the job engine, in the same transaction as the rows that it is about."""

from __future__ import annotations

import threading

from dbos import DBOSClient, DBOSPortableJSONSerializer
from sqlalchemy.orm import Session

from scoring.jobs import APPLICATION_NAME, APPLICATION_VERSION, BULK_QUEUE, SCORE_UPLOAD


class Jobs:
    """A client of the job engine; work is named, never imported."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._lock = threading.Lock()
        self._client: DBOSClient | None = None

    def enqueue_scoring(self, session: Session, upload_id: str, job_id: str, *, again: bool) -> None:
        """Queue the scoring of an upload; it exists once the caller's transaction commits."""
        self._connect().enqueue_in_transaction(
            session,
            {
                "queue_name": BULK_QUEUE,
                "workflow_name": SCORE_UPLOAD,
                "workflow_id": job_id,
                "app_version": APPLICATION_VERSION,
            },
            upload_id,
            job_id,
            again,
        )

    def close(self) -> None:
        """Give the client's connections back."""
        with self._lock:
            if self._client is not None:
                self._client.destroy()
                self._client = None

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
