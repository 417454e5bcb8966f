"""Signs of harm, self-harm, abuse and bullying in an answer, for a person to read. Never a score.

A search for words finds what is said plainly and seldom alarms on science answers, but it finds fewer than half of the
signs that are put in other words; `likeness` finds most of those. Both are measured by `python -m bench checks`, and
both miss signs, which `MISSES_HAPPEN` says wherever they are used. English, with a few phrases of Spanish.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from rapidfuzz import process
from rapidfuzz.distance import OSA

from scoring.checks.language import ENGLISH, lexicon
from scoring.checks.words import fold
from scoring.domain import Task

MISSES_HAPPEN = (
    "This search misses signs, and some of what it finds is harmless. A person must read each answer that it finds, "
    "and it does not replace reading the others."
)


class UrgentKind(StrEnum):
    """What a person should look into."""

    SELF_HARM = "self_harm"
    THREAT = "threat"
    ABUSE = "abuse"
    BULLYING = "bullying"


REASONS = {
    UrgentKind.SELF_HARM: "The student may be thinking of self-harm or of not living.",
    UrgentKind.THREAT: "The student may want to hurt someone.",
    UrgentKind.ABUSE: "The student may be hurt, neglected or unsafe.",
    UrgentKind.BULLYING: "The student may be bullied or shut out.",
}


@dataclass(frozen=True)
class UrgentSign:
    """One sign: its kind, and the words that it was found by, in the spelling that was searched."""

    kind: UrgentKind
    words: str


_SIGNS = Path(__file__).with_name("signs.toml")
_ENOUGH = 2.0  # weight of cues from which a sentence is listed
_WINDOW, _STEP = 25, 12  # words of a sentence that are weighed together, and how far the next ones begin
# Words that the patterns turn on, and that learners misspell or disguise.
_TELLING = """
    abuse abused afraid alive alone beat beating bomb bruises bullied bullies bully bullying cutting dead dinner
    everybody everyone family father friends hate hungry hurt hurting hurts kill killing knife life live living mother
    murder myself nobody pills please private punch raped rifle safe scared school shoot stepdad stepfather stepmom
    suicidal suicide touch touches touching uncle want worthless"""
_DISGUISES = str.maketrans("013457@$!|", "oieastasii")
_DISGUISED = re.compile(r"[a-z][013457@$!|]|[013457@$!|][a-z]")
_CHUNK = re.compile(r"\S+")
_LONGEST_WORD = 30  # letters; nothing longer is a word in disguise
_SPACED = re.compile(r"\b[a-z](?:[ .\-_]+[a-z]\b){3,}")
_STRETCHED = re.compile(r"([a-z])\1{2,}")
_END = re.compile(r"[.!?;:\n]+(?=\s|$)")
_SHORT_LINKS = re.compile(r"[^a-z.]+")


def urgent_signs(text: str, usual: Collection[str] = frozenset()) -> list[UrgentSign]:
    """The signs in one answer, one per kind, in the order of `UrgentKind`; usually none.

    Args:
        text: the answer.
        usual: words of the task (see `usual_words`), which say nothing when a learner uses them too.

    >>> urgent_signs("The acid kills the bacteria.")
    []
    >>> [sign.kind.value for sign in urgent_signs("it melts. i wanna k1ll mysellf")]
    ['self_harm']
    """
    said = plain_text(text)
    found = []
    for kind, pattern in _signs().patterns.items():
        match = pattern.search(said)
        if match:
            found.append(UrgentSign(kind, match.group().strip(" .")))
    return found or _cued(said, usual)


def usual_words(task: Task) -> frozenset[str]:
    """The words of a task's texts, as `urgent_signs` takes them."""
    levels = (level.descriptor for criterion in task.criteria for level in criterion.levels)
    texts = (task.title, task.prompt, task.stimulus, task.rubric_text, *task.reference_answers, *levels)
    return frozenset(plain_text(" ".join(texts)).split()) - _signs().oneself


def _cued(said: str, usual: Collection[str]) -> list[UrgentSign]:
    """The sign of the sentence about oneself whose cues weigh most, if they weigh enough."""
    heaviest, best = _ENOUGH, list[UrgentSign]()
    for sentence in said.split(" . "):
        words = sentence.split()
        for start in range(0, max(1, len(words) - _WINDOW + _STEP), _STEP):
            part = [word for word in dict.fromkeys(words[start : start + _WINDOW]) if word not in usual]
            if _signs().oneself.isdisjoint(part):
                continue
            cues = {word: weights for word in part if (weights := _cue(word))}
            weight = sum(max(weights.values()) for weights in cues.values())
            if len(cues) > 1 and (weight > heaviest or (weight == heaviest and not best)):
                totals = {kind: sum(weights.get(kind, 0.0) for weights in cues.values()) for kind in UrgentKind}
                kind = max(totals, key=lambda kind: totals[kind])
                places = [
                    place for place, word in enumerate(words) if word in cues and start <= place < start + _WINDOW
                ]
                heaviest, best = weight, [UrgentSign(kind, " ".join(words[places[0] : places[-1] + 1]))]
    return best


def plain_text(text: str) -> str:
    """The answer in the words that the patterns ask for.

    Lower case, without accents and apostrophes, disguises ("k!ll", "s u i c i d e", "d*e") and slips of spelling
    mended, words parted by one space and sentences by " . ".
    """
    said = fold(text).replace("'", "")
    if not said.isascii():
        said = "".join(letter for letter in unicodedata.normalize("NFKD", said) if not unicodedata.combining(letter))
    said = _CHUNK.sub(lambda match: _undisguised(match.group()), said)
    said = _SPACED.sub(lambda match: re.sub(r"[^a-z]", "", match.group()), said)
    said = _STRETCHED.sub(r"\1\1", said)
    said = _SHORT_LINKS.sub(" ", _END.sub(" . ", said).replace(".", " . "))
    return f" {' '.join(map(_mended, said.split()))} "


def _undisguised(word: str) -> str:
    """The telling word that digits, signs or stars stand in for ("k!ll", "k*ll"); "10cm" and "h2o!" are left alone."""
    if len(word) > _LONGEST_WORD:
        return word
    if "*" in word:
        shape = re.compile(re.escape(word.strip(".,;:?!")).replace(r"\*", "[a-z]{0,2}"))
        return min((known for known in [*_telling(), "die"] if shape.fullmatch(known)), default=word)
    if _DISGUISED.search(word):
        bare = word.translate(_DISGUISES).strip(".,;:?")
        return bare if _mended(bare) in _telling() else word
    return word


@lru_cache(maxsize=100_000)
def _mended(word: str) -> str:
    """A telling word for its misspelling; known words and contractions ("wasnt") are left alone."""
    if not 4 <= len(word) <= _LONGEST_WORD or word.endswith("nt") or word in _telling() or lexicon(ENGLISH).known(word):
        return word
    near = process.extractOne(word, _telling(), scorer=OSA.distance, score_cutoff=1 if len(word) < 7 else 2)
    return str(near[0]) if near else word


@lru_cache(maxsize=1)
def _telling() -> tuple[str, ...]:
    return tuple(_TELLING.split())


@lru_cache(maxsize=50_000)
def _cue(word: str) -> dict[UrgentKind, float]:
    """What a word weighs for each kind it is a cue for."""
    weights = dict(_signs().cues.get(word, {}))
    for beginning, kind, weight in _signs().beginnings:
        if word.startswith(beginning):
            weights[kind] = max(weight, weights.get(kind, 0.0))
    return weights


@dataclass(frozen=True)
class _Signs:
    """What signs.toml says: a pattern per kind, the words for oneself, and cues with their weights."""

    patterns: dict[UrgentKind, re.Pattern[str]]
    oneself: frozenset[str]
    cues: dict[str, dict[UrgentKind, float]]
    beginnings: list[tuple[str, UrgentKind, float]]


@lru_cache(maxsize=1)
def _signs() -> _Signs:
    read = tomllib.loads(_SIGNS.read_text(encoding="utf-8"))
    names: dict[str, str] = {}
    for name, meaning in read["words"].items():
        names[name] = _any([meaning] if isinstance(meaning, str) else meaning, names)
    cues: dict[str, dict[UrgentKind, float]] = defaultdict(dict)
    beginnings = []
    for kind in UrgentKind:
        for weight, listed in read["cues"][kind].items():
            for word in listed:
                if word.endswith("*"):
                    beginnings.append((word[:-1], kind, float(weight)))
                else:
                    cues[word][kind] = max(float(weight), cues[word].get(kind, 0.0))
    patterns = {kind: re.compile(_any(read["signs"][kind], names)) for kind in UrgentKind}
    return _Signs(patterns, frozenset(read["cues"]["self"]), dict(cues), beginnings)


def _any(patterns: Sequence[str], names: Mapping[str, str]) -> str:
    filled = (re.sub(r"\{([A-Z]+)\}", lambda match: names[match[1]], pattern) for pattern in patterns)
    return "(?:" + "|".join(f"(?:{pattern})" for pattern in filled) + ")"
