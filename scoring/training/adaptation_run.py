"""One adaptation in progress: its models, its parts, and what they found so far."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scoring.domain import Task
from scoring.inference.hardware import choose_device, choose_precision
from scoring.student import checkpoint
from scoring.student.encoder import locate_encoder
from scoring.student.tokens import Tokenizer
from scoring.training.adaptation_config import AdaptConfig
from scoring.training.adaptation_delta import Lesson, Trainee
from scoring.training.adaptation_examples import Examples, deal, draw
from scoring.training.adaptation_heads import fit_heads, head_logits
from scoring.training.adaptation_layers import plain_attention
from scoring.training.adaptation_report import curve_point, join_points
from scoring.training.adaptation_store import PartStore
from scoring.training.adaptation_teacher import teach
from scoring.training.adaptation_version import finish, stress
from scoring.training.adaptation_views import AnswerViews, Collector
from scoring.training.growing import grow
from scoring.training.learning_curve import Point
from scoring.training.losses import UNLABELLED

CURVE_SIZES = (8, 16, 32, 64, 128, 256, 512, 1024)
CURVE_SHARE = 0.7
"""Of the labelled answers, the most that a point of the curve before the last learns from."""
CURVE_POINTS = 4

Tables = dict[str, np.ndarray]
"""Criterion id -> (n, L) logits."""


@dataclass(frozen=True)
class Part:
    """A piece of work that is done whole or again; `key` names those whose result is kept."""

    key: str
    stage: str
    message: str
    units: int
    work: Callable[[Path, float], Iterator[None]]


class Run:
    """What `adapt` goes through. `results` and `told` hold each finished part's result and sentence."""

    def __init__(
        self, base: Path, task: Task, known: Examples, config: AdaptConfig, store: PartStore, encoder: str, device: str
    ) -> None:
        self.base, self.task, self.known, self.config, self.store = base, task, known, config, store
        self.encoder = encoder
        self.files = locate_encoder(encoder)
        self.manifest = checkpoint.read_manifest(base)
        self.device = choose_device(device)
        dtype = choose_precision(config.precision, self.device)
        self._autocast = dtype if dtype is torch.bfloat16 else None
        self.labels = {criterion.id: known.labels(task, criterion.id) for criterion in task.criteria}
        self.folds = deal(known.rows, min(config.folds, len(known.rows) // 2), config.seed)
        self.results: dict[str, Mapping[str, Any]] = {}
        self.told: dict[str, str] = {}
        self.views: AnswerViews
        self.trainee: Trainee

    @property
    def rows(self) -> int:
        """How many labelled answers there are; the unlabelled ones come after them."""
        return len(self.known.rows)

    def parts(self) -> list[Part]:
        """All parts in order."""
        answers = self.rows + len(self.known.pool)
        found = [
            Part("", "prepare", f"Reading {answers:,} answers.", 8 + answers // 16, self._prepare),
            Part("first", "first", "Fitting a first model.", 4, self._first),
        ]
        folds = sorted(set(self.folds))
        if not self.config.quick:
            for fold in folds:
                message = f"Checking on held-out answers, part {fold + 1} of {len(folds)}."
                size = self.rows - self.folds.count(fold)
                found.append(Part(f"fold-{fold}", "crossval", message, self._units(size), self._fold(fold)))
        for size in self._sizes():
            for number in range(self.config.curve_draws):
                found.append(
                    Part(
                        f"curve-{size}-{number}", "curve", f"Learning curve: training on {size} labels only.",
                        self._units(size), self._curve(size, number),
                    )
                )  # fmt: skip
        if not self.config.quick:
            found.append(
                Part("final", "final", "Training on all labelled answers.", self._units(self.rows), self._final)
            )
        found.append(Part("certificate", "certificate", "Trying to fool the model.", 7, self._certificate))
        found.append(Part("report", "report", "Checking that no other task has moved.", 12, self._report))
        return found

    def take(self, key: str, result: Mapping[str, Any]) -> bool:
        """Take a part's result from an earlier sitting; false where its tensors are gone and it must be made again."""
        if key == "report" or (key in ("first", "final") and self.store.load(key) is None):
            return False
        self.results[key] = result
        return True

    def held_out(self) -> Tables:
        """(N, L) logits of the labelled answers, of models that had not seen them."""
        if not self.uses_delta():
            return tables_of(self.results["first"]["logits"])
        found: Tables = {}
        for fold in sorted(set(self.folds)):
            places = [at for at, part in enumerate(self.folds) if part == fold]
            for criterion_id, table in tables_of(self.results[f"fold-{fold}"]["logits"]).items():
                found.setdefault(criterion_id, np.zeros((self.rows, table.shape[1])))[places] = table
        return found

    def uses_delta(self) -> bool:
        """Whether the task gets a delta on the encoder, or heads alone: the delta, unless it is none the better."""
        return not self.config.quick

    def state(self) -> dict[str, Tensor]:
        """What belongs to the task in the finished student."""
        key = "final" if self.uses_delta() else "first"
        found = self.store.load(key)
        assert found is not None
        return found

    def curve(self, criterion_id: str) -> list[Point]:
        """The points so far, the cross-validation's own last."""
        points = []
        for size in self._sizes():
            series = [
                self.results[key]["series"][criterion_id]
                for number in range(self.config.curve_draws)
                if (key := f"curve-{size}-{number}") in self.results
            ]
            points.append(join_points(size, series) if series else None)
        held_out = curve_point(self.task, self.held_out(), self.labels, self.folds, replicates=self.config.replicates)
        trained = self.rows - self.rows // (max(self.folds) + 1)
        points.append(join_points(trained, [held_out[criterion_id]]))
        return [point for point in points if point is not None]

    def lesson(self, places: Sequence[int]) -> Lesson:
        """What is to be learnt from these labelled answers, with a teacher that knows no other label."""
        pool = list(range(self.rows, self.rows + len(self.known.pool)))
        targets: Tables = {}
        for criterion in self.task.criteria:
            labels = self.labels[criterion.id]
            seen = [at for at in places if labels[at] != UNLABELLED]
            levels = len(criterion.values)
            table = np.full((self.rows + len(pool), levels), np.nan)
            given = [labels[at] for at in seen]
            if len(set(given)) > 1:
                opinion = teach(self.views.kernels, seen, given, levels).probabilities
                table[pool] = opinion[pool]
                share = self.config.taught
            else:
                opinion, share = np.zeros_like(table), 0.0
            table[seen] = (1 - share) * np.eye(levels)[given] + share * opinion[seen]
            targets[criterion.id] = table
        weights = dict.fromkeys(places, 1.0)
        if not np.isnan(next(iter(targets.values()))[pool]).any():
            # All unlabelled answers together count as much as `pool_share` of the labelled ones.
            weights |= dict.fromkeys(pool, self.config.pool_share * len(places) / max(1, len(pool)))
        else:
            pool = []
        heads = fit_heads(
            self.trainee.student.config, self.task.id, self.views.hidden, targets, weights,
            expected_weight=self.config.expected_weight,
        )  # fmt: skip
        return Lesson(list(places), pool, targets, heads)

    def _units(self, size: int) -> int:
        if self.config.quick:
            return 1
        config = self.config
        epochs = max(config.fewest_epochs, min(config.epochs, config.passes // max(size, 1)))
        return epochs * -(-size // config.batch_size) + 2

    def _sizes(self) -> list[int]:
        return [size for size in CURVE_SIZES if size <= CURVE_SHARE * self.rows][-CURVE_POINTS:]

    def _prepare(self, out: Path, seconds: float) -> Iterator[None]:
        config = self.config
        checkpoint.check_target(out, replace=True)
        student, _ = checkpoint.load(self.base, self.files)
        yield
        tokenizer = Tokenizer(self.files, student.config.max_tokens)
        self.grown = grow(
            student, self.files, tokenizer, self.task, rank=config.rank, alpha=config.alpha, modules=config.modules,
            renew=True,
        )  # fmt: skip
        yield
        # What is trained and measured is the student as it scores: with the shared delta merged.
        working = copy.deepcopy(self.grown).merge_adapters().to(self.device).eval()
        plain_attention(working)
        texts = [row.text for row in (*self.known.rows, *self.known.pool)]
        tokens = tokenizer(texts)
        self.trainee = Trainee(working, tokens, tokenizer.pad_id, config, self.device, self._autocast)
        collector = Collector(
            working, self.files, tokens, texts, len(working.config.tasks) - 1, tokenizer.pad_id, self.device,
            self._autocast, self.trainee.lower,
        )  # fmt: skip
        yield from collector.run()
        self.views = collector.views()

    def _first(self, out: Path, seconds: float) -> Iterator[None]:
        found: Tables = {}
        for fold in sorted(set(self.folds)):
            rest = [at for at, part in enumerate(self.folds) if part != fold]
            left = [at for at, part in enumerate(self.folds) if part == fold]
            for criterion_id, table in self._heads_alone(rest, left).items():
                found.setdefault(criterion_id, np.zeros((self.rows, table.shape[1])))[left] = table
            yield
        self.trainee.restart(self.lesson(range(self.rows)).heads)
        self.store.save("first", self.trainee.state())
        series = curve_point(self.task, found, self.labels, self.folds, replicates=1)
        qwk = {key: None if np.isnan(values[0]) else round(values[0], 4) for key, values in series.items()}
        self.results["first"] = {"qwk": qwk, "logits": plain_tables(found)}
        means = [value for value in qwk.values() if value is not None]
        agreement = f", QWK {np.mean(means):.2f} on held-out answers" if means else ""
        self.told["first"] = f"A first model can score this task{agreement}."

    def _fold(self, fold: int) -> Callable[[Path, float], Iterator[None]]:
        def work(out: Path, seconds: float) -> Iterator[None]:
            rest = [at for at, part in enumerate(self.folds) if part != fold]
            left = [at for at, part in enumerate(self.folds) if part == fold]
            found: Tables = {}
            yield from self._taught(rest, left, self.config.seed + 1 + fold, found)
            self.results[f"fold-{fold}"] = {"logits": plain_tables(found)}
            self.told[f"fold-{fold}"] = (
                f"{len(left)} more answers were scored by a model that had not seen their labels."
            )

        return work

    def _curve(self, size: int, number: int) -> Callable[[Path, float], Iterator[None]]:
        def work(out: Path, seconds: float) -> Iterator[None]:
            places = draw(self.known.rows, size, self.config.seed + number)
            left = [at for at in range(self.rows) if at not in set(places)]
            found: Tables = {}
            if self.config.quick:
                found = self._heads_alone(places, left)
                yield
            else:
                yield from self._taught(places, left, self.config.seed + 100 + number, found)
            labels = {key: [values[at] for at in left] for key, values in self.labels.items()}
            halves = deal([self.known.rows[at] for at in left], 2, self.config.seed)
            series = curve_point(self.task, found, labels, halves, replicates=200)
            rounded = {key: [None if np.isnan(v) else round(v, 4) for v in values] for key, values in series.items()}
            self.results[f"curve-{size}-{number}"] = {"labels": size, "series": rounded}
            shown = [value for values in rounded.values() if (value := values[0]) is not None]
            reached = f"QWK {np.mean(shown):.2f}" if shown else "an agreement that is undefined"
            self.told[f"curve-{size}-{number}"] = f"With {size} labels the model reaches {reached}."

        return work

    def _final(self, out: Path, seconds: float) -> Iterator[None]:
        yield from self.trainee.train(self.lesson(range(self.rows)), self.config.seed)
        self.store.save("final", self.trainee.state())
        self.results["final"] = {"examples": self.rows}
        self.told["final"] = f"The model has learnt from all {self.rows} labelled answers."

    def _certificate(self, out: Path, seconds: float) -> Iterator[None]:
        checks: list[dict[str, Any]] = []
        yield from stress(self, checks)
        self.results["certificate"] = {"checks": checks}
        failed = [entry["title"] for entry in checks if entry["passed"] is False]
        self.told["certificate"] = f"Stress test: {'failed on ' + ', '.join(failed) if failed else 'passed'}."

    def _report(self, out: Path, seconds: float) -> Iterator[None]:
        report: dict[str, Any] = {}
        yield from finish(self, out, seconds, report)
        self.results["report"] = {"report": report}
        self.told["report"] = report["verdict"]

    def _heads_alone(self, places: Sequence[int], left: Sequence[int]) -> Tables:
        heads = self.lesson(places).heads
        return head_logits(self.trainee.student.config, self.task.id, heads, self.views.hidden, left)

    def _taught(self, places: Sequence[int], left: Sequence[int], seed: int, found: Tables) -> Iterator[None]:
        yield from self.trainee.train(self.lesson(places), seed)
        yield from self.trainee.logits(left, found)


def plain_tables(tables: Mapping[str, np.ndarray]) -> dict[str, list[list[float]]]:
    """Logits for JSON."""
    return {key: np.round(table, 5).tolist() for key, table in tables.items()}


def tables_of(plain: Mapping[str, Any]) -> Tables:
    """Logits from JSON."""
    return {key: np.asarray(table, dtype=float) for key, table in plain.items()}
