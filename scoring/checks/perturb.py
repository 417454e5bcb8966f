"""Answers made worse on purpose, to measure the checks and the student: what a trick looks like.

Everything is drawn from one seed, so that the same call gives the same answers on every machine.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from scoring.checks.phrases import OFF_TOPIC, OTHER_LANGUAGES
from scoring.checks.topic import is_function_word
from scoring.checks.words import sentences, tokens
from scoring.domain import Task
from scoring.errors import InvalidInput


class Perturbation(StrEnum):
    """The ways in which an answer can be made worse."""

    BLANK = "blank"
    TRUNCATED = "truncated"
    GIBBERISH = "gibberish"
    OFF_TOPIC = "off_topic"
    PROMPT_COPY = "prompt_copy"
    REFERENCE_COPY = "reference_copy"
    CLASSMATE_COPY = "classmate_copy"
    OTHER_LANGUAGE = "other_language"
    REPEATED = "repeated"
    SHUFFLED = "shuffled"
    KEYWORDS = "keywords"
    NEGATED = "negated"


@dataclass(frozen=True)
class Perturbed:
    """A worse answer, and the index of the given answer that it was made from."""

    text: str
    source: int


_KEYBOARD = ("qwertyuiop", "asdfghjkl", "asdfghjkl", "zxcvbnm")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SYLLABLES = "ba blo cre da dro fi flu gla go ji ka klo mi nar nop plo que ri sko sna tra vu wib yor zag zim"
_VERB = re.compile(r"\b(is|are|was|were|will|would|can|could|should|has|have|had|does|do|did)\b(?!\s+not)", re.I)
_OPENINGS = ("I think that ", "The answer is that ", "It says ", "well ", "Because ", "")
_ENDINGS = ("", "", " that is why.", " so yes.", " and that's my answer")


def perturb(
    kind: Perturbation, task: Task, answers: Sequence[str], count: int, *, seed: int, elsewhere: Sequence[str] = ()
) -> list[Perturbed]:
    """Make `count` worse answers to a task out of given ones.

    Args:
        kind: in which way they are worse.
        task: the task they pretend to answer.
        answers: real answers to it, to start from; blank ones are passed over.
        count: how many.
        seed: of the draw.
        elsewhere: answers to other tasks, of which off-topic ones are made; without them, stock sentences are.

    Raises:
        InvalidInput: there is no answer, or nothing in the task, to start from.
    """
    rng = random.Random(f"{kind}:{task.id}:{seed}")
    usable = [index for index, text in enumerate(answers) if tokens(text)]
    if not usable:
        raise InvalidInput(f"task {task.id!r}: no answer with words to perturb")
    sources = [rng.choice(usable) for _ in range(count)]
    make = _MAKERS[kind]
    return [Perturbed(make(answers[source], _Draw(rng, task, elsewhere)), source) for source in sources]


@dataclass(frozen=True)
class _Draw:
    """What a perturbation may draw from."""

    rng: random.Random
    task: Task
    elsewhere: Sequence[str]


def _blank(_text: str, draw: _Draw) -> str:
    return draw.rng.choice(["", " ", "\n\n", "...", "?", "-", "\u200b"])


def _truncated(text: str, draw: _Draw) -> str:
    return " ".join(text.split()[: draw.rng.choice([1, 1, 2])])


def _gibberish(text: str, draw: _Draw) -> str:
    """Keyboard mash, random letters, made-up syllables, or the answer with the letters of each word mixed up."""
    rng, length = draw.rng, max(2, min(30, len(text.split())))
    style = rng.choice(["mash", "letters", "syllables", "mixed"])
    if style == "mash":
        return " ".join(_mash(rng) for _ in range(rng.randint(1, length)))
    if style == "letters":
        return " ".join("".join(rng.choices(_LETTERS, k=rng.randint(3, 10))) for _ in range(rng.randint(2, length + 1)))
    if style == "syllables":
        made = (
            "".join(rng.choices(_SYLLABLES.split(), k=rng.randint(2, 3))) for _ in range(rng.randint(4, length + 4))
        )
        return " ".join(made)
    return " ".join("".join(rng.sample(word, len(word))) for word in text.split())


def _mash(rng: random.Random) -> str:
    row = rng.choice(_KEYBOARD)
    at = rng.randrange(len(row))
    pressed = []
    for _ in range(rng.randint(4, 12)):
        at = (at + rng.choice([-2, -1, 0, 1, 1, 2, 3])) % len(row)
        pressed.append(row[at])
    return "".join(pressed)


def _off_topic(_text: str, draw: _Draw) -> str:
    return draw.rng.choice(list(draw.elsewhere) or OFF_TOPIC)


def _prompt_copy(_text: str, draw: _Draw) -> str:
    """A piece of the prompt or the rubric, with a few words of one's own around it."""
    task, rng = draw.task, draw.rng
    descriptors = [level.descriptor for criterion in task.criteria for level in criterion.levels]
    shown = [task.prompt, task.prompt, task.stimulus, *descriptors]
    sources = [text for text in shown if len(tokens(text)) >= 10]
    if not sources:
        raise InvalidInput(f"task {task.id!r}: prompt, stimulus and rubric are too short to copy from")
    return rng.choice(_OPENINGS) + _piece(rng.choice(sources), rng, 12, 40) + rng.choice(_ENDINGS)


def _reference_copy(_text: str, draw: _Draw) -> str:
    """A reference answer, or a long piece of one, with a slip or two."""
    if not draw.task.reference_answers:
        raise InvalidInput(f"task {draw.task.id!r}: reference_answers are needed to copy from one")
    return _slips(_piece(draw.rng.choice(draw.task.reference_answers), draw.rng, 15, 80), draw.rng, 0.03)


def _classmate_copy(text: str, draw: _Draw) -> str:
    """The whole answer: as it is, retyped with slips, in other case and punctuation, or with a sentence added."""
    rng = draw.rng
    style = rng.choice(["whole", "slips", "retyped", "longer", "shorter"])
    if style == "slips":
        return _slips(text, rng, 0.06)
    if style == "retyped":
        return re.sub(r"[.,!;:]", "", text).lower()
    if style == "longer":
        return f"{text} {rng.choice(['That is why I think so.', 'so yeah', 'I learned this in class.'])}"
    if style == "shorter":
        words = text.split()
        return " ".join(words[: max(1, round(len(words) * 0.85))])
    return text


def _other_language(_text: str, draw: _Draw) -> str:
    """A sentence or two in another language than English."""
    phrases = OTHER_LANGUAGES[draw.rng.choice(sorted(OTHER_LANGUAGES))]
    return " ".join(draw.rng.sample(phrases, draw.rng.choice([1, 1, 2])))


def _repeated(text: str, draw: _Draw) -> str:
    """The answer, its first sentence, or a few of its words, over and over."""
    rng, words = draw.rng, text.split()
    piece = rng.choice([text, sentences(text)[0], " ".join(words[: rng.randint(3, 6)])])
    return " ".join([piece] * rng.randint(3, 6))


def _shuffled(text: str, draw: _Draw) -> str:
    words = text.split()
    return " ".join(draw.rng.sample(words, len(words)))


def _keywords(text: str, draw: _Draw) -> str:
    """Only the content words, as a list."""
    kept = list(dict.fromkeys(token for token in tokens(text) if not is_function_word(token)))
    return ", ".join(draw.rng.sample(kept, len(kept))) or text


def _negated(text: str, _draw: _Draw) -> str:
    """The opposite: every verb that can take it gets a "not", every "not" is taken away."""
    if re.search(r"n't\b|\bnot\b", text, re.I):
        return re.sub(r"n't\b|\s+not\b", "", text, flags=re.I)
    negated, changed = _VERB.subn(r"\1 not", text)
    return negated if changed else f"It is not true that {text}"


def _piece(text: str, rng: random.Random, least: int, most: int) -> str:
    words = text.split()
    length = min(len(words), rng.randint(least, most))
    start = rng.randrange(len(words) - length + 1)
    return " ".join(words[start : start + length])


def _slips(text: str, rng: random.Random, rate: float) -> str:
    """Typing slips in about this share of the words: two letters swapped, or one lost."""
    typed = []
    for word in text.split():
        if len(word) > 3 and rng.random() < rate:
            at = rng.randrange(len(word) - 1)
            swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
            word = swapped if rng.random() < 0.5 else word[:at] + word[at + 1 :]
        typed.append(word)
    return " ".join(typed)


_MAKERS: dict[Perturbation, Callable[[str, _Draw], str]] = {
    Perturbation.BLANK: _blank,
    Perturbation.TRUNCATED: _truncated,
    Perturbation.GIBBERISH: _gibberish,
    Perturbation.OFF_TOPIC: _off_topic,
    Perturbation.PROMPT_COPY: _prompt_copy,
    Perturbation.REFERENCE_COPY: _reference_copy,
    Perturbation.CLASSMATE_COPY: _classmate_copy,
    Perturbation.OTHER_LANGUAGE: _other_language,
    Perturbation.REPEATED: _repeated,
    Perturbation.SHUFFLED: _shuffled,
    Perturbation.KEYWORDS: _keywords,
    Perturbation.NEGATED: _negated,
}
