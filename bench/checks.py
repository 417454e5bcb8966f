"""How often the response checks and the urgent signs are right, with 95% intervals (Wilson 1927).

Real answers are dealt into uploads of a class's size, and answers that were made worse on purpose are put among them,
one kind at a time: `cases` are those, `recall` the share that is flagged. A false alarm is a flag on a real answer that
is not listed in bench/flagged.json, where every answer of the sample classroom was judged by reading it, and every
flagged answer of ASAP-SAS; too short is also right where people gave no point. `precision` is right flags over all
flags of the kind in these uploads. Rows "as it is" have the sample classroom's own cases instead. Thresholds were
chosen on the training fold of ASAP-SAS; its validation fold is reported. Off-topic is looked for as the worker does,
with embeddings; "words alone" is what is left without the encoder.

Urgent signs: the cases are sentences that were written after words and patterns were frozen (half "held_out").
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from math import sqrt
from pathlib import Path

from scoring.checks.flags import FlagKind
from scoring.checks.likeness import UrgentLikeness, pieces
from scoring.checks.perturb import Perturbation, perturb
from scoring.checks.response import check_responses
from scoring.checks.urgent import urgent_signs
from scoring.domain import Task
from scoring.inference.sentences import SentenceEncoder
from scoring.itembank import ItemBank, LabelledResponse, read_item_bank
from scoring.settings import ROOT
from scoring.student.encoder import locate_encoder

CLASS, WORSE, SEED = 30, 3, 7
LIKENESS = 600  # answers of a data set that are embedded piece by piece
REAL_ANSWERS = ROOT.parent / "shared" / "data"
JUDGED = Path(__file__).parent / "flagged.json"
SIGNS = ROOT / "tests" / "unit" / "checks" / "urgent_signs.json"
CLASSROOM, ASAP = "sample classroom", "ASAP-SAS, val"
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
    """So many of so many, with its 95% interval."""

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
    """What one check did.

    Of the worse answers `made` so many were `found`; of the real ones judged to be of the kind (`judged`) so many were
    `caught`. Of all `real` ones so many flags were `right` and so many were `alarms`.
    """

    made: int = 0
    found: int = 0
    judged: int = 0
    caught: int = 0
    right: int = 0
    alarms: int = 0
    real: int = 0

    def row(self, data: str, check: str) -> dict[str, object]:
        """A line of the table about the answers that were made worse."""
        flagged = self.found + self.right + self.alarms
        return _row(
            data,
            check,
            Rate(self.found, self.made),
            Rate(self.alarms, self.real),
            Rate(self.found + self.right, flagged),
        )

    def own_row(self, data: str, check: str) -> dict[str, object]:
        """A line of the table about the data as they are."""
        right = Rate(self.right, self.right + self.alarms)
        return _row(f"{data}, as it is", check, Rate(self.caught, self.judged), Rate(self.alarms, self.real), right)


def _row(data: str, check: str, recall: Rate, alarms: Rate, precision: Rate | None) -> dict[str, object]:
    return {
        "data": data,
        "check": check,
        "cases": recall.of,
        "recall": str(recall),
        "real answers": alarms.of,
        "false alarms": str(alarms),
        "precision": str(precision) if precision else "-",
    }


def classes(answers: Sequence[LabelledResponse], size: int = CLASS) -> Iterator[list[LabelledResponse]]:
    """Deal answers into classes of about this size."""
    dealt = random.Random(SEED).sample(list(answers), len(answers))
    count = max(1, round(len(dealt) / size))
    return (dealt[start::count] for start in range(count))


def measure_check(
    bank: ItemBank,
    kind: FlagKind,
    judged: set[str],
    *,
    fold: str = "",
    part: float = 1.0,
    size: int = CLASS,
    encoder: SentenceEncoder | None = None,
) -> Counts:
    """One check on the uploads of a bank."""
    counts = Counts()
    for task in bank.tasks.values():
        if kind is FlagKind.COPIED_REFERENCE and not task.reference_answers:
            continue
        answers = [response for response in bank.of_task(task.id) if fold in ("", response.fold)]
        elsewhere = [r.text for r in bank.responses if r.task_id != task.id and fold in ("", r.fold) and r.text.strip()]
        dealt = list(classes(answers, size))
        for number, members in enumerate(dealt[: max(1, round(len(dealt) * part))]):
            # Half of the off-topic answers come from other tasks, half are stock sentences.
            _measure_upload(task, kind, members, elsewhere if number % 2 else (), number, judged, counts, encoder)
    return counts


def _measure_upload(
    task: Task,
    kind: FlagKind,
    members: Sequence[LabelledResponse],
    elsewhere: Sequence[str],
    number: int,
    judged: set[str],
    counts: Counts,
    encoder: SentenceEncoder | None,
) -> None:
    own = [member.text for member in members]
    worse = perturb(MADE[kind], task, own, WORSE, seed=SEED + number, elsewhere=elsewhere)
    texts = [*own, *(each.text for each in worse)]
    flags = check_responses(task, texts, embed=encoder.embed if encoder else None)
    flagged = [any(flag.kind is kind for flag in found) for found in flags]
    counts.made += len(worse)
    counts.found += sum(flagged[len(own) :])
    copied = {each.source for each in worse} if kind is FlagKind.COPIED_CLASSMATE else set()
    for index, member in enumerate(members):
        if index in copied:
            continue
        right = f"{member.task_id}/{member.response_id}" in judged
        counts.judged += right
        counts.caught += flagged[index] and right
        right = right or (kind is FlagKind.TOO_SHORT and not sum(member.levels.values()))
        counts.real += 1
        counts.right += flagged[index] and right
        counts.alarms += flagged[index] and not right


@cache
def encoder() -> SentenceEncoder:
    """The bundled encoder, loaded once."""
    return SentenceEncoder(locate_encoder())


def likened(texts: Sequence[str]) -> list[bool]:
    """Whether each answer is listed by what its sentences read like."""
    model = UrgentLikeness.load()
    said = [pieces(text) for text in texts]
    embeddings = encoder().embed([piece for each in said for piece in each])
    ends = list(accumulate(map(len, said), initial=0))
    return [
        bool(model.signs(each, embeddings[start : start + len(each)])) for each, start in zip(said, ends, strict=False)
    ]


def measure_urgent(banks: Sequence[tuple[str, ItemBank, str]], judged: set[str]) -> list[dict[str, object]]:
    """Recall on the held-out sentences and the sample classroom's own, false alarms on harmless and real ones."""
    written = json.loads(SIGNS.read_text(encoding="utf-8"))
    held_out = [sign["text"] for sign in written["signs"] if sign["half"] == "held_out"]
    harmless = [sentence["text"] for sentence in written["harmless"] if sentence["half"] == "held_out"]
    sets = [("sentences, held out; alarms: harmless ones", held_out, harmless)]
    rows = []
    for name, bank, fold in banks:
        answers = [r for r in bank.responses if fold in ("", r.fold)]
        own = [r.text for r in answers if f"{r.task_id}/{r.response_id}" in judged]
        real = [r.text for r in answers if f"{r.task_id}/{r.response_id}" not in judged]
        rows.append(
            _urgent_row(
                name, "words", [bool(urgent_signs(text)) for text in own], [bool(urgent_signs(text)) for text in real]
            )
        )
        sets.append((f"{name}, {LIKENESS} drawn", own, random.Random(SEED).sample(real, min(LIKENESS, len(real)))))
    for name, cases, real in sets:
        by_words = [[bool(urgent_signs(text)) for text in texts] for texts in (cases, real)]
        by_likeness = [likened(texts) for texts in (cases, real)]
        both = [[any(pair) for pair in zip(*pairs, strict=True)] for pairs in zip(by_words, by_likeness, strict=True)]
        for how, (found, alarms) in (("words", by_words), ("likeness", by_likeness), ("both", both)):
            rows.append(_urgent_row(name, how, found, alarms))
    return rows


def _urgent_row(data: str, how: str, found: Sequence[bool], alarms: Sequence[bool]) -> dict[str, object]:
    recall, alarm = Rate(sum(found), len(found)), Rate(sum(alarms), len(alarms))
    return _row(data, f"urgent, {how}", recall, alarm, None)


def measure(*, quick: bool) -> list[dict[str, object]]:
    """Each check on the sample classroom and, where it lies beside the project, on ASAP-SAS."""
    judged = json.loads(JUDGED.read_text(encoding="utf-8"))
    part = 0.1 if quick else 1.0
    banks = [(CLASSROOM, read_item_bank(ROOT / "samples" / "classroom"), "")]
    if REAL_ANSWERS.exists():
        banks.append((ASAP, read_item_bank(REAL_ANSWERS / "asap-sas"), "val"))
        others = [(name, read_item_bank(REAL_ANSWERS / name), "") for name in ("beetle", "scientsbank")]
    else:
        print(f"{REAL_ANSWERS} is not there: the sample classroom only", flush=True)
        others = []
    rows = []
    for name, bank, fold in banks:
        checks = [(kind, kind.value, encoder() if kind is FlagKind.OFF_TOPIC else None) for kind in FlagKind]
        for kind, label, meanings in [*checks, (FlagKind.OFF_TOPIC, "off_topic, words alone", None)]:
            counts = measure_check(bank, kind, set(judged[name][kind]), fold=fold, part=part, encoder=meanings)
            if counts.made:
                rows.append(counts.row(name, label))
            if name == CLASSROOM and counts.judged:
                rows.append(counts.own_row(name, label))
    return rows + measure_urgent([*banks, *others], set(judged[CLASSROOM]["urgent"]))
