"""Fitting a student's calibration on its dev rows."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.optimize import minimize_scalar

from scoring.domain import round_half_up
from scoring.student.calibration import Calibration, CriterionCalibration, Key, calibrated_softmax, mass_before

COVERAGE = 0.9
SMALLEST = 50
"""Labelled responses below which a criterion's threshold is fitted on all criteria of the student together."""

PRIOR = 2.0
"""Weight of a temperature of 1, so that few responses don't move it far."""


def calibrate(logits: Mapping[Key, np.ndarray], labels: Mapping[Key, np.ndarray]) -> Calibration:
    """Temperature and set threshold per criterion.

    The threshold is the split-conformal quantile: of n scores the ceil((n + 1) coverage)-th smallest.
    On new responses like these the set holds the human level with at least the stated coverage. A
    criterion with fewer than `SMALLEST` responses shares the scores of all, so that coverage then
    holds over the criteria together.

    Args:
        logits: (task, criterion) -> (n, L) of responses that nothing was trained on.
        labels: (task, criterion) -> (n,) level indices.
    """
    temperatures = {key: fit_temperature(logits[key], labels[key]) for key in logits}
    scores = {key: _scores(calibrated_softmax(logits[key], temperatures[key]), labels[key]) for key in logits}
    pooled = np.concatenate(list(scores.values())) if scores else np.empty(0)
    return Calibration(
        COVERAGE,
        {
            key: CriterionCalibration(
                temperature=temperatures[key],
                threshold=conformal_threshold(own if len(own) >= SMALLEST else pooled, COVERAGE),
                n=len(own),
            )
            for key, own in scores.items()
        },
    )


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature in [1/4, 4] under which the labels are likeliest; 1 without responses."""
    if not len(labels):
        return 1.0

    def cost(log_temperature: float) -> float:
        probabilities = calibrated_softmax(logits, math.exp(log_temperature))
        chosen = probabilities[np.arange(len(labels)), labels]
        return float(-np.log(chosen.clip(1e-12)).sum()) + PRIOR * log_temperature**2

    found = minimize_scalar(cost, bounds=(-math.log(4), math.log(4)), method="bounded")
    return math.exp(float(found.x))


def conformal_threshold(scores: np.ndarray, coverage: float) -> float:
    """The quantile of nonconformity scores in [0, 1]; 1, every level, where there are too few of them.

    >>> conformal_threshold(np.arange(9) / 10, 0.9), conformal_threshold(np.arange(8) / 10, 0.9)
    (0.8, 1.0)
    """
    rank = math.ceil((len(scores) + 1) * coverage)
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else 1.0


def _scores(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    shown = [round_half_up(value) for value in probabilities @ np.arange(probabilities.shape[-1])]
    return np.array([mass_before(row, at)[label] for row, at, label in zip(probabilities, shown, labels, strict=True)])
