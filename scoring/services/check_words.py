"""Response checks in the words that teachers read."""

from __future__ import annotations

from collections.abc import Iterable

WORDS = {
    "blank": "blank",
    "truncated": "cut short in the file",
    "read_in_part": "long: the model read only its beginning",
    "too_short": "very short",
    "gibberish": "not readable",
    "other_language": "in another language",
    "copied_task": "copied from the task",
    "copied_reference": "copied from a model answer",
    "copied_classmate": "much like a classmate's",
    "repeated": "repeats itself",
    "off_topic": "may not be about the task",
}


def check_words(kinds: Iterable[str]) -> str:
    """Kinds of checks that were not passed, as a list to read.

    >>> check_words(["blank", "too_short"])
    'blank, very short'
    """
    return ", ".join(WORDS.get(kind, kind) for kind in kinds)
