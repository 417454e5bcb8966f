"""`python -m scoring train`: an item bank in, a student version folder with its model card out."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from scoring.settings import read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="item bank folder")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="version folder to write")
    parser.add_argument("--config", type=Path, metavar="FILE.json", help="hyper-parameters other than the defaults")
    parser.add_argument(
        "--hold-out", nargs="+", action="extend", default=[], metavar="TASK",
        help="tasks to leave out, besides those marked held_out in tasks.json",
    )  # fmt: skip
    parser.add_argument(
        "--targets", type=Path, metavar="FILE.parquet", help="a teacher's opinions, as `teach` writes them"
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="passes over the data, at most")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of weights, order and dropout")
    parser.add_argument("--encoder", help="minilm, a local folder or a hub name; default EVENHAND_ENCODER")
    parser.add_argument("--device", help="auto, cpu or cuda; default EVENHAND_DEVICE")


def run(args: argparse.Namespace) -> int:
    """Train, calibrate, evaluate the saved student as the product would load it, and publish the folder.

    A run that was killed goes on where it stopped when the same command is given again.
    """
    from scoring.domain import content_hash
    from scoring.inference.engine import Engine
    from scoring.itembank import read_item_bank
    from scoring.student import checkpoint
    from scoring.student.encoder import locate_encoder
    from scoring.training.calibrating import calibrate
    from scoring.training.card import build_card, card_markdown
    from scoring.training.config import read_train_config
    from scoring.training.data import bank_hash, check_labels, choose_tasks, split_rows
    from scoring.training.evaluation import measure, predict
    from scoring.training.resume import Checkpoints
    from scoring.training.targets import read_targets
    from scoring.training.trainer import dev_look, train

    settings = read_settings()
    encoder, device = args.encoder or settings.encoder, args.device or settings.device
    config = read_train_config(args.config, epochs=args.epochs, seed=args.seed)
    out: Path = args.out.resolve()
    checkpoint.check_target(out, replace=True)
    bank = read_item_bank(args.data)
    tasks = choose_tasks(bank, args.hold_out)
    rows = [row for row in bank.responses if row.task_id in tasks]
    splits = split_rows(rows, dev_share=config.dev_share, val_share=config.val_share)
    check_labels(tasks, splits.train)
    print(
        f"{len(tasks)} tasks; rows: {len(splits.train)} train, {len(splits.dev)} dev, {len(splits.val)} val",
        file=sys.stderr,
    )
    data_hash = bank_hash(bank)
    targets = read_targets(args.targets, data_sha256=data_hash, tasks=bank.tasks) if args.targets else None
    files = locate_encoder(encoder)
    identity = content_hash(
        {
            "config": config.to_json(), "data": data_hash, "tasks": list(tasks), "encoder": files.sha256,
            "targets": targets.about.get("identity", targets.teacher) if targets else None,
        }
    )  # fmt: skip
    checkpoints = Checkpoints(out.with_name(f".{out.name}.unfinished"), identity)
    staging = checkpoint.staging_folder(out)
    try:
        log_path = staging / "training.jsonl"
        with log_path.open("w", encoding="utf-8") as log:

            def write_record(record: dict[str, object]) -> None:
                log.write(json.dumps(record) + "\n")
                log.flush()

            trained = train(
                tasks, splits, files, config, targets=targets, checkpoints=checkpoints, device=device,
                on_epoch=write_record,
            )  # fmt: skip
        version = staging / "version"
        found = dev_look(trained, splits.dev, config, device=device)
        checkpoint.save(
            trained.student, version, storage=config.storage,
            calibration=calibrate(found.logits, found.labels) if found.logits else None,
            documents={"training.jsonl": log_path.read_text(encoding="utf-8")},
        )  # fmt: skip
        # The report is on what was written, loaded the way the product loads it.
        engine = Engine.load(version, encoder=encoder, device=device)
        dev, val = (measure(part, predict(engine, part)) for part in (splits.dev, splits.val))
        card = build_card(
            tasks, splits, checkpoint.read_manifest(version), trained, config, dev, val,
            data_name=args.data.resolve().name, data_hash=data_hash,
            weights_bytes=(version / checkpoint.WEIGHTS).stat().st_size,
        )  # fmt: skip
        checkpoint.add_document(version, "card.json", json.dumps(card, indent=1, ensure_ascii=False) + "\n")
        checkpoint.add_document(version, "card.md", card_markdown(card))
        checkpoint.publish(version, out, replace=True)
        checkpoints.clear()
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    print(
        f"{args.out}: version {card['version_id']}, best epoch {trained.best_epoch}, "
        f"mean QWK dev {dev.mean_qwk:.3f}, val {val.mean_qwk:.3f} "
        f"({val.mean_qwk_low:.3f} to {val.mean_qwk_high:.3f}, n {val.n}), {trained.seconds:.0f} s"
    )
    return 0
