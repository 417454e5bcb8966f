"""Work done ahead while nobody wants anything, so that an explanation is there before it is asked for."""

from __future__ import annotations

import importlib
import logging
import threading
from types import TracebackType
from typing import Any

from db.engine import Database
from db.explanation_queries import insert_new, next_to_prepare
from db.tables import ExpertProfile, Response, utc_now
from scoring.services.explanations import SETTINGS, ExplanationStatus
from scoring.worker.explainers import Explainers, told
from scoring.worker.subjects import subject_of
from scoring.worker.surroundings import bank_size, stale_profile
from scoring.worker.turns import Rank

logger = logging.getLogger(__name__)
PREPARED_AHEAD = 30  # answers at the head of an upload's review queue
LOOK_EVERY_S = 2.0
AFTER_ERROR_S = 60.0


class Ahead:
    """A thread that prepares one thing after the other, until the `with` block ends.

    Anything else that wants the model stops it before its next forward pass, and it goes on after.
    """

    def __init__(self, database: Database, explainers: Explainers) -> None:
        self._database = database
        self._explainers = explainers
        self._stop = threading.Event()
        # A daemon: while it waits for its turn it can't be told to stop.
        self._thread = threading.Thread(target=self._run, name="ahead", daemon=True)

    def __enter__(self) -> Ahead:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()

    def prepare_next(self) -> bool:
        """Do what somebody is likeliest to ask for next; whether there was anything.

        First what the experts are used for, once a version and bank, then the head of the review queue.
        """
        with self._database.read() as session:
            version_id, examples = stale_profile(session), bank_size(session)
            following = next_to_prepare(session, SETTINGS.hash(), PREPARED_AHEAD)
        if version_id is not None:
            self._profile(version_id, examples)
        elif following is not None:
            self._explain(*following)
        return version_id is not None or following is not None

    def _profile(self, version_id: int, examples: int) -> None:
        content = self._explainers.profile(version_id)
        with self._database.write() as session:
            session.merge(
                ExpertProfile(student_version_id=version_id, examples=examples, content=content, created_at=utc_now())
            )

    def _explain(self, response_id: int, version_id: int) -> None:
        with self._database.read() as session:
            subject = subject_of(session, response_id, version_id)
        values: dict[str, Any] = {"status": ExplanationStatus.DONE}
        try:
            values["content"] = self._explainers.content(subject, self._explainers.look(subject))
        except Exception as error:
            # Kept as failed, so that it is not tried for ever; whoever opens it can ask again.
            values = {"status": ExplanationStatus.FAILED, "error": told(error)}
        with self._database.write() as session:
            if session.get(Response, response_id) is not None:
                insert_new(
                    session, response_id, version_id, SETTINGS.hash(), job_id="ahead", finished_at=utc_now(), **values
                )

    def _run(self) -> None:
        # Takes seconds, which the first person to ask would wait for.
        importlib.import_module("scoring.explain.shapley")
        pause = 0.0
        while not self._stop.wait(pause):
            pause = LOOK_EVERY_S
            if self._explainers.turns.busy(Rank.IDLE):
                continue
            try:
                with self._explainers.turns.at(Rank.IDLE):
                    if self.prepare_next():
                        pause = 0.0
            except Exception:
                # Nobody waits for this, so nobody is told; the log has the trace.
                logger.exception("Nothing could be prepared ahead.")
                pause = AFTER_ERROR_S
