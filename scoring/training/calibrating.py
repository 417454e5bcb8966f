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
at which its mean, and the spread of all together, is trusted by half."""

STEADY = 200
"""Labelled responses at which a criterion's own spread counts as much as the spread of all criteria together:
a ratio of two standard deviations is known less well than a mean, and a student shrinks all its tasks alike."""

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
    fitted = _fit(logits, labels)
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


def _fit(logits: Mapping[Key, np.ndarray], labels: Mapping[Key, np.ndarray]) -> dict[Key, CriterionCalibration]:
    """Temperatures and scales; with few responses the scale stays near that of all criteria, and that near none."""
    temperatures = {key: fit_temperature(logits[key], labels[key]) for key in logits}
    expected = {
        key: calibrated_softmax(table, temperatures[key]) @ np.arange(table.shape[-1]) for key, table in logits.items()
    }
    ratios = {key: _log_ratio(labels[key], expected[key]) for key in logits}
    total = sum(len(of) for of in labels.values())
    pooled = sum(ratio * len(labels[key]) for key, ratio in ratios.items()) / (total + SMALLEST)
    fitted = {}
    for key, ratio in ratios.items():
        n = len(labels[key])
        mean, apart = (float(expected[key].mean()), float((labels[key] - expected[key]).mean())) if n else (0.0, 0.0)
        own = n / (n + STEADY)
        spread = math.exp(own * ratio + (1 - own) * pooled)
        fitted[key] = CriterionCalibration(temperatures[key], 1.0, n, mean, mean + n / (n + SMALLEST) * apart, spread)
    return fitted


def _log_ratio(labels: np.ndarray, expected: np.ndarray) -> float:
    """Logarithm of people's standard deviation over the machine's, within `WIDEST`; 0 where there is none."""
    if not len(labels) or labels.std() == 0 or expected.std() == 0:
        return 0.0
    return float(np.clip(math.log(labels.std() / expected.std()), -math.log(WIDEST), math.log(WIDEST)))


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
