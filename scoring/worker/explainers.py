"""Making explanations of stored responses, with all that stands beside them. Saves nothing."""

from __future__ import annotations

import logging
from typing import Any

from db.engine import Database
from scoring.errors import EvenhandError, ModelUnavailable
from scoring.explain.explainer import explain, first_look
from scoring.explain.explanation import Explanation
from scoring.services.explanations import SETTINGS
from scoring.worker.students import Students
from scoring.worker.subjects import Subject
from scoring.worker.surroundings import Surroundings
from scoring.worker.turns import Turns

logger = logging.getLogger(__name__)


class Explainers:
    """Explanations by the students that this worker holds; several threads may ask at once."""

    def __init__(self, database: Database, students: Students) -> None:
        self._database = database
        self._students = students
        self._surroundings = Surroundings(database)

    @property
    def turns(self) -> Turns:
        """Who may use the model next."""
        return self._students.turns

    def look(self, subject: Subject, text: str | None = None) -> Explanation:
        """What can be said at once, of the response or of another text in its place.

        Raises:
            ModelUnavailable: the version can't be loaded any more.
        """
        engine = self._students.get(self._database, subject.student_version_id)
        # Gradients are taken at the model's own embeddings, where no other pass may come between.
        with self.turns.alone(self.turns.rank):
            return first_look(engine, subject.task_key, subject.text if text is None else text, SETTINGS)

    def content(self, subject: Subject, look: Explanation) -> dict[str, Any]:
        """The whole, as it is stored and as `read_context` reads it."""
        engine = self._students.get(self._database, subject.student_version_id)
        made = explain(engine, subject.task_key, subject.text, SETTINGS, look=look)
        return {"explanation": made.to_json(), **self._surroundings.of(engine, subject)}

    def profile(self, student_version_id: int) -> dict[str, Any]:
        """What a version's experts are used for over the bank."""
        engine = self._students.get(self._database, student_version_id)
        return self._surroundings.profile(engine, student_version_id)


def told(error: Exception) -> str:
    """The boundary of the worker: the log has the trace, the person is told in plain words."""
    if isinstance(error, ModelUnavailable):
        logger.error("No explanation could be made: %s", error)
        # The message names folders, which are for administrators.
        return (
            "The version of the model that gave this score can't be loaded any more. Score the upload again to "
            "have the present one explained; an administrator sees more under Health."
        )
    logger.exception("No explanation could be made.", exc_info=error)
    if isinstance(error, EvenhandError):
        return str(error)
    return f"Something went wrong in explaining ({type(error).__name__}). Ask once more, or tell an administrator."
