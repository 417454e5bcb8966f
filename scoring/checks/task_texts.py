"""A task as the checks read it."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.checks.copying import Shingles, shingles
from scoring.checks.language import ENGLISH, NO_LANGUAGE, identify, script
from scoring.checks.words import tokens
from scoring.domain import Task


@dataclass(frozen=True)
class TaskTexts:
    """The language, the words and numbers, and the runs of words of a task.

    `shown` holds the runs of the prompt, stimulus and rubric, `references` those of the reference answers;
    `reference_length` is the shortest reference answer in words, 0 without one.
    """

    language: str
    tokens: frozenset[str]
    scripts: frozenset[str]
    shown: Shingles
    references: Shingles
    reference_length: int

    @classmethod
    def of(cls, task: Task) -> TaskTexts:
        """Read a task. Its language is `extra["language"]` (ISO 639) where given, else what it is written in."""
        levels = [level for criterion in task.criteria for level in criterion.levels]
        rubric = [task.rubric_text, *(c.description for c in task.criteria), *(level.descriptor for level in levels)]
        shown = [tokens(text) for text in (task.prompt, task.stimulus, task.stimulus_alt, *rubric)]
        points = task.extra.get("reference_points") or ()
        answers = [tokens(text) for text in task.reference_answers]
        references = [*answers, *(tokens(str(point)) for point in points)]
        everything = {token for text in [tokens(task.title), *shown, *references] for token in text}
        prose = " ".join([task.title, task.prompt, task.rubric_text])
        guess = identify(prose).code
        return cls(
            language=str(task.extra.get("language") or (ENGLISH if guess == NO_LANGUAGE else guess)),
            tokens=frozenset(everything),
            scripts=frozenset(script(prose)),
            shown=frozenset().union(*map(shingles, shown)),
            references=frozenset().union(*map(shingles, references)),
            reference_length=min(map(len, answers), default=0),
        )
