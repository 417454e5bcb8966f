"""Labelled answers of a task: saved once, changed under their id, labelled in place, and how far the task is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from db.tables import ExampleFile, LabelledExample
from scoring.errors import Conflict, InvalidFile, InvalidInput, NotFound, StorageFull
from scoring.services.examples import SavedExamples
from tests.conftest import School
from tests.db.authored import ANSWERS, COLUMNS, ENTRY, add_task, labelled_csv


def rows(school: School) -> dict[str, LabelledExample]:
    with school.database.read() as session:
        return {row.response_key: row for row in session.scalars(select(LabelledExample))}


def save(school: School, task_id: int, data: bytes, token: str, *, replace: bool = False) -> SavedExamples:
    return school.services.examples.save(school.educator, task_id, "f.csv", data, COLUMNS, token, replace=replace)


def test_the_same_form_saves_once(school: School) -> None:
    task_id = add_task(school, examples=0)
    first = save(school, task_id, labelled_csv(), "one")
    assert first == SavedExamples(12, 0, 0)
    assert save(school, task_id, labelled_csv(), "one") == first
    assert len(rows(school)) == 12
    with pytest.raises(Conflict, match="another file"):
        save(school, task_id, labelled_csv(5), "one")
    with school.database.read() as session:
        (file,) = session.scalars(select(ExampleFile))
    assert (file.added, file.file_name, file.added_by) == (12, "f.csv", school.educator.user_id)


def test_the_same_file_again_changes_nothing_and_another_corrects_by_id(school: School) -> None:
    task_id = add_task(school)
    assert save(school, task_id, labelled_csv(), "again") == SavedExamples(0, 0, 0)
    corrected = labelled_csv().replace(b'day 0.",1', b'day 0.",2')
    assert save(school, task_id, corrected, "corrected") == SavedExamples(0, 1, 0)
    assert rows(school)["a1-0"].levels == {"evaporation": 2}
    texts_alone = labelled_csv().replace(b",0\n", b",\n")
    save(school, task_id, texts_alone, "texts")
    assert rows(school)["a0-0"].levels == {"evaporation": 0}


def test_replacing_starts_anew(school: School) -> None:
    task_id = add_task(school)
    other = b"id,answer,mark\nx,It went into the air.,2\ny,It sank.,0\n"
    assert save(school, task_id, other, "other", replace=True) == SavedExamples(2, 0, 0)
    assert set(rows(school)) == {"x", "y"}


def test_rows_with_errors_are_left_out_and_counted(school: School) -> None:
    task_id = add_task(school, examples=0)
    data = labelled_csv() + b"\nbad,It rained.,7\nempty,,1\n"
    assert save(school, task_id, data, "one") == SavedExamples(12, 0, 2)


def test_a_file_without_one_good_row_is_refused_with_the_first_reason(school: School) -> None:
    task_id = add_task(school, examples=0)
    with pytest.raises(InvalidFile, match=r"Row 2, mark: not a level of “Evaporation”"):
        save(school, task_id, b"id,answer,mark\nx,It rained.,7\n", "one")
    assert school.count("labelled_examples") == school.count("example_files") == 0


def test_the_file_of_another_task_is_refused_unless_it_asks_the_same_question(school: School) -> None:
    first = add_task(school)
    other = add_task(school, token="other", examples=0, title="Rain", prompt="Why does it rain?")
    with pytest.raises(InvalidFile, match="12 of these 12 answers are answers to “Why do puddles vanish"):
        save(school, other, labelled_csv(), "rain")
    alike = add_task(school, token="alike", examples=0, title="Puddles, another rubric")
    assert save(school, alike, labelled_csv(), "alike").added == 12
    # What somebody else's own task holds stays theirs.
    theirs = school.services.authoring.create(school.stranger, {**ENTRY, "prompt": "Rain?"}, "theirs")
    checked = school.services.examples.save(school.stranger, theirs, "f.csv", labelled_csv(), COLUMNS, "stranger")
    assert checked.added == 12
    assert first != theirs


def test_a_task_changed_meanwhile_is_told(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id = add_task(school, examples=0)
    examples = school.services.examples
    checked = examples._checked

    def changed_meanwhile(*given: object, **options: object) -> object:
        found = checked(*given, **options)  # type: ignore[arg-type]
        school.services.authoring.revise(school.educator, task_id, 1, {**ENTRY, "title": "Other"})
        return found

    monkeypatch.setattr(examples, "_checked", changed_meanwhile)
    with pytest.raises(Conflict, match="changed meanwhile"):
        save(school, task_id, labelled_csv(), "one")
    assert school.count("labelled_examples") == 0


def test_a_full_disk_saves_nothing(school: School, fill_disk: Callable[..., Callable[[], None]]) -> None:
    task_id = add_task(school, examples=0)
    free = fill_disk(school.database)
    with pytest.raises(StorageFull):
        save(school, task_id, labelled_csv(300), "one")
    free()
    assert school.count("labelled_examples") == 0
    assert save(school, task_id, labelled_csv(300), "one").added == 900


def test_labelling_in_place(school: School) -> None:
    task_id, examples = add_task(school), school.services.examples
    save(school, task_id, b"id,answer,mark\np1,The wind took it.,\np2,A dog drank it.,\n", "pool")
    assert [text.response_key for text in examples.pool(school.educator, task_id, ["p2", "gone", "p1"])] == ["p2", "p1"]
    assert examples.overview(school.educator, task_id).unlabelled == 2
    examples.label(school.educator, task_id, "p1", {"evaporation": 1})
    row = rows(school)["p1"]
    assert (row.levels, row.source, row.added_by) == ({"evaporation": 1}, "screen", school.educator.user_id)
    examples.label(school.educator, task_id, "p1", {"evaporation": 2}, second=True)
    assert rows(school)["p1"].second == {"evaporation": 2}
    assert examples.overview(school.educator, task_id).twice == 1
    examples.label(school.educator, task_id, "p1", {})
    assert (rows(school)["p1"].levels, rows(school)["p1"].second) == ({}, {})
    with pytest.raises(InvalidInput, match="no level 7; choose one of 0, 1, 2"):
        examples.label(school.educator, task_id, "p1", {"evaporation": 7})
    with pytest.raises(InvalidInput, match="first rating"):
        examples.label(school.educator, task_id, "p2", {"evaporation": 1}, second=True)
    examples.remove(school.educator, task_id, "p2")
    with pytest.raises(NotFound, match="not there any more"):
        examples.remove(school.educator, task_id, "p2")
    page, total = examples.page(school.educator, task_id, labelled=False)
    assert ([text.response_key for text in page], total) == (["p1"], 1)
    assert examples.page(school.educator, task_id, limit=5, offset=10)[1] == 13


def test_the_overview_says_what_is_thin_and_whether_it_is_enough(school: School) -> None:
    task_id, examples = add_task(school, examples=0), school.services.examples
    empty = examples.overview(school.educator, task_id)
    assert (empty.ready, empty.labelled) == (False, 0)
    assert "Add labelled answers first" in empty.why_not
    lines = [
        f"{level}-{n},{ANSWERS[level].format(n)},{level}"
        for level, count in ((0, 6), (1, 4), (2, 2))
        for n in range(count)
    ]
    save(school, task_id, "\n".join(["id,answer,mark", *lines]).encode(), "one")
    seen = examples.overview(school.educator, task_id)
    assert seen.ready
    assert seen.distribution == {"evaporation": {0: 6, 1: 4, 2: 2}}
    assert [(t.criterion_id, t.value, t.n) for t in seen.thinnest] == [("evaporation", 2, 2)]
    assert "level 2 has only 2 answers" in seen.advice[0]
    assert school.services.tasks.get(school.educator, task_id).examples == 12


def test_an_answer_that_the_task_has_is_not_put_into_the_pool_again(school: School) -> None:
    task_id = add_task(school)
    again = ANSWERS[0].format(0).upper()
    data = f"id,answer,mark\ncopy,{again},\nnew,A dog drank it.,\n".encode()
    assert save(school, task_id, data, "copy") == SavedExamples(1, 0, 1)


def test_contradictions_are_named_and_left_out(school: School) -> None:
    task_id, examples = add_task(school), school.services.examples
    with school.database.write() as session:
        again = ANSWERS[0].format(0).upper()
        session.execute(update(LabelledExample).where(LabelledExample.response_key == "a2-0").values(text=again))
    seen = examples.overview(school.educator, task_id)
    assert seen.contradictory == ("a0-0", "a2-0")
    assert seen.distribution == {"evaporation": {0: 3, 1: 4, 2: 3}}
    assert "2 answers have the same words and different levels" in seen.advice[0]


def test_what_is_removed_stays_in_no_older_version_of_the_task(school: School) -> None:
    task_id = add_task(school)
    school.services.authoring.revise(school.educator, task_id, 1, {**ENTRY, "title": "Puddles"})
    assert school.count("labelled_examples") == 24
    school.services.examples.remove(school.educator, task_id, "a0-0")
    assert school.count("labelled_examples") == 22
    assert "a0-0" not in rows(school)
