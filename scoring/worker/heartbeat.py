"""The worker's sign of life in the database, which health checks read."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from types import TracebackType

from sqlalchemy.exc import SQLAlchemyError

from db.engine import Database
from db.tables import Worker, utc_now
from scoring.errors import EvenhandError

logger = logging.getLogger(__name__)
INTERVAL_S = 3.0


class Heartbeat:
    """Reports state and time every few seconds from a thread of its own, until the `with` block ends.

    `details` gives the other columns of the worker's row as they are at each beat.
    """

    def __init__(self, database: Database, executor_id: str, details: Callable[[], dict[str, str]]) -> None:
        self._database = database
        self._executor_id = executor_id
        self._details = details
        self._fields: dict[str, str] = {
            "state": "starting",
            "device": "",
            "student_version_key": "",
            "message": "",
        }
        self._started = utc_now()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self.report("starting")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if error is not None:
            self.report("failed", f"{type(error).__name__}: {error}")
        elif self._fields["state"] != "failed":
            self.report("stopped")

    def report(self, state: str, message: str = "") -> None:
        """Write the state at once, with what is worth saying of it."""
        with self._lock:
            self._fields = {"state": state, "message": message}
            with self._database.write() as session:
                session.merge(
                    Worker(
                        executor_id=self._executor_id,
                        pid=os.getpid(),
                        started_at=self._started,
                        heartbeat_at=utc_now(),
                        **self._fields,
                        **self._details(),
                    )
                )

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            try:
                self.report(**self._fields)
            except (SQLAlchemyError, EvenhandError) as error:
                # A busy or full database is itself news: the missed beat shows on the health screen.
                logger.warning("Heartbeat not written: %s", error)
