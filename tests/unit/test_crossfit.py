"""Out-of-fold is out-of-fold: shown by teachers that remember every answer they were given."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scoring.domain import Criterion, Level, Task
from scoring.errors import InvalidInput
from scoring.itembank import LabelledResponse
from scoring.student.text import clean_text
from scoring.training.crossfit import cross_fit, fold_of
from scoring.training.data import Splits
from scoring.training.targets import UNSEEN, Targets

HASH = "c" * 64
TASK = Task("ice", "Ice", "Why?", (Criterion("score", "Score", tuple(Level(v, f"{v}") for v in range(3))),))
TASKS = {"ice": TASK}
UNIFORM = pytest.approx([1 / 3] * 3, abs=1e-3)


@dataclass(frozen=True)
class Memory:
    """Knows the level of every answer it was fitted on, and nothing of any other."""

    version: int = 1
    dies_at: int = 0  # number of the fit in which it kills its own process
    seeds: list[int] = field(default_factory=list)
    name: str = "memory"

    def to_json(self) -> dict[str, Any]:
        return {"version": self.version}

    def fit(self, tasks: Mapping[str, Task], rows: Sequence[LabelledResponse], *, seed: int, **_: Any) -> Remembers:
        self.seeds.append(seed)
        if len(self.seeds) == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return Remembers({clean_text(row.text).casefold(): row.levels["score"] for row in rows if row.levels})


@dataclass(frozen=True)
class Remembers:
    known: dict[str, int]

    def predict_proba(self, task_id: str, rows: Sequence[LabelledResponse]) -> dict[str, np.ndarray]:
        table = np.full((len(rows), 3), 1 / 3)
        for at, row in enumerate(rows):
            level = self.known.get(clean_text(row.text).casefold())
            if level is not None:
                table[at] = np.eye(3)[level]
            if row.text == "no opinion":
                table[at] = np.nan
        return {"score": table}


def rows(count: int, prefix: str = "r") -> list[LabelledResponse]:
    return [LabelledResponse("ice", f"{prefix}{n}", f"{prefix} answer {n}", {"score": n % 3}) for n in range(count)]


def fit(splits: Splits, out: Path, kind: Memory | None = None, **options: Any) -> Targets | None:
    return cross_fit(kind or Memory(), TASKS, splits, out, data_sha256=HASH, progress=False, **options)


def test_a_teacher_that_remembers_everything_knows_no_row_it_labels(tmp_path: Path) -> None:
    splits = Splits(rows(60), rows(20, "d"), rows(10, "v"))
    found = fit(splits, tmp_path / "t.parquet")
    assert found is not None
    for row in (*splits.train, *splits.dev):
        opinion = found.opinions["ice", row.response_id, "score"]
        assert opinion.probabilities == UNIFORM
        assert opinion.fold == fold_of(row, 5)
    assert {found.opinions["ice", row.response_id, "score"].fold for row in splits.val} == {UNSEEN}
    assert len(found.opinions) == 90


def test_the_same_answer_in_other_letters_or_spaces_does_not_give_it_away(tmp_path: Path) -> None:
    twins = [
        LabelledResponse("ice", f"r{n}", text, {"score": n % 3})
        for n in range(40)
        for text in (f"answer {n // 2}", f"Answer  {n // 2} ")[n % 2 : n % 2 + 1]
    ]
    assert len({fold_of(row, 5) for row in twins}) > 1
    found = fit(Splits(twins, [], []), tmp_path / "t.parquet")
    assert found is not None
    assert all(opinion.probabilities == UNIFORM for opinion in found.opinions.values())


def test_unseen_rows_get_the_mean_of_all_models(tmp_path: Path) -> None:
    train = rows(50)
    known = LabelledResponse("ice", "v", train[0].text, {"score": 0})
    found = fit(Splits(train, [], [known]), tmp_path / "t.parquet")
    assert found is not None
    # Four of the five models were fitted on the answer, whose level is 0.
    assert found.opinions["ice", "v", "score"].probabilities == pytest.approx(
        [(4 + 1 / 3) / 5, 1 / 15, 1 / 15], abs=1e-3
    )


def test_a_row_without_an_opinion_is_left_out(tmp_path: Path) -> None:
    silent = LabelledResponse("ice", "silent", "no opinion", {"score": 1})
    found = fit(Splits([*rows(30), silent], [], []), tmp_path / "t.parquet")
    assert found is not None
    assert len(found.opinions) == 30
    assert found.of("ice", "silent", "score") is None


def test_a_killed_run_goes_on_with_the_next_fold_and_ends_the_same(tmp_path: Path) -> None:
    splits = Splits(rows(50), [], rows(10, "v"))
    script = (
        "from pathlib import Path\n"
        "from tests.unit.test_crossfit import Memory, Splits, fit, rows\n"
        f"fit(Splits(rows(50), [], rows(10, 'v')), Path({str(tmp_path / 't.parquet')!r}), Memory(dies_at=3))\n"
    )
    killed = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.fold-0.parquet", "t.fold-1.parquet"]
    resumed = Memory()
    found = fit(splits, tmp_path / "t.parquet", resumed)
    assert resumed.seeds == [2, 3, 4]
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]
    whole = fit(splits, tmp_path / "whole.parquet")
    assert found is not None
    assert whole is not None
    assert found.opinions.keys() == whole.opinions.keys()
    for key, opinion in whole.opinions.items():
        assert found.opinions[key].probabilities == pytest.approx(opinion.probabilities, abs=1e-4)


def test_a_fold_of_other_settings_or_seed_is_not_taken_over(tmp_path: Path) -> None:
    splits = Splits(rows(50), [], [])
    assert fit(splits, tmp_path / "t.parquet", only=0) is None
    for kind, seed in ((Memory(version=2), 0), (Memory(), 9)):
        assert fit(splits, tmp_path / "t.parquet", kind, only=0, seed=seed) is None
        assert kind.seeds == [seed]
        again = Memory(version=kind.version)
        fit(splits, tmp_path / "t.parquet", again, only=0, seed=seed)
        assert again.seeds == []


def test_folds_can_be_run_apart(tmp_path: Path) -> None:
    splits = Splits(rows(50), [], rows(5, "v"))
    done = [fit(splits, tmp_path / "t.parquet", folds=3, only=fold) for fold in (2, 0, 1)]
    assert done[:2] == [None, None]
    assert done[2] is not None
    assert len(done[2].opinions) == 55
    assert done[2].about["settings"] == {"version": 1}


def test_too_few_folds_or_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="folds: 1 is fewer than 2"):
        fit(Splits(rows(50), [], []), tmp_path / "t.parquet", folds=1)
    with pytest.raises(InvalidInput, match=r"task 'ice', criterion 'score': no labelled row outside fold \d"):
        fit(Splits(rows(1), [], []), tmp_path / "t.parquet")
