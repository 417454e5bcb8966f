"""Reading the logits of a task that was learnt from few labels.

Rounding the expected level of an unsure model gives too few of the highest and lowest levels, so it is
brought to the mean and spread of people's levels first (as RSMTool does). Held-out labels are few here,
but unlabelled answers are not: the machine's mean and spread are measured on them, and only people's
on the labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scoring.domain import Task
from scoring.inference.engine import criterion_scores
from scoring.student.calibration import Calibration, CriterionCalibration, Key, calibrated_softmax
from scoring.training.calibrating import COVERAGE, SMALLEST, conformal_threshold, fit_temperature, nonconformity
from scoring.training.losses import UNLABELLED
from scoring.training.predictions import Prediction

EVEN = 1.0
"""Labels that are added, spread evenly over the levels, to people's: a few labels leave levels out."""
WIDEST = 16.0
"""The most that expected levels are spread, or drawn together."""
FEWEST_READ = 30
"""Unlabelled answers below which the held-out ones stand in for them."""

Logits = Mapping[str, np.ndarray]
"""Criterion id -> (n, L)."""
Labels = Mapping[str, Sequence[int]]
"""Criterion id -> (N,) level indices, `UNLABELLED` where there is none."""


@dataclass(frozen=True)
class HeldOut:
    """What models said about answers whose labels they had not seen."""

    task: Task
    logits: Logits  # of N labelled answers, each by the model of its part
    labels: Labels
    parts: Sequence[int]  # (N,) which part each answer was left out with
    pools: Mapping[int, Logits]  # part -> the same model's logits of unlabelled answers

    def entries(self) -> dict[tuple[int, str], CriterionCalibration]:
        """(part, criterion id) -> how that part is read; fitted on the labels of the other parts alone."""
        found = {}
        for criterion_id in self.logits:
            for part in sorted(set(self.parts)):
                others = self._places(criterion_id, [at for at, of in enumerate(self.parts) if of != part])
                own = [at for at, of in enumerate(self.parts) if of == part]
                temperature = fit_temperature(self.logits[criterion_id][others], self._known(criterion_id, others))
                read = self.pools.get(part, {}).get(criterion_id)
                if read is None or len(read) < FEWEST_READ:
                    read = self.logits[criterion_id][own]
                found[part, criterion_id] = scaled(temperature, self._known(criterion_id, others), read)
        return found

    def predictions(self) -> list[dict[str, Prediction]]:
        """(N,) what each answer would have been given; the level sets hold by the scores of the other parts."""
        entries = self.entries()
        scores = {criterion.id: self._scores(criterion.id, entries) for criterion in self.task.criteria}
        found: list[dict[str, Prediction]] = [{} for _ in self.parts]
        for (part, criterion_id), entry in entries.items():
            own = [at for at, of in enumerate(self.parts) if of == part]
            others = [score for at, score in scores[criterion_id].items() if self.parts[at] != part]
            values = self.task.criterion(criterion_id).values
            whole = replace(entry, threshold=conformal_threshold(np.array(others), COVERAGE))
            said = criterion_scores(criterion_id, values, self.logits[criterion_id][own], whole)
            for at, score in zip(own, said, strict=True):
                found[at][criterion_id] = Prediction(
                    score.level, score.expected, values, score.probabilities, score.level_set
                )
        return found

    def calibration(self, pool: Logits) -> dict[Key, CriterionCalibration]:
        """How the finished model is read, which gives these logits to the unlabelled answers."""
        entries = self.entries()
        scores = {criterion.id: self._scores(criterion.id, entries) for criterion in self.task.criteria}
        together = np.array([score for of_one in scores.values() for score in of_one.values()])
        found: dict[Key, CriterionCalibration] = {}
        for criterion in self.task.criteria:
            places = self._places(criterion.id, range(len(self.parts)))
            known = self._known(criterion.id, places)
            temperature = fit_temperature(self.logits[criterion.id][places], known)
            read = pool.get(criterion.id)
            if read is None or len(read) < FEWEST_READ:
                read = self.logits[criterion.id]
            own = np.array(list(scores[criterion.id].values()))
            threshold = conformal_threshold(own if len(own) >= SMALLEST else together, COVERAGE)
            found[self.task.id, criterion.id] = replace(scaled(temperature, known, read), threshold=threshold)
        return found

    def _scores(self, criterion_id: str, entries: Mapping[tuple[int, str], CriterionCalibration]) -> dict[int, float]:
        """Position -> nonconformity of the label of an answer that has one."""
        found: dict[int, float] = {}
        for at in self._places(criterion_id, range(len(self.parts))):
            entry = entries[self.parts[at], criterion_id]
            table = calibrated_softmax(self.logits[criterion_id][[at]], entry.temperature)
            found[at] = float(nonconformity(table, self._known(criterion_id, [at]), entry)[0])
        return found

    def _places(self, criterion_id: str, places: Sequence[int]) -> list[int]:
        return [at for at in places if self.labels[criterion_id][at] != UNLABELLED]

    def _known(self, criterion_id: str, places: Sequence[int]) -> np.ndarray:
        return np.array([self.labels[criterion_id][at] for at in places], dtype=int)


def scaled(temperature: float, labels: np.ndarray, read: np.ndarray) -> CriterionCalibration:
    """Expected levels brought to people's mean and spread.

    Args:
        temperature: the logits are divided by it.
        labels: (n,) people's level indices.
        read: (m, L) logits of answers that the model was not taught people's levels of.
    """
    levels = read.shape[-1]
    points = np.arange(levels)
    expected = calibrated_softmax(read, temperature) @ points
    n = len(labels)
    mean, spread = (float(expected.mean()), float(expected.std())) if len(read) else (0.0, 0.0)
    if not n or not spread:
        return CriterionCalibration(temperature, 1.0, n, mean, mean, 1.0)
    shares = (np.bincount(labels, minlength=levels) + EVEN / levels) / (n + EVEN)
    human = float(shares @ points)
    ratio = np.sqrt(shares @ (points - human) ** 2) / spread
    return CriterionCalibration(temperature, 1.0, n, mean, human, float(np.clip(ratio, 1 / WIDEST, WIDEST)))


def with_task(before: Calibration, task_id: str, fitted: Mapping[Key, CriterionCalibration]) -> Calibration:
    """A student's calibration with a task's in the place of what it had for it."""
    kept = {key: entry for key, entry in before.criteria.items() if key[0] != task_id}
    return Calibration(before.coverage, {**kept, **fitted})
