"""Teachers' opinions on disk: one Parquet file per teacher, joined to responses by id.

A file says which data and which teacher it came from. Opinions on rows of the train split are
out-of-fold: the model that gave them never saw the row, nor an answer with the same words.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scoring.domain import Task
from scoring.errors import InvalidFile, InvalidInput

SCHEMA = pa.schema(
    [
        ("task_id", pa.string()),
        ("response_id", pa.string()),
        ("criterion_id", pa.string()),
        ("fold", pa.int8()),
        ("probabilities", pa.list_(pa.float32())),
    ]
)
UNSEEN = -1
"""Fold of a response that no model of the teacher was trained on; its opinion is the models' mean."""

METADATA = b"evenhand"


@dataclass(frozen=True)
class Opinion:
    """One teacher's distribution over the levels of one criterion of one response."""

    task_id: str
    response_id: str
    criterion_id: str
    fold: int
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Targets:
    """All opinions of one teacher on one item bank."""

    teacher: str  # name, for people
    data_sha256: str  # of the item bank, as `bank_hash` gives it
    opinions: Mapping[tuple[str, str, str], Opinion]  # by (task, response, criterion) id
    about: Mapping[str, Any] = field(default_factory=dict)  # teacher's settings, folds, seconds, parameters

    def of(self, task_id: str, response_id: str, criterion_id: str) -> np.ndarray | None:
        """(L,) probabilities, or None where the teacher has no opinion."""
        opinion = self.opinions.get((task_id, response_id, criterion_id))
        return None if opinion is None else np.asarray(opinion.probabilities)


def write_targets(targets: Targets, path: Path) -> None:
    """Write a file whole or not at all.

    Raises:
        InvalidInput: the file can't be written.
    """
    opinions = list(targets.opinions.values())
    table = pa.table(
        {
            "task_id": [opinion.task_id for opinion in opinions],
            "response_id": [opinion.response_id for opinion in opinions],
            "criterion_id": [opinion.criterion_id for opinion in opinions],
            "fold": [opinion.fold for opinion in opinions],
            "probabilities": [[round(p, 4) for p in opinion.probabilities] for opinion in opinions],
        },
        schema=SCHEMA,
    )
    about = {"teacher": targets.teacher, "data_sha256": targets.data_sha256, **targets.about}
    table = table.replace_schema_metadata({METADATA: json.dumps(about).encode()})
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, partial, compression="zstd")
        os.replace(partial, path)
    except OSError as error:
        raise InvalidInput(f"{path}: can't be written ({error.strerror})") from None
    finally:
        with suppress(NotADirectoryError):
            partial.unlink(missing_ok=True)


def read_targets(path: Path, *, data_sha256: str, tasks: Mapping[str, Task]) -> Targets:
    """Read a teacher's file and check that it speaks of this item bank.

    Raises:
        InvalidFile: not a targets file; made from other data; an opinion on an unknown criterion or
            with another number of levels; probabilities that don't sum to 1; a row twice.
    """
    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {})[METADATA])
        rows = table.select(SCHEMA.names).cast(SCHEMA).to_pylist()
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise InvalidFile(f"{path}: not a file of teacher's targets ({type(error).__name__}: {error})") from None
    if about.get("data_sha256") != data_sha256:
        raise InvalidFile(
            f"{path}: made from data {str(about.get('data_sha256'))[:12]}, not from {data_sha256[:12]}; "
            "run `python -m scoring teach` on this item bank"
        )
    opinions: dict[tuple[str, str, str], Opinion] = {}
    for number, row in enumerate(rows, 1):
        opinion = Opinion(**{**row, "probabilities": tuple(row["probabilities"] or ())})
        key = opinion.task_id, opinion.response_id, opinion.criterion_id
        problem = _problem(opinion, tasks)
        if not problem and key in opinions:
            problem = "appears twice"
        if problem:
            raise InvalidFile(
                f"{path}, row {number}, response {opinion.response_id!r} of task {opinion.task_id!r}, "
                f"criterion {opinion.criterion_id!r}: {problem}"
            )
        opinions[key] = opinion
    rest = {key: value for key, value in about.items() if key not in ("teacher", "data_sha256")}
    return Targets(str(about.get("teacher", path.stem)), data_sha256, opinions, rest)


def require_complete(targets: Targets, wanted: Iterable[tuple[str, str, str]]) -> None:
    """Refuse targets that leave rows out.

    Args:
        targets: one teacher's.
        wanted: (task, response, criterion) ids that must be there.

    Raises:
        InvalidInput: names the first one missing.
    """
    for key in wanted:
        if key not in targets.opinions:
            raise InvalidInput(
                f"teacher {targets.teacher!r} has no opinion on response {key[1]!r} of task {key[0]!r}, "
                f"criterion {key[2]!r}; run `python -m scoring teach` again"
            )


def _problem(opinion: Opinion, tasks: Mapping[str, Task]) -> str:
    task = tasks.get(opinion.task_id)
    criterion = next((c for c in task.criteria if c.id == opinion.criterion_id), None) if task else None
    if criterion is None:
        return "not in tasks.json"
    if len(opinion.probabilities) != len(criterion.levels):
        return f"{len(opinion.probabilities)} probabilities, but the criterion has {len(criterion.levels)} levels"
    if not abs(sum(opinion.probabilities) - 1) < 0.01 or min(opinion.probabilities) < 0:
        return f"probabilities {list(opinion.probabilities)} are not a distribution"
    return ""
