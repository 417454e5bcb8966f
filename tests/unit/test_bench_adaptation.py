"""The benchmark of adding a task counts a kept cell only where today's settings would give the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import adaptation
from bench.adaptation_data import base_names

CELL = {"qwk": 0.5, "levels": "01", "seconds": 1.0, "cpu_seconds": 1.0}


@pytest.fixture(autouse=True)
def _own_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptation, "RESULTS", tmp_path)


def _keep(task_id: str, number: int, identity: str) -> None:
    adaptation.keep("tfidf", task_id, 16, number, True, {**CELL, "identity": identity})


def test_a_cell_of_other_settings_is_kept_on_file_and_not_counted() -> None:
    (task_id, base), *_ = base_names(quick=True).items()
    _keep(task_id, 0, adaptation.identity("tfidf", base, True))
    _keep(task_id, 1, "of other settings")
    assert list(adaptation.cells_of("tfidf", True)) == [f"{task_id}/16/0"]
    assert adaptation.path_of("tfidf", True).read_text(encoding="utf-8").count('"identity"') == 2


def test_a_cell_made_on_another_base_student_is_not_counted() -> None:
    (task_id, own), (_, others), *_ = base_names(quick=True).items()
    assert own != others
    _keep(task_id, 0, adaptation.identity("tfidf", others, True))
    assert adaptation.cells_of("tfidf", True) == {}


def test_a_cell_of_a_task_that_is_not_there_is_not_counted() -> None:
    (base, *_) = base_names(quick=True).values()
    _keep("gone", 0, adaptation.identity("tfidf", base, True))
    assert adaptation.cells_of("tfidf", True) == {}
