"""From an item bank to a finished version folder: train, add wording, calibrate, measure what was saved, publish."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scoring.domain import Task, content_hash
from scoring.inference.engine import Engine
from scoring.itembank import ItemBank
from scoring.student import checkpoint
from scoring.student.encoder import EncoderFiles, locate_encoder
from scoring.training.calibrating import calibrate
from scoring.training.card import build_card, card_markdown
from scoring.training.config import TrainConfig
from scoring.training.data import Splits, bank_hash, check_labels, split_rows
from scoring.training.evaluation import measure, predict
from scoring.training.measures import Agreement
from scoring.training.resume import Checkpoints
from scoring.training.targets import Targets
from scoring.training.trainer import Trained, dev_look, train
from scoring.training.wording_fit import with_wording


@dataclass(frozen=True)
class Version:
    """A trained student on disk and what was measured on it."""

    folder: Path
    card: Mapping[str, Any]
    trained: Trained
    dev: Agreement
    val: Agreement


def splits_of(bank: ItemBank, tasks: Mapping[str, Task], config: TrainConfig) -> Splits:
    """The rows of these tasks by purpose.

    Raises:
        InvalidInput: a criterion has no labelled training row, or a fold has an unknown name.
    """
    rows = [row for row in bank.responses if row.task_id in tasks]
    splits = split_rows(rows, dev_share=config.dev_share, val_share=config.val_share)
    check_labels(dict(tasks), splits.train)
    return splits


def train_version(
    bank: ItemBank, tasks: Mapping[str, Task], out: Path, config: TrainConfig, *, data_name: str, encoder: str,
    targets: Targets | None = None, device: str = "auto", progress: bool = True,
) -> Version:  # fmt: skip
    """Train on some tasks of a bank and publish the version in `out`, in the place of an older student there.

    A run that was killed is taken up where it stopped when it is asked for again: its state lies
    beside `out` until the version is there.

    Raises:
        InvalidInput: `out` holds something else than a student; the data or targets don't fit.
        ModelUnavailable: the encoder can't be loaded.
    """
    out = out.resolve()
    checkpoint.check_target(out, replace=True)
    splits = splits_of(bank, tasks, config)
    files, data_hash = locate_encoder(encoder), bank_hash(bank)
    checkpoints = Checkpoints(
        out.with_name(f".{out.name}.unfinished"), _identity(config, data_hash, tasks, files, targets)
    )
    trained = train(
        tasks, splits, files, config, targets=targets, checkpoints=checkpoints, device=device, progress=progress
    )
    if config.wording:
        trained = with_wording(trained, splits, files, config, targets=targets, device=device, progress=progress)
    version = publish_version(
        trained, tasks, splits, out, config, data_name=data_name, data_hash=data_hash, encoder=encoder, device=device
    )
    checkpoints.clear()
    return version


def publish_version(
    trained: Trained, tasks: Mapping[str, Task], splits: Splits, out: Path, config: TrainConfig, *, data_name: str,
    data_hash: str, encoder: str, device: str = "auto",
) -> Version:  # fmt: skip
    """Calibrate a trained student on dev, measure what was saved, and put it in `out` with its card and log."""
    staging = checkpoint.staging_folder(out)
    try:
        version = staging / "version"
        found = dev_look(trained, splits.dev, config, device=device)
        checkpoint.save(
            trained.student, version, storage=config.storage,
            calibration=calibrate(found.logits, found.labels) if found.logits else None,
            documents={"training.jsonl": "".join(json.dumps(record) + "\n" for record in trained.history)},
        )  # fmt: skip
        # The report is on what was written, loaded the way the product loads it.
        engine = Engine.load(version, encoder=encoder, device=device)
        dev, val = (measure(part, predict(engine, part)) for part in (splits.dev, splits.val))
        card = build_card(
            dict(tasks), splits, checkpoint.read_manifest(version), trained, config, dev, val,
            data_name=data_name, data_hash=data_hash, weights_bytes=(version / checkpoint.WEIGHTS).stat().st_size,
        )  # fmt: skip
        checkpoint.add_document(version, "card.json", json.dumps(card, indent=1, ensure_ascii=False) + "\n")
        checkpoint.add_document(version, "card.md", card_markdown(card))
        checkpoint.publish(version, out, replace=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Version(out, card, trained, dev, val)


def _identity(
    config: TrainConfig, data_hash: str, tasks: Mapping[str, Task], files: EncoderFiles, targets: Targets | None
) -> str:
    return content_hash(
        {
            "config": config.to_json(), "data": data_hash, "tasks": list(tasks), "encoder": files.sha256,
            "targets": targets.about.get("identity", targets.teacher) if targets else None,
        }
    )  # fmt: skip
