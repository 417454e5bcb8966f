"""Checks of an answer before any score of it is trusted. A flag is a reason to look, never a score."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

import numpy as np
from numpy.typing import NDArray

from scoring.checks.copying import Match, Shingles, closest_classmates, overlap, shingles
from scoring.checks.language import ENGLISH, NO_LANGUAGE, identify, lexicon, script, share
from scoring.checks.topic import FEWEST_OTHERS, content_words, embedded_topicality, word_topicality
from scoring.checks.words import tokens
from scoring.domain import Task
from scoring.errors import InvalidInput


class FlagKind(StrEnum):
    """What may keep a machine score from meaning anything."""

    BLANK = "blank"
    TOO_SHORT = "too_short"
    GIBBERISH = "gibberish"
    OFF_TOPIC = "off_topic"
    COPIED_TASK = "copied_task"
    COPIED_REFERENCE = "copied_reference"
    COPIED_CLASSMATE = "copied_classmate"
    OTHER_LANGUAGE = "other_language"
    REPEATED = "repeated"


@dataclass(frozen=True)
class Flag:
    """One finding about one answer.

    `reason` is a sentence for the teacher; `strength` is 0 to 1, comparable within a kind only; `other` is the index
    of the classmate's answer in the list that was checked.
    """

    kind: FlagKind
    reason: str
    strength: float
    other: int | None = None


@dataclass(frozen=True)
class Thresholds:
    """From where each check speaks. Chosen on ASAP-SAS answers (fold train); `python -m bench checks` measures them."""

    short_share: float = 0.15  # of the usual number of words
    nonsense_share: float = 0.5  # of an answer's letters, in words that no one could pronounce
    unknown_share: float = 0.9  # of an answer's letters, in words that are in no list and nobody else's
    unknown_words: int = 4  # the fewest such words that make an answer gibberish
    foreign_unknown_share: float = 0.4  # letters outside the task's language, to ask for another language at all
    foreign_probability: float = 0.6  # of the language that is found
    foreign_letters: float = 0.3  # of an answer's letters, in a writing system that the task does not use
    copied_share: float = 0.6  # of an answer's words, in runs of the task's texts
    copied_run: int = 12  # words in one run that count as copied where they are two fifths of the answer
    copied_run_share: float = 0.4
    reference_share: float = 0.8
    reference_words: int = 10  # shorter right answers are alike by chance
    classmate_share: float = 0.7
    classmate_words: int = 15
    repeated_share: float = 0.5  # of an answer's words, in runs that were there before
    repeated_words: int = 6  # the fewest such words
    topic_words: int = 3  # the fewest content words that show a topic
    topicality: float = 0.25  # of words alone, see `word_topicality`
    topicality_embedded: float = 0.6  # of words and embeddings together


@dataclass(frozen=True)
class TaskTexts:
    """A task as the checks read it: its language, words and runs of words."""

    language: str
    words: frozenset[str]
    numbers: frozenset[str]
    shown: Shingles  # prompt, stimulus and rubric
    references: Shingles
    reference_length: int  # words of the shortest reference answer; 0 without one
    scripts: frozenset[str]

    @classmethod
    def of(cls, task: Task) -> TaskTexts:
        """Read a task. Its language is `extra["language"]` where given, else what its prompt is written in."""
        levels = [level for criterion in task.criteria for level in criterion.levels]
        rubric = [task.rubric_text, *(c.description for c in task.criteria), *(level.descriptor for level in levels)]
        shown = [tokens(text) for text in (task.prompt, task.stimulus, task.stimulus_alt, *rubric)]
        points = task.extra.get("reference_points") or ()
        references = [tokens(str(text)) for text in (*task.reference_answers, *points)]
        prose = " ".join([task.title, task.prompt, task.rubric_text])
        lengths = [len(tokens(text)) for text in task.reference_answers]
        everything = {token for text in [*shown, *references, tokens(task.title)] for token in text}
        guess = identify(prose)
        language = str(task.extra.get("language") or "") or (guess.code if guess.code != NO_LANGUAGE else ENGLISH)
        return cls(
            language=language,
            words=frozenset(token for token in everything if not token[0].isdigit()),
            numbers=frozenset(token for token in everything if token[0].isdigit()),
            shown=frozenset().union(*map(shingles, shown)),
            references=frozenset().union(*map(shingles, references)),
            reference_length=min(lengths, default=0),
            scripts=frozenset(script(prose)),
        )


_DOES_NOT_KNOW = re.compile(
    r"""(?:(?:um+|sorry|honestly|well|ok|lol)\s)*
    (?:idk|dk|dunno|idrk|ion\sknow|no\s(?:idea|clue|answer|comment)|not\ssure|n\sa|na|none|nothing|pass|skip
      |(?:i\s)?(?:really\s)?(?:do\snot|don'?t|dont|dont'|do'nt|didn'?t|didnt|cant|can'?t|cannot)\s(?:really\s)?
       (?:no|know|understand|get|remember|care|learn)
      |i\s(?:have|got)\sno\s(?:idea|clue)|i'?m\s(?:not\ssure|confused)|im\s(?:not\ssure|confused))
    (?:\s(?:the|this|that|it|its|to|hard|one|how|what|sorry|answer|question|anything|at|all|lol|is|do|either
      |because|i|miss|mr|mrs|teacher|please|help|me|yet|any|of|about|im|for))*""",
    re.VERBOSE,
)  # fmt: skip
_NUCLEOTIDES = re.compile(r"[acgtu]+")  # "gauuca" is an answer about genes
_GLUED = re.compile(r"[a-z][A-Z]")  # "mRNAtRNA": the line break was lost
_HEARTBEAT = 2_000


def check_responses(
    task: Task,
    texts: Sequence[str],
    *,
    learners: Sequence[Hashable] | None = None,
    embeddings: NDArray[np.floating] | None = None,
    task_embeddings: NDArray[np.floating] | None = None,
    thresholds: Thresholds | None = None,
    heartbeat: Callable[[], None] = lambda: None,
) -> list[list[Flag]]:
    """Check all answers of one upload to one task, because some checks compare classmates.

    The same input gives the same flags. Time grows nearly in proportion to the number of answers.

    Args:
        task: the task that they answer.
        texts: the answers, in file order.
        learners: whose answer each is, so that a second attempt isn't a copy; everyone's own by default.
        embeddings: (N, D) sentence embeddings of the answers; they make the off-topic check better.
        task_embeddings: (P, D) embeddings of the task's texts by the same encoder; needed with `embeddings`.
        thresholds: from where each check speaks.
        heartbeat: called every few thousand answers; what it raises stops the checks.

    Returns:
        The flags of each answer, in the order of `FlagKind`; an empty list where nothing was found.

    Raises:
        InvalidInput: the arguments have different lengths.
    """
    if learners is not None and len(learners) != len(texts):
        raise InvalidInput(f"learners: {len(learners)} given for {len(texts)} answers; one each is needed")
    if embeddings is not None and (len(embeddings) != len(texts) or task_embeddings is None):
        raise InvalidInput(
            f"embeddings: {len(embeddings)} given for {len(texts)} answers; one each and the task's are needed"
        )
    limits = thresholds or Thresholds()
    about = TaskTexts.of(task)
    answers = [tokens(text) for text in texts]
    heartbeat()
    whose = learners if learners is not None else range(len(texts))
    mates = closest_classmates(
        answers, whose, about.shown, words=limits.classmate_words, share=limits.classmate_share
    )
    heartbeat()
    used = Counter(word for answer in answers for word in set(answer))
    contents = [content_words([word for word in answer if not word[0].isdigit()], about.language) for answer in answers]
    topicality, least = word_topicality(contents, about.words), limits.topicality
    if embeddings is not None and task_embeddings is not None:
        topicality = topicality + embedded_topicality(embeddings, task_embeddings)
        least = limits.topicality_embedded
    usual = _usual_length(answers, about)
    checked: list[list[Flag]] = []
    for index, text in enumerate(texts):
        if index % _HEARTBEAT == 0:
            heartbeat()
        answer = _Answer(text, answers[index], about, used, limits)
        checked.append(answer.flags(usual, mates[index], contents[index], float(topicality[index]), least))
    return checked
