from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from scoring.domain import Criterion, Level, Task
from scoring.errors import InvalidFile, InvalidInput
from scoring.training.targets import UNSEEN, Opinion, Targets, read_targets, require_complete, write_targets

TASKS = {
    "ice": Task("ice", "Ice", "Why?", (Criterion("score", "Score", tuple(Level(v, f"{v}") for v in range(3))),)),
}
HASH = "a" * 64


def opinion(response_id: str, *probabilities: float, criterion: str = "score", task: str = "ice") -> Opinion:
    return Opinion(task, response_id, criterion, 0, probabilities)


def targets(*opinions: Opinion) -> Targets:
    return Targets("ngram", HASH, {(o.task_id, o.response_id, o.criterion_id): o for o in opinions}, {"seconds": 1.5})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    given = targets(opinion("r1", 0.25, 0.5, 0.25), replace(opinion("é 2", 1.0, 0.0, 0.0), fold=UNSEEN))
    write_targets(given, tmp_path / "new" / "t.parquet")
    read = read_targets(tmp_path / "new" / "t.parquet", data_sha256=HASH, tasks=TASKS)
    assert read == given
    assert read.of("ice", "r1", "score") == pytest.approx([0.25, 0.5, 0.25])
    assert read.of("ice", "r2", "score") is None
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["t.parquet"]


def test_rounding_keeps_a_distribution(tmp_path: Path) -> None:
    probabilities = np.random.default_rng(0).dirichlet([1, 1, 1], 200)
    given = targets(*(opinion(f"r{at}", *row) for at, row in enumerate(probabilities)))
    write_targets(given, tmp_path / "t.parquet")
    read = read_targets(tmp_path / "t.parquet", data_sha256=HASH, tasks=TASKS)
    for key, value in given.opinions.items():
        assert read.opinions[key].probabilities == pytest.approx(value.probabilities, abs=1e-4)


def test_other_data_is_refused_and_the_remedy_named(tmp_path: Path) -> None:
    write_targets(targets(opinion("r1", 1, 0, 0)), tmp_path / "t.parquet")
    with pytest.raises(InvalidFile, match=r"made from data aaaaaaaaaaaa, not from bbbbbbbbbbbb.*scoring teach"):
        read_targets(tmp_path / "t.parquet", data_sha256="b" * 64, tasks=TASKS)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (opinion("r2", 0.5, 0.5), "2 probabilities, but the criterion has 3 levels"),
        (opinion("r2", 0.5, 0.5, 0.5), "not a distribution"),
        (opinion("r2", 1.5, -0.5, 0.0), "not a distribution"),
        (opinion("r2", 1, 0, 0, criterion="claim"), "'claim': not in tasks.json"),
        (opinion("r2", 1, 0, 0, task="sand"), "task 'sand'.*not in tasks.json"),
    ],
)
def test_an_opinion_that_does_not_fit_its_criterion_is_refused(tmp_path: Path, wrong: Opinion, said: str) -> None:
    write_targets(targets(opinion("r1", 1, 0, 0), wrong), tmp_path / "t.parquet")
    with pytest.raises(InvalidFile, match=rf"t\.parquet, row 2, response 'r2'.*{said}"):
        read_targets(tmp_path / "t.parquet", data_sha256=HASH, tasks=TASKS)


def test_a_response_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_targets(targets(opinion("r1", 1, 0, 0)), path)
    table = pq.read_table(path)
    pq.write_table(table.take([0, 0]), path)
    with pytest.raises(InvalidFile, match=r"row 2.*appears twice"):
        read_targets(path, data_sha256=HASH, tasks=TASKS)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_text("task_id,response_id\n")
    with pytest.raises(InvalidFile, match="not a file of teacher's targets"):
        read_targets(tmp_path / "t.parquet", data_sha256=HASH, tasks=TASKS)
    with pytest.raises(InvalidFile, match="not a file of teacher's targets"):
        read_targets(tmp_path / "none.parquet", data_sha256=HASH, tasks=TASKS)


def test_a_missing_row_is_named() -> None:
    given = targets(opinion("r1", 1, 0, 0))
    require_complete(given, [("ice", "r1", "score")])
    with pytest.raises(InvalidInput, match="'ngram' has no opinion on response 'r2' of task 'ice', criterion 'score'"):
        require_complete(given, [("ice", "r1", "score"), ("ice", "r2", "score")])


def test_a_place_that_cannot_be_written_is_said_and_an_older_file_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InvalidInput, match="can't be written"):
        write_targets(targets(opinion("r1", 1, 0, 0)), tmp_path / "file" / "t.parquet")
    assert (tmp_path / "file").read_text() == "mine"
