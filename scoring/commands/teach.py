"""`python -m scoring teach`: a teacher's opinions on an item bank, as a Parquet file that students learn from."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scoring.errors import InvalidInput
from scoring.settings import read_settings

if TYPE_CHECKING:
    from scoring.domain import Task
    from scoring.itembank import LabelledResponse
    from scoring.training.targets import Targets
    from scoring.training.teachers.teacher import TeacherKind

KINDS = ("encoder", "ngram", "causal", "human", "ensemble")

MOST_FOLDS = 100

ACCEPTED: dict[type, tuple[type, ...]] = {float: (int, float), tuple: (list,)}
"""Type of a setting's default -> types that JSON may give it, where they aren't the same."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="item bank folder")
    parser.add_argument("--kind", choices=KINDS, required=True, help="which teacher; ensemble combines others' files")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.parquet", help="file to write")
    parser.add_argument(
        "--from", dest="members", type=Path, nargs="+", action="extend", default=[], metavar="FILE.parquet",
        help="teachers to combine; ensemble only",
    )  # fmt: skip
    parser.add_argument(
        "--encoder", help="encoder only: minilm, a local folder or a hub name; default EVENHAND_ENCODER"
    )
    parser.add_argument("--model", help="causal only: a causal language model, a local folder or a hub name")
    parser.add_argument("--config", type=Path, metavar="FILE.json", help="hyper-parameters other than the defaults")
    parser.add_argument("--folds", type=int, default=5, metavar="N", help="parts of the training rows; default 5")
    parser.add_argument("--fold", type=int, metavar="K", help="train this part only, from 0, to run parts side by side")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of weights, order and inner folds")
    parser.add_argument("--device", help="auto, cpu or cuda; default EVENHAND_DEVICE")
    parser.add_argument(
        "--hold-out", nargs="+", action="extend", default=[], metavar="TASK",
        help="tasks to leave out, besides those marked held_out in tasks.json",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Cross-fit a teacher or combine several, write the file, and print how well it agrees with people.

    A run that was killed goes on with the next part when the same command is given again.
    """
    from scoring.itembank import read_item_bank
    from scoring.training.config import TrainConfig
    from scoring.training.crossfit import cross_fit
    from scoring.training.data import bank_hash, check_labels, choose_tasks, split_rows
    from scoring.training.stacking import combine
    from scoring.training.targets import read_targets, write_targets

    _check(args)
    _check_place(args.out)
    bank = read_item_bank(args.data)
    tasks = choose_tasks(bank, args.hold_out)
    shares = TrainConfig()
    rows = [row for row in bank.responses if row.task_id in tasks]
    splits = split_rows(rows, dev_share=shares.dev_share, val_share=shares.val_share)
    data = bank_hash(bank)
    found: Targets | None
    if args.kind == "ensemble":
        members = [read_targets(path, data_sha256=data, tasks=bank.tasks) for path in args.members]
        found = combine(members, tasks, splits, folds=args.folds)
        write_targets(found, args.out)
    else:
        check_labels(tasks, [*splits.train, *splits.dev])
        if args.kind == "human" and not any(row.second for row in rows):
            raise InvalidInput(
                f"{args.data}: no response has a second rating, so there is no second rater to learn from"
            )
        device = args.device or read_settings().device
        found = cross_fit(
            _kind(args), tasks, splits, args.out, data_sha256=data, folds=args.folds, seed=args.seed, device=device,
            only=args.fold,
        )  # fmt: skip
    if found is None:
        print(
            f"{args.out}: part {args.fold} of {args.folds} is done; the file is written when all are", file=sys.stderr
        )
        return 0
    print(report(found, tasks, [*splits.train, *splits.dev], splits.val))
    return 0


def report(
    targets: Targets, tasks: Mapping[str, Task], train: Sequence[LabelledResponse], val: Sequence[LabelledResponse]
) -> str:
    """QWK per task and overall, on training rows out-of-fold and on val rows; undefined values are dashes."""
    from scoring.training.opinions import measure_targets
    from scoring.training.teachers.human import HUMAN

    seen, unseen = measure_targets(targets, tasks, train), measure_targets(targets, tasks, val)
    by_task = [{task.task_id: task for task in agreement.tasks} for agreement in (seen, unseen)]
    lines = [f"{'task':24} {'n':>6} {'out-of-fold QWK':>15}   {'n':>6} {'val QWK':>8}"]
    for task_id in tasks:
        own, ahead = by_task[0].get(task_id), by_task[1].get(task_id)
        lines.append(
            f"{task_id:24} {own.n if own else 0:6} {_number(own.qwk if own else None):>15}   "
            f"{ahead.n if ahead else 0:6} {_number(ahead.qwk if ahead else None):>8}"
        )
    for name, a, b in (("mean", seen.mean_qwk, unseen.mean_qwk), ("Fisher mean", seen.fisher_qwk, unseen.fisher_qwk)):
        lines.append(f"{name:24} {'':6} {_number(a):>15}   {'':6} {_number(b):>8}")
    members = [member["teacher"] for member in targets.about.get("members", [])]
    if HUMAN in members:
        lines.append(
            "out-of-fold QWK counts second ratings as a teacher's; val QWK is of the machine teachers alone: "
            + ", ".join(name for name in members if name != HUMAN)
        )
    return "\n".join(lines)


def _check(args: argparse.Namespace) -> None:
    """Refuse options that belong to another kind of teacher."""
    wanted = {"members": ("--from", "ensemble"), "encoder": ("--encoder", "encoder"), "model": ("--model", "causal")}
    for name, (option, kind) in wanted.items():
        if getattr(args, name) and args.kind != kind:
            raise InvalidInput(f"{option} belongs to --kind {kind}, not to {args.kind}")
    if args.kind == "causal" and not args.model:
        raise InvalidInput("--kind causal needs --model: a local folder or a hub name of a causal language model")
    if args.kind == "ensemble" and (args.config or args.fold is not None):
        raise InvalidInput("an ensemble takes no --config and no --fold")
    if not 2 <= args.folds <= MOST_FOLDS:
        raise InvalidInput(f"--folds {args.folds}: 2 to {MOST_FOLDS} are possible")
    if args.fold is not None and not 0 <= args.fold < args.folds:
        raise InvalidInput(f"--fold {args.fold}: the parts are 0 to {args.folds - 1}")


def _check_place(out: Path) -> None:
    """Find out before hours of training that the file can't be written."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"--out {out}: its folder can't be made ({error.strerror})") from None
    if out.is_dir() or not os.access(out.parent, os.W_OK):
        raise InvalidInput(f"--out {out}: is a folder, or its folder can't be written to")


def _kind(args: argparse.Namespace) -> TeacherKind:
    """The teacher that was asked for, with the settings of `--config`."""
    from scoring.student.encoder import locate_encoder
    from scoring.training.teachers.causal import CausalTeacher
    from scoring.training.teachers.encoder import EncoderTeacher
    from scoring.training.teachers.human import HumanTeacher
    from scoring.training.teachers.ngram import NgramTeacher
    from scoring.training.teachers.reader import locate_causal

    base: dict[str, Any] = {}
    if args.kind == "encoder":
        encoder = args.encoder or read_settings().encoder
        base = {"encoder": encoder, "encoder_sha256": locate_encoder(encoder).sha256}
    elif args.kind == "causal":
        base = {"model": args.model, "model_sha256": locate_causal(args.model).sha256}
    makers: dict[str, Any] = {
        "encoder": EncoderTeacher, "causal": CausalTeacher, "ngram": NgramTeacher, "human": HumanTeacher,
    }  # fmt: skip
    maker = makers[args.kind]
    given = _read_settings(args.config) if args.config else {}
    allowed = sorted({entry.name for entry in fields(maker)} - set(base) - {"name"})
    unknown = sorted(set(given) - set(allowed))
    if unknown:
        raise InvalidInput(f"{args.config}: unknown key {unknown[0]!r} for {args.kind}; allowed are {allowed}")
    for entry in fields(maker):
        kinds = ACCEPTED.get(type(entry.default), (type(entry.default),))
        value = given.get(entry.name, entry.default)
        if entry.name in given and (not isinstance(value, kinds) or isinstance(value, bool) != (kinds == (bool,))):
            raise InvalidInput(
                f"{args.config}: {entry.name} is {value!r}; something like {entry.default!r} is expected"
            )
    kind: TeacherKind = maker(**base, **given)
    return kind


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path}: can't be read ({error.strerror})") from None
    except ValueError as error:
        raise InvalidInput(f"{path}: not valid UTF-8 JSON ({error})") from None
    if not isinstance(values, dict):
        raise InvalidInput(f"{path}: an object of hyper-parameters is expected")
    return values


def _number(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.3f}"
