"""How often the response checks and the urgent signs are right, with 95% Wilson intervals.

Real answers are dealt into uploads of a class's size, and answers that were made worse on purpose are put among them,
one kind at a time. Recall is the share of those that are flagged. A false alarm is a flag on a real answer that is not
listed in bench/flagged.json, where every sample-classroom answer and every flagged ASAP-SAS answer was judged by
reading it. Precision is right flags over all flags of the kind in these uploads. Thresholds were chosen on the
training fold of ASAP-SAS; the validation fold is reported here.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from scoring.checks.flags import FlagKind
from scoring.checks.perturb import Perturbation, perturb
from scoring.checks.response import check_responses
from scoring.domain import Task
from scoring.itembank import ItemBank, LabelledResponse, read_item_bank
from scoring.settings import ROOT

CLASS, WORSE, SEED = 30, 3, 7
REAL_ANSWERS = ROOT.parent / "shared" / "data"
JUDGED = Path(__file__).parent / "flagged.json"
MADE = {
    FlagKind.BLANK: Perturbation.BLANK,
    FlagKind.TOO_SHORT: Perturbation.TRUNCATED,
    FlagKind.GIBBERISH: Perturbation.GIBBERISH,
    FlagKind.OTHER_LANGUAGE: Perturbation.OTHER_LANGUAGE,
    FlagKind.COPIED_TASK: Perturbation.PROMPT_COPY,
    FlagKind.COPIED_REFERENCE: Perturbation.REFERENCE_COPY,
    FlagKind.COPIED_CLASSMATE: Perturbation.CLASSMATE_COPY,
    FlagKind.REPEATED: Perturbation.REPEATED,
    FlagKind.OFF_TOPIC: Perturbation.OFF_TOPIC,
}


@dataclass(frozen=True)
class Rate:
    """So many of so many, with its 95% interval (Wilson 1927)."""

    hits: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end, 0 to 1; the whole range where there is nothing to count."""
        if not self.of:
            return 0.0, 1.0
        z, n, p = 1.959964, self.of, self.hits / self.of
        middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, (middle - half) / (1 + z * z / n)), min(1.0, (middle + half) / (1 + z * z / n))

    def __str__(self) -> str:
        if not self.of:
            return "-"
        low, high = self.interval
        return f"{self.hits / self.of:.3f} ({low:.3f} to {high:.3f})"


@dataclass
class Counts:
    """What one check did on one set of answers."""

    found: int = 0
    made: int = 0
    right: int = 0
    alarms: int = 0
    real: int = 0

    def row(self, data: str, check: str) -> dict[str, object]:
        """A line of the table."""
        flagged = self.found + self.right + self.alarms
        return {
            "data": data,
            "check": check,
            "worse answers": self.made,
            "recall": str(Rate(self.found, self.made)),
            "real answers": self.real,
            "false alarms": str(Rate(self.alarms, self.real)),
            "precision": str(Rate(self.found + self.right, flagged)),
        }


def classes(answers: Sequence[LabelledResponse], size: int = CLASS) -> Iterator[list[LabelledResponse]]:
    """Deal answers into classes of about this size."""
    dealt = random.Random(SEED).sample(list(answers), len(answers))
    count = max(1, round(len(dealt) / size))
    return (dealt[start::count] for start in range(count))


def measure_check(
    bank: ItemBank, kind: FlagKind, judged: set[str], *, fold: str = "", part: float = 1.0, size: int = CLASS
) -> Counts:
    """One check on uploads of a bank: the made-worse answers it found and the real ones it was wrong about."""
    counts = Counts()
    for task in bank.tasks.values():
        if kind is FlagKind.COPIED_REFERENCE and not task.reference_answers:
            continue
        answers = [response for response in bank.of_task(task.id) if fold in ("", response.fold)]
        elsewhere = [r.text for r in bank.responses if r.task_id != task.id and fold in ("", r.fold) and r.text.strip()]
        dealt = list(classes(answers, size))
        for number, members in enumerate(dealt[: max(1, round(len(dealt) * part))]):
            _measure_upload(task, kind, members, elsewhere, number, judged, counts)
    return counts


def _measure_upload(
    task: Task,
    kind: FlagKind,
    members: Sequence[LabelledResponse],
    elsewhere: Sequence[str],
    number: int,
    judged: set[str],
    counts: Counts,
) -> None:
    texts = [member.text for member in members]
    # Half of the off-topic answers come from other tasks, half are stock sentences.
    other = elsewhere if number % 2 else ()
    worse = perturb(MADE[kind], task, texts, WORSE, seed=SEED + number, elsewhere=other)
    flags = check_responses(task, [*texts, *(each.text for each in worse)])
    flagged = [any(flag.kind is kind for flag in found) for found in flags]
    copied = {each.source for each in worse} if kind is FlagKind.COPIED_CLASSMATE else set()
    counts.made += len(worse)
    counts.found += sum(flagged[len(texts) :])
    for index, member in enumerate(members):
        if index in copied:
            continue
        counts.real += 1
        if flagged[index]:
            right = f"{member.task_id}/{member.response_id}" in judged
            counts.right += right
            counts.alarms += not right


def measure(*, quick: bool) -> list[dict[str, object]]:
    """Recall, false alarms and precision of each check on the sample classroom and, where it is there, ASAP-SAS."""
    judged = json.loads(JUDGED.read_text(encoding="utf-8"))
    part = 0.1 if quick else 1.0
    banks = [("sample classroom", read_item_bank(ROOT / "samples" / "classroom"), "")]
    if (REAL_ANSWERS / "asap-sas").exists():
        banks.append(("ASAP-SAS, val", read_item_bank(REAL_ANSWERS / "asap-sas"), "val"))
    else:
        print(f"{REAL_ANSWERS / 'asap-sas'} is not there: the sample classroom only", flush=True)
    rows = []
    for name, bank, fold in banks:
        for kind in FlagKind:
            counts = measure_check(bank, kind, set(judged[kind]), fold=fold, part=part)
            if counts.made:
                rows.append(counts.row(name, kind.value))
    return rows
