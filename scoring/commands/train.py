"""`python -m scoring train`: an item bank in, a student version folder with its model card out."""

from __future__ import annotations

import argparse
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
    """Train a version; a run that was killed goes on where it stopped when the same command is given again."""
    from scoring.itembank import read_item_bank
    from scoring.training.config import read_train_config
    from scoring.training.data import bank_hash, choose_tasks
    from scoring.training.run import splits_of, train_version
    from scoring.training.targets import read_targets

    settings = read_settings()
    config = read_train_config(args.config, epochs=args.epochs, seed=args.seed)
    bank = read_item_bank(args.data)
    tasks = choose_tasks(bank, args.hold_out)
    splits = splits_of(bank, tasks, config)
    targets = None
    if args.targets:
        targets = read_targets(args.targets, data_sha256=bank_hash(bank), tasks=bank.tasks)
    print(
        f"{len(tasks)} tasks; rows: {len(splits.train)} train, {len(splits.dev)} dev, {len(splits.val)} val",
        file=sys.stderr,
    )
    version = train_version(
        bank, tasks, args.out, config, data_name=args.data.resolve().name, targets=targets,
        encoder=args.encoder or settings.encoder, device=args.device or settings.device,
    )  # fmt: skip
    dev, val = version.dev, version.val
    print(
        f"{args.out}: version {version.card['version_id']}, best epoch {version.trained.best_epoch}, "
        f"mean QWK dev {dev.mean_qwk:.3f}, val {val.mean_qwk:.3f} "
        f"({val.mean_qwk_low:.3f} to {val.mean_qwk_high:.3f}, n {val.n}), {version.trained.seconds:.0f} s"
    )
    return 0
