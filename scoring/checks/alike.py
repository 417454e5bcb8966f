"""Answers that say the same: groups for one decision, pairs for consistency, neighbours for comparison.

Two answers are alike when they read the same after spelling, inflection and filler words are taken away, or, from
ten words on, when one has a few words more that turn nothing round. On ASAP-SAS (train), Beetle and SciEntsBank,
people gave 95 to 98% of such pairs the same score.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process
from rapidfuzz.distance import Indel

from scoring.checks.copying import candidate_pairs
from scoring.checks.language import ENGLISH, Lexicon, lexicon
from scoring.checks.plain import PlainWords
from scoring.checks.words import tokens
from scoring.domain import content_hash

NEAR = 0.95  # normalised similarity of word sequences from which longer answers are alike
_FILLERS = "a an the so well um like just really very basically because cause cuz bc cos coz also"
_OPENINGS = re.compile(r"^(?:i (?:think|believe|say|guess|predict) (?:that )?|my answer is (?:that )?)")
# A word of these more or less is a difference in meaning.
_TELLING = """
    no not never none nothing neither nor cannot without yes more most less least fewer few many much up down before
    after over under above below left right hot cold warm cool high low big small long short same different increase
    decrease rise fall gain lose open close true false wrong agree disagree only both either positive negative"""
_NEGATIONS = "dont doesnt didnt isnt arent wasnt werent wont wouldnt cant couldnt shouldnt aint hasnt havent"
_FILLER_WORDS, _TELLING_WORDS, _NEGATION_WORDS = (
    frozenset(listed.split()) for listed in (_FILLERS, _TELLING, _NEGATIONS)
)

Key = tuple[str, ...]


@dataclass(frozen=True)
class AlikePair:
    """Two answers that say the same, by their indices, `first` before `second`."""

    first: int
    second: int


@dataclass(frozen=True)
class Neighbour:
    """Another answer by its index, and how alike its words are, 0 to 1."""

    index: int
    similarity: float


def alike_groups(texts: Sequence[str], *, language: str = ENGLISH) -> list[str | None]:
    """The group of each answer: the same short id for answers that say the same, `None` for an answer on its own.

    Near linear. The ids depend on the texts alone, neither on their order nor on the run.

    >>> alike_groups(["The water evaporated.", "it is hot", "water evaporates!!", "It is not hot."])
    ['d7559f9f838c6181', None, 'd7559f9f838c6181', None]
    """
    keys = _keys(texts, lexicon(language))
    leaders = _leaders({key for key in keys if key})
    led = [leaders.get(key) for key in keys]
    sizes = Counter(leader for leader in led if leader is not None)
    return [content_hash(leader)[:16] if leader is not None and sizes[leader] > 1 else None for leader in led]


def near_identical_pairs(
    texts: Sequence[str], scores: Sequence[Hashable] | None = None, *, language: str = ENGLISH
) -> list[AlikePair]:
    """Pairs of answers that say the same, ascending.

    Each answer is paired with the first of its group; where `scores` are given, with the first of its group that has
    another score, so that a group in which all scores agree gives no pair. Pass scored answers only.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(alike_groups(texts, language=language)):
        if group is not None:
            groups[group].append(index)
    pairs = []
    for members in groups.values():
        if scores is None:
            pairs += [AlikePair(members[0], other) for other in members[1:]]
            continue
        firsts = {score: index for index in reversed(members) for score in [scores[index]]}
        for index in members:
            others = [first for score, first in firsts.items() if score != scores[index]]
            if others:
                pairs.append(AlikePair(*sorted((index, min(others)))))
    return sorted(set(pairs), key=lambda pair: (pair.first, pair.second))


def nearest_answers(texts: Sequence[str], index: int, count: int = 5) -> list[Neighbour]:
    """The answers whose words are most like those of one answer, the most alike first; reads every answer once."""
    wanted = " ".join(tokens(texts[index]))
    others = {other: " ".join(tokens(text)) for other, text in enumerate(texts) if other != index}
    found = process.extract(wanted, others, scorer=fuzz.token_sort_ratio, limit=count) if wanted else []
    return [Neighbour(other, score / 100) for _, score, other in found]


def _keys(texts: Sequence[str], known: Lexicon) -> list[Key]:
    """What each text says, word by word, in plain words and without fillers."""
    read = [tokens(_OPENINGS.sub("", " ".join(tokens(text)))) for text in texts]
    plain = PlainWords(read, known)
    spoken = (["not" if _negates(token) else plain(token) for token in text] for text in read)
    return [tuple(word for word in text if word not in _FILLER_WORDS) for text in spoken]


def _negates(token: str) -> bool:
    return token in _NEGATION_WORDS or token.endswith("n't")


def _leaders(keys: Iterable[Key]) -> dict[Key, Key]:
    """Each key -> the key that stands for its group: itself, or the shortest near-duplicate before it."""
    ordered = sorted(keys, key=lambda key: (len(key), key))
    leaders = {key: key for key in ordered}
    for first, second in candidate_pairs(ordered):
        leader, key = ordered[first], ordered[second]
        # Only a key that leads itself may lead another: groups stay around their leader and never form chains.
        if leaders[leader] == leader and leaders[key] == key and _near(leader, key):
            leaders[key] = leader
    return leaders


def _near(shorter: Key, longer: Key) -> bool:
    """Whether the longer key only adds to the shorter one; a word in place of another is another answer."""
    return (
        not Counter(shorter) - Counter(longer)
        and _telling(shorter) == _telling(longer)
        and Indel.normalized_similarity(shorter, longer) >= NEAR
    )


def _telling(key: Key) -> list[str]:
    """Numbers and the words that turn a meaning round, in order."""
    return [word for word in key if word in _TELLING_WORDS or word[0].isdigit() or len(word) == 1]
