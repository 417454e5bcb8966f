"""From what an adaptation learnt to a version folder: calibrated, stress-tested, proven to leave other tasks alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file

from scoring.errors import ModelUnavailable
from scoring.inference.engine import Engine
from scoring.student import checkpoint
from scoring.student.calibration import calibrated_softmax
from scoring.student.model import Student
from scoring.student.tokens import pad
from scoring.training.adaptation_calibration import with_task
from scoring.training.adaptation_report import (
    add_to_card,
    card_addition,
    criterion_report,
    verdict,
)  # fmt: skip
from scoring.training.certificate import certify
from scoring.training.evaluation import measure
from scoring.training.growing import HEAD, task_rows, with_example_heads
from scoring.training.measures import Agreement
from scoring.training.mislabels import picks, suspects
from scoring.training.predictions import Prediction

if TYPE_CHECKING:
    from scoring.training.adaptation_run import Run

DRIFT_TEXTS = 16
"""Texts that every other task is scored on, before and after."""
MOST_SUSPECTS = 20


def stress(run: Run, checks: list[dict[str, Any]]) -> Iterator[None]:
    """Fill `checks` with the certificate of the version as it will be; one step a check."""
    folder = run.store.folder / "version"
    shutil.rmtree(folder, ignore_errors=True)
    write(run, folder)
    yield
    engine = Engine.load(folder, encoder=run.encoder, device=str(run.device))
    for entry in certify(engine, run.task, run.known.rows, seed=run.config.seed):
        checks.append(entry)
        yield
    shutil.rmtree(folder, ignore_errors=True)


def finish(run: Run, out: Path, seconds: float, report: dict[str, Any]) -> Iterator[None]:
    """Publish the version in `out` and fill `report`; nothing is there before all of it is."""
    task, config = run.task, run.config
    said = run.held_out().predictions()
    agreement = measure(run.known.rows, said, replicates=config.replicates, seed=config.seed)
    found = {entry.criterion_id: entry for entry in agreement.tasks[0].criteria}
    yield
    criteria = [
        criterion_report(criterion, found[criterion.id], run.known.rows, run.curve(criterion.id))
        for criterion in task.criteria
    ]
    enough, sentence = verdict(task, criteria)
    yield
    to_label: list[dict[str, str]] = []
    yield from _to_label(run, to_label)
    staging = checkpoint.staging_folder(out)
    try:
        version = staging / "version"
        write(run, version)
        drift: dict[str, Any] = {}
        yield from prove(run.base, version, task.id, [row.text for row in run.known.rows], drift, encoder=run.encoder)
        itemsize = checkpoint.STORAGE[storage_of(run.base)].itemsize
        report |= {
            "task_id": task.id, "examples": run.rows, "left_out": run.known.left_out,
            "unlabelled": len(run.known.pool), "enough": enough,
            "verdict": sentence, "criteria": criteria, "mislabels": _mislabels(run, said), "to_label": to_label,
            "certificate": list(run.results["certificate"]["checks"]), "drift": drift,
            "added_bytes": itemsize * sum(tensor.numel() for tensor in run.state().values()),
            "seconds": round(seconds, 1), "base": run.manifest.version_id, "config": config.to_json(),
        }  # fmt: skip
        _document(run, version, agreement, report)
        checkpoint.publish(version, out, replace=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def finished(run: Run) -> Student:
    """The base with the task as it was learnt."""
    state = run.state()
    examples = state.get(f"{HEAD}examples")
    student = run.grown
    if examples is not None:
        # A part that was kept before there was a choice of power, and a run that is taken up after.
        state = {f"{HEAD}power": torch.ones(1), **state}
        student = with_example_heads(student, run.task.id, len(examples), run.files)
    with torch.no_grad():
        rows = task_rows(student, run.task.id)
        for name, tensor in state.items():
            rows[name].copy_(tensor)
    return student


def write(run: Run, folder: Path) -> None:
    """The base with the finished task, in the base's own number format, calibrated on held-out answers."""
    fitted = run.held_out().calibration(run.pool_logits())
    calibration = with_task(run.manifest.calibration, run.task.id, fitted)
    checkpoint.save(finished(run), folder, storage=storage_of(run.base), calibration=calibration)


def prove(
    base: Path, version: Path, task_id: str, texts: Sequence[str], drift: dict[str, Any], *, encoder: str
) -> Iterator[None]:
    """Fill `drift`: whether every other task of `base` scores texts in `version` as before, to the last bit of fp32.

    Both are loaded from disk as for scoring, and get the same batches; what reads their scores as
    levels must be the same, too. One step a task.
    """
    before, after = (Engine.load(folder, encoder=encoder, device="cpu", precision="fp32") for folder in (base, version))
    others = [name for name in before.tasks if name != task_id]
    chosen = list(texts[:DRIFT_TEXTS])
    old, new = (checkpoint.read_manifest(folder).calibration for folder in (base, version))
    identical = old.coverage == new.coverage and all(
        new.criteria.get(key) == entry for key, entry in old.criteria.items() if key[0] != task_id
    )
    for name in others:
        identical = (
            identical and after.tasks.get(name) == before.tasks[name] and same_scores(before, after, name, chosen)
        )
        yield
    drift |= {"tasks": len(others), "texts": len(chosen), "identical": identical}


@torch.inference_mode()
def same_scores(before: Engine, after: Engine, task_id: str, texts: Sequence[str]) -> bool:
    """Whether two versions compute the same for one batch of a task, bit by bit."""
    ids, mask = pad(before.tokenizer(texts), before.tokenizer.pad_id)
    one, two = (
        engine.student(ids, mask, torch.full((len(texts),), engine.task_index(task_id))) for engine in (before, after)
    )
    pairs = [(one.vectors, two.vectors), (one.gate_weights, two.gate_weights)]
    pairs += [(logits, two.logits[key]) for key, logits in one.logits.items()]
    return all(torch.equal(first, second) for first, second in pairs)


def storage_of(folder: Path) -> str:
    """The number format of a version's weights."""
    dtypes = {tensor.dtype for tensor in load_file(folder / checkpoint.WEIGHTS).values() if tensor.is_floating_point()}
    for name, dtype in checkpoint.STORAGE.items():
        if dtypes == {dtype}:
            return name
    raise ModelUnavailable(
        f"{folder / checkpoint.WEIGHTS}: weights in {dtypes}, which is no student's; restore the folder"
    )


def _document(run: Run, version: Path, agreement: Agreement, report: Mapping[str, Any]) -> None:
    card_path, text_path = run.base / "card.json", run.base / "card.md"
    before = json.loads(card_path.read_text(encoding="utf-8")) if card_path.is_file() else {}
    card = add_to_card(before, run.task, agreement, report)
    card["version_id"] = checkpoint.read_manifest(version).version_id
    checkpoint.add_document(version, "card.json", json.dumps(card, indent=1, ensure_ascii=False) + "\n")
    text = text_path.read_text(encoding="utf-8") if text_path.is_file() else f"# Student {card['version_id']}\n"
    checkpoint.add_document(version, "card.md", text + card_addition(run.task, report))


def _mislabels(run: Run, said: Sequence[Mapping[str, Prediction]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for criterion in run.task.criteria:
        places = [at for at, row in enumerate(run.known.rows) if criterion.id in row.levels]
        rows = [run.known.rows[at] for at in places]
        table = np.array([said[at][criterion.id].probabilities for at in places])
        likeness = run.views.likeness[np.ix_(places, places)]
        labels = [row.levels[criterion.id] - criterion.values[0] for row in rows]
        found += [
            {
                "response_id": rows[one.row].response_id, "criterion_id": criterion.id,
                "given": criterion.values[one.given], "predicted": criterion.values[one.predicted],
                "probability": round(one.probability, 4), "reason": one.reason,
            }
            for one in suspects(table, labels, likeness, criterion.values, most=MOST_SUSPECTS)
        ]  # fmt: skip
    return sorted(found, key=lambda entry: (entry["probability"], entry["response_id"]))[:MOST_SUSPECTS]


def _to_label(run: Run, found: list[dict[str, str]]) -> Iterator[None]:
    """Fill `found` with the unlabelled answers that would teach most; one step a batch."""
    pool = list(range(run.rows, run.rows + len(run.known.pool)))
    if not pool:
        return
    logits: dict[str, np.ndarray] = {}
    if run.uses_delta():
        run.trainee.restore(run.state())
        yield from run.trainee.logits(pool, logits)
    else:
        logits = run.compared(range(run.rows), pool)
    fitted = run.held_out().calibration(run.pool_logits())
    tables = [
        calibrated_softmax(logits[criterion.id], fitted[run.task.id, criterion.id].temperature)
        for criterion in run.task.criteria
    ]
    likeness = run.views.likeness
    known = likeness[np.ix_(pool, range(run.rows))].max(1)
    chosen = picks(tables, likeness[np.ix_(pool, pool)], known, [criterion.values for criterion in run.task.criteria])
    found += [{"response_id": run.known.pool[pick.row].response_id, "reason": pick.reason} for pick in chosen]
