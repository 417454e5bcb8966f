"""Cross-fitting: a teacher's opinion on every training row, from a model that never saw that row."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scoring.domain import Task, content_hash
from scoring.errors import InvalidFile, InvalidInput
from scoring.itembank import LabelledResponse
from scoring.student.text import clean_text
from scoring.training.data import Splits
from scoring.training.targets import UNSEEN, Opinion, Targets, read_targets, write_targets
from scoring.training.teachers.teacher import TeacherKind


def fold_of(row: LabelledResponse, folds: int) -> int:
    """Which fold a row is in: by a hash of task and text, so that equal answers share one."""
    digest = hashlib.sha256(f"fold\x1f{row.task_id}\x1f{clean_text(row.text).casefold()}".encode()).digest()
    return int.from_bytes(digest[:6], "big") % folds


def cross_fit(
    kind: TeacherKind, tasks: Mapping[str, Task], splits: Splits, out: Path, *, data_sha256: str, folds: int = 5,
    seed: int = 0, device: str = "auto", only: int | None = None, progress: bool = True,
) -> Targets | None:  # fmt: skip
    """Fit one model per fold on the other folds, and write what each says about its own.

    The train and dev splits are folded together. Rows of `val` get the mean of all models. Each
    finished fold is a file beside `out`, so that a killed run goes on with the next fold, and folds
    can be run side by side with `only`.

    Returns:
        The targets that were written to `out`; None while folds are missing, which `only` leaves.

    Raises:
        InvalidInput: fewer than two folds, or a task with fewer rows than folds.
    """
    if folds < 2:
        raise InvalidInput(f"folds: {folds} is fewer than 2; a teacher must not label rows it was trained on")
    seen = [row for row in (*splits.train, *splits.dev) if row.task_id in tasks]
    about = {"settings": kind.to_json(), "folds": folds, "seed": seed}
    identity = content_hash({"kind": kind.name, "data": data_sha256, **about})
    parts: list[Targets] = []
    for fold in range(folds):
        path = out.with_name(f"{out.stem}.fold-{fold}.parquet")
        part = _finished(path, identity, data_sha256, tasks)
        if part is None and only in (None, fold):
            started = time.monotonic()
            rest = [row for row in seen if fold_of(row, folds) != fold]
            own = [row for row in seen if fold_of(row, folds) == fold]
            _check_covered(tasks, rest, fold)
            teacher = kind.fit(tasks, rest, seed=seed + fold, device=device, progress=progress)
            opinions = [
                opinion
                for rows, number in ((own, fold), (splits.val, UNSEEN))
                for opinion in _opinions(teacher, tasks, rows, number)
            ]
            counted: Any = getattr(teacher, "parameters", None)
            part = Targets(
                teacher=kind.name,
                data_sha256=data_sha256,
                opinions={(o.task_id, o.response_id, o.criterion_id): o for o in opinions},
                about={
                    **about, "identity": identity, "seconds": round(time.monotonic() - started, 1),
                    "parameters": counted() if counted else 0,
                },
            )  # fmt: skip
            write_targets(part, path)
        if part is not None:
            parts.append(part)
    if len(parts) < folds:
        return None
    whole = _join(kind.name, data_sha256, parts, {**about, "identity": identity})
    write_targets(whole, out)
    for fold in range(folds):
        out.with_name(f"{out.stem}.fold-{fold}.parquet").unlink(missing_ok=True)
    return whole


def _opinions(teacher: Any, tasks: Mapping[str, Task], rows: Sequence[LabelledResponse], fold: int) -> list[Opinion]:
    opinions = []
    for task_id in tasks:
        of_task = [row for row in rows if row.task_id == task_id]
        if not of_task:
            continue
        for criterion_id, table in teacher.predict_proba(task_id, of_task).items():
            for row, probabilities in zip(of_task, np.asarray(table), strict=True):
                if not np.isnan(probabilities).any():
                    values = tuple(float(p) for p in probabilities)
                    opinions.append(Opinion(task_id, row.response_id, criterion_id, fold, values))
    return opinions


def _join(name: str, data_sha256: str, parts: Sequence[Targets], about: Mapping[str, Any]) -> Targets:
    """Own folds side by side; on unseen rows the mean of the models."""
    opinions: dict[tuple[str, str, str], Opinion] = {}
    unseen: dict[tuple[str, str, str], list[Opinion]] = {}
    for part in parts:
        for key, opinion in part.opinions.items():
            if opinion.fold == UNSEEN:
                unseen.setdefault(key, []).append(opinion)
            else:
                opinions[key] = opinion
    for key, several in unseen.items():
        mean = np.mean([opinion.probabilities for opinion in several], axis=0)
        opinions[key] = Opinion(*key, UNSEEN, tuple(float(p) for p in mean))
    spent = {
        "seconds": round(sum(part.about["seconds"] for part in parts), 1),
        "parameters": max(part.about["parameters"] for part in parts),
    }
    return Targets(name, data_sha256, opinions, {**about, **spent})


def _finished(path: Path, identity: str, data_sha256: str, tasks: Mapping[str, Task]) -> Targets | None:
    """A fold that an earlier run finished with the same settings."""
    if not path.is_file():
        return None
    try:
        part = read_targets(path, data_sha256=data_sha256, tasks=tasks)
    except InvalidFile:
        return None
    return part if part.about.get("identity") == identity else None


def _check_covered(tasks: Mapping[str, Task], rows: Sequence[LabelledResponse], fold: int) -> None:
    for task_id, task in tasks.items():
        for criterion in task.criteria:
            if not any(row.task_id == task_id and criterion.id in row.levels for row in rows):
                raise InvalidInput(
                    f"task {task_id!r}, criterion {criterion.id!r}: no labelled row outside fold {fold}; "
                    "use fewer folds or label more"
                )
