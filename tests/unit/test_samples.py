"""The sample classroom is what its README says: whole, varied, readable, and safe to ship."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter

import pytest

from scoring.bank_report import variety
from scoring.intake.checking import check_rows, suggest_mapping
from scoring.intake.mapping import asked_column
from scoring.intake.reading import read_class_file
from scoring.itembank import ItemBank, read_item_bank
from scoring.settings import ROOT

CLASSROOM = ROOT / "samples" / "classroom"
CLASSFILES = ROOT / "samples" / "classfiles"
HELD_OUT_ANSWERS, ANSWERS = 160, 120


@pytest.fixture(scope="module")
def bank() -> ItemBank:
    return read_item_bank(CLASSROOM)


def test_there_are_nine_tasks_of_three_sciences_and_two_are_held_out(bank: ItemBank) -> None:
    assert len(bank.tasks) == 9
    assert len({task.subject for task in bank.tasks.values()}) == 3
    assert sum(bool(task.extra.get("held_out")) for task in bank.tasks.values()) == 2


def test_every_task_has_what_a_teacher_needs(bank: ItemBank) -> None:
    for task in bank.tasks.values():
        assert re.match(r"(MS|HS|5)-[A-Z]+\d-\d", task.standard), task.id
        assert task.grade in {"5", "6", "7", "8", "9"}
        assert 2 <= len(task.criteria) <= 4
        assert 2 <= len(task.reference_answers) <= 3
        assert task.stimulus
        for criterion in task.criteria:
            assert 2 <= len(criterion.levels) <= 4
            descriptors = [level.descriptor for level in criterion.levels]
            assert len(set(descriptors)) == len(descriptors)
            assert all(len(text.split()) >= 4 for text in descriptors), (task.id, criterion.id)
        if task.stimulus_figure:
            figure = (CLASSROOM / "figures" / task.stimulus_figure.removeprefix("figures/")).read_text("utf-8")
            assert len(task.stimulus_alt) > 40
            assert "<title" in figure
            assert not re.search(r"<script|https?://(?!www\.w3\.org)|\son\w+=", figure)


def test_there_are_enough_answers_each_rated_on_every_criterion(bank: ItemBank) -> None:
    for task in bank.tasks.values():
        answers = bank.of_task(task.id)
        assert len(answers) >= (HELD_OUT_ANSWERS if task.extra.get("held_out") else ANSWERS)
        ids = {criterion.id for criterion in task.criteria}
        assert all(set(answer.levels) == ids for answer in answers), task.id
        twice = sum(set(answer.second) == ids for answer in answers)
        assert twice >= 0.4 * len(answers), task.id
        for criterion in task.criteria:
            seen = Counter(answer.levels[criterion.id] for answer in answers)
            assert set(seen) == set(criterion.values), f"{task.id}, {criterion.id}: a level nobody has"


def test_no_answer_is_another_one_again(bank: ItemBank) -> None:
    for task in bank.tasks.values():
        texts = [answer.text for answer in bank.of_task(task.id) if answer.text.strip()]
        assert len({" ".join(text.lower().split()) for text in texts}) == len(texts), task.id
        found = variety(bank.of_task(task.id))
        assert found.nearest_highest < 0.6, (task.id, found.nearest_pair)
        assert found.distinct[2] > 0.75, task.id


def test_the_real_mixture_is_there(bank: ItemBank) -> None:
    texts = [answer.text for answer in bank.responses]
    lengths = sorted(len(text.split()) for text in texts)
    assert any(not text.strip() for text in texts)
    assert any(re.fullmatch(r"i ?d ?k.{0,3}", text.strip().lower()) for text in texts)
    assert lengths[-1] >= 80
    assert lengths[len(lengths) // 2] <= 40
    assert any(re.search(r"[\u0400-\u04ff\u0600-\u06ff\u4e00-\u9fff]", text) for text in texts)


def test_the_files_are_clean_utf8_with_unique_ids(bank: ItemBank) -> None:
    raw = (CLASSROOM / "responses.csv").read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf")
    text = raw.decode("utf-8")
    assert "\x00" not in text
    assert "\ufffd" not in text
    with (CLASSROOM / "responses.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["response_id"] for row in rows}) == len(rows)
    json.loads((CLASSROOM / "tasks.json").read_text("utf-8"))


def test_learners_are_neutral_and_each_has_one_set_of_groups(bank: ItemBank) -> None:
    learners = {answer.groups["learner"] for answer in bank.responses}
    assert all(re.fullmatch(r"L\d{4}", learner) for learner in learners)
    assert 2 <= len({answer.groups["section"] for answer in bank.responses}) <= 3
    by_learner = {(a.groups["learner"], a.groups["grade"], a.groups["english_learner"]) for a in bank.responses}
    assert len(by_learner) == len(learners), "a learner's groups differ from answer to answer"
    assert all(len({a.groups["learner"] for a in bank.of_task(t)}) == len(bank.of_task(t)) for t in bank.tasks)


def test_validation_answers_are_set_apart_in_every_task(bank: ItemBank) -> None:
    for task_id in bank.tasks:
        folds = Counter(answer.fold for answer in bank.of_task(task_id))
        assert set(folds) == {"train", "val"}
        assert 0.2 <= folds["val"] / folds.total() <= 0.3


@pytest.mark.parametrize("path", sorted(CLASSFILES.glob("*.[cx][sl][vs]*")), ids=lambda path: path.name)
def test_each_class_file_is_read_and_its_columns_are_recognised(path, bank: ItemBank) -> None:  # type: ignore[no-untyped-def]
    file = read_class_file(path.name, path.read_bytes())
    mapping = suggest_mapping(file)
    assert mapping is not None
    checked = check_rows(file, mapping)
    assert len(checked.good) >= 15
    known = {" ".join(answer.text.lower().split()) for answer in bank.responses if len(answer.text) > 20}
    assert not [row for row in checked.good if " ".join(row.text.lower().split()) in known], "an answer of the bank"
    if path.name.startswith("messy"):
        assert any(problem.severity == "error" for problem in checked.problems)


@pytest.mark.parametrize("task_id", ["pondweed-light", "meadow-web"])
def test_the_column_of_the_task_is_found_in_a_quiz_of_two(task_id: str, bank: ItemBank) -> None:
    path = CLASSFILES / "canvas-student-analysis.csv"
    headers = read_class_file(path.name, path.read_bytes()).headers
    asked = {t: asked_column(headers, bank.tasks[t].prompt) for t in ("pondweed-light", "meadow-web")}
    assert asked[task_id] is not None
    assert len(set(asked.values())) == 2
    assert asked_column(headers, bank.tasks["beetle-colour"].prompt) is None
