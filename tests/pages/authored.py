"""Tasks that are being added, as far as the screens look at them: answers, reports, runs and candidates."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from db.tables import Adaptation, Preview, StudentVersion, VersionMetric, utc_now
from scoring.services.actors import Actor
from scoring.services.adaptations import RunStatus
from scoring.services.examples import ExampleColumns
from scoring.services.house import Services
from tests.pages.school import SHAPES

ENTRY: dict[str, Any] = {
    "title": "Why do puddles vanish?",
    "prompt": "A puddle is gone after a sunny day. Where did the water go?",
    "criteria": [
        {"name": "Evaporation",
         "levels": [{"value": v, "label": label, "descriptor": f"{v} ideas"} for v, label in enumerate("ABC")]},
    ],
}  # fmt: skip
TEXTS = {0: "It sank into road number {}.", 1: "The sun took it away on day {}.", 2: "Heat made {} drops into vapour."}
COLUMNS = ExampleColumns(text="answer", response_id="id", levels={"evaporation": "mark"})


def labelled_csv(per_level: int = 5, waiting: int = 2) -> bytes:
    """So many answers at each of three levels, and some without a level."""
    rows = [f"a{v}-{n},{text.format(n)},{v}" for v, text in TEXTS.items() for n in range(per_level)]
    rows += [f"w{n},Nobody has looked at answer {n}.," for n in range(waiting)]
    return "\n".join(["id,answer,mark", *rows]).encode()


def write_task(services: Services, actor: Actor, per_level: int = 5, **changes: Any) -> int:
    """A task of one's own, with answers."""
    task_id = services.authoring.create(actor, {**ENTRY, **changes}, f"token {changes}")
    if per_level:
        services.examples.save(actor, task_id, "a.csv", labelled_csv(per_level), COLUMNS, f"file {task_id}")
    return task_id


def report(**changes: Any) -> dict[str, Any]:
    """What an adaptation found."""
    interval = {"qwk_low": 0.5, "qwk_high": 0.82, "exact_low": 0.6, "exact_high": 0.9, "adjacent_low": 0.9,
                "adjacent_high": 1.0, "smd_low": -0.2, "smd_high": 0.3}  # fmt: skip
    criterion = {
        "criterion_id": "evaporation", "n": 15, "qwk": 0.71, "exact": 0.75, "adjacent": 0.98, "smd": 0.04, **interval,
        "human": {"n": 12, "qwk": 0.8, "qwk_low": 0.6, "qwk_high": 0.9, "exact": 0.8, "adjacent": 1.0, "smd": 0.0},
        "confusion": [[4, 1, 0], [1, 3, 1], [0, 1, 4]],
        "by_level": [{"value": v, "n": 5, "exact": 0.8, "adjacent": 1.0} for v in range(3)],
        "curve": [{"labels": n, "qwk": q, "low": q - 0.1, "high": q + 0.1} for n, q in ((8, 0.5), (12, 0.7))],
        "forecast": {"labels": 40, "low": 20, "high": 90, "sentence": "About 40 labelled answers may be needed."},
        "thinnest": {"value": 2, "n": 5},
    }  # fmt: skip
    checks = [
        {"check": "blank", "title": "Blank answers", "rule": "Never scored.", "passed": True, "cases": 20, "share": 1.0,
         "offending": None},
        {"check": "negated", "title": "The opposite said", "rule": "Gets fewer points.", "passed": False, "cases": 20,
         "share": 0.25, "offending": {"text": "Heat made *no* vapour.", "criterion_id": "evaporation", "level": 2,
                                      "expected": 1.9}},
        {"check": "prompt_copy", "title": "Copies of the prompt", "rule": "Lowest level.", "passed": None, "cases": 0,
         "share": None, "offending": None},
    ]  # fmt: skip
    return {
        "task_id": "why-do-puddles-vanish", "examples": 15, "unlabelled": 2, "enough": True,
        "verdict": "QWK is 0.71 (0.50 to 0.82) on held-out answers.", "criteria": [criterion],
        "mislabels": [{"response_id": "a0-1", "criterion_id": "evaporation", "given": 0, "predicted": 2,
                       "probability": 0.01, "reason": "The model gives level 2 with 97%."}],
        "to_label": [{"response_id": "w0", "reason": "The model is torn between level 0 and level 1."}],
        "certificate": checks, "drift": {"tasks": 2, "texts": 16, "identical": True}, "added_bytes": 150_000,
        "seconds": 40.0, **changes,
    }  # fmt: skip


def add_run(
    services: Services, actor: Actor, task_id: int, status: RunStatus, *, candidate: int | None = None,
    found: Mapping[str, Any] | None = None, **values: Any,
) -> str:  # fmt: skip
    """A training as the worker leaves it."""
    task = services.authoring.get(actor, task_id)
    with services.database.write() as session:
        base = session.scalars(select(StudentVersion).where(StudentVersion.state == "active")).one()
        run_id = f"run-{session.query(Adaptation).count()}"
        session.add(
            Adaptation(
                id=run_id, task_version_id=task.version_id, base_student_version_id=base.id,
                requested_by=actor.user_id, submit_token=run_id, job_id=run_id, status=status,
                report=dict(found) if found else None, candidate_version_id=candidate, examples=task.examples,
                started_at=utc_now() - timedelta(seconds=50),
                finished_at=utc_now() if status.finished else None,
                **dict.fromkeys(("message", "stage", "error"), "") | {"parts": {}, "done": 0, "total": 0} | values,
            )
        )  # fmt: skip
    return run_id


def add_candidate(
    services: Services, actor: Actor, task_id: int, folder: Path, found: Mapping[str, Any] | None = None
) -> int:
    """A version that adds a task, with a folder whose hashes fit, and the run that made it."""
    task = services.authoring.get(actor, task_id)
    key = folder.name
    shapes = {**SHAPES, task.task.id: task.task.scoring_shape()}
    put_folder(folder, key, shapes)
    with services.database.write() as session:
        base = session.scalars(select(StudentVersion).where(StudentVersion.state == "active")).one()
        version = StudentVersion(
            version_key=key, folder=str(folder), state="candidate", shapes=shapes, parent_id=base.id,
            card={"adaptation": dict(found or report())}, task_version_id=task.version_id, created_by=actor.user_id,
        )  # fmt: skip
        session.add(version)
        session.flush()
        session.add(
            VersionMetric(
                student_version_id=version.id, task_key=task.task.id, criterion_key="evaporation", name="qwk",
                value=0.71, low=0.5, high=0.82, n=15,
            )
        )  # fmt: skip
        version_id = version.id
    add_run(services, actor, task_id, RunStatus.DONE, candidate=version_id, found=found or report())
    return version_id


def put_folder(folder: Path, key: str, shapes: Mapping[str, Any]) -> None:
    """A version folder as far as activating looks at it."""
    folder.mkdir(parents=True)
    (folder / "student.safetensors").write_bytes(key.encode())
    manifest = {"version_id": key, "weights_sha256": hashlib.sha256(key.encode()).hexdigest(),
                "student": {"tasks": shapes}}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(manifest))


def house_base(services: Services, folder: Path) -> None:
    """Give the active version a folder, so that one can go back to it."""
    put_folder(folder, "v1", SHAPES)
    with services.database.write() as session:
        session.execute(update(StudentVersion).where(StudentVersion.version_key == "v1").values(folder=str(folder)))


def end_preview(services: Services, preview_id: str, **values: Any) -> None:
    """What the worker leaves of a preview."""
    with services.database.write() as session:
        session.execute(
            update(Preview).where(Preview.id == preview_id).values(
                status=RunStatus.DONE, finished_at=utc_now(), started_at=utc_now(), **values
            )
        )  # fmt: skip
