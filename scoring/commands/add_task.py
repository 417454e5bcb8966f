"""`python -m scoring add-task`: a student, a task and labelled answers in; a student that knows the task out."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

from scoring.domain import Task, task_from_json
from scoring.errors import InvalidFile, InvalidInput
from scoring.itembank import LabelledResponse
from scoring.settings import read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "--student", type=Path, metavar="DIR", help="version folder to add to; default EVENHAND_STUDENT"
    )
    parser.add_argument(
        "--task", type=Path, required=True, metavar="FILE.json", help="one entry of an item bank's tasks.json"
    )
    parser.add_argument(
        "--examples", type=Path, required=True, metavar="FILE.csv",
        help="response_id, text, and a column per criterion id; empty where nobody scored",
    )  # fmt: skip
    parser.add_argument("--unlabelled", type=Path, metavar="FILE.csv", help="response_id, text of the same class")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="version folder to write")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="where the report goes, besides the card")
    parser.add_argument("--quick", action="store_true", help="stop at the first usable model")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of folds, weights and draws")
    parser.add_argument("--encoder", help="minilm, a local folder or a hub name; default EVENHAND_ENCODER")
    parser.add_argument("--device", help="auto, cpu or cuda; default EVENHAND_DEVICE")


def run(args: argparse.Namespace) -> int:
    """Add the task; a run that was killed goes on where it stopped when the same command is given again."""
    settings = read_settings()
    task = read_task(args.task)
    examples = read_labelled(args.examples, task)
    unlabelled = read_labelled(args.unlabelled, task) if args.unlabelled else []
    from tqdm import tqdm

    from scoring.training.adaptation import AdaptConfig, adapt
    from scoring.training.adaptation_progress import Progress

    config = AdaptConfig(quick=args.quick, seed=args.seed)
    base = args.student or settings.student
    encoder = args.encoder or settings.encoder
    progress = Progress(args.out, base, task, [*examples, *unlabelled], config, encoder)
    report: dict[str, Any] = {}
    with tqdm(total=1, desc="add-task", file=sys.stderr, bar_format="{desc} {percentage:3.0f}% [{elapsed}]") as bar:
        for event in adapt(
            base, task, examples, args.out, unlabelled=unlabelled, config=config, finished=progress.finished,
            workspace=progress.folder, encoder=encoder, device=args.device or settings.device,
        ):  # fmt: skip
            bar.total, bar.n = event.total, event.done
            bar.refresh()
            if event.result is not None:
                bar.write(event.message, file=sys.stderr)
                progress.keep(event.key, event.result)
                report = event.result.get("report", report)
    progress.clear()
    if args.report:
        args.report.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{args.out}: {task.title}, {report['examples']} examples. {report['verdict']}")
    for told in report["criteria"]:
        print(f"  {told['criterion_id']}: {_figure(told, 'qwk')}; {told['forecast']['sentence']}")
    said = {True: "passed", False: "FAILED", None: "not tested"}
    print("  stress test: " + ", ".join(f"{c['title'].lower()} {said[c['passed']]}" for c in report["certificate"]))
    drift = report["drift"]
    same = "identical to the bit" if drift["identical"] else "NOT identical"
    print(f"  {drift['tasks']} other tasks on {drift['texts']} texts: {same}; {report['added_bytes']:,} bytes added")
    return 0 if drift["identical"] else 1


def read_task(path: Path) -> Task:
    """A task from a JSON file with one entry, or a list of one.

    Raises:
        InvalidFile: the file can't be read or isn't one task.
    """
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidFile(f"{path}: can't be read ({error.strerror})") from None
    except ValueError as error:
        raise InvalidFile(f"{path}: not valid UTF-8 JSON ({error})") from None
    if isinstance(entry, list) and len(entry) == 1:
        entry = entry[0]
    if not isinstance(entry, dict):
        raise InvalidFile(f"{path}: one task, as in an item bank's tasks.json, is expected")
    return task_from_json(entry)


def read_labelled(path: Path, task: Task) -> list[LabelledResponse]:
    """Answers to one task, with the levels that people gave them.

    Raises:
        InvalidFile: the file can't be read, or a column is missing.
        InvalidInput: a level that the criterion doesn't have, or an id twice; names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            rows = list(reader)
            columns = list(reader.fieldnames or [])
    except OSError as error:
        raise InvalidFile(f"{path}: can't be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidFile(f"{path}: not a UTF-8 CSV file ({error})") from None
    missing = [name for name in ("response_id", "text") if name not in columns]
    if missing:
        raise InvalidFile(f"{path}: column {missing[0]!r} is missing; found {columns}")
    found: dict[str, LabelledResponse] = {}
    for number, row in enumerate(rows, 2):
        where = f"{path}, row {number}"
        if row.get("task_id", task.id) not in ("", task.id):
            raise InvalidInput(f"{where}: answers task {row['task_id']!r}, not {task.id!r}")
        key = row["response_id"] or f"row {number}"
        if key in found:
            raise InvalidInput(f"{where}: response_id {key!r} appears twice")
        levels, second = (
            {c.id: level for c in task.criteria if (level := _level(row, c.id + s, c.values, where)) is not None}
            for s in ("", "2")
        )
        found[key] = LabelledResponse(task.id, key, row["text"] or "", levels, second)
    return list(found.values())


def _level(row: dict[str, str], column: str, values: tuple[int, ...], where: str) -> int | None:
    written = (row.get(column) or "").strip()
    if not written:
        return None
    for value in values:
        if written in (f"{value}", f"{value}.0"):
            return value
    raise InvalidInput(f"{where}, column {column!r}: level {written!r} is not one of {list(values)}")


def _figure(told: dict[str, Any], name: str) -> str:
    if told[name] is None:
        return f"{name.upper()} is undefined"
    return f"{name.upper()} {told[name]:.3f} ({told[f'{name}_low']:.3f} to {told[f'{name}_high']:.3f}), n {told['n']}"
