"""`python -m scoring evaluate`: a student against labelled responses; tables, a JSON report and an HTML report."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scoring.errors import InvalidInput
from scoring.settings import read_settings

FOLDS = ("val", "dev", "train", "all")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="item bank folder")
    parser.add_argument("--student", type=Path, metavar="PATH", help="version folder; default EVENHAND_STUDENT")
    parser.add_argument(
        "--out", type=Path, default=Path("report.json"), metavar="PATH",
        help="report file, or a folder to put report.json into; the same report for people lies beside it as .html",
    )  # fmt: skip
    parser.add_argument(
        "--fold", choices=FOLDS, help="rows to measure on; default: val where the data has folds or trained the "
        "student, else all",
    )  # fmt: skip
    parser.add_argument("--encoder", help="minilm, a local folder or a hub name; default EVENHAND_ENCODER")
    parser.add_argument("--device", help="auto, cpu or cuda; default EVENHAND_DEVICE")


def run(args: argparse.Namespace) -> int:
    """Score the rows and compare with the first human rating."""
    from tqdm import tqdm

    from scoring.inference.engine import Engine
    from scoring.itembank import read_item_bank
    from scoring.student.checkpoint import read_manifest
    from scoring.training.config import TrainConfig
    from scoring.training.data import bank_hash, split_rows
    from scoring.training.evaluation import measure, predict
    from scoring.training.report import render
    from scoring.training.tables import console

    settings = read_settings()
    bank = read_item_bank(args.data)
    student = args.student or settings.student
    engine = Engine.load(student, encoder=args.encoder or settings.encoder, device=args.device or settings.device)
    known = [task_id for task_id, task in bank.tasks.items() if engine.supports(task)]
    skipped = [task_id for task_id in bank.tasks if task_id not in known]
    rows = [row for row in bank.responses if row.task_id in known and row.levels]
    card = _card(student)
    data_hash = bank_hash(bank)
    trained_here = card.get("data", {}).get("sha256") == data_hash
    fold = args.fold or ("val" if trained_here or any(row.fold for row in rows) else "all")
    if fold != "all":
        shares = {**TrainConfig().to_json(), **card.get("training", {}).get("config", {})}
        splits = split_rows(rows, dev_share=shares["dev_share"], val_share=shares["val_share"])
        rows = getattr(splits, fold)
    if not rows:
        raise InvalidInput(
            f"{args.data}: no labelled response of fold {fold!r} to a task this student knows "
            f"({', '.join(engine.tasks)})"
        )
    with tqdm(total=len(rows), desc="evaluate", unit="response", file=sys.stderr) as bar:
        predicted = predict(engine, rows, on_progress=lambda done, _: bar.update(done - bar.n))
    calibration = read_manifest(student).calibration
    report: dict[str, Any] = {
        "student": engine.version_id,
        "data": {"name": args.data.resolve().name, "sha256": data_hash},
        "fold": fold,
        "date": datetime.now(UTC).date().isoformat(),
        "seen_in_training": trained_here and fold in ("train", "dev", "all"),
        "skipped_tasks": skipped,
        "coverage_goal": calibration.coverage if calibration.criteria else None,
        **measure(rows, predicted).to_json(),
    }
    out: Path = args.out if args.out.suffix == ".json" else args.out / "report.json"
    page = out.with_suffix(".html")
    _write(out, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    _write(page, render(report, bank.tasks))
    print(console(report))
    print(f"{out} and {page} hold the rest", file=sys.stderr)
    if skipped:
        print(f"left out, because the student was not trained on them: {', '.join(skipped)}", file=sys.stderr)
    if report["seen_in_training"]:
        print("these rows took part in training: this is not agreement on new answers", file=sys.stderr)
    return 0


def _card(student: Path) -> dict[str, Any]:
    try:
        card = json.loads((student / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise InvalidInput(f"{path}: can't be written ({error.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)
