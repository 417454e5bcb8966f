"""What an n-gram teacher looks at: several views of a response, and kernels between responses.

With about a thousand labelled answers a kernel matrix is smaller than any one view's vocabulary, so
linear and radial learners work on kernels, and combining views is adding matrices.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

STEM = 5
"""Letters that are kept of a word where endings and misspelt ends should not matter."""

REACH = 6
"""Words after a word with which it makes a pair."""

COUNTS_WEIGHT = 0.05
"""Weight of the counts' kernel beside the mean of the views', whose diagonal is 1."""

_WORD = re.compile(r"\w+")


def stems(text: str) -> list[str]:
    """Words cut to their first letters.

    >>> stems("The containers' weight")
    ['the', 'conta', 'weigh']
    """
    return [word[:STEM] for word in _WORD.findall(text.casefold())]


def stem_grams(text: str) -> list[str]:
    """Stems and pairs of neighbouring stems."""
    words = stems(text)
    return words + [f"{first} {second}" for first, second in pairwise(words)]


def stem_pairs(text: str) -> list[str]:
    """Stems, and each ordered pair of stems that stand near each other, once."""
    words = stems(text)
    near = {f"{word}~{other}" for at, word in enumerate(words) for other in words[at + 1 : at + 1 + REACH]}
    return words + sorted(near)


def surface_counts(texts: Sequence[str]) -> np.ndarray:
    """(n, 6): words, distinct words, letters per word, sentence ends, digits and commas; counts as log(1 + x)."""
    table = np.zeros((len(texts), 6))
    for row, text in zip(table, texts, strict=True):
        words = text.split()
        ends, digits = sum(c in ".!?" for c in text), sum(c.isdigit() for c in text)
        row[:] = len(words), len({word.casefold() for word in words}), 0, ends, digits, text.count(",")
        row[:] = np.log1p(row)
        row[2] = np.mean([len(word) for word in words]) if words else 0
    return table


class Views:
    """Vocabularies of several views, learnt from one task's texts, and those texts in each view."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Learn the vocabularies. Raises `ValueError` when no text has a word."""
        words: dict[str, Any] = {"sublinear_tf": True, "lowercase": True}
        self._vectorizers = {
            "words": TfidfVectorizer(ngram_range=(1, 3), token_pattern=r"(?u)\b\w+\b", **words),
            "characters": TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **words),
            "pairs": TfidfVectorizer(analyzer=stem_pairs, sublinear_tf=True),
            "pieces": TfidfVectorizer(analyzer="char", ngram_range=(3, 7), binary=True, use_idf=False),
        }
        # A term of a single answer links it to no other; in a handful of answers it still says how long they are.
        rare = 1 if len(texts) < 50 else 2
        for vectorizer in self._vectorizers.values():
            vectorizer.set_params(min_df=rare)
        self._presence = CountVectorizer(analyzer=stem_grams, binary=True, min_df=rare)
        self._own = {name: vectorizer.fit_transform(texts) for name, vectorizer in self._vectorizers.items()}
        self._presence.fit(texts)
        counts = surface_counts(texts)
        self._centre, self._spread = counts.mean(axis=0), counts.std(axis=0) + 1e-9
        self._own_counts = self._counts(texts)

    def kernels(self, texts: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Name -> (n, m) similarity of texts to the m own texts; of the own texts without `texts`.

        One per view, `linear` (their mean, and counts) and `radial` (a Gaussian of the views' distance, and counts).
        """
        found = {}
        for name, own in self._own.items():
            rows = own if texts is None else self._vectorizers[name].transform(texts)
            found[name] = np.asarray((rows @ own.T).todense())
        counts = self._own_counts if texts is None else self._counts(texts)
        mean = np.mean(list(found.values()), axis=0)
        surface = counts @ self._own_counts.T / counts.shape[1]
        found["linear"] = mean + COUNTS_WEIGHT * surface
        found["radial"] = np.exp(mean - 1) + COUNTS_WEIGHT * surface
        return found

    def table(self, texts: Sequence[str]) -> csr_matrix:
        """(n, terms): which stems and pairs of neighbours are there, for trees."""
        return csr_matrix(self._presence.transform(texts), dtype=np.float32)

    def counts(self, texts: Sequence[str]) -> np.ndarray:
        """(n, 6): surface counts, standardised over the own texts."""
        return self._counts(texts)

    def _counts(self, texts: Sequence[str]) -> np.ndarray:
        standard: np.ndarray = (surface_counts(texts) - self._centre) / self._spread
        return standard
