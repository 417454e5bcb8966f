"""A task of the educator's own, labelled answers to it, and versions that add it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from db.tables import StudentVersion, VersionMetric
from scoring.intake.labelled import ExampleColumns
from scoring.services.actors import Actor
from tests.conftest import SHAPES, School

ENTRY: dict[str, Any] = {
    "title": "Why do puddles vanish?",
    "prompt": "A puddle is gone after a sunny day. Explain where the water went.",
    "criteria": [
        {
            "name": "Evaporation",
            "levels": [
                {"value": value, "descriptor": f"{value} ideas", "label": label}
                for value, label in enumerate(("None", "Partial", "Full"))
            ],
        }
    ],
}
COLUMNS = ExampleColumns(text="answer", response_id="id", levels={"evaporation": "mark"})
ANSWERS = {
    0: "It sank into the road number {}.",
    1: "The sun made it go away on day {}.",
    2: "Heat turned {} drops of water into vapour that went into the air.",
}
CERTIFICATE = [
    {"check": "blank", "title": "Blank answers", "rule": "get the lowest level", "passed": True, "cases": 3,
     "share": 1.0, "offending": None},
]  # fmt: skip
REPORT: dict[str, Any] = {
    "examples": 12, "unlabelled": 0, "enough": True, "verdict": "Usable.", "certificate": CERTIFICATE,
    "drift": {"tasks": 1, "texts": 20, "identical": True}, "added_bytes": 120_000, "criteria": [],
}  # fmt: skip


def labelled_csv(per_level: int = 4, header: str = "id,answer,mark") -> bytes:
    """So many different answers at each of three levels."""
    rows = [
        f'a{level}-{number},"{text.format(number)}",{level}'
        for level, text in ANSWERS.items()
        for number in range(per_level)
    ]
    return "\n".join([header, *rows]).encode()


def add_task(
    school: School, actor: Actor | None = None, *, token: str = "task", examples: int = 4, **changes: Any
) -> int:
    """A task with so many labelled answers at each level."""
    actor = actor or school.educator
    task_id = school.services.authoring.create(actor, {**ENTRY, **changes}, token)
    if examples:
        school.services.examples.save(actor, task_id, "a.csv", labelled_csv(examples), COLUMNS, f"{token} file")
    return task_id


def add_version(
    school: School,
    folder: Path,
    *,
    task_id: int | None = None,
    parent: int | None = None,
    state: str = "candidate",
    report: Mapping[str, Any] = REPORT,
    figures: Sequence[tuple[str, str, float]] = (),
    created_by: int | None = None,
) -> int:
    """A registered version with a folder whose hashes fit; with `task_id` it adds the newest version of that task."""
    shapes: dict[str, Any] = dict(SHAPES)
    task_version, key = None, ""
    if task_id is not None:
        summary = school.services.authoring.get(school.administrator, task_id)
        task_version, key = summary.version_id, summary.task.id
        shapes[key] = summary.task.scoring_shape()
    folder.mkdir(parents=True)
    weights = folder.name.encode()
    (folder / "student.safetensors").write_bytes(weights)
    manifest = {
        "version_id": folder.name,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "student": {"tasks": shapes},
    }
    (folder / "config.json").write_text(json.dumps(manifest))
    with school.database.write() as session:
        row = StudentVersion(
            version_key=folder.name,
            folder=str(folder),
            state=state,
            shapes=shapes,
            card={"val": {}, "adaptation": dict(report)} if task_id is not None else {"val": {}},
            parent_id=parent,
            task_version_id=task_version,
            created_by=created_by,
        )
        session.add(row)
        session.flush()
        for criterion, name, value in figures:
            session.add(
                VersionMetric(
                    student_version_id=row.id, task_key=key, criterion_key=criterion, name=name, value=value, n=12
                )
            )
        return row.id
