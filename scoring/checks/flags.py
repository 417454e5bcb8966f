"""What the checks can find, and from where each of them speaks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FlagKind(StrEnum):
    """What may keep a machine score from meaning anything."""

    BLANK = "blank"
    TOO_SHORT = "too_short"
    GIBBERISH = "gibberish"
    OTHER_LANGUAGE = "other_language"
    COPIED_TASK = "copied_task"
    COPIED_REFERENCE = "copied_reference"
    COPIED_CLASSMATE = "copied_classmate"
    REPEATED = "repeated"
    OFF_TOPIC = "off_topic"


@dataclass(frozen=True)
class Flag:
    """One finding about one answer: a reason to look, never a score.

    `reason` is a sentence for the teacher. `strength` is 0 to 1 and comparable within a kind only. `other` is the
    index of the classmate's answer in the list that was checked.
    """

    kind: FlagKind
    reason: str
    strength: float
    other: int | None = None


@dataclass(frozen=True)
class Thresholds:
    """From where each check speaks, chosen on the training fold of ASAP-SAS; `python -m bench checks` measures them.

    A share is of an answer's letters where words are judged, and of its words where runs of words are.
    """

    short_share: float = 0.15  # of the usual number of words of this task
    nonsense_share: float = 0.5  # letters in words that nobody could pronounce
    unknown_share: float = 0.8  # letters in words that no list and no classmate has
    unknown_words: int = 4  # the fewest such words that are gibberish
    many_unknown_share: float = 0.6  # the same for longer answers, in which chance has less room
    many_unknown_words: int = 8
    foreign_share: float = 0.4  # letters in words outside the task's language, to ask for another one at all
    foreign_words: int = 3  # the fewest words that show a language
    foreign_probability: float = 0.7  # of the language that is found
    foreign_script_share: float = 0.3  # letters of a writing system that the task does not use
    copied_share: float = 0.6  # words in runs from the task
    copied_words: int = 8  # the fewest such words
    copied_run: int = 12  # words of one run, which counts from a smaller share
    copied_run_share: float = 0.4
    copied_number_share: float = 0.7  # numbers of the task among the words, where nothing is reckoned
    reference_share: float = 0.8  # words in runs from the reference answers
    reference_words: int = 12  # shorter right answers are alike by chance
    classmate_share: float = 0.7  # words in runs from one classmate
    classmate_words: int = 15
    near_words: int = 6  # the fewest words of an answer that is a classmate's nearly letter by letter
    near_longest: int = 24  # the most; longer ones are judged by their runs of words
    near_likeness: float = 0.85  # letters left in place
    repeated_share: float = 0.5  # words in runs that stand earlier in the answer
    repeated_words: int = 6
    topic_words: int = 4  # the fewest content words that show a topic
    topicality: float = 0.25  # of words, see `topic.word_topicality`
    topic_words_embedded: int = 2  # the same where embeddings are given
    topicality_embedded: float = 0.6  # of words and embeddings, see `topic.embedded_topicality`
    topicality_of_one: float = 0.25  # the same of an answer with one content word
    topic_least_words: int = 3  # words of any kind, of such an answer
