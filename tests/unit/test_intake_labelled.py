"""A labelled file, row by row: what can be learned from, what can't, and why."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from scoring.domain import Task, task_from_json
from scoring.errors import InvalidInput
from scoring.intake.labelled import CheckedExamples, ExampleColumns, KnownExample, check_examples, suggest_columns
from scoring.intake.levels import not_ready, read_level, written_levels
from scoring.intake.reading import read_class_file

TASK = task_from_json(
    {
        "id": "puddles",
        "title": "Puddles",
        "prompt": "Where did the water go?",
        "criteria": [
            {
                "id": "score",
                "name": "Score",
                "levels": [{"value": v, "label": label} for v, label in enumerate(("None", "Some", "All of it"))],
            }
        ],
    }
)
TWO = task_from_json(
    {
        "id": "cart",
        "title": "Cart",
        "prompt": "Why is it faster?",
        "criteria": [
            {"id": "claim", "name": "Claim", "levels": [{"value": v} for v in (0, 1)]},
            {"id": "evidence", "name": "Use of evidence", "levels": [{"value": v} for v in (1, 2, 3)]},
        ],
    }
)
COLUMNS = ExampleColumns(text="text", levels={"score": "score"})
WITH_ID = ExampleColumns(text="text", response_id="id", levels={"score": "score"})


def check(
    lines: list[str], columns: ExampleColumns = COLUMNS, task: Task = TASK, header: str = "text,score", **known: Any
) -> CheckedExamples:
    file = read_class_file("f.csv", "\n".join([header, *lines]).encode())
    return check_examples(file, columns, task, **known)


def errors(checked: CheckedExamples) -> list[tuple[int, str]]:
    return [(problem.number, problem.message) for problem in checked.errors]


def test_levels_are_read_as_spreadsheets_and_people_write_them() -> None:
    checked = check(
        ["It sank in.,0", "It rose.,1.0", 'It turned to gas.,"2,0"', "Heat did it.,some", "Gone.,All of it"]
    )
    assert [dict(example.levels) for example in checked.good] == [{"score": v} for v in (0, 1, 2, 1, 2)]
    assert checked.problems == ()
    assert checked.distribution == {"score": {0: 1, 1: 2, 2: 2}}
    assert (checked.labelled, checked.unlabelled, checked.left_out) == (5, 0, 0)


@pytest.mark.parametrize(("cell", "value"), [("yes", 1), ("N", 0), ("correct", 1), ("1 point", 1), ("Level 1", 1),
                                             ("level 0", 0), ("-1", None), ("1.5", None), ("maybe", None)])  # fmt: skip
def test_marks_of_a_criterion_with_two_levels(cell: str, value: int | None) -> None:
    assert read_level(cell, written_levels(TWO.criteria[0])) == value


def test_an_unknown_level_names_row_column_and_what_is_allowed() -> None:
    checked = check(["It sank.,3", "It rose.,1"])
    (problem,) = checked.problems
    assert (problem.number, problem.field, problem.found, problem.severity) == (2, "score", "3", "error")
    assert "0, 1, 2" in problem.message
    assert "“All of it”" in problem.message
    assert [example.text for example in checked.good] == ["It rose."]
    assert checked.left_out == 1


def test_blank_answers_are_left_out_and_answers_without_a_level_go_to_the_pool() -> None:
    checked = check([",1", "-,1", "It rose into the air.,", "It sank.,2"])
    assert [number for number, _ in errors(checked)] == [2, 3]
    assert "blank" in errors(checked)[0][1]
    assert [(e.text, dict(e.levels)) for e in checked.good] == [
        ("It rose into the air.", {}),
        ("It sank.", {"score": 2}),
    ]
    assert checked.unlabelled == 1


def test_the_same_words_with_another_level_are_an_error_on_every_such_row() -> None:
    checked = check(["It sank.,0", "Water rose.,1", "it  SANK,2", "It sank!,0"])
    assert [number for number, _ in errors(checked)] == [2, 4, 5]
    assert "row 4" in errors(checked)[0][1]
    assert "row 2" in errors(checked)[1][1]
    assert [example.text for example in checked.good] == ["Water rose."]


def test_the_same_words_with_the_same_level_count_once() -> None:
    checked = check(["It sank.,0", "it sank,0", "Water rose.,1"])
    assert [example.row for example in checked.good] == [2, 4]
    assert [(p.number, p.severity) for p in checked.problems] == [(3, "note")]
    assert checked.left_out == 1


def test_answers_that_say_nearly_the_same_with_other_levels_are_pointed_out_and_kept() -> None:
    long = "The heat of the sun made the water of the puddle turn into a gas that went into the air"
    checked = check([f"{long}.,2", f"{long}s.,1", "It sank into the road.,0"])
    assert [(p.number, p.severity) for p in checked.problems] == [(3, "warning")]
    assert "row 2" in checked.problems[0].message
    assert len(checked.good) == 3


def test_an_id_that_comes_twice_with_another_answer_is_an_error() -> None:
    checked = check(["a,It sank.,0", "a,It rose.,1", "b,It rose again.,1"], WITH_ID, header="id,text,score")
    assert [number for number, _ in errors(checked)] == [3]
    assert [example.response_key for example in checked.good] == ["a", "b"]


def test_answers_without_ids_get_the_same_id_each_time() -> None:
    one, other = check(["It sank.,0"]), check(["Water rose.,1", "it sank!,0"])
    assert one.good[0].response_key == other.good[1].response_key
    assert one.good[0].response_key != other.good[0].response_key


def test_a_file_is_checked_against_what_the_task_has() -> None:
    known = [KnownExample("old", "It sank.", {"score": 2}), KnownExample("old 2", "Water rose.", {"score": 1})]
    checked = check(["It sank.,0", "Water rose.,1", "It dried.,2"], known=known)
    assert [number for number, _ in errors(checked)] == [2]
    assert "(2)" in errors(checked)[0][1]
    assert [example.text for example in checked.good] == ["It dried."]
    # Under its own id, a row is a correction.
    assert [e.levels for e in check(["old,It sank.,0"], WITH_ID, header="id,text,score", known=known).good] == [
        {"score": 0}
    ]


def test_a_file_of_another_task_is_refused_by_its_texts() -> None:
    texts = [f"The cart with more mass number {n} was slower" for n in range(10)]
    checked = check([f"{text},1" for text in texts], other_texts=[("Cart", text) for text in texts[:6]])
    assert checked.good == ()
    assert "6 of these 10 answers are answers to “Cart”" in checked.refusal
    assert check([f"{text},1" for text in texts], other_texts=[("Cart", text) for text in texts[:4]]).refusal == ""


def test_a_file_of_another_task_is_refused_by_its_task_column() -> None:
    lines = [f"cart,The cart {n} was slower,1" for n in range(4)]
    checked = check(lines, header="task_id,text,score", other_keys=["cart"])
    assert "to another task (“cart”)" in checked.refusal
    mixed = [*lines, "puddles,It sank into the road,0"]
    checked = check(mixed, header="task_id,text,score", other_keys=["cart"])
    assert [example.text for example in checked.good] == ["It sank into the road"]
    assert checked.notes == ("4 rows of other tasks in this file were left out.",)
    unknown = [line.replace("cart,", f"{'xy'[n % 2]},") for n, line in enumerate(lines)]
    assert "answers to 2 tasks" in check(unknown, header="task_id,text,score").refusal


def test_second_ratings_are_read_and_a_lone_second_one_counts_as_the_first() -> None:
    columns = ExampleColumns(text="text", levels={"score": "score"}, second={"score": "score2"})
    checked = check(["It sank.,0,1", "It rose.,,2"], columns, header="text,score,score2")
    assert [(dict(e.levels), dict(e.second)) for e in checked.good] == [
        ({"score": 0}, {"score": 1}),
        ({"score": 2}, {}),
    ]


@pytest.mark.parametrize(
    ("header", "task", "expected"),
    [
        ("mark,response", TASK, ExampleColumns("response", None, {"score": "mark"}, {})),
        ("response_id,text,score,score2", TASK,
         ExampleColumns("text", "response_id", {"score": "score"}, {"score": "score2"})),
        ("Id,EssaySet,Score1,Score2,EssayText", TASK,
         ExampleColumns("EssayText", "Id", {"score": "Score1"}, {"score": "Score2"})),
        ("Student ID,Answer,Claim,Use of evidence", TWO,
         ExampleColumns("Answer", "Student ID", {"claim": "Claim", "evidence": "Use of evidence"}, {})),
        ("Answer", TASK, ExampleColumns("Answer", None, {}, {})),
    ],
)  # fmt: skip
def test_columns_are_recognised(header: str, task: Task, expected: ExampleColumns) -> None:
    row = ",".join("The water went into the air" if "nswer" in h or "ext" in h or h == "response" else "1"
                   for h in header.split(","))  # fmt: skip
    file = read_class_file("f.csv", f"{header}\n{row}\n{row.replace('water', 'rain')}\n".encode())
    assert suggest_columns(file, task) == expected


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (ExampleColumns("words"), "no column “words”"),
        (ExampleColumns("text", levels={"score": "text"}), "“text” is chosen twice"),
        (ExampleColumns("text", levels={"claim": "score"}), "no criterion “claim”"),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns: ExampleColumns, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        check(["It sank.,0"], columns)


def test_advice_names_the_thinnest_level_and_the_missing_one() -> None:
    checked = check([f"Answer {n} about water,{n % 2}" for n in range(9)])
    assert "no answer at level 2" in checked.advice[0]
    assert "level 1 has only 4 answers; 1 more at that level would help most" in checked.advice[1]
    assert "9 labelled answers are a start" in checked.advice[2]


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        ({0: 0, 1: 0, 2: 0}, "No answer has a level"),
        ({0: 1, 1: 0, 2: 0}, "All 1 labelled answers have level 0"),
        ({0: 12, 1: 0, 2: 0}, "All 12 labelled answers have level 0"),
        ({0: 4, 1: 3, 2: 0}, "at least 8 are needed"),
        ({0: 12, 1: 1, 2: 0}, "Only one labelled answer"),
        ({0: 4, 1: 2, 2: 2}, ""),
    ],
)
def test_whether_a_task_can_be_learned(counts: dict[int, int], why: str) -> None:
    found = not_ready(TASK, {"score": counts})
    assert why in found
    assert bool(found) is bool(why)


def test_ten_thousand_answers_are_checked_within_seconds() -> None:
    generator = random.Random(0)
    words = [f"word{n}" for n in range(600)]
    lines = [f"{' '.join(generator.choices(words, k=generator.randint(5, 60)))},{n % 3}" for n in range(10_000)]
    file = read_class_file("f.csv", "\n".join(["text,score", *lines]).encode())
    begun = time.process_time()
    checked = check_examples(file, COLUMNS, TASK)
    assert time.process_time() - begun < 20
    assert len(checked.good) == 10_000
