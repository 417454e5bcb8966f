"""Runs of words that two texts share: what an answer took from the task, or from a classmate.

Texts are compared by their shingles, runs of `SHINGLE` consecutive words (Broder 1997, "On the resemblance and
containment of documents"). Containment, not resemblance, is what counts: a copy with a sentence added is a copy.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHINGLE = 5  # words; shorter runs are shared by chance
_FEW_SHARED = 3  # shingles, below which two texts are not compared word by word
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no word's place is lost modulo 2**64

Shingles = Set[tuple[str, ...]]


@dataclass(frozen=True)
class Overlap:
    """How much of a text was found elsewhere: the share of its words, how many, and the longest run."""

    share: float
    words: int
    run: int


@dataclass(frozen=True)
class Match:
    """The classmate's answer, by its index in the list, that holds most of an answer."""

    index: int
    overlap: Overlap


def shingles(words: Sequence[str]) -> Shingles:
    """Every run of `SHINGLE` words; none of a shorter text."""
    return {tuple(words[start : start + SHINGLE]) for start in range(len(words) - SHINGLE + 1)}


def overlap(words: Sequence[str], found: Shingles) -> Overlap:
    """How many words lie in runs that are among `found`.

    >>> overlap("the sugar is still in the jar because".split(), shingles("sugar is still in the jar".split()))
    Overlap(share=0.75, words=6, run=6)
    """
    covered = [False] * len(words)
    for start in range(len(words) - SHINGLE + 1):
        if tuple(words[start : start + SHINGLE]) in found:
            covered[start : start + SHINGLE] = [True] * SHINGLE
    longest = run = 0
    for is_covered in covered:
        run = run + 1 if is_covered else 0
        longest = max(longest, run)
    return Overlap(sum(covered) / len(words) if words else 0.0, sum(covered), longest)


def closest_classmates(
    answers: Sequence[Sequence[str]], learners: Sequence[Hashable], of_the_task: Shingles, *, words: int, share: float
) -> list[Match | None]:
    """For each answer, the answer of another learner that holds the largest share of it, if it holds enough.

    Near linear: a run of words links an answer to the nearest before it with the same run and to the first of all.
    What everyone took from the task is left out. The same input gives the same matches; between equal shares the
    earlier answer is named.

    Args:
        answers: each answer's words, in file order.
        learners: whose answer each is; a learner's own other attempts are never a match.
        of_the_task: shingles of the task's texts.
        words: the fewest shared words that count; shorter answers are alike by chance.
        share: the least share of an answer's words that counts, 0 to 1.
    """
    long_enough = [answer if len(answer) >= words else () for answer in answers]
    own = [shingles(answer) - of_the_task for answer in long_enough]
    best: list[Match | None] = [None] * len(answers)
    for first, second in candidate_pairs(long_enough, of_the_task):
        if learners[first] == learners[second]:
            continue
        shared = own[first] & own[second]
        for index, other in ((first, second), (second, first)):
            if len(shared) * SHINGLE < share * len(answers[index]):
                continue
            match = Match(other, overlap(answers[index], shared))
            if match.overlap.words < words or match.overlap.share < share:
                continue
            known = best[index]
            if known is None or (match.overlap.share, -other) > (known.overlap.share, -known.index):
                best[index] = match
    return best


def candidate_pairs(
    answers: Sequence[Sequence[str]], left_out: Shingles = frozenset(), *, run: int = SHINGLE, fewest: int = _FEW_SHARED
) -> list[tuple[int, int]]:
    """Pairs of answers that are linked by `fewest` runs of `run` words or more, the lower index first, ascending.

    `left_out` are runs of the same length that link nothing.
    """
    numbers: dict[str, int] = {}
    for words in answers:
        for word in words:
            numbers.setdefault(word, len(numbers) + 1)
    hashes = [_hash_runs(np.array([numbers[word] for word in words], dtype=np.uint64), run) for words in answers]
    owner = np.repeat(np.arange(len(answers)), [len(runs) for runs in hashes])
    value = np.concatenate([*hashes, np.empty(0, dtype=np.uint64)])
    known = [[numbers.get(word, 0) for word in words] for words in left_out]
    if known:
        banned = np.concatenate([_hash_runs(np.array(words, dtype=np.uint64), run) for words in known])
        kept = ~np.isin(value, banned)
        owner, value = owner[kept], value[kept]
    order = np.lexsort((owner, value))
    owner, value = owner[order], value[order]
    if not len(value):
        return []
    same = value[1:] == value[:-1]
    starts = np.concatenate([[0], np.flatnonzero(~same) + 1])
    first = np.repeat(owner[starts], np.diff(np.concatenate([starts, [len(value)]])))
    links = np.concatenate(
        [np.stack([owner[:-1][same], owner[1:][same]], axis=1), np.stack([first[1:][same], owner[1:][same]], axis=1)]
    )
    links = links[links[:, 0] != links[:, 1]]
    pairs, counts = np.unique(links[:, 0] * len(answers) + links[:, 1], return_counts=True)
    return [divmod(int(pair), len(answers)) for pair in pairs[counts >= fewest]]


def _hash_runs(numbers: NDArray[np.uint64], run: int) -> NDArray[np.uint64]:
    """(T,) word numbers -> (T - run + 1,) hashes of the runs of `run` words that start at each word."""
    length = len(numbers) - run + 1
    if length <= 0:
        return np.empty(0, dtype=np.uint64)
    result = np.zeros(length, dtype=np.uint64)
    for offset in range(run):
        result = result * _BASE + numbers[offset : offset + length]
    return result
