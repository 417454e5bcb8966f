"""The students that a task is added to: each trained on five of the ten ASAP-SAS tasks, so that the other five are new.

python -m bench.adaptation_bases
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from bench.matrix.row import SAMPLE, SHARED
from bench.matrix.systems import PLAIN
from scoring.domain import content_hash
from scoring.errors import InvalidInput
from scoring.itembank import ItemBank, read_item_bank
from scoring.student.encoder import MINILM
from scoring.training.config import TrainConfig
from scoring.training.data import bank_hash
from scoring.training.run import train_version

CACHE = Path(__file__).resolve().parent / "cache" / "adaptation"
CONFIG = replace(PLAIN, epochs=3, patience=3, distil_weight=0.0)
QUICK_ROWS = 60


def read_bank(quick: bool) -> ItemBank:
    """ASAP-SAS; two tasks of the sample classroom in the quick size.

    Raises:
        InvalidInput: the full size is asked for and the data isn't there.
    """
    if quick:
        bank = read_item_bank(SAMPLE)
        # ASAP-SAS has one criterion a task, so each of these keeps its first.
        tasks = {key: replace(task, criteria=task.criteria[:1]) for key, task in list(bank.tasks.items())[:2]}
        rows = []
        for task in tasks.values():
            key = task.criteria[0].id
            for at, row in enumerate(bank.of_task(task.id)[: 2 * QUICK_ROWS]):
                fold = "val" if at % 2 else "train"
                rows.append(replace(row, levels={key: row.levels[key]}, second={}, fold=fold))
        return ItemBank(tasks, rows)
    if not SHARED.is_dir():
        raise InvalidInput(f"{SHARED}: not found; the full size needs ASAP-SAS as an item bank folder")
    return read_item_bank(SHARED)


def halves(bank: ItemBank) -> dict[str, list[str]]:
    """Name of a base student -> the tasks that it is trained on: every other one, in the bank's order."""
    ids = list(bank.tasks)
    return {"odd": ids[0::2], "even": ids[1::2]}


def config_of(quick: bool) -> TrainConfig:
    """How a base student is trained."""
    return replace(CONFIG, epochs=1, dev_share=0.2) if quick else CONFIG


def base_student(bank: ItemBank, name: str, *, quick: bool) -> Path:
    """The version folder of a base student, trained where it isn't cached; a killed training goes on."""
    part, out = _part(bank, name), base_folder(bank, name, quick=quick)
    if not (out / "config.json").is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        data_name = "asap-sas" if not quick else "classroom"
        train_version(part, part.tasks, out, config_of(quick), data_name=data_name, encoder=MINILM)
    return out


def base_folder(bank: ItemBank, name: str, *, quick: bool) -> Path:
    """Where a base student is, or would be once it is trained."""
    return CACHE / f"{'quick-' if quick else ''}{name}-{identity(_part(bank, name), config_of(quick))}"


def _part(bank: ItemBank, name: str) -> ItemBank:
    tasks = {task_id: bank.tasks[task_id] for task_id in halves(bank)[name]}
    return ItemBank(tasks, [row for row in bank.responses if row.task_id in tasks])


def identity(part: ItemBank, config: TrainConfig) -> str:
    """Hash of all that decides a base student."""
    # Base students were there before wording was, which none of them has.
    config_json = {name: value for name, value in config.to_json().items() if name != "wording"}
    return content_hash({"data": bank_hash(part), "config": config_json})[:12]


def main() -> None:
    """Train both and say how good they are at what they were trained on."""
    bank = read_bank(quick=False)
    for name in halves(bank):
        folder = base_student(bank, name, quick=False)
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        print(f"{folder.name}: mean QWK {card['val']['mean_qwk']} on its own tasks")


if __name__ == "__main__":
    main()
