"""Where in an answer a sign stands, so that a reader's eye finds it."""

from __future__ import annotations

import re
from bisect import bisect_left

from scoring.checks.urgent import UrgentSign, plain_text

_TOKEN = re.compile(r"\S+")


def locate(text: str, sign: UrgentSign) -> tuple[int, int]:
    """The shortest run of whole words that a sign was found in, as `[start, end)` in characters of the text.

    The words of a sign are in the spelling that was searched, so they are looked for by reading ever shorter
    pieces of the text in that spelling. A sign that can't be found again gives the whole text.

    >>> text = "It melts. I wanna k1ll mysellf!! ok"
    >>> from scoring.checks.urgent import urgent_signs
    >>> start, end = locate(text, urgent_signs(text)[0])
    >>> text[start:end]
    'k1ll mysellf!!'
    """
    tokens = [match.span() for match in _TOKEN.finditer(text)]

    def holds(start: int, end: int) -> bool:
        return sign.words in plain_text(text[start:end])

    if not tokens or not holds(0, len(text)):
        return 0, len(text)
    # What a piece holds, every longer piece with the same beginning (or end) holds as well.
    end = tokens[bisect_left(tokens, True, key=lambda token: holds(0, token[1]))][1]
    start = tokens[bisect_left(tokens, True, key=lambda token: not holds(token[0], end)) - 1][0]
    return start, end
