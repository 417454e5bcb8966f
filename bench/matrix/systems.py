"""The systems that are compared, each by the settings that it is trained with."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from scoring.training.config import TrainConfig

REVISION = 1
"""Raised when the training code changes what a system learns, so that cached rows are run again."""

PLAIN = TrainConfig(
    wording=False,
    epochs=6,
    patience=6,
    average=0.995,
    dev_share=0.08,
    distil_weight=0.5,
    temperature=1.5,
    student={"lora_rank": 32, "lora_alpha": 64.0, "max_tokens": 256},
)
"""The student of the product, at the size of this data, without its wording: what the systems here vary."""

WORDING_REVISION = 2
"""The same for rows that add wording to another row's student."""

FULL = replace(PLAIN, wording=True)
"""With its wording: the committed benchmark student is trained so."""

SHORT = replace(PLAIN, epochs=3, patience=3)
"""What ablations vary: half the passes, at half the time."""


def _untaught(epochs: int = 3, **student: Any) -> TrainConfig:
    """The same without teachers.

    People's levels alone are learnt by heart sooner: three epochs do better than six (.738 against .729 without
    experts, .727 against .719 with them), but not with the rows of one task (.720 against .734).
    """
    return replace(PLAIN, distil_weight=0.0, epochs=epochs, patience=epochs, student={**PLAIN.student, **student})


@dataclass(frozen=True)
class System:
    """One row of the table.

    `kind` says how it is made: `student`, `worded` (another system's student, and wording), `per-task` (one
    student per task), `ngram`, `unimoe`, or `targets` (a teacher's cross-fitted opinions, read and not trained here).
    """

    name: str
    title: str
    kind: str
    config: TrainConfig = PLAIN
    targets: str = ""  # file among the teachers' that it learns from or consists of
    seeds: tuple[int, ...] = (0,)
    group: str = "systems"
    base: str = ""  # the system whose student gets wording

    def to_json(self) -> dict[str, Any]:
        """What decides the result."""
        decided = {"revision": REVISION, "kind": self.kind, "targets": self.targets, "config": asdict(self.config)}
        if self.base:
            return {**decided, "base": named(self.base).to_json(), "wording": WORDING_REVISION}
        decided["config"].pop("wording")  # the rows without it were there before it was
        return decided


ENSEMBLE = "ensemble"
"""n-grams, mpnet and, where there is one, the second human rater: the student's teacher."""
MACHINES = "machines"
"""n-grams, mpnet and MiniLM, no human: what can be measured on `val`."""
THREE = (0, 1, 2)
SYSTEMS = (
    System("ngram", "n-grams, stacked", "ngram", targets="ngram"),
    System("per-task", "a student per task", "per-task", _untaught(6, moe_layers=0), seeds=THREE),
    System("no-moe", "encoder and heads, no experts", "student", _untaught(moe_layers=0), seeds=THREE),
    System("moe-hard", "experts, no teachers", "student", _untaught(), seeds=THREE),
    System(
        "lora-per-task", "frozen encoder, an adapter per task (Latif & Zhai)", "student",
        _untaught(
            moe_layers=0, lora_rank=0, task_lora_rank=8, task_lora_alpha=16.0, text_informed=False,
        ),
        seeds=THREE,
    ),
    System("unimoe", "UniMoE-Guided as released (Fang et al.), our encoder", "unimoe", targets=ENSEMBLE),
    System("plain", "the student without its wording", "student", targets=ENSEMBLE, seeds=THREE),
    System(
        "worded-hard", "experts and wording, no teachers", "worded", replace(_untaught(), wording=True), seeds=THREE,
        base="moe-hard",
    ),
    System("full", "the student", "worded", FULL, targets=ENSEMBLE, seeds=THREE, base="plain"),
    System("teacher-ngram", "teacher: n-grams, cross-fitted", "targets", targets="ngram", group="teachers"),
    System("teacher-minilm", "teacher: MiniLM, cross-fitted", "targets", targets="minilm", group="teachers"),
    System("teacher-mpnet", "teacher: mpnet, cross-fitted", "targets", targets="mpnet", group="teachers"),
    System("ensemble", "the machine teachers together", "targets", targets=MACHINES, group="teachers"),
    System("short", "the student, 3 epochs", "student", SHORT, targets=ENSEMBLE, group="ablation"),
    *(
        System(
            f"experts-{count}", f"{count} expert{'s' * (count > 1)} in place of 4", "student",
            replace(SHORT, student={**PLAIN.student, "experts": count}), targets=ENSEMBLE, group="ablation",
        )
        for count in (1, 2, 8)
    ),
    System(
        "no-text", "task embedding without the task's text", "student",
        replace(SHORT, student={**PLAIN.student, "text_informed": False}), targets=ENSEMBLE, group="ablation",
    ),
    *(
        System(
            f"distil-{share}", f"{share:.0%} from the teachers in place of 50%", "student",
            replace(SHORT, distil_weight=share), targets=ENSEMBLE, group="ablation",
        )
        for share in (0.25, 0.75, 1.0)
    ),
    System(
        "distil-0.9", "90% from the teachers, 6 epochs", "student", replace(PLAIN, distil_weight=0.9),
        targets=ENSEMBLE, group="ablation",
    ),
    *(
        System(
            f"machines-{share}-{epochs}", f"{share:.0%} from the machine teachers alone, {epochs} epochs", "student",
            replace(PLAIN, distil_weight=share, epochs=epochs, patience=epochs), targets=MACHINES, group="ablation",
        )
        for share, epochs in ((0.75, 3), (1.0, 3), (1.0, 6))
    ),
)  # fmt: skip


def named(name: str) -> System:
    """A system by its name. Raises `KeyError`."""
    return next(system for system in SYSTEMS if system.name == name)
