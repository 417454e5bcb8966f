"""Attributions to whole words by shap's Partition explainer (Owen values; Lundberg & Lee 2017)."""

from __future__ import annotations

import numba
import numpy as np

from scoring.explain.game import Floats, Masks, WordGame

# shap compiles a few small loops at first use in every process. That takes seconds, and here the
# loops run over tens of words: interpreted they take no time that matters.
numba.config.DISABLE_JIT = True  # type: ignore[attr-defined]

import shap  # noqa: E402
from shap.explainers import PartitionExplainer  # noqa: E402

BATCH = 64
"""Shortened copies that are scored together; the explainer looks where to go on between batches."""


class _WholeWords:
    """The tokenizer of shap's text masker: the game's words with their offsets."""

    def __init__(self, game: WordGame) -> None:
        self._game = game

    def __call__(self, text: str, return_offsets_mapping: bool = True) -> dict[str, list[object]]:
        spans = self._game.spans if text == self._game.text else ()
        return {"input_ids": list(range(len(spans))), "offset_mapping": list(spans)}


class _WordMasker(shap.maskers.Text):  # type: ignore[misc]
    """shap's text masker, except that the mask itself is handed on: the game leaves the words out."""

    def __init__(self, game: WordGame) -> None:
        # Any number will do as mask token: none is ever put in the place of a word.
        super().__init__(_WholeWords(game), mask_token=0)

    def __call__(self, mask: Masks, text: str) -> tuple[Masks]:
        return (mask[None, :],)


def owen_values(game: WordGame, evaluations: int) -> Floats:
    """How much each word moves each output.

    Words are grouped by shap into a tree of phrases; a group's credit is split between its halves
    by what each adds to all the other words. Where the evaluations don't suffice for single words,
    the words of a phrase share its credit equally.

    Args:
        game: with at least one word.
        evaluations: shortened copies of the answer to score at most; 2 n are enough for n words.

    Returns:
        (n, outputs); each column sums to value minus base value.
    """
    words = len(game.spans)
    ends: Masks = np.array([np.zeros(words, dtype=bool), np.ones(words, dtype=bool)])
    base, full = game(ends)  # (outputs,) each
    if words == 1:
        return np.array([full - base])
    points = np.array([output.points for output in game.outputs])
    explainer = PartitionExplainer(lambda masks: game(masks) * points, _WordMasker(game))
    random_state = np.random.get_state()
    np.random.seed(0)  # shap draws from numpy's global generator to break ties
    try:
        found = explainer([game.text], max_evals=evaluations, fixed_context=1, batch_size=BATCH, silent=True)
    finally:
        np.random.set_state(random_state)
    values: Floats = np.asarray(found.values[0], dtype=float)
    return np.asarray(values / points)
