"""The shipped student on thousands of real answers: it was never made for them, and must not stumble."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from scoring.__main__ import main
from scoring.itembank import read_item_bank
from scoring.settings import ROOT

DATA = ROOT.parent / "shared" / "data"
ANSWERS = 600


@pytest.mark.skipif(not DATA.exists(), reason="no real answers beside the project (shared/data)")
@pytest.mark.parametrize("name", ["asap-sas", "scientsbank", "beetle"])
def test_each_bank_is_read(name: str) -> None:
    bank = read_item_bank(DATA / name)
    assert len(bank.responses) > 3_000
    assert all(response.levels for response in bank.responses)


@pytest.mark.skipif(not DATA.exists(), reason="no real answers beside the project (shared/data)")
def test_real_answers_are_scored_in_order_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    responses = read_item_bank(DATA / "asap-sas").responses
    some = responses[:: len(responses) // ANSWERS][:ANSWERS]
    source, target = tmp_path / "answers.csv", tmp_path / "scores.csv"
    with source.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["response_id", "text"])
        writer.writerows([f"{r.task_id}/{r.response_id}", r.text] for r in some)
    assert main(["score", "--task", "pondweed-light", "--in", str(source), "--out", str(target)]) == 0
    assert f"{ANSWERS}" in capsys.readouterr().err
    with target.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["response_id"] for row in rows] == [f"{r.task_id}/{r.response_id}" for r in some]
    task = read_item_bank(ROOT / "samples" / "classroom").tasks["pondweed-light"]
    for criterion in task.criteria:
        for row in rows:
            expected = float(row[f"{criterion.id}_expected"])
            assert int(row[f"{criterion.id}_level"]) in criterion.values
            assert criterion.levels[0].value <= expected <= criterion.highest
            assert math.isfinite(float(row[f"{criterion.id}_probability"]))
