"""`python -m scoring add-task`, from files to a version folder."""

import csv
import json
import random

import pytest

from scoring.__main__ import main
from scoring.student import checkpoint

ENTRY = {
    "id": "volcano", "title": "Volcano", "prompt": "Why is the light faster than the water of the volcano?",
    "criteria": [{"id": "score", "name": "Score", "levels": [{"value": v, "descriptor": f"{v}"} for v in range(3)]}],
}  # fmt: skip


@pytest.fixture
def run(tiny_encoder, tiny_version, tmp_path, monkeypatch):
    """Add the task from rows; returns the exit code."""
    monkeypatch.setenv("EVENHAND_ENCODER", str(tiny_encoder.folder))
    monkeypatch.setenv("EVENHAND_DEVICE", "cpu")
    (tmp_path / "task.json").write_text(json.dumps(ENTRY))

    def run(rows, *more):
        with (tmp_path / "labelled.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ["response_id", "text", "score", "score2"])
            writer.writeheader()
            writer.writerows(rows)
        return main(
            [
                "add-task", "--student", str(tiny_version), "--task", str(tmp_path / "task.json"), "--examples",
                str(tmp_path / "labelled.csv"), "--out", str(tmp_path / "grown"), "--quick", *map(str, more),
            ]
        )  # fmt: skip

    return run


def rows(count=30):
    generator = random.Random(1)
    found = []
    for number in range(count):
        level = number % 3
        words = [*["water", "light"][:level], *generator.choices(["the", "is", "so", "and", "think"], k=5)]
        found.append({"response_id": f"r{number}", "text": " ".join(words), "score": level, "score2": level})
    return found


def test_a_task_is_added_and_the_report_written(run, tmp_path, capsys):
    assert run([*rows(), {"response_id": "u", "text": "so much light"}], "--report", tmp_path / "report.json") == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["unlabelled"] == 1
    assert report["drift"]["identical"]
    assert report["criteria"][0]["human"]["qwk"] == 1
    assert "volcano" in checkpoint.read_manifest(tmp_path / "grown").config.tasks
    assert "identical to the bit" in capsys.readouterr().out
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"score": "9"}, "level '9' is not one of [0, 1, 2]"),
        ({"response_id": "r1"}, "appears twice"),
    ],
)
def test_a_bad_row_is_named(run, tmp_path, capsys, change, words):
    assert run([*rows(), {"response_id": "x", "text": "light", "score": "1", **change}]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "row 32" in said
    assert not (tmp_path / "grown").exists()


def test_a_file_of_two_tasks_is_refused(run, tmp_path, capsys):
    (tmp_path / "task.json").write_text(json.dumps([ENTRY, ENTRY]))
    assert run(rows()) == 2
    assert "one task" in capsys.readouterr().err
