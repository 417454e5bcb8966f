"""Whole words of a text, with where they stand in it. Needs neither PyTorch nor shap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import regex

from scoring.student.text import aligned_view, clean_text

Span = tuple[int, int]
"""Character offsets into the original text, end excluded."""

_PICTURE = r"\p{Extended_Pictographic}\p{Regional_Indicator}\p{EMod}"
_MARK = rf"[[\p{{P}}\p{{S}}]--[{_PICTURE}]]"
_MARKS = rf"[{_MARK}\u2060]"  # U+2060 stands for characters that the student never sees
# From a letter, digit or picture to the next of Unicode's default word boundaries (UAX #29).
_UNIT = rf"(?:(?:[^\s\p{{P}}\p{{S}}\p{{Cf}}]|[{_PICTURE}]).*?\b)"
_HYPHEN = r"(?<=\p{L}\p{M}*)[-\u2010\u2011](?=\p{L})"
_WORD = regex.compile(
    rf"{_MARK}*{_UNIT}(?:{_HYPHEN}{_UNIT})*{_MARKS}*|{_MARK}{_MARKS}*", regex.WORD | regex.VERSION1 | regex.DOTALL
)


def word_spans(text: str) -> tuple[Span, ...]:
    r"""Where each word of a text stands.

    Words follow Unicode's default boundaries, so that accents, emoji and scripts other than Latin
    hold together. Punctuation belongs to the word it touches, the one before it where there is one.
    All that the student reads is in exactly one word: a text without its words is empty to it.

    >>> text = "Its well-known, ^p 412-10=402 (so 👍🏽)"
    >>> [text[start:end] for start, end in word_spans(text)]
    ['Its', 'well-known,', '412-', '10=', '402', '(so', '👍🏽)']
    >>> word_spans(" \t ")
    ()
    """
    return tuple(match.span() for match in _WORD.finditer(aligned_view(text)))


def keep_words(text: str, spans: Sequence[Span], kept: Sequence[bool]) -> str:
    """The text with some of its words left out; what stood between two kept words stays.

    Args:
        text: the original.
        spans: (n,) of all words, ascending.
        kept: (n,) which of them stay.

    >>> keep_words("Its well-known, so.", [(0, 3), (4, 15), (16, 19)], [True, False, True])
    'Its so.'
    """
    parts: list[str] = []
    before, was_kept = 0, True
    for (start, end), stays in zip(spans, kept, strict=True):
        if stays:
            parts += [text[before:start] if was_kept else " ", text[start:end]]
        before, was_kept = end, stays
    return "".join(parts) + (text[before:] if was_kept else "")


def cleaned_spans(text: str, spans: Sequence[Span]) -> tuple[Span, ...]:
    """Where each word stands in the cleaned copy that the student reads; an empty span where it is left out.

    >>> cleaned_spans("a &lt; b", [(0, 1), (2, 6), (7, 8)])
    ((0, 1), (2, 3), (4, 5))
    """
    cleaned = clean_text(text)
    found: list[Span] = []
    position = 0
    for start, end in spans:
        word = clean_text(text[start:end])
        at = max(cleaned.find(word, position), position)
        position = at + len(word) if cleaned.startswith(word, at) else at
        found.append((at, position))
    return tuple(found)


@dataclass(frozen=True)
class Difference:
    """A stretch in which two texts differ; either side may be empty."""

    ours: Span
    theirs: Span


def differences(ours: str, theirs: str) -> tuple[Difference, ...]:
    """Where two texts differ word by word, not counting case and the marks around words.

    >>> a, b = "Heat melts the ice.", "heat warms ice"
    >>> [(a[slice(*d.ours)], b[slice(*d.theirs)]) for d in differences(a, b)]
    [('melts the', 'warms')]
    """
    sides = [(text, word_spans(text)) for text in (ours, theirs)]
    words = [[bare_word(text[start:end]) for start, end in spans] for text, spans in sides]
    matcher = SequenceMatcher(None, words[0], words[1], autojunk=False)
    return tuple(
        Difference(_stretch(sides[0][1], a, b), _stretch(sides[1][1], c, d))
        for tag, a, b, c, d in matcher.get_opcodes()
        if tag != "equal"
    )


def bare_word(word: str) -> str:
    """A word in lower case without the marks around it; marks alone stay as they are.

    >>> bare_word('"Heat,'), bare_word("?!")
    ('heat', '?!')
    """
    view = aligned_view(word).replace("\u2060", "")
    return regex.sub(rf"^{_MARK}+|{_MARK}+$", "", view, flags=regex.VERSION1).casefold() or view


def _stretch(spans: Sequence[Span], first: int, end: int) -> Span:
    if first < end:
        return spans[first][0], spans[end - 1][1]
    at = spans[first - 1][1] if first else 0
    return at, at
