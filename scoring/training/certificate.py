"""The stress certificate: what a student does with answers that are made to fool it, before it goes live.

Each check has a rule in words, and is passed where the rule holds in the stated share of cases. The
response checks are part of the product, so an answer that they hold back counts as caught.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scoring.checks.flags import FlagKind
from scoring.checks.perturb import Perturbation, perturb
from scoring.checks.response import check_responses
from scoring.domain import Task
from scoring.errors import InvalidInput
from scoring.inference.engine import Engine, ResponseScore
from scoring.itembank import LabelledResponse
from scoring.student.text import clean_text

CASES = 20
CLASS = 200
"""Answers of the class that the response checks see beside the made ones."""
TOP_ANSWERS = 12
"""The most answers at the top that are made worse."""
FEWEST_TOP = 3
FALL = 0.05
"""Points by which an expected score must fall to count as lower."""

NOTHING = "lowest"
LOWER = "lower"
UNSCORED = "unscored"

CAUGHT = frozenset(
    {
        FlagKind.BLANK, FlagKind.GIBBERISH, FlagKind.OTHER_LANGUAGE, FlagKind.COPIED_TASK, FlagKind.REPEATED,
        FlagKind.OFF_TOPIC,
    }
)  # fmt: skip
"""Flags that keep a made answer from being taken for a real one; one about a classmate says only how it was made."""


@dataclass(frozen=True)
class Check:
    """One way to fool a student."""

    kind: Perturbation
    title: str
    demand: str
    share: float  # of cases that must hold

    @property
    def rule(self) -> str:
        """The rule as a sentence for a teacher."""
        share = f"in at least {self.share:.0%} of the cases"
        if self.demand == UNSCORED:
            return "A blank answer is never scored: the file check or the response checks hold it back every time."
        if self.demand == NOTHING:
            return f"It gets the lowest level on every criterion, or the response checks point it out, {share}."
        return (
            f"Made from answers with top scores, it is expected to get fewer points than the answer it was made from "
            f"(by {FALL} or more), or the response checks point it out, {share}."
        )


CHECKS = (
    Check(Perturbation.BLANK, "Blank answers", UNSCORED, 1.0),
    Check(Perturbation.GIBBERISH, "Gibberish", NOTHING, 0.9),
    Check(Perturbation.OFF_TOPIC, "Off-topic answers", NOTHING, 0.9),
    Check(Perturbation.PROMPT_COPY, "Copies of the prompt", NOTHING, 0.9),
    Check(Perturbation.SHUFFLED, "Words in random order", LOWER, 0.8),
    Check(Perturbation.KEYWORDS, "A list of keywords", LOWER, 0.8),
    Check(Perturbation.NEGATED, "The opposite said", LOWER, 0.8),
)


def certify(
    engine: Engine, task: Task, rows: Sequence[LabelledResponse], *, seed: int, cases: int = CASES,
    elsewhere: Sequence[str] = (),
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """One entry of the certificate after the other.

    Args:
        engine: of a version that knows the task.
        task: the task.
        rows: labelled answers to it, from which answers are made worse.
        seed: of the draw.
        cases: how many of each kind.
        elsewhere: answers to other tasks; without them, off-topic answers are stock sentences.

    Yields:
        `{"check", "title", "rule", "passed", "cases", "share", "offending"}`; `passed` is None where there was
        nothing to make such answers from.
    """
    texts = [row.text for row in rows]
    for check in CHECKS:
        sources = _top(task, rows) if check.demand == LOWER else texts
        entry: dict[str, Any] = {"check": check.kind.value, "title": check.title, "rule": check.rule}
        made = []
        if check.demand != LOWER or len(sources) >= FEWEST_TOP:
            try:
                made = perturb(check.kind, task, sources, cases, seed=seed, elsewhere=elsewhere)
            except InvalidInput:  # no prompt to copy from
                made = []
        if not made:
            yield {**entry, "passed": None, "cases": 0, "share": None, "offending": None}
            continue
        held = _caught(task, texts, [item.text for item in made], blanks=check.demand == UNSCORED)
        scores = engine.score(task.id, [item.text for item in made])
        before = engine.score(task.id, [sources[item.source] for item in made]) if check.demand == LOWER else scores
        good = [
            caught or _holds(check, task, score, original)
            for caught, score, original in zip(held, scores, before, strict=True)
        ]
        offending = [at for at, right in enumerate(good) if not right]
        share = sum(good) / len(good)
        worst = max(offending, key=lambda at: (_expected(scores[at]), -at), default=None)
        yield {
            **entry, "passed": share >= check.share, "cases": len(made), "share": round(share, 4),
            "offending": None if worst is None else _offence(made[worst].text, scores[worst]),
        }  # fmt: skip


def _top(task: Task, rows: Sequence[LabelledResponse]) -> list[str]:
    """Texts of the answers with the most points, not counting those that got next to none."""
    rated = [row for row in rows if len(row.levels) == len(task.criteria)]
    points = [sum(row.levels.values()) for row in rated]
    lowest = sum(criterion.values[0] for criterion in task.criteria)
    enough = lowest + (task.highest - lowest) / 2
    order = sorted(range(len(rated)), key=lambda at: (-points[at], at))
    return [rated[at].text for at in order[:TOP_ANSWERS] if points[at] >= enough]


def _caught(task: Task, texts: Sequence[str], made: Sequence[str], *, blanks: bool) -> list[bool]:
    flags = check_responses(task, [*texts[:CLASS], *made])[len(texts[:CLASS]) :]
    caught = [any(flag.kind in CAUGHT for flag in of_one) for of_one in flags]
    # An answer without a character to read is refused before any model sees it.
    return [held or (blanks and not clean_text(text)) for held, text in zip(caught, made, strict=True)]


def _holds(check: Check, task: Task, score: ResponseScore, before: ResponseScore) -> bool:
    if check.demand == UNSCORED:
        return False
    if check.demand == NOTHING:
        lowest = {criterion.id: criterion.values[0] for criterion in task.criteria}
        return all(c.level == lowest[c.criterion_id] for c in score.criteria)
    return _expected(score) <= _expected(before) - FALL


def _expected(score: ResponseScore) -> float:
    return sum(criterion.expected for criterion in score.criteria)


def _offence(text: str, score: ResponseScore) -> dict[str, Any]:
    worst = max(score.criteria, key=lambda criterion: criterion.expected)
    return {
        "text": text, "criterion_id": worst.criterion_id, "level": worst.level, "expected": round(worst.expected, 3)
    }  # fmt: skip
