"""An item bank folder is read whole, or refused with the place that is wrong."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import InvalidFile, InvalidInput
from scoring.itembank import read_item_bank, read_tasks

TASK: dict[str, Any] = {
    "id": "ice",
    "title": "Ice",
    "prompt": "Why does ice melt?",
    "criteria": [
        {"id": "heat", "levels": [{"value": 0}, {"value": 1}, {"value": 2}]},
        {"id": "claim", "levels": [{"value": 0}, {"value": 1}]},
    ],
}
HEADER = "task_id,response_id,text,heat,claim\n"


def _bank(folder: Path, responses: str | bytes = HEADER, tasks: Any = None) -> Path:
    (folder / "tasks.json").write_text(json.dumps([TASK] if tasks is None else tasks), encoding="utf-8")
    content = responses.encode() if isinstance(responses, str) else responses
    (folder / "responses.csv").write_bytes(content)
    return folder


def test_a_bank_is_read_with_levels_second_ratings_folds_and_groups(tmp_path: Path) -> None:
    bank = read_item_bank(
        _bank(
            tmp_path,
            "\ufefftask_id,response_id,text,heat,heat2,claim,fold,grade\n"
            'ice,r1,"Heat, ""moves""\nfast.",2,1,,train,5\n'
            "ice,r2,,0, ,1.0,,\n",
        )
    )
    first, second = bank.of_task("ice")
    assert (first.text, first.levels, first.second) == ('Heat, "moves"\nfast.', {"heat": 2}, {"heat": 1})
    assert (first.fold, first.groups) == ("train", {"grade": "5"})
    assert (second.text, second.levels, second.second, second.fold) == ("", {"heat": 0, "claim": 1}, {}, "")
    assert bank.of_task("nothing") == []


def test_a_level_of_zero_is_a_level(tmp_path: Path) -> None:
    (response,) = read_item_bank(_bank(tmp_path, HEADER + "ice,r1,x,0,0\n")).responses
    assert response.levels == {"heat": 0, "claim": 0}


@pytest.mark.parametrize("name", ["tasks.json", "responses.csv"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    _bank(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InvalidFile, match=rf"{name}: not found"):
        read_item_bank(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe[]", b'{"id": "ice"}'])
def test_a_task_file_that_is_no_list_is_named(tmp_path: Path, content: bytes) -> None:
    _bank(tmp_path)
    (tmp_path / "tasks.json").write_bytes(content)
    with pytest.raises(InvalidFile, match=r"tasks\.json"):
        read_tasks(tmp_path)


def _changed(**values: Any) -> dict[str, Any]:
    task = copy.deepcopy(TASK)
    task.update(values)
    return task


def _levels(levels: Any) -> dict[str, Any]:
    return _changed(criteria=[{"id": "heat", "levels": levels}])


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (_changed(id=""), "id missing"),
        (_changed(title=None), "title missing"),
        (_changed(prompt=""), "prompt missing"),
        (_changed(criteria=[]), "criteria missing"),
        (_changed(criteria="heat"), "criteria are malformed"),
        (_changed(criteria=[{"levels": []}]), "criteria are malformed"),
        (_changed(criteria=[{"id": "heat"}]), "criteria are malformed"),
        (_changed(criteria=[TASK["criteria"][0]] * 2), "distinct ids"),
        (_levels([{"value": "high"}, {"value": 1}]), "criteria are malformed"),
        (_levels([{"value": 0}]), "criterion 'heat'"),
        (_levels([{"value": 0}, {"value": 2}]), "criterion 'heat'"),
        (_changed(reference_answers=5), "reference_answers"),
    ],
)
def test_a_malformed_task_is_refused_with_what_is_wrong(tmp_path: Path, task: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read_tasks(_bank(tmp_path, tasks=[TASK, task] if task["id"] != "ice" else [task]))


def test_two_tasks_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="'ice' appears twice"):
        read_tasks(_bank(tmp_path, tasks=[TASK, TASK]))


@pytest.mark.parametrize("entry", [5, "ice", None, ["ice"]])
def test_an_entry_that_is_no_task_is_refused_by_file(tmp_path: Path, entry: Any) -> None:
    with pytest.raises(InvalidFile, match=r"tasks\.json"):
        read_tasks(_bank(tmp_path, tasks=[TASK, entry]))


@pytest.mark.parametrize("task", [_changed(title=""), _levels([{"value": 0}]), _changed(reference_answers=5)])
def test_a_malformed_task_is_refused_with_file_and_task(tmp_path: Path, task: dict[str, Any]) -> None:
    with pytest.raises(InvalidFile, match=r"tasks\.json.*'ice'"):
        read_tasks(_bank(tmp_path, tasks=[task]))


def test_a_level_value_that_is_no_whole_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"tasks\.json.*whole number"):
        read_tasks(_bank(tmp_path, tasks=[_levels([{"value": 0.9}, {"value": 1.2}])]))


@pytest.mark.parametrize("column", ["task_id", "response_id", "text"])
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    with pytest.raises(InvalidFile, match=rf"responses\.csv: column '{column}' is missing"):
        read_item_bank(_bank(tmp_path, HEADER.replace(column, "other")))


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_response_file_misses_its_columns(tmp_path: Path, content: str) -> None:
    with pytest.raises(InvalidFile, match="column 'task_id' is missing"):
        read_item_bank(_bank(tmp_path, content))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("fire,r2,x,1,1", "task_id 'fire'"),
        (",r2,x,1,1", "task_id ''"),
        ("ice,r1,x,1,1", "response_id 'r1' appears twice"),
        ("ice,r2,x,3,1", r"column 'heat': level '3' is not one of \[0, 1, 2\]"),
        ("ice,r2,x,-1,1", "column 'heat': level '-1'"),
        ("ice,r2,x,1,two", "column 'claim': level 'two'"),
        ("ice,r2,x,nan,1", "column 'heat': level 'nan'"),
    ],
)
def test_a_malformed_row_is_refused_by_line_and_column(tmp_path: Path, row: str, said: str) -> None:
    content = HEADER + 'ice,r1,"two\nlines",1,1\n' + row + "\nice,r9,x,1,1\n"
    with pytest.raises(InvalidInput, match=rf"responses\.csv, line 4.*{said}"):
        read_item_bank(_bank(tmp_path, content))


@pytest.mark.parametrize("level", ["1.7", "0.5", "inf", "1e999"])
def test_a_level_that_is_no_whole_number_is_refused_and_not_cut(tmp_path: Path, level: str) -> None:
    with pytest.raises(InvalidInput, match=r"responses\.csv, line 2, column 'heat'"):
        read_item_bank(_bank(tmp_path, HEADER + f"ice,r1,x,{level},1\n"))


@pytest.mark.parametrize("row", ["ice", "ice,,x,1,1", "ice,r1,x,1,1,5"])
def test_a_row_with_too_few_or_too_many_cells_is_refused(tmp_path: Path, row: str) -> None:
    with pytest.raises(InvalidInput, match=r"responses\.csv, line 2"):
        read_item_bank(_bank(tmp_path, HEADER + row + "\n"))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", HEADER.encode() + b"ice,r1,caf\xe9,1,1\n"])
def test_a_response_file_in_another_encoding_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InvalidFile, match=r"responses\.csv"):
        read_item_bank(_bank(tmp_path, content))


def test_criteria_whose_ids_differ_by_the_mark_of_a_second_rating_are_refused(tmp_path: Path) -> None:
    task = _changed(criteria=[{**TASK["criteria"][1], "id": "claim"}, {**TASK["criteria"][1], "id": "claim2"}])
    with pytest.raises(InvalidInput, match="claim2"):
        read_item_bank(_bank(tmp_path, "task_id,response_id,text,claim,claim2\nice,r1,x,1,0\n", [task]))
