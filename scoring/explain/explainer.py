"""From one answer to its explanation: a first look at once, then the tested attributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from scoring.explain.explanation import (
    Attribution,
    CriterionExplanation,
    ExplainSettings,
    Explanation,
    LevelPair,
)
from scoring.explain.faithfulness import FEWEST_WORDS, assess, verdict
from scoring.explain.game import Floats, Output, WordGame, neighbouring
from scoring.explain.gradients import gradient_times_state, token_words
from scoring.explain.words import word_spans
from scoring.inference.engine import Engine


def first_look(engine: Engine, task_id: str, text: str, settings: ExplainSettings | None = None) -> Explanation:
    """Scores, gates and gradient x state: what can be shown within half a second, untested.

    A text without words gives an explanation without words, and its note says so.

    Raises:
        InvalidInput: the student doesn't know the task.
    """
    settings = settings or ExplainSettings()
    reading = engine.read(task_id, [text])
    spans = word_spans(text)
    tokens = token_words(engine, text, spans)
    gradients = gradient_times_state(engine, task_id, tokens)
    criteria = []
    for criterion_id, levels in engine.tasks[task_id].items():
        expected = float(Output(criterion_id, levels).of(reading.log_probabilities[criterion_id])[0])
        criteria.append(
            CriterionExplanation(
                id=criterion_id,
                level=engine.level(task_id, criterion_id, expected),
                levels=levels,
                probabilities=tuple(np.exp(reading.log_probabilities[criterion_id][0]).tolist()),
                expected=expected,
                gradient=tuple(gradients[criterion_id].tolist()),
                attribution=None,
                pairs=(),
                agreement=None,
            )
        )
    return Explanation(
        task_id=task_id,
        version_id=engine.version_id,
        settings_hash=settings.hash(),
        spans=spans,
        words_read=tokens.words_read,
        truncated=tokens.truncated,
        criteria=tuple(criteria),
        gate_weights=tuple(tuple(layer) for layer in reading.gate_weights[0].tolist()),
        note=_note(len(spans), tokens.words_read, tokens.truncated),
    )


def explain(
    engine: Engine, task_id: str, text: str, settings: ExplainSettings | None = None, *,
    look: Explanation | None = None,
) -> Explanation:  # fmt: skip
    """The whole explanation: every criterion and pair of neighbouring levels, tested.

    The same text, student, settings and device give the same explanation.

    Args:
        engine: of the student that scored the answer.
        task_id: one of the engine's tasks.
        text: the original answer, any text.
        settings: how much work it may be.
        look: this text's first look, where it was already made.

    Raises:
        InvalidInput: the student doesn't know the task.
    """
    settings = settings or ExplainSettings()
    look = look or first_look(engine, task_id, text, settings)
    outputs = [
        output
        for c in look.criteria
        for output in (Output(c.id, c.levels), *(Output(c.id, c.levels, at) for at in neighbouring(c.levels, c.level)))
    ]
    attributions = attribute(engine, look, text, outputs, settings)
    found = dict(zip(outputs, attributions, strict=True))
    criteria = []
    for c in look.criteria:
        attribution = found[Output(c.id, c.levels)]
        criteria.append(
            replace(
                c,
                attribution=attribution,
                pairs=tuple(
                    LevelPair(output.lower, output.lower + 1, found[output])
                    for output in outputs
                    if output.criterion_id == c.id and output.lower is not None
                ),
                agreement=rank_correlation(c.gradient[: look.words_read], attribution.values[: look.words_read]),
            )
        )
    return replace(look, criteria=tuple(criteria))


def attribute(
    engine: Engine, look: Explanation, text: str, outputs: Sequence[Output], settings: ExplainSettings
) -> list[Attribution]:
    """Owen values for each output, tested; words that the student doesn't read get 0."""
    from scoring.explain.shapley import owen_values

    spans = look.spans[: look.words_read]
    if look.truncated and spans:
        text = text[: spans[-1][1]]
    game = WordGame(engine, look.task_id, text, spans, outputs)
    base, value = game(np.array([np.zeros(len(spans), dtype=bool), np.ones(len(spans), dtype=bool)]))
    values = owen_values(game, settings.evaluations) if spans else np.zeros((0, len(outputs)))
    tested = assess(game, values, settings) if len(spans) >= FEWEST_WORDS else [None] * len(outputs)
    unread = np.zeros(len(look.spans) - len(spans))
    attributions = []
    for index, output in enumerate(outputs):
        trustworthy, sentence = verdict(output, float(value[index]), tested[index])
        attributions.append(
            Attribution(
                base_value=float(base[index]),
                value=float(value[index]),
                values=tuple(np.concatenate([values[:, index], unread]).tolist()),
                trustworthy=trustworthy,
                sentence=sentence,
                faithfulness=tested[index],
            )
        )
    return attributions


def rank_correlation(first: Sequence[float] | Floats, second: Sequence[float] | Floats) -> float | None:
    """Spearman's rank correlation, -1 to 1; None with fewer than 3 values or where all are equal.

    >>> rank_correlation([1, 2, 3], [1, 4, 9]), rank_correlation([1, 2], [1, 2]), rank_correlation([1] * 3, [1, 2, 3])
    (1.0, None, None)
    """
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return round(float(np.corrcoef(pd.Series(first).rank(), pd.Series(second).rank())[0, 1]), 6)


def _note(words: int, words_read: int, truncated: bool) -> str:
    if words == 0:
        return "The answer has no words, so no word can explain its score."
    if truncated:
        return f"The answer is longer than the model reads: only its first {words_read} of {words} words count."
    return ""
