"""Groups of alike answers: how many answers they hold, how often people scored their members alike, and how fast."""

from __future__ import annotations

import time
from collections import defaultdict
from itertools import combinations, islice

from bench.checks import REAL_ANSWERS, Rate
from bench.engine import texts
from scoring.checks.alike import alike_groups
from scoring.checks.response import check_responses
from scoring.checks.urgent import urgent_signs
from scoring.itembank import ItemBank, read_item_bank
from scoring.settings import ROOT

ROWS = 50_000
PAIRS = 50  # of one group at most, so that one large group doesn't speak for all


def measure(*, quick: bool) -> list[dict[str, object]]:
    """Agreement of people within groups, then seconds for a file of 50,000 rows."""
    folders = [ROOT / "samples" / "classroom", *(REAL_ANSWERS / name for name in ("asap-sas", "beetle", "scientsbank"))]
    banks = [(folder.name, read_item_bank(folder)) for folder in folders if folder.exists()]
    return [_agreement(name, bank) for name, bank in banks] + _speed(ROWS // 10 if quick else ROWS)


def _agreement(name: str, bank: ItemBank) -> dict[str, object]:
    grouped = pairs = same = 0
    for task_id in bank.tasks:
        answers = bank.of_task(task_id)
        groups = defaultdict(list)
        for answer, group in zip(answers, alike_groups([answer.text for answer in answers]), strict=True):
            if group is not None:
                groups[group].append(answer)
        grouped += sum(map(len, groups.values()))
        for members in groups.values():
            for one, other in islice(combinations(members, 2), PAIRS):
                pairs += 1
                same += one.levels == other.levels
    return {
        "what": f"{name}: pairs in one group that people scored the same",
        "answers": len(bank.responses),
        "in groups": grouped,
        "result": str(Rate(same, pairs)),
    }


def _speed(count: int) -> list[dict[str, object]]:
    task = read_item_bank(ROOT / "samples" / "classroom").tasks["pondweed-light"]
    answers = texts(count)
    runs = {
        "response checks": lambda: check_responses(task, answers),
        "groups": lambda: alike_groups(answers),
        "urgent signs, words": lambda: [urgent_signs(text) for text in answers],
    }
    rows: list[dict[str, object]] = []
    for name, run in runs.items():
        began = time.process_time()
        run()
        rows.append(
            {
                "what": f"{name}: processor seconds",
                "answers": count,
                "in groups": "-",
                "result": time.process_time() - began,
            }
        )
    return rows
