"""One row: train a system, measure it on `val`, and keep the result under the hash of what decided it.

    python -m bench.matrix.row NAME [--seed N] [--quick] [--keep DIR]

A row runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save as dump_tensors

from bench.matrix.systems import System, named
from scoring.domain import Task, content_hash
from scoring.errors import InvalidInput
from scoring.inference.engine import Engine, criterion_scores
from scoring.itembank import ItemBank, LabelledResponse, read_item_bank
from scoring.student import checkpoint
from scoring.student.encoder import MINILM, EncoderFiles, locate_encoder
from scoring.student.model import Student
from scoring.student.tokens import Tokenizer
from scoring.training.calibrating import calibrate
from scoring.training.config import TrainConfig
from scoring.training.data import bank_hash
from scoring.training.evaluation import measure, predict
from scoring.training.measures import Agreement
from scoring.training.predictions import Prediction, Predictions
from scoring.training.resume import Checkpoints
from scoring.training.run import publish_version, splits_of, train_version
from scoring.training.targets import Targets, read_targets
from scoring.training.trainer import Trained
from scoring.training.wording_fit import with_wording

HERE = Path(__file__).resolve().parent.parent
SHARED = HERE.parent.parent / "shared" / "data" / "asap-sas"
SAMPLE = HERE.parent / "samples" / "classroom"
TEACHERS = HERE / "teachers" / "asap-sas"
CACHE = HERE / "cache" / "students"
RESULTS = HERE / "results" / "matrix"
QUICK_NAME = "classroom"
QUICK_ROWS = 24
"""Training and val responses per task in the quick size."""


Opinion = Callable[[LabelledResponse, str], Any]
"""(row, criterion id) -> (L,) probabilities, or None."""


@dataclass(frozen=True)
class Measured:
    """What a row's maker hands back."""

    predicted: Sequence[Predictions]
    parameters: int  # weights needed to score
    stored_bytes: int  # as published: what is added to a base encoder that is there already
    merged_bytes: int  # one bf16 safetensors file with everything needed to score
    train_seconds: float
    responses_per_second: float | None
    log: Sequence[Mapping[str, Any]] = ()
    peak_bytes: int = 0  # of what was done in earlier processes


@lru_cache(maxsize=2)
def data(quick: bool) -> tuple[ItemBank, dict[str, Task], str]:
    """The item bank of the benchmark: ASAP-SAS where it is at hand; a few sample answers in the quick size.

    Raises:
        InvalidInput: the full size is asked for and the data isn't there.
    """
    if not quick:
        if not SHARED.is_dir():
            raise InvalidInput(f"{SHARED}: not found; the full size needs ASAP-SAS as an item bank folder")
        bank = read_item_bank(SHARED)
        return bank, bank.tasks, "asap-sas"
    bank = read_item_bank(SAMPLE)
    tasks = {task_id: task for task_id, task in list(bank.tasks.items())[:2]}
    rows = [row for task_id in tasks for row in bank.of_task(task_id)[: 2 * QUICK_ROWS]]
    folds = [replace(row, fold="val" if number % 2 else "train") for number, row in enumerate(rows)]
    return ItemBank(tasks, folds), tasks, QUICK_NAME


def run(system: System, seed: int, quick: bool) -> dict[str, Any] | None:
    """The row's record, from the cache where the same was run before; None where a teacher's file is missing."""
    bank, tasks, data_name = data(quick)
    config = configured(system, seed, quick)
    targets = None
    if system.targets:
        path = TEACHERS / f"{system.targets}.parquet"
        if quick or not path.is_file():
            return None
        targets = read_targets(path, data_sha256=bank_hash(bank), tasks=tasks)
    identity = identity_of(system, seed, quick, bank_hash(bank), targets)
    path = RESULTS / f"{system.name}-{seed}{'-quick' if quick else ''}.json"
    if path.is_file():
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if kept["identity"] == identity:
            return kept
    rows = splits_of(bank, tasks, config).val
    out = CACHE / f"{system.name}-{seed}-{identity}"
    found = MAKERS[system.kind](system, bank, tasks, config, targets, out, data_name)
    record = {
        "identity": identity, "name": system.name, "title": system.title, "group": system.group, "seed": seed,
        "quick": quick, "data": data_name, "val_responses": len(rows),
        **_agreement(measure(rows, found.predicted)),
        "parameters": found.parameters, "stored_bytes": found.stored_bytes, "merged_bytes": found.merged_bytes,
        "train_seconds": round(found.train_seconds, 1),
        "peak_memory_bytes": max(found.peak_bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024),
        "responses_per_second": found.responses_per_second,
        "expert_use_by_task": found.log[-1].get("expert_use_by_task", {}) if found.log else {},
        "levels": {task: "".join(_levels(rows, found.predicted, task)) for task in tasks},
    }  # fmt: skip
    RESULTS.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return record


def configured(system: System, seed: int, quick: bool) -> TrainConfig:
    """The settings of one run."""
    config = replace(system.config, seed=seed)
    return replace(config, epochs=1, dev_share=0.2) if quick else config


def identity_of(system: System, seed: int, quick: bool, data_sha256: str, targets: Targets | None) -> str:
    """Hash of all that decides a row's result."""
    return content_hash(
        {
            "system": system.to_json(), "seed": seed, "quick": quick, "data": data_sha256,
            "targets": targets.about.get("identity") if targets else None,
        }
    )[:16]  # fmt: skip


def run_is_current(system: System, seed: int, quick: bool, identity: str) -> bool:
    """Whether a kept row is what a run would give today.

    Raises:
        InvalidInput: the data isn't there to tell.
    """
    bank, tasks, _ = data(quick)
    sha256 = bank_hash(bank)
    targets = None
    if system.targets:
        path = TEACHERS / f"{system.targets}.parquet"
        if not path.is_file():
            return False
        targets = read_targets(path, data_sha256=sha256, tasks=tasks)
    return identity == identity_of(system, seed, quick, sha256, targets)


def _agreement(found: Agreement) -> dict[str, Any]:
    return {
        "mean_qwk": round(found.mean_qwk, 4),
        "mean_qwk_low": round(found.mean_qwk_low, 4),
        "mean_qwk_high": round(found.mean_qwk_high, 4),
        "fisher_qwk": round(found.fisher_qwk, 4),
        "qwk": {task.task_id: round(task.qwk, 4) for task in found.tasks},
    }


def _levels(rows: Sequence[LabelledResponse], predicted: Sequence[Predictions], task_id: str) -> list[str]:
    """One digit per response and criterion, in file order: small, and enough to compare two systems row by row."""
    digits = []
    for row, levels in zip(rows, predicted, strict=True):
        if row.task_id == task_id:
            digits += [str(getattr(value, "level", value)) for value in levels.values()]
    return digits


def _student(
    system: System, bank: ItemBank, tasks: Mapping[str, Task], config: TrainConfig, targets: Targets | None,
    out: Path, data_name: str,
) -> Measured:  # fmt: skip
    if not (out / checkpoint.WEIGHTS).is_file():  # the folder's name says what it was trained with
        train_version(bank, tasks, out, config, data_name=data_name, encoder=MINILM, targets=targets)
    rows = splits_of(bank, tasks, config).val
    engine = Engine.load(out)
    started = time.monotonic()
    predicted = predict(engine, rows)
    student, _ = checkpoint.load(out, locate_encoder())
    log = [json.loads(line) for line in (out / "training.jsonl").read_text(encoding="utf-8").splitlines()]
    return Measured(
        predicted=predicted,
        parameters=_parameters(student),
        stored_bytes=(out / checkpoint.WEIGHTS).stat().st_size,
        merged_bytes=merged_bytes(out),
        train_seconds=log[-1]["seconds"],
        responses_per_second=round(len(rows) / (time.monotonic() - started), 1),
        log=log,
    )


def _worded(
    system: System, bank: ItemBank, tasks: Mapping[str, Task], config: TrainConfig, targets: Targets | None,
    out: Path, data_name: str,
) -> Measured:  # fmt: skip
    """The base's student, from the cache where it is there, and wording fitted to it."""
    base, seed, quick = named(system.base), config.seed, data_name == QUICK_NAME
    kept = run(base, seed, quick)
    assert kept is not None, "a base has the teachers of what stands on it"
    before = CACHE / f"{base.name}-{seed}-{kept['identity']}"
    if not (out / checkpoint.WEIGHTS).is_file():
        if not (before / checkpoint.WEIGHTS).is_file():  # the result is kept with the project, the student is not
            _student(base, bank, tasks, configured(base, seed, quick), targets, before, data_name)
        files, splits = locate_encoder(), splits_of(bank, tasks, config)
        worded = with_wording(_trained(before, files), splits, files, config, targets=targets)
        publish_version(
            worded, tasks, splits, out, config, data_name=data_name, data_hash=bank_hash(bank), encoder=MINILM
        )
    return replace(_student(system, bank, tasks, config, targets, out, data_name), peak_bytes=kept["peak_memory_bytes"])


def _trained(version: Path, files: EncoderFiles) -> Trained:
    """A published student as training handed it back, its weights rounded as they were saved."""
    student, _ = checkpoint.load(version, files)
    log = [json.loads(line) for line in (version / "training.jsonl").read_text(encoding="utf-8").splitlines()]
    about = json.loads((version / "card.json").read_text(encoding="utf-8"))["training"]
    best = about["best_epoch"]
    dev = next((record["dev_qwk"] for record in log if record["epoch"] == best), float("nan"))
    return Trained(student, Tokenizer(files, student.config.max_tokens), best, dev, about["seconds"], log)


def _per_task(
    system: System, bank: ItemBank, tasks: Mapping[str, Task], config: TrainConfig, targets: Targets | None,
    out: Path, data_name: str,
) -> Measured:  # fmt: skip
    """Ten students that know one task each; what is stored and computed is their sum."""
    rows = splits_of(bank, tasks, config).val
    predicted: list[Predictions] = [{} for _ in rows]
    parts = []
    for task_id, task in tasks.items():
        part = _student(system, bank, {task_id: task}, config, targets, out / task_id.replace("/", "-"), data_name)
        places = [place for place, row in enumerate(rows) if row.task_id == task_id]
        for place, prediction in zip(places, part.predicted, strict=True):
            predicted[place] = prediction
        parts.append(part)
    return Measured(
        predicted=predicted,
        parameters=sum(part.parameters for part in parts),
        stored_bytes=sum(part.stored_bytes for part in parts),
        merged_bytes=sum(part.merged_bytes for part in parts),
        train_seconds=sum(part.train_seconds for part in parts),
        responses_per_second=round(len(parts) / sum(1 / (part.responses_per_second or 1) for part in parts), 1),
    )


def _ngram(
    system: System, bank: ItemBank, tasks: Mapping[str, Task], config: TrainConfig, targets: Targets | None,
    out: Path, data_name: str,
) -> Measured:  # fmt: skip
    """Trained on all of train, and calibrated on what its cross-fitted twin said about the same rows."""
    from scoring.training.teachers.ngram import NgramTeacher

    assert targets is not None
    splits = splits_of(bank, tasks, config)
    seen = [*splits.train, *splits.dev]
    started = time.monotonic()
    teacher = NgramTeacher().fit(tasks, seen, seed=config.seed, device="cpu", progress=True)
    trained = time.monotonic() - started
    started = time.monotonic()
    opinions: dict[tuple[str, str, str], Any] = {}
    for task_id in tasks:
        of_task = [row for row in splits.val if row.task_id == task_id]
        for key, table in teacher.predict_proba(task_id, of_task).items():
            opinions |= {(task_id, row.response_id, key): values for row, values in zip(of_task, table, strict=True)}
    speed = len(splits.val) / (time.monotonic() - started)
    predicted = _calibrated(
        tasks, splits.val, lambda row, key: opinions[row.task_id, row.response_id, key], seen, targets
    )
    return Measured(predicted, 0, 0, 0, trained, round(speed, 1))


def _targets(
    system: System, bank: ItemBank, tasks: Mapping[str, Task], config: TrainConfig, targets: Targets | None,
    out: Path, data_name: str,
) -> Measured:  # fmt: skip
    """A teacher's opinions on val: of models that were trained on parts of train, averaged."""
    assert targets is not None
    splits = splits_of(bank, tasks, config)
    predicted = _calibrated(
        tasks, splits.val, lambda row, key: targets.of(row.task_id, row.response_id, key),
        [*splits.train, *splits.dev], targets,
    )  # fmt: skip
    parameters = int(targets.about.get("parameters", 0))
    return Measured(predicted, parameters, 0, 2 * parameters, float(targets.about.get("seconds", 0)), None)


def _calibrated(
    tasks: Mapping[str, Task], rows: Sequence[LabelledResponse], opinion: Opinion, seen: Sequence[LabelledResponse],
    targets: Targets,
) -> list[dict[str, Prediction]]:  # fmt: skip
    """Opinions read as a student's logits are, with a calibration fitted on out-of-fold opinions on training rows."""
    logits: dict[tuple[str, str], list[Any]] = {}
    labels: dict[tuple[str, str], list[int]] = {}
    for row in seen:
        for key, level in row.levels.items():
            given = targets.of(row.task_id, row.response_id, key)
            if given is not None:
                logits.setdefault((row.task_id, key), []).append(np.log(given.clip(1e-4)))
                labels.setdefault((row.task_id, key), []).append(level - tasks[row.task_id].criterion(key).values[0])
    fitted = calibrate(
        {key: np.stack(table) for key, table in logits.items()}, {key: np.asarray(of) for key, of in labels.items()}
    )
    predicted: list[dict[str, Prediction]] = []
    for row in rows:
        of_row: dict[str, Prediction] = {}
        for criterion in tasks[row.task_id].criteria:
            given = opinion(row, criterion.id)
            if given is None:
                continue
            calibration = fitted.criteria.get((row.task_id, criterion.id))
            table = np.log(np.asarray(given, dtype=float).clip(1e-4))[None]
            (score,) = criterion_scores(criterion.id, criterion.values, table, calibration)
            of_row[criterion.id] = Prediction(
                score.level, score.expected, criterion.values, score.probabilities, score.level_set
            )
        predicted.append(of_row)
    return predicted


def _unimoe(
    system: System, bank: ItemBank, tasks: Mapping[str, Task], config: TrainConfig, targets: Targets | None,
    out: Path, data_name: str,
) -> Measured:  # fmt: skip
    from bench.matrix.unimoe import train_unimoe

    assert targets is not None
    splits = splits_of(bank, tasks, config)
    # The folder's name says what is trained, so that its state is of no other run.
    model, seconds = train_unimoe(tasks, splits, targets, Checkpoints(out, out.name), seed=config.seed)
    started = time.monotonic()
    predicted = model.predict(splits.val)
    speed = len(splits.val) / (time.monotonic() - started)
    size = len(dump_tensors({name: tensor.bfloat16().contiguous() for name, tensor in model.state_dict().items()}))
    return Measured(predicted, sum(p.numel() for p in model.parameters()), size, size, seconds, round(speed, 1))


MAKERS = {
    "student": _student, "worded": _worded, "per-task": _per_task, "ngram": _ngram, "targets": _targets,
    "unimoe": _unimoe,
}  # fmt: skip


def merged_bytes(version: Path) -> int:
    """Size of one bf16 safetensors file with all that a version needs to score, its base encoder included."""
    student, _ = checkpoint.load(version, locate_encoder())
    merged = {
        name: tensor.bfloat16().contiguous() if tensor.is_floating_point() else tensor
        for name, tensor in student.merge_adapters().state_dict().items()
    }
    return len(dump_tensors(merged))


def _parameters(student: Student) -> int:
    return sum(tensor.numel() for tensor in student.merge_adapters().state_dict().values())


def main() -> int:
    """Run one row."""
    parser = argparse.ArgumentParser(prog="python -m bench.matrix.row", description="Train and measure one system.")
    parser.add_argument("name")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a few sample answers, one epoch")
    args = parser.parse_args()
    record = run(named(args.name), args.seed, args.quick)
    if record is None:
        print(f"{args.name}: not run; a teacher's opinions are missing in {TEACHERS}", file=sys.stderr)
        return 0
    print(
        f"{args.name}, seed {args.seed}: mean QWK {record['mean_qwk']:.3f} ({record['mean_qwk_low']:.3f} to "
        f"{record['mean_qwk_high']:.3f}), Fisher {record['fisher_qwk']:.3f}, {record['train_seconds']:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
