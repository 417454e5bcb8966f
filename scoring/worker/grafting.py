"""Putting a task that one version learned onto another, with the proof that nothing else moved."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scoring.errors import InvalidInput
from scoring.inference.engine import Engine
from scoring.student import checkpoint
from scoring.student.calibration import Calibration
from scoring.student.encoder import locate_encoder
from scoring.training.adaptation_version import DRIFT_TEXTS, prove, same_scores, storage_of
from scoring.training.growing import graft


def graft_version(
    base: Path, source: Path, task_id: str, out: Path, texts: Sequence[str], report: Mapping[str, Any], *, encoder: str
) -> dict[str, Any]:
    """Write `out`: the base with a task of the source.

    Args:
        base: the version that gets the task.
        source: the version that learned it.
        task_id: the task.
        out: the folder to make; an older student there is replaced.
        texts: answers that the proof scores.
        report: of the run that trained the source; goes into the card with the new proof.
        encoder: of both.

    Returns:
        The proof: `tasks`, `texts`, `identical`.

    Raises:
        InvalidInput: the two differ in what all tasks share, or the task came out another one.
    """
    files = locate_encoder(encoder)
    onto, kept = checkpoint.load(base, files)
    grown, learnt = checkpoint.load(source, files)
    made = graft(onto, grown, task_id, files)
    criteria = {key: entry for key, entry in kept.calibration.criteria.items() if key[0] != task_id}
    criteria |= {key: entry for key, entry in learnt.calibration.criteria.items() if key[0] == task_id}

    def save(card: Mapping[str, Any]) -> None:
        checkpoint.save(
            made, out, storage=storage_of(base), calibration=Calibration(kept.calibration.coverage, criteria),
            documents={"card.json": json.dumps(card, indent=1, ensure_ascii=False) + "\n"}, replace=True,
        )  # fmt: skip

    save({})
    drift: dict[str, Any] = {}
    for _ in prove(base, out, task_id, texts, drift, encoder=encoder):
        pass
    there, here = (Engine.load(folder, encoder=encoder, device="cpu", precision="fp32") for folder in (source, out))
    if not same_scores(there, here, task_id, list(texts[:DRIFT_TEXTS])):
        raise InvalidInput("The task is scored otherwise on the active version. Train it again from its examples.")
    card = _card(base, source, task_id, {**report, "drift": drift})
    card["version_id"] = checkpoint.read_manifest(out).version_id
    save(card)
    return drift


def _card(base: Path, source: Path, task_id: str, report: Mapping[str, Any]) -> dict[str, Any]:
    """The base's card with the task's figures from the source's."""
    mine, theirs = (_read_card(folder) for folder in (base, source))

    def figures(card: Mapping[str, Any], *, own: bool) -> list[Any]:
        return [t for t in (card.get("val") or {}).get("tasks", []) if (t["task_id"] == task_id) is own]

    tasks = [*figures(mine, own=False), *figures(theirs, own=True)]
    return {**mine, "val": {**(mine.get("val") or {}), "tasks": tasks}, "adaptation": dict(report)}


def _read_card(folder: Path) -> dict[str, Any]:
    path = folder / "card.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
