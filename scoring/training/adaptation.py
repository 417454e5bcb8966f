"""Adding a task to a student from labelled examples, with encoder and experts as they are.

`adapt` is a generator: it yields an event at least every few seconds, so that a caller can show
progress, stop, and go on after a kill. What each part found is handed out with its event and taken
back in `finished`; its tensors lie in `workspace`.

1. Views: what the student, the encoder as it came, and n-grams make of every answer.
2. First: heads on the student's view, cross-validated; a usable model within the first minute.
3. Cross-validation of the whole method: the task's delta on the encoder, its embedding, its leanings
   and its heads are trained on all folds but one, with a teacher's opinions on unlabelled answers.
4. The learning curve, the final training, the stress certificate, the report.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scoring.domain import Task
from scoring.itembank import LabelledResponse
from scoring.student.encoder import MINILM
from scoring.training.adaptation_config import AdaptConfig
from scoring.training.adaptation_examples import read_examples
from scoring.training.adaptation_run import Run
from scoring.training.adaptation_store import PartStore

__all__ = ["AdaptConfig", "Event", "adapt"]

EVENT_EVERY_S = 0.5


@dataclass(frozen=True)
class Event:
    """A sign of life of an adaptation."""

    stage: str  # "prepare", "first", "crossval", "curve", "final", "certificate" or "report"
    done: int  # units of work
    total: int  # over the whole adaptation
    message: str  # a sentence for a teacher
    result: Mapping[str, Any] | None = None  # JSON-able; given when a part is finished
    key: str = ""  # of the finished part


def adapt(
    base: Path, task: Task, examples: Sequence[LabelledResponse], out: Path, *,
    unlabelled: Sequence[LabelledResponse] = (), config: AdaptConfig | None = None,
    finished: Mapping[str, Mapping[str, Any]] | None = None, workspace: Path | None = None, encoder: str = MINILM,
    device: str = "auto",
) -> Iterator[Event]:  # fmt: skip
    """Add a task to a student; after the last event `out` is a version folder that knows it.

    The same arguments give the same version on the same machine, stopped in between or not. A task of
    the same id that the base knows already is learnt anew and replaced.

    Args:
        base: version folder of the student that the task is added to.
        task: the task.
        examples: labelled answers to it; unlabelled ones among them join `unlabelled`.
        out: the folder to make; an older student there is replaced.
        unlabelled: answers of the same class without labels, which teach how the class writes.
        config: how.
        finished: key -> result of the parts that were finished before a kill.
        workspace: where the parts' tensors lie; without one nothing outlasts this call.
        encoder: of the student.
        device: "auto", "cpu" or "cuda".

    Raises:
        InvalidInput: the examples can't be learnt from; the message says why and what to do.
        ModelUnavailable: base or encoder is missing, damaged, or one doesn't fit the other.
    """
    settings = config or AdaptConfig()
    labelled = [row for row in examples if row.levels]
    pool = [*unlabelled, *(row for row in examples if not row.levels)]
    known = read_examples(
        task, labelled, pool, largest=settings.largest, largest_pool=settings.largest_pool, seed=settings.seed
    )
    folder = Path(workspace) if workspace else Path(tempfile.mkdtemp(prefix="evenhand-adapt-"))
    try:
        run = Run(Path(base), task, known, settings, PartStore(folder), encoder, device)
        yield from _events(run, Path(out), dict(finished or {}))
    finally:
        if not workspace:
            shutil.rmtree(folder, ignore_errors=True)


def _events(run: Run, out: Path, finished: dict[str, Mapping[str, Any]]) -> Iterator[Event]:
    """Go through the parts in order; those that are finished are handed to the run instead."""
    earlier = sum(float(result.get("seconds", 0.0)) for result in finished.values())
    started = told = time.monotonic()
    parts = run.parts()
    total, done = sum(part.units for part in parts), 0
    for part in parts:
        if part.key in finished and run.take(part.key, finished[part.key]):
            done += part.units
            continue
        began, at = time.monotonic(), 0
        yield Event(part.stage, done, total, part.message)
        for _ in part.work(out, earlier + time.monotonic() - started):
            at = min(at + 1, part.units)
            if time.monotonic() - told > EVENT_EVERY_S:
                told = time.monotonic()
                yield Event(part.stage, done + at, total, part.message)
        done += part.units
        if part.key:
            result = {**run.results[part.key], "seconds": round(time.monotonic() - began, 2)}
            yield Event(part.stage, done, total, run.told[part.key], result, part.key)
