"""The benchmark student that is committed: whole, small, and as good as its card says."""

import json
from pathlib import Path

import pytest

from bench.matrix.row import SHARED
from bench.matrix.systems import FULL
from scoring.inference.engine import Engine
from scoring.itembank import read_item_bank
from scoring.student import checkpoint
from scoring.training.config import read_train_config
from scoring.training.evaluation import measure, predict

STUDENT = Path(__file__).parents[2] / "bench" / "students" / "asap-sas"


def test_it_is_a_whole_version_of_less_than_ten_megabytes_trained_as_the_benchmark_says():
    assert {"config.json", "card.json", "card.md", "training.jsonl", checkpoint.WEIGHTS} <= {
        path.name for path in STUDENT.iterdir()
    }
    assert sum(path.stat().st_size for path in STUDENT.iterdir()) < 10_000_000
    card = json.loads((STUDENT / "card.json").read_text())
    assert card["training"]["config"] == json.loads(json.dumps(FULL.to_json()))
    assert read_train_config(STUDENT.parents[1] / "matrix" / "full.json") == FULL


def test_it_scores_as_its_card_says():
    if not SHARED.is_dir():
        pytest.skip("ASAP-SAS is not beside the project")
    card = json.loads((STUDENT / "card.json").read_text())
    kept = {task["task_id"]: task["criteria"][0]["qwk"] for task in card["val"]["tasks"]}
    task_id = "asap-sas-6"  # of those with short answers
    rows = [row for row in read_item_bank(SHARED).of_task(task_id) if row.fold == "val"]
    found = measure(rows, predict(Engine.load(STUDENT), rows))
    # Beside other answers, and on another processor, an answer in a hundred may fall on the other side of a boundary.
    assert found.tasks[0].qwk == pytest.approx(kept[task_id], abs=0.03)
