"""What an adaptation found so far, and what follows from it: which model is taken, how it is read, its curve."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from scoring.agreement import plain_mean, quadratic_weighted_kappa
from scoring.domain import Task
from scoring.student import checkpoint
from scoring.student.encoder import locate_encoder
from scoring.training.adaptation_calibration import HeldOut
from scoring.training.adaptation_config import AdaptConfig
from scoring.training.adaptation_examples import Examples, deal
from scoring.training.adaptation_report import join_points, resampled
from scoring.training.adaptation_store import PartStore
from scoring.training.learning_curve import Point
from scoring.training.losses import UNLABELLED

CURVE_SIZES = (8, 16, 32, 64, 128, 256, 512, 1024)
CURVE_SHARE = 0.7
"""Of the labelled answers, the most that a point of the curve before the last learns from."""
CURVE_POINTS = 4
READ = 300
"""Unlabelled answers that tell how a model's levels are spread."""
POOL = "pool"
"""What a part's tensors are called that are logits of unlabelled answers."""

Tables = dict[str, np.ndarray]
"""Criterion id -> (n, L) logits."""


class Findings:
    """Each finished part's result, by key, and the tensors in the store."""

    def __init__(
        self, base: Path, task: Task, known: Examples, config: AdaptConfig, store: PartStore, encoder: str
    ) -> None:
        self.base, self.task, self.known, self.config, self.store = base, task, known, config, store
        self.encoder = encoder
        self.files = locate_encoder(encoder)
        self.manifest = checkpoint.read_manifest(base)
        self.labels = {criterion.id: known.labels(task, criterion.id) for criterion in task.criteria}
        self.folds = deal(known.rows, min(config.folds, len(known.rows) // 2), config.seed)
        self.results: dict[str, Mapping[str, Any]] = {}

    @property
    def rows(self) -> int:
        """How many labelled answers there are; the unlabelled ones come after them."""
        return len(self.known.rows)

    def take(self, key: str, result: Mapping[str, Any]) -> bool:
        """Take a part's result from an earlier sitting; false where its tensors are gone and it must be made again."""
        made_tensors = key in ("first", "final") or key.startswith("fold-")
        if key == "report" or (made_tensors and self.store.load(key) is None):
            return False
        self.results[key] = result
        return True

    def held_out(self) -> HeldOut:
        """What models said about the labelled answers that were left out of their training."""
        return self.held_out_of("fold" if self.uses_delta() else "heads")

    def pool_logits(self) -> Tables:
        """The finished model's logits of unlabelled answers."""
        return self._kept_pool("final" if self.uses_delta() else "first")

    def tries_delta(self, size: int) -> bool:
        """Whether so many labelled answers may be enough for a delta on the encoder."""
        return not self.config.quick and size >= self.config.delta_from

    def uses_delta(self) -> bool:
        """Whether the task gets a delta on the encoder: where held-out answers agree no better with heads alone."""
        if not self.tries_delta(self.rows):
            return False
        with_delta, without = (plain_mean(agreement_of(self.held_out_of(kind)).values()) for kind in ("fold", "heads"))
        return np.isnan(without) or with_delta >= without

    def state(self) -> dict[str, Tensor]:
        """What belongs to the task in the finished student."""
        stored = self._stored("final" if self.uses_delta() else "first")
        return {name: tensor for name, tensor in stored.items() if not name.startswith(POOL)}

    def curve(self, criterion_id: str) -> list[Point]:
        """The points so far, the cross-validation's own last."""
        points = []
        for size in self.sizes():
            series = [
                self.results[key]["series"][criterion_id]
                for number in range(self.config.curve_draws)
                if (key := f"curve-{size}-{number}") in self.results
            ]
            points.append(join_points(size, series) if series else None)
        said = self.held_out().predictions()
        places = [at for at, row in enumerate(self.known.rows) if criterion_id in row.levels]
        human = [self.known.rows[at].levels[criterion_id] for at in places]
        series = resampled(human, [said[at][criterion_id].level for at in places], self.config.replicates)
        points.append(join_points(self.rows - self.rows // (max(self.folds) + 1), [series]))
        return [point for point in points if point is not None]

    def held_out_of(self, kind: str) -> HeldOut:
        """By heads alone ("heads"), or by the whole method ("fold")."""
        folds = sorted(set(self.folds))
        logits: Tables = {}
        pools: dict[int, Tables] = {}
        for fold in folds:
            key = "first" if kind == "heads" else f"fold-{fold}"
            pools[fold] = self._kept_pool(key, str(fold) if kind == "heads" else "")
            places = [at for at, part in enumerate(self.folds) if part == fold]
            for criterion_id, table in tables_of(self.results[key]["logits"]).items():
                own = table[places] if kind == "heads" else table
                logits.setdefault(criterion_id, np.zeros((self.rows, table.shape[1])))[places] = own
        return HeldOut(self.task, logits, self.labels, self.folds, pools)

    def _stored(self, key: str) -> dict[str, Tensor]:
        found = self.store.load(key)
        assert found is not None
        return found

    def _kept_pool(self, key: str, which: str = "") -> Tables:
        prefix = f"{POOL}{which}|"
        stored = self._stored(key)
        return {n.removeprefix(prefix): t.double().numpy() for n, t in stored.items() if n.startswith(prefix)}

    def read_positions(self) -> list[int]:
        """Unlabelled answers that tell how a model's levels are spread."""
        return list(range(self.rows, self.rows + min(READ, len(self.known.pool))))

    def sizes(self) -> list[int]:
        """Labels at each point of the learning curve before the last."""
        return [size for size in CURVE_SIZES if size <= CURVE_SHARE * self.rows][-CURVE_POINTS:]


def plain_tables(tables: Mapping[str, np.ndarray]) -> dict[str, list[list[float]]]:
    """Logits for JSON."""
    return {key: np.round(table, 5).tolist() for key, table in tables.items()}


def tables_of(plain: Mapping[str, Any]) -> Tables:
    """Logits from JSON."""
    return {key: np.asarray(table, dtype=float) for key, table in plain.items()}


def agreement_of(held_out: HeldOut) -> dict[str, float]:
    """Criterion id -> QWK on held-out answers."""
    said = held_out.predictions()
    kappas = {}
    for criterion in held_out.task.criteria:
        labels = held_out.labels[criterion.id]
        places = [at for at, label in enumerate(labels) if label != UNLABELLED]
        human = [criterion.values[0] + labels[at] for at in places]
        kappas[criterion.id] = quadratic_weighted_kappa(human, [said[at][criterion.id].level for at in places])
    return kappas
