"""How much an answer speaks of what its task and its classmates speak of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.checks.language import ENGLISH

FEWEST_OTHERS = 8  # different answers, below which a class says too little about its topic
_USUAL = 0.1  # a word that a tenth of the class uses belongs to the topic
_TASK_WEIGHT = 0.5
_FUNCTION_WORDS = """
    a about after again all also always am an and any anyone anything are as at away be because been before being both
    but by came can could did do does doing done down each else even ever every everyone everything few first for from
    gave get gets getting give go goes going gone good got had has have having he her here hers him his how i if in into
    is it its just keep kind know last let like little look lot lots made make makes making many may maybe me might mine
    more most much must my need never new next no nobody not nothing now of off often oh ok on once one only or other
    our out over own part please put quite really said same saw say says see should so some someone something still
    such sure take tell than that the their them then there these they thing things think this those though through to
    together told too two under until up upon us use used very want wants was way we well went were what when where
    whether which while who whole whom whose why will with within without would yes yet you your im ive id dont doesnt
    didnt cant wont isnt arent wasnt thats theres theyre youre lets"""
_FUNCTION_WORD_SET = frozenset(_FUNCTION_WORDS.split())


def is_function_word(token: str) -> bool:
    """Whether a folded English token only holds a sentence together.

    >>> [is_function_word(word) for word in ("because", "doesn't", "energy")]
    [True, True, False]
    """
    return token.replace("'", "") in _FUNCTION_WORD_SET


def content_words(read: Sequence[str], plain: Callable[[str], str], language: str = ENGLISH) -> frozenset[str]:
    """The different tokens that carry content, in plain form; four letters or more outside English."""
    if language == ENGLISH:
        kept = [token for token in read if len(token) > 1 and not is_function_word(token)]
    else:
        kept = [token for token in read if len(token) > 3 or not token.isascii()]
    return frozenset(map(plain, kept))


def word_topicality(answers: Sequence[frozenset[str]], of_the_task: Collection[str]) -> NDArray[np.float64]:
    """How usual an answer's content words are among its classmates and in the task, per answer.

    The mean over its words of min(1, share of the other answers with the word / 0.1), plus half the share of its words
    that the task's texts hold: 0 shares nothing, 1.5 is all usual. Copies of one answer count once. With fewer than
    `FEWEST_OTHERS` other answers only the task counts, on the same scale. NaN without content words.
    """
    distinct = set(answers)
    counts = Counter(word for answer in distinct for word in answer)
    others = len(distinct) - 1
    result = np.full(len(answers), np.nan)
    for index, answer in enumerate(answers):
        if not answer:
            continue
        in_task = sum(word in of_the_task for word in answer) / len(answer)
        if others < FEWEST_OTHERS:
            result[index] = (1 + _TASK_WEIGHT) * min(1.0, 2 * in_task)
            continue
        usual = sum(min(1.0, (counts[word] - 1) / others / _USUAL) for word in answer) / len(answer)
        result[index] = usual + _TASK_WEIGHT * in_task
    return result


def embedded_topicality(
    answers: NDArray[np.floating], task: NDArray[np.floating], counts: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """How near an answer's embedding lies to the middle of its classmates', per answer, as a cosine from -1 to 1.

    With fewer than `FEWEST_OTHERS` other answers, the nearest of the task's texts stands for the class.

    Args:
        answers: (N, D) embeddings, of any length but zero where an answer is blank.
        task: (P, D) embeddings of the task's texts.
        counts: (N,) which of them make up the middle; all by default. An answer never counts for itself.
    """
    unit = _unit(answers)  # (N, D)
    own = unit if counts is None else unit * counts[:, None]
    middle = _unit(own.sum(axis=0) - own)  # (N, D)
    if len(answers) - 1 < FEWEST_OTHERS:
        return np.asarray((unit @ _unit(task).T).max(axis=1), dtype=np.float64)
    return np.asarray((unit * middle).sum(axis=1), dtype=np.float64)


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    vectors = np.asarray(vectors, dtype=np.float64)
    unit: NDArray[np.float64] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
