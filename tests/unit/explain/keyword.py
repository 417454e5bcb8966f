"""A scorer with a planted rule, behind the same interface as the engine: what explains it is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.inference.engine import Reading

POINTS = {"salt": 3.0, "heat": 1.5, "wrong": -2.0}
"""What each word does to the log-odds of each level against the one below, once per answer."""


class KeywordScorer:
    """Three levels; a keyword moves both log-odds, other words do nothing."""

    def __init__(self) -> None:
        self.tasks = {"ice": {"score": (0, 1, 2)}}
        self.seen: list[str] = []

    def read(self, task_id: str, texts: Sequence[str]) -> Reading:
        self.seen += texts
        step = np.array([-1.0 + sum(v for word, v in POINTS.items() if word in text.casefold()) for text in texts])
        logits = np.stack([np.zeros(len(texts)), step, 2 * step], axis=1)
        log_probabilities = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        nothing = np.zeros((len(texts), 0))
        return Reading({"score": log_probabilities}, nothing[:, :, None], nothing, np.zeros(len(texts), dtype=bool))
