"""How the checks read a text: folded, cut into words, cut into sentences."""

from __future__ import annotations

import re
import sys
import unicodedata

# `\w` leaves out combining marks, without which Hindi or pointed Arabic falls into single letters.
_MARKS = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
_LETTERS = rf"[^\W\d_{_MARKS}][^\W\d_]*(?:[{_MARKS}]+[^\W\d_]*)*"
# Chinese and Japanese are written without spaces: each character counts as a word.
_TOKEN = re.compile(rf"[\u3040-\u30ff\u3400-\u9fff]|{_LETTERS}(?:'{_LETTERS})*|\d+(?:[.,]\d+)*")
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe0e\ufe0f\ufeff\ud800-\udfff]")
_JOINED = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")
_QUOTES = str.maketrans("’‘ʼ`´", "'''''")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


def fold(text: str) -> str:
    """The text without what changes nothing for a reader: case, compatibility forms, invisible characters.

    >>> fold("The ＳＡＬＴ doesn’t")
    "the salt doesn't"
    """
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_QUOTES).casefold()


def tokens(text: str) -> list[str]:
    """Words and numbers in order, folded. Words that lost the line break between them are parted.

    >>> tokens("412 + 10,5 = H2O! Don’t ProphaseMetaphase")
    ['412', '10,5', 'h', '2', 'o', "don't", 'prophase', 'metaphase']
    """
    # Interned, because a large file repeats few words many times.
    return [sys.intern(token) for token in _TOKEN.findall(fold(_JOINED.sub(" ", text)))]


def words(text: str) -> list[str]:
    """The tokens that hold letters.

    >>> words("it went from 22 to 55")
    ['it', 'went', 'from', 'to']
    """
    return [token for token in tokens(text) if not token[0].isdigit()]


def sentences(text: str) -> list[str]:
    r"""Parts between full stops, exclamation or question marks and line breaks; never empty ones.

    >>> sentences("It melts. Why?\nHeat!")
    ['It melts.', 'Why?', 'Heat!']
    """
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]
