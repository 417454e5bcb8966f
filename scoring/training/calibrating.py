"""Fitting a student's calibration on its dev rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from scoring.student.calibration import Calibration, CriterionCalibration, Key, calibrated_softmax, mass_before

COVERAGE = 0.9
SMALLEST = 50
"""Labelled responses below which a criterion's threshold is fitted on all criteria of the student together, and
at which its scale is trusted by half."""

WIDEST = 2.0
"""The most that expected levels are spread, or drawn together."""

PRIOR = 2.0
"""Weight of a temperature of 1, so that few responses don't move it far."""


def calibrate(logits: Mapping[Key, np.ndarray], labels: Mapping[Key, np.ndarray]) -> Calibration:
    """Temperature, scale and set threshold per criterion.

    The threshold is the split-conformal quantile: of n scores the ceil((n + 1) coverage)-th smallest.
    On new responses like these the set holds the human level with at least the stated coverage. A
    criterion with fewer than `SMALLEST` responses shares the scores of all, so that coverage then
    holds over the criteria together.

    Args:
        logits: (task, criterion) -> (n, L) of responses that nothing was trained on.
        labels: (task, criterion) -> (n,) level indices.
    """
    fitted = {key: _fit(logits[key], labels[key]) for key in logits}
    scores = {
        key: nonconformity(calibrated_softmax(logits[key], entry.temperature), labels[key], entry)
        for key, entry in fitted.items()
    }
    pooled = np.concatenate(list(scores.values())) if scores else np.empty(0)
    return Calibration(
        COVERAGE,
        {
            key: replace(
                entry,
                threshold=conformal_threshold(scores[key] if entry.n >= SMALLEST else pooled, COVERAGE),
            )
            for key, entry in fitted.items()
        },
    )


def _fit(logits: np.ndarray, labels: np.ndarray) -> CriterionCalibration:
    """Temperature and scale; with few responses the scale stays near none."""
    temperature = fit_temperature(logits, labels)
    expected = calibrated_softmax(logits, temperature) @ np.arange(logits.shape[-1])
    n = len(labels)
    trust = n / (n + SMALLEST)
    apart = float(labels.mean() - expected.mean()) if n else 0.0
    ratio = float(labels.std() / expected.std()) if n and labels.std() > 0 and expected.std() > 0 else 1.0
    mean = float(expected.mean()) if n else 0.0
    spread = float(np.clip(ratio, 1 / WIDEST, WIDEST)) ** trust
    return CriterionCalibration(temperature, 1.0, n, mean, mean + trust * apart, spread)


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


def nonconformity(probabilities: np.ndarray, labels: np.ndarray, entry: CriterionCalibration) -> np.ndarray:
    """(n, L), (n,) -> (n,) mass that the set holds before it takes in the label."""
    levels = probabilities.shape[-1]
    shown = [entry.level(value, levels) for value in probabilities @ np.arange(levels)]
    return np.array([mass_before(row, at)[label] for row, at, label in zip(probabilities, shown, labels, strict=True)])
