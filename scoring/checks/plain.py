"""Words in one spelling and one form, so that a misspelt or inflected word is still the same word."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from rapidfuzz import process
from rapidfuzz.distance import OSA

from scoring.checks.language import Lexicon

_SHORTEST = 4  # letters of a word that is corrected; shorter ones are too near to too many
_LONGEST = 30
_LONG = 8  # letters from which two slips are allowed


class PlainWords:
    """Folded word -> its plain form, for the texts of one upload.

    A word that is in no list is taken for the known word of the same texts that is one slip away (two in a long word),
    the most frequent first. Numbers and words that nothing is near to stay as they are.
    """

    def __init__(self, texts: Iterable[Iterable[str]], known: Lexicon) -> None:
        self._known = known
        self._counts = Counter(token for text in texts for token in text)
        self._spelling = self._spellings()
        self._plain: dict[str, str] = {}

    def __call__(self, token: str) -> str:
        """The plain form of a token."""
        if token not in self._plain:
            word = self._spelling.get(token, token)
            stem = self._known.lemma(word) if word[0].isalpha() else word
            # A lemma that begins otherwise ("less" -> "little") is another word to a reader.
            self._plain[token] = stem.casefold() if stem[:3].casefold() == word[:3] else word
        return self._plain[token]

    def _spellings(self) -> dict[str, str]:
        shelves: dict[str, list[str]] = defaultdict(list)
        misspelt = []
        for token in sorted(self._counts):
            if not _SHORTEST <= len(token) <= _LONGEST or not token[0].isalpha():
                continue
            if self._known.known(token):
                shelves[token[0]].append(token)
            elif self._known.listed:
                misspelt.append(token)
        found = {}
        for token in misspelt:
            slips = 1 if len(token) < _LONG else 2
            near = process.extract(token, shelves[token[0]], scorer=OSA.distance, score_cutoff=slips, limit=5)
            if near:
                found[token] = min(near, key=lambda match: (match[1], -self._counts[match[0]], match[0]))[0]
        return found
