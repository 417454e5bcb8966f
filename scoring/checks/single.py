"""The checks that look at one answer, with the words its classmates use at hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scoring.checks.copying import overlap
from scoring.checks.flags import Flag, FlagKind, Thresholds
from scoring.checks.language import NO_LANGUAGE, identify, lexicon, script, share
from scoring.checks.task_texts import TaskTexts

_NO_ANSWER = re.compile(
    r"\b(?:idk|idek|dunno|no (?:idea|clue|answer)|not sure|(?:i'?m|im) (?:confused|lost)"
    r"|(?:do not|don'?t|dont|didn'?t|didnt|can'?t|cant) (?:really |even )?"
    r"(?:know|no|knw|kno|understand|get|remember|answer)|no (?:lo )?s[eé])\b"
)
_AROUND = """
    i im i'm me my this that it its it's the to too is hard one how what why sorry answer question anything at all so
    lol um uh honestly really any about of for on because be just do either and or yet u you miss teacher please help
    ok well but even"""
_AROUND_WORDS = frozenset(_AROUND.split())
_NUCLEOTIDES = re.compile(r"[acgtu]+")  # "gauuca" is an answer about genes
_ACRONYM = re.compile(r"[A-Za-z]*[A-Z]{2,}[A-Za-z]*")  # "mRNA" is not there to be pronounced
_REPEATED_LETTER = re.compile(r"(.)\1{4,}")
_RECKONING = re.compile(r"[=+×÷*<>]")  # what is done with numbers is the learner's own
_RUN = 3  # words; shorter phrases come again in any text
_TIMES = 3  # from which a phrase alone is repetition
_SHORTEST_PART = 3  # letters of a word within a glued word
_LONGEST_GLUED = 80
_NUMBERS = 4  # the fewest that are a copied table and not a result


@dataclass(frozen=True)
class Answer:
    """One answer as the checks read it.

    `tokens` are its words and numbers, `words` those with letters. `used` counts how many of the upload's answers,
    this one among them, hold a word. `usual_length` is the usual number of words of an answer to this task.
    """

    text: str
    tokens: Sequence[str]
    about: TaskTexts
    used: Mapping[str, int]
    usual_length: float
    limits: Thresholds

    @property
    def words(self) -> list[str]:
        """The tokens with letters."""
        return [token for token in self.tokens if not token[0].isdigit()]


def blank(answer: Answer) -> Flag | None:
    """No word and no number."""
    if answer.tokens:
        return None
    said = "only signs, no words" if answer.text.strip() else "nothing"
    return Flag(FlagKind.BLANK, f"The answer holds {said}.", 1.0)


def says_no_answer(answer: Answer) -> bool:
    """Whether it holds nothing but the statement that the learner does not know."""
    rest, found = _NO_ANSWER.subn(" ", " ".join(answer.tokens))
    return bool(found) and all(word in _AROUND_WORDS for word in rest.split())


def reckons(answer: Answer) -> bool:
    """Whether it holds numbers and signs that work with them."""
    return bool(_RECKONING.search(answer.text)) and any(token[0].isdigit() for token in answer.tokens)


def too_short(answer: Answer) -> Flag | None:
    """Far fewer words than this task usually gets, or only the statement that the learner does not know."""
    if says_no_answer(answer):
        return Flag(FlagKind.TOO_SHORT, "The answer only says that the student does not know.", 1.0)
    count, least = len(answer.tokens), answer.limits.short_share * answer.usual_length
    if count > least:
        return None
    counted = "one word" if count == 1 else f"{count} words"
    reason = f"The answer has {counted}; answers to this task usually have about {round(answer.usual_length)}."
    return Flag(FlagKind.TOO_SHORT, reason, 1 - count / (least + 1))


def gibberish(answer: Answer) -> Flag | None:
    """Letters that make no words, in any language that is written like them."""
    known, limits = lexicon(answer.about.language), answer.limits
    acronyms = set() if answer.text.isupper() else {found.casefold() for found in _ACRONYM.findall(answer.text)}
    strange = [
        word for word in answer.words if not _familiar(word, answer) and not known.known(word) and word not in acronyms
    ]
    nonsense = {
        word
        for word in strange
        if (not known.plausible(word) or _REPEATED_LETTER.search(word))
        and not (_NUCLEOTIDES.fullmatch(word) and len(set(word)) > 1)
        and not _glued(word, answer)
    }
    part = share(answer.words, nonsense)
    if part >= limits.nonsense_share and sum(map(len, nonsense)) > 3:
        return Flag(FlagKind.GIBBERISH, "Most of the letters make no words.", part)
    unknown = share(answer.words, set(strange))
    if known.listed and (
        (len(strange) >= limits.unknown_words and unknown >= limits.unknown_share)
        or (len(strange) >= limits.many_unknown_words and unknown >= limits.many_unknown_share)
    ):
        return Flag(FlagKind.GIBBERISH, "Hardly any of the words is a known word.", unknown)
    return None


def other_language(answer: Answer) -> Flag | None:
    """Another writing system than the task's, or words of another language."""
    limits, about, words = answer.limits, answer.about, answer.words
    letters = script(answer.text)
    foreign = sum(count for name, count in letters.items() if name not in about.scripts and name != "OTHER")
    if foreign > 3 and foreign / letters.total() >= limits.foreign_script_share:
        guess = identify(answer.text)
        name = guess.name if guess.code not in (about.language, NO_LANGUAGE) else "another language"
        return Flag(FlagKind.OTHER_LANGUAGE, f"The answer seems to be in {name}.", foreign / letters.total())
    if len(words) < limits.foreign_words:
        return None
    # Classmates' words are not asked: several of them may write in the same other language.
    ours = lexicon(about.language)
    unknown = share(words, {word for word in words if not ours.known(word) and word not in about.tokens})
    if unknown < limits.foreign_share:
        return None
    guess = identify(answer.text)
    if guess.code in (about.language, NO_LANGUAGE) or guess.probability < limits.foreign_probability:
        return None
    return Flag(FlagKind.OTHER_LANGUAGE, f"The answer seems to be in {guess.name}.", guess.probability * unknown)


def copied_task(answer: Answer) -> Flag | None:
    """Mostly the words, or only the numbers, that the task itself shows."""
    limits = answer.limits
    found = overlap(answer.tokens, answer.about.shown)
    if (found.share >= limits.copied_share and found.words >= limits.copied_words) or (
        found.share >= limits.copied_run_share and found.run >= limits.copied_run
    ):
        reason = f"{found.words} of the answer's {len(answer.tokens)} words are copied from the task."
        return Flag(FlagKind.COPIED_TASK, reason, found.share)
    numbers = [token for token in answer.tokens if token[0].isdigit()]
    part = len(numbers) / len(answer.tokens) if answer.tokens else 0.0
    if (
        len(numbers) >= _NUMBERS
        and part >= limits.copied_number_share
        and answer.about.tokens.issuperset(numbers)
        and not _RECKONING.search(answer.text)
    ):
        return Flag(FlagKind.COPIED_TASK, "The answer holds hardly more than numbers from the task.", part)
    return None


def copied_reference(answer: Answer) -> Flag | None:
    """Mostly the words of a reference answer."""
    found = overlap(answer.tokens, answer.about.references)
    if found.share < answer.limits.reference_share or found.words < answer.limits.reference_words:
        return None
    reason = f"{found.words} of the answer's {len(answer.tokens)} words are those of a reference answer."
    return Flag(FlagKind.COPIED_REFERENCE, reason, found.share)


def repeated(answer: Answer) -> Flag | None:
    """The same words over and over."""
    tokens, limits = answer.tokens, answer.limits
    seen: set[tuple[str, ...]] = set()
    again = [False] * len(tokens)
    for start in range(len(tokens) - _RUN + 1):
        run = tuple(tokens[start : start + _RUN])
        if run in seen:
            again[start : start + _RUN] = [True] * _RUN
        seen.add(run)
    part = sum(again) / len(tokens) if tokens else 0.0
    if part >= limits.repeated_share and sum(again) >= limits.repeated_words:
        reason = f"{sum(again)} of the answer's {len(tokens)} words repeat what it said before."
        return Flag(FlagKind.REPEATED, reason, part)
    if any(_TIMES * length <= len(tokens) and _periodic(tokens, length) for length in range(1, _RUN)):
        return Flag(FlagKind.REPEATED, "The answer is the same few words over and over.", 1.0)
    return None


def _periodic(tokens: Sequence[str], length: int) -> bool:
    return all(token == tokens[index % length] for index, token in enumerate(tokens)) and tokens[0].isalpha()


def _familiar(word: str, answer: Answer) -> bool:
    """Whether the task or another answer of the upload holds the word."""
    return word in answer.about.tokens or answer.used.get(word, 0) > 1


def _glued(word: str, answer: Answer) -> bool:
    """Whether a word is words of the task or the class whose line breaks were lost, as "rnamrnadna"."""
    if len(word) > _LONGEST_GLUED:
        return False
    reached = {0}
    for end in range(_SHORTEST_PART, len(word) + 1):
        if any(start in reached and _familiar(word[start:end], answer) for start in range(end - _SHORTEST_PART + 1)):
            reached.add(end)
    return len(word) in reached
