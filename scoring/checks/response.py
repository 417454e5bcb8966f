"""Checks of the answers of one upload before any score of them is trusted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from scoring.checks import single
from scoring.checks.copying import Match, closest_classmates
from scoring.checks.flags import Flag, FlagKind, Thresholds
from scoring.checks.language import lexicon
from scoring.checks.near_copies import near_copies
from scoring.checks.plain import PlainWords
from scoring.checks.task_texts import TaskTexts
from scoring.checks.topic import FEWEST_OTHERS, content_words, embedded_topicality, word_topicality
from scoring.checks.words import tokens
from scoring.domain import Task
from scoring.errors import InvalidInput

_PAUSE = 2_000  # answers between two heartbeats
_MIDDLE = 512  # answers that stand for the meaning of a whole upload
_NO_DOUBT = 0.7  # topicality of words, from which no embedding makes an answer off-topic

# (N, D) sentence embeddings of N texts, in their order.
Embed = Callable[[Sequence[str]], NDArray[np.floating]]


def check_responses(
    task: Task,
    texts: Sequence[str],
    *,
    learners: Sequence[Hashable] | None = None,
    embed: Embed | None = None,
    thresholds: Thresholds | None = None,
    heartbeat: Callable[[], None] = lambda: None,
) -> list[list[Flag]]:
    """Check all answers of one upload to one task together, because some checks compare classmates.

    The same input gives the same flags. Time grows nearly in proportion to the number of answers.

    Args:
        task: the task that they answer.
        texts: the answers, in file order.
        learners: whose answer each is, so that a second attempt isn't a copy; everyone's own by default.
        embed: gives sentence embeddings; they make the off-topic check much better. Of a large upload only
            some answers are embedded, drawn evenly, and those whose words leave a doubt.
        thresholds: from where each check speaks.
        heartbeat: called every few thousand answers; what it raises stops the checks.

    Returns:
        The flags of each answer, in the order of `FlagKind`; an empty list where nothing was found.

    Raises:
        InvalidInput: the arguments have different lengths.
    """
    if learners is not None and len(learners) != len(texts):
        raise InvalidInput(f"learners: {len(learners)} given for {len(texts)} answers; one each is needed")
    limits, about = thresholds or Thresholds(), TaskTexts.of(task)
    read = [tokens(text) for text in texts]
    heartbeat()
    whose = range(len(texts)) if learners is None else learners
    mates = closest_classmates(read, whose, about.shown, words=limits.classmate_words, share=limits.classmate_share)
    heartbeat()
    alike = near_copies(
        read, whose, about.shown, words=limits.near_words, longest=limits.near_longest, likeness=limits.near_likeness
    )
    heartbeat()
    used = Counter(word for words in read for word in set(words))
    usual = _usual_length(read, about)
    answers = [single.Answer(text, words, about, used, usual, limits) for text, words in zip(texts, read, strict=True)]
    off_topic = _off_topic(answers, about, limits, task, embed)
    checked = []
    for index, answer in enumerate(answers):
        if index % _PAUSE == 0:
            heartbeat()
        checked.append(_flags(answer, _classmate(answer, mates[index], alike[index]), off_topic[index]))
    return checked


def _classmate(answer: single.Answer, holds: Match | None, alike: Match | None) -> Flag | None:
    """Copied from a classmate: most of the words in runs, or nearly every letter of a short answer."""
    if holds is not None:
        reason = f"{holds.overlap.words} of the answer's {len(answer.tokens)} words are also a classmate's."
        return Flag(FlagKind.COPIED_CLASSMATE, reason, holds.overlap.share, holds.index)
    if alike is not None:
        reason = "The answer is a classmate's nearly letter by letter."
        return Flag(FlagKind.COPIED_CLASSMATE, reason, alike.overlap.share, alike.index)
    return None


def _flags(answer: single.Answer, copied_classmate: Flag | None, off_topic: Flag | None) -> list[Flag]:
    """One answer's flags; what explains the others stands alone."""
    nothing = single.blank(answer)
    if nothing:
        return [nothing]
    # Another language looks like gibberish from within one, so it is asked for first.
    unread = single.other_language(answer) or single.gibberish(answer)
    copied_task, copied_reference = single.copied_task(answer), single.copied_reference(answer)
    if unread or copied_task:
        off_topic = None
    found = [
        single.too_short(answer), unread, copied_task, copied_reference, copied_classmate, single.repeated(answer),
        off_topic,
    ]  # fmt: skip
    return [flag for flag in found if flag]


def _off_topic(
    answers: Sequence[single.Answer],
    about: TaskTexts,
    limits: Thresholds,
    task: Task,
    embed: Embed | None,
) -> list[Flag | None]:
    plain = PlainWords([about.tokens, *(answer.tokens for answer in answers)], lexicon(about.language))
    contents = [content_words(answer.tokens, plain, about.language) for answer in answers]
    of_the_task = content_words(sorted(about.tokens), plain, about.language)
    topicality = word_topicality(contents, of_the_task)
    embedded = _add_meaning(answers, topicality, task, embed) if embed is not None and answers else set()
    return [
        _topic_flag(answer, len(content), value, limits, embedded=index in embedded)
        for index, (answer, content, value) in enumerate(zip(answers, contents, topicality, strict=True))
    ]


def _add_meaning(
    answers: Sequence[single.Answer], topicality: NDArray[np.float64], task: Task, embed: Embed
) -> set[int]:
    """Add the topicality of embeddings to that of words, in place; returns which answers were embedded."""
    drawn = range(0, len(answers), -(-len(answers) // _MIDDLE))
    in_doubt = np.flatnonzero(topicality < _NO_DOUBT)
    # A whole file about something else is told by its words; the nearest to the topic are read, and no more of them.
    in_doubt = in_doubt[np.argsort(-topicality[in_doubt], kind="stable")][:_MIDDLE]
    chosen = sorted({*drawn, *map(int, in_doubt)})
    embeddings = embed([answers[index].text for index in chosen])
    of_the_task = embed([task.prompt, task.rubric_text, *task.reference_answers])
    topicality[chosen] += embedded_topicality(embeddings, of_the_task, np.isin(chosen, list(drawn)))
    return set(chosen)


def _topic_flag(
    answer: single.Answer, content: int, topicality: float, limits: Thresholds, *, embedded: bool
) -> Flag | None:  # fmt: skip
    """One answer's off-topic flag; `content` counts its words that carry content."""
    least, fewest = limits.topicality, limits.topic_words
    if embedded:
        least, fewest = limits.topicality_embedded, limits.topic_words_embedded
        if content < fewest:
            least, fewest = limits.topicality_of_one, 1
            if len(answer.words) < limits.topic_least_words or single.says_no_answer(answer):
                return None
    if content < fewest or not topicality < least:
        return None
    # A sum or a formula says what it says in few words, and hardly any that others use.
    if content < limits.topic_words and single.reckons(answer):
        return None
    reason = "The answer has next to no words in common with the task and the other answers."
    return Flag(FlagKind.OFF_TOPIC, reason, float(np.clip(1 - topicality / least, 0, 1)))


def _usual_length(read: Sequence[Sequence[str]], about: TaskTexts) -> float:
    """Words of a usual answer: the class's median, or the shortest reference answer of a small class."""
    lengths = [len(words) for words in read if words]
    if len(lengths) > FEWEST_OTHERS or not about.reference_length:
        return float(median(lengths)) if lengths else 0.0
    return float(about.reference_length)
