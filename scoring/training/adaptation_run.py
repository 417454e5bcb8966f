"""One adaptation in progress: its models, its parts, and what they found so far."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scoring.agreement import plain_mean
from scoring.domain import Task
from scoring.inference.hardware import choose_device, choose_precision
from scoring.student import checkpoint
from scoring.student.encoder import plain_attention
from scoring.student.tokens import Tokenizer
from scoring.training.adaptation_config import AdaptConfig
from scoring.training.adaptation_delta import Lesson, Trainee
from scoring.training.adaptation_examples import Examples, draw
from scoring.training.adaptation_findings import POOL, Findings, Tables, agreement_of, plain_tables
from scoring.training.adaptation_heads import fit_heads
from scoring.training.adaptation_report import curve_point, plain
from scoring.training.adaptation_store import PartStore
from scoring.training.adaptation_version import finish, stress
from scoring.training.adaptation_views import AnswerViews, Collector
from scoring.training.growing import HEAD, grow
from scoring.training.kernel_ridge import Opinions, teach
from scoring.training.losses import UNLABELLED

CURVE_REPLICATES = 200
TAUGHT = 500
"""Unlabelled answers that heads are fitted on, at most; more would cost time and change little."""
TRUST = 3.0
"""A teacher that explains the inverse of this share of the labels' variance, or more, is trusted in full."""


@dataclass(frozen=True)
class Part:
    """A piece of work that is done whole or again; `key` names those whose result is kept."""

    key: str
    stage: str
    message: str
    units: int
    work: Callable[[Path, float], Iterator[None]]


class Run(Findings):
    """What `adapt` goes through. `told` holds the sentence of each finished part."""

    views: AnswerViews
    trainee: Trainee

    def __init__(
        self, base: Path, task: Task, known: Examples, config: AdaptConfig, store: PartStore, encoder: str, device: str
    ) -> None:
        super().__init__(base, task, known, config, store, encoder)
        self.device = choose_device(device)
        dtype = choose_precision(config.precision, self.device)
        self._autocast = dtype if dtype is torch.bfloat16 else None
        self.told: dict[str, str] = {}

    def parts(self) -> list[Part]:
        """All parts in order."""
        answers = self.rows + len(self.known.pool)
        found = [
            Part("", "prepare", f"Reading {answers:,} answers.", 8 + answers // 16, self._prepare),
            Part("first", "first", "Fitting a first model.", 4, self._first),
        ]
        folds = sorted(set(self.folds))
        if self.tries_delta(self.rows):
            for fold in folds:
                message = f"Checking on held-out answers, part {fold + 1} of {len(folds)}."
                size = self.rows - self.folds.count(fold)
                found.append(Part(f"fold-{fold}", "crossval", message, self._units(size, delta=True), self._fold(fold)))
        for size in self.sizes():
            for number in range(self.config.curve_draws):
                found.append(
                    Part(
                        f"curve-{size}-{number}", "curve", f"Learning curve: training on {size} labels only.",
                        self._units(size, delta=self.tries_delta(size)), self._curve(size, number),
                    )
                )  # fmt: skip
        if self.tries_delta(self.rows):
            units = self._units(self.rows, delta=True)
            found.append(Part("final", "final", "Training on all labelled answers.", units, self._final))
        found.append(Part("certificate", "certificate", "Trying to fool the model.", 7, self._certificate))
        found.append(Part("report", "report", "Checking that no other task has moved.", 12, self._report))
        return found

    def opinions(self, places: Sequence[int]) -> list[Opinions]:
        """What comparing with these labelled answers says of all, by criterion."""
        found = []
        for criterion in self.task.criteria:
            seen = self._rated(criterion.id, places)
            given = [self.labels[criterion.id][at] for at in seen]
            found.append(teach(self.views.kernel, seen, given, len(criterion.values)))
        return found

    def compared(self, places: Sequence[int], wanted: Sequence[int]) -> Tables:
        """Logits that example heads made of these labelled answers give to others."""
        said = zip(self.task.criteria, self.opinions(places), strict=True)
        return {criterion.id: np.log(opinion.probabilities[list(wanted)]) for criterion, opinion in said}

    def example_heads(self) -> dict[str, Tensor]:
        """Heads made of all labelled answers, by name as `ExampleHeads` names its tensors."""
        places = range(self.rows)
        known = [self._rated(criterion.id, places) for criterion in self.task.criteria]
        return self.views.comparison.heads(known, [opinion.weights for opinion in self.opinions(places)])

    def lesson(self, places: Sequence[int]) -> Lesson:
        """What is to be learnt from these labelled answers, with a teacher that knows no other label.

        The teacher counts for as much as it explains: with few labels it knows little.
        """
        config = self.config
        pool = list(range(self.rows, self.rows + len(self.known.pool)))
        targets: Tables = {}
        trusted = 0.0
        for criterion, opinion in zip(self.task.criteria, self.opinions(places), strict=True):
            seen = self._rated(criterion.id, places)
            given = [self.labels[criterion.id][at] for at in seen]
            levels = len(criterion.values)
            table = np.full((self.rows + len(pool), levels), np.nan)
            trust = min(1.0, TRUST * opinion.explained)
            table[pool] = opinion.probabilities[pool]
            own = config.taught * trust
            table[seen] = (1 - own) * np.eye(levels)[given] + own * opinion.probabilities[seen]
            targets[criterion.id] = table
            trusted += trust / len(self.task.criteria)
        read = pool[:TAUGHT]
        each = config.pool_weight * trusted * len(places) / max(1, len(read))
        weights = dict.fromkeys(places, 1.0) | dict.fromkeys(read, each)
        heads = fit_heads(
            self.trainee.student.config, self.task.id, self.views.hidden, targets, weights,
            expected_weight=config.expected_weight,
        )  # fmt: skip
        return Lesson(list(places), pool, config.pool_share * trusted, targets, heads)

    def _units(self, size: int, *, delta: bool) -> int:
        if not delta:
            return 1
        config = self.config
        epochs = max(config.fewest_epochs, min(config.epochs, config.passes // max(size, 1)))
        return epochs * -(-size // config.batch_size) + 2

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
        plain_attention(working.encoder)
        tokens = tokenizer([row.text for row in (*self.known.rows, *self.known.pool)])
        self.trainee = Trainee(working, tokens, tokenizer.pad_id, config, self.device, self._autocast)
        collector = Collector(
            working, self.files, tokens, len(working.config.tasks) - 1, tokenizer.pad_id, self.device,
            self._autocast, self.trainee.lower,
        )  # fmt: skip
        yield from collector.run()
        self.views = collector.views(config.words)

    def _first(self, out: Path, seconds: float) -> Iterator[None]:
        found: Tables = {}
        kept: dict[str, Tensor] = {}
        for fold in sorted(set(self.folds)):
            rest, left = self._split(fold)
            said = self.compared(rest, [*left, *self.read_positions()])
            for criterion_id, table in said.items():
                found.setdefault(criterion_id, np.zeros((self.rows, table.shape[1])))[left] = table[: len(left)]
                kept[f"{POOL}{fold}|{criterion_id}"] = torch.tensor(table[len(left) :])
            yield
        said = self.compared(range(self.rows), self.read_positions())
        kept |= {f"{POOL}|{criterion_id}": torch.tensor(table) for criterion_id, table in said.items()}
        heads = {f"{HEAD}{name}": tensor for name, tensor in self.example_heads().items()}
        self.store.save("first", {**self.trainee.untrained(), **heads, **kept})
        self.results["first"] = {"logits": plain_tables(found)}
        found_qwk = agreement_of(self.held_out_of("heads"))
        self.results["first"] = {**self.results["first"], "qwk": {key: plain(qwk) for key, qwk in found_qwk.items()}}
        agreement = plain_mean(found_qwk.values())
        reached = "" if np.isnan(agreement) else f", QWK {agreement:.2f} on held-out answers"
        self.told["first"] = f"A first model can score this task{reached}."

    def _fold(self, fold: int) -> Callable[[Path, float], Iterator[None]]:
        def work(out: Path, seconds: float) -> Iterator[None]:
            rest, left = self._split(fold)
            said: Tables = {}
            yield from self._taught(rest, [*left, *self.read_positions()], self.config.seed + 1 + fold, said)
            pools = {f"{POOL}|{key}": torch.tensor(table[len(left) :]) for key, table in said.items()}
            self.store.save(f"fold-{fold}", pools)
            self.results[f"fold-{fold}"] = {
                "logits": plain_tables({k: table[: len(left)] for k, table in said.items()})
            }
            self.told[f"fold-{fold}"] = f"{len(left)} answers were scored by a model that had not seen their labels."

        return work

    def _curve(self, size: int, number: int) -> Callable[[Path, float], Iterator[None]]:
        def work(out: Path, seconds: float) -> Iterator[None]:
            places = draw(self.known.rows, size, self.config.seed + number)
            left = sorted(set(range(self.rows)) - set(places))
            wanted = [*left, *self.read_positions()]
            said: Tables = {}
            if not self.tries_delta(size):
                said = self.compared(places, wanted)
                yield
            else:
                yield from self._taught(places, wanted, self.config.seed + 100 + number, said)
            labels = {key: [values[at] for at in left] for key, values in self.labels.items()}
            taught = {
                key: np.array([values[at] for at in places if values[at] != UNLABELLED], dtype=int)
                for key, values in self.labels.items()
            }
            series = curve_point(
                self.task, {key: table[: len(left)] for key, table in said.items()}, taught, labels,
                read={key: table[len(left) :] for key, table in said.items()}, replicates=CURVE_REPLICATES,
            )  # fmt: skip
            rounded = {key: [None if np.isnan(v) else round(v, 4) for v in values] for key, values in series.items()}
            self.results[f"curve-{size}-{number}"] = {"labels": size, "series": rounded}
            shown = [value for values in rounded.values() if (value := values[0]) is not None]
            reached = f"QWK {np.mean(shown):.2f}" if shown else "an agreement that is undefined"
            self.told[f"curve-{size}-{number}"] = f"With {size} labels the model reaches {reached}."

        return work

    def _final(self, out: Path, seconds: float) -> Iterator[None]:
        yield from self.trainee.train(self.lesson(range(self.rows)), self.config.seed)
        said: Tables = {}
        yield from self.trainee.logits(self.read_positions(), said)
        pools = {f"{POOL}|{key}": torch.tensor(table) for key, table in said.items()}
        self.store.save("final", {**self.trainee.state(), **pools})
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

    def _rated(self, criterion_id: str, places: Sequence[int]) -> list[int]:
        return [at for at in places if self.labels[criterion_id][at] != UNLABELLED]

    def _split(self, fold: int) -> tuple[list[int], list[int]]:
        """The rows of the other folds, and those of this one."""
        rest = [at for at, part in enumerate(self.folds) if part != fold]
        return rest, [at for at, part in enumerate(self.folds) if part == fold]

    def _taught(self, places: Sequence[int], left: Sequence[int], seed: int, found: Tables) -> Iterator[None]:
        yield from self.trainee.train(self.lesson(places), seed)
        yield from self.trainee.logits(left, found)
