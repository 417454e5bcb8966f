"""Tasks that people write: checked, theirs until published, changed as new versions, read from files."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from sqlalchemy import func, select, update

from db.tables import LabelledExample, StudentVersion, TaskRow, TaskVersion
from scoring.errors import Conflict, InvalidFile, InvalidInput, NotAllowed, NotFound
from scoring.services.tasks import load_item_bank
from tests.conftest import COLUMNS, SHAPES, TASKS, School, class_csv, write_item_bank
from tests.db.authored import ENTRY, add_task

LEVELS = [{"value": 0, "descriptor": "no"}, {"value": 1, "descriptor": "yes"}]


def entry(**changes: Any) -> dict[str, Any]:
    return {**ENTRY, **changes}


def test_ids_are_made_from_names_and_are_their_own(school: School) -> None:
    authoring = school.services.authoring
    first = authoring.create(school.educator, ENTRY, "one")
    second = authoring.create(school.stranger, ENTRY, "two")
    one, two = authoring.get(school.educator, first), authoring.get(school.stranger, second)
    assert (one.task.id, two.task.id) == ("why-do-puddles-vanish", "why-do-puddles-vanish-2")
    assert [criterion.id for criterion in one.task.criteria] == ["evaporation"]
    assert (one.owner_id, one.owner, one.version_number) == (school.educator.user_id, "Edna Educator", 1)


def test_the_same_form_makes_one_task(school: School) -> None:
    authoring = school.services.authoring
    first = authoring.create(school.educator, ENTRY, "one")
    assert authoring.create(school.educator, entry(title="Pressed again"), "one") == first
    with pytest.raises(Conflict, match="sent before"):
        authoring.create(school.stranger, ENTRY, "one")
    assert school.count("tasks") == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"title": "  "}, "Give the task a title"),
        ({"prompt": ""}, "Give the task the question"),
        ({"title": "x" * 301}, "title: 301 characters"),
        ({"criteria": []}, "at least one criterion"),
        ({"criteria": [{"name": "Claim", "levels": LEVELS[:1]}]}, "“Claim” needs two to 12 levels"),
        ({"criteria": [{"name": "", "levels": LEVELS}]}, "Give criterion 1 a name"),
        ({"criteria": [{"name": "Claim", "levels": [LEVELS[0], {"value": 2}]}]}, "0, 2 points"),
        ({"criteria": [{"name": "Claim", "levels": [LEVELS[0], {"value": "1.5"}]}]}, "'1.5' points"),
        ({"criteria": [{"id": "a", "name": "A", "levels": LEVELS}] * 2}, "Two criteria are called “a”"),
        ({"criteria": [{"id": "text", "name": "Text", "levels": LEVELS}]}, "can't be called “text”"),
        ({"criteria": [{"id": name, "levels": LEVELS} for name in ("c", "c2")]}, "second rating of “c”"),
        ({"criteria": "Claim"}, "at least one criterion"),
        ({"extra": "x" * 500_000}, "the limit is 400,000"),
        ({"reference_answers": 7}, "reference_answers"),
    ],
)
def test_what_is_missing_or_contradictory_is_said_and_nothing_is_kept(
    school: School, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        school.services.authoring.create(school.educator, entry(**changes), "one")
    assert school.count("tasks") == 2


def test_levels_in_any_order_and_names_that_are_reserved_are_put_right(school: School) -> None:
    criteria = [{"name": "Text", "levels": [{"value": "1.0"}, {"value": 0}]}]
    task_id = school.services.authoring.create(school.educator, entry(criteria=criteria), "one")
    (criterion,) = school.services.authoring.get(school.educator, task_id).task.criteria
    assert (criterion.id, criterion.values) == ("text-2", (0, 1))


def test_an_educators_task_serves_its_author_alone_until_it_is_published(school: School) -> None:
    services, educator, stranger = school.services, school.educator, school.stranger
    task_id = add_task(school)
    key = services.authoring.get(educator, task_id).task.id
    with school.database.write() as session:
        shape = {key: {"evaporation": [0, 1, 2]}}
        session.execute(update(StudentVersion).values(shapes={**SHAPES, **shape}))
    version = services.tasks.get(educator, task_id).version_id
    file = class_csv([("s1", "", "It rose.")])
    services.uploads.submit(educator, school.section, version, "f.csv", file, COLUMNS, "mine")
    assert task_id in {task.id for task in services.tasks.available(educator)}
    for other in (stranger, school.administrator):
        assert task_id not in {task.id for task in services.tasks.available(other)}
    with pytest.raises(NotFound):
        services.uploads.submit(stranger, school.strangers_section, version, "f.csv", file, COLUMNS, "theirs")
    assert [task.id for task in services.authoring.mine(stranger)] == []
    assert {task.owner for task in services.authoring.mine(school.administrator)} == {"", "Edna Educator"}

    services.authoring.publish(school.administrator, task_id)
    services.authoring.publish(school.administrator, task_id)
    assert task_id in {task.id for task in services.tasks.available(stranger)}
    services.uploads.submit(stranger, school.strangers_section, version, "f.csv", file, COLUMNS, "theirs")
    with pytest.raises(NotAllowed, match="only an administrator"):
        services.authoring.revise(educator, task_id, 1, ENTRY)
    assert services.authoring.mine(educator) == []


def test_publishing_at_once_is_an_administrators_act(school: School) -> None:
    with pytest.raises(NotAllowed):
        school.services.authoring.create(school.educator, ENTRY, "one", published=True)
    task_id = school.services.authoring.create(school.administrator, ENTRY, "one", published=True)
    assert task_id in {task.id for task in school.services.tasks.available(school.stranger)}


def test_a_change_is_a_new_version_and_the_examples_come_along(school: School) -> None:
    authoring, examples = school.services.authoring, school.services.examples
    task_id = add_task(school)
    before = authoring.get(school.educator, task_id)
    examples.label(school.educator, task_id, "a2-0", {"evaporation": 2}, second=True)
    new = [
        {"id": "evaporation", "name": "Evaporation", "levels": [{"value": v, "descriptor": f"{v}!"} for v in (0, 1)]},
        {"name": "Claim", "levels": LEVELS},
    ]
    assert authoring.revise(school.educator, task_id, 1, entry(criteria=new)) == 2
    after = authoring.get(school.educator, task_id)
    assert after.task.id == before.task.id
    assert [criterion.id for criterion in after.task.criteria] == ["evaporation", "claim"]
    overview = examples.overview(school.educator, task_id)
    assert overview.distribution == {"evaporation": {0: 4, 1: 4}, "claim": {0: 0, 1: 0}}
    assert (overview.labelled, overview.unlabelled, overview.twice) == (8, 4, 0)
    with school.database.read() as session:
        kept = select(func.count()).where(LabelledExample.task_version_id == before.version_id)
        assert session.scalar(kept) == 12


def test_nothing_changed_makes_no_version_and_a_stale_form_is_refused(school: School) -> None:
    authoring = school.services.authoring
    task_id = add_task(school, examples=0)
    entry_now = {**ENTRY, "criteria": [{**ENTRY["criteria"][0], "id": "evaporation"}]}
    assert authoring.revise(school.educator, task_id, 1, entry_now) == 1
    assert authoring.revise(school.educator, task_id, 1, entry(title="Puddles")) == 2
    with pytest.raises(Conflict, match="changed meanwhile"):
        authoring.revise(school.administrator, task_id, 1, entry(title="Other"))
    with school.database.read() as session:
        assert session.scalar(select(func.count()).where(TaskVersion.task_id == task_id)) == 2


def test_responses_stay_with_the_version_they_were_given_for(school: School) -> None:
    upload_id = school.upload()
    summary = school.services.authoring.get(school.administrator, school.task)
    changed = {**TASKS[0], "prompt": "Explain why ice melts."}
    school.services.authoring.revise(school.administrator, school.task, summary.version_number, changed)
    assert school.services.uploads.get(school.educator, upload_id).task_version_id == school.version
    assert school.services.tasks.get(school.educator, school.task).version_id != school.version


def test_a_start_of_the_program_does_not_undo_what_people_changed(school: School, tmp_path: Any) -> None:
    school.services.authoring.revise(school.administrator, school.task, 1, {**TASKS[0], "title": "Melting"})
    assert load_item_bank(school.database, write_item_bank(tmp_path / "bank", TASKS)) == (0, 0)
    assert school.services.tasks.get(school.educator, school.task).task.title == "Melting"


def test_putting_ones_own_task_away(school: School) -> None:
    task_id = add_task(school, examples=0)
    school.services.authoring.retire(school.educator, task_id)
    assert task_id not in {task.id for task in school.services.tasks.available(school.educator)}
    school.services.authoring.retire(school.educator, task_id, False)
    assert task_id in {task.id for task in school.services.tasks.available(school.educator)}
    with pytest.raises(NotAllowed, match="somebody else's"):
        school.services.authoring.retire(school.administrator, task_id)


def zipped(**files: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"bank/{name.replace('_', '.')}", content)
    return stream.getvalue()


def test_an_item_bank_gives_its_tasks_and_their_labelled_answers(school: School) -> None:
    authoring, examples = school.services.authoring, school.services.examples
    responses = 'task_id,response_id,text,heat,claim,score\nmelting-ice,r1,"=Heat, moves",1,0,\nunscored,r2,Light,,,2\n'
    data = zipped(tasks_json=json.dumps(TASKS), responses_csv=responses)
    entries = authoring.parse_tasks(school.educator, "bank.zip", data)
    assert [one["id"] for one in entries] == ["melting-ice", "unscored"]
    task_id = authoring.create(school.educator, entries[0], "one")
    assert authoring.get(school.educator, task_id).task.id == "melting-ice-2"
    name, content = authoring.examples_of(school.educator, "bank.zip", data, entries[0]["id"]) or ("", b"")
    file = examples.read_file(school.educator, task_id, name, content)
    columns = examples.suggest(school.educator, task_id, file)
    assert columns is not None
    assert columns.levels == {"heat": "heat", "claim": "claim"}
    checked = examples.check(school.educator, task_id, file, columns)
    assert [(e.response_key, e.text, dict(e.levels)) for e in checked.good] == [
        ("r1", "=Heat, moves", {"heat": 1, "claim": 0})
    ]
    assert authoring.examples_of(school.educator, "bank.zip", data, "nothing") is None


def test_a_table_with_a_row_per_level_gives_a_task(school: School) -> None:
    table = (
        "Title,Question,Criterion,Points,Descriptor,Reference answer\n"
        "Puddles,Where did it go?,Process,0,none,It evaporated.\n,,,1,names it,\n,,Evidence,0,none,\n,,,1,some,\n"
    )
    (one,) = school.services.authoring.parse_tasks(school.educator, "t.csv", table.encode())
    task_id = school.services.authoring.create(school.educator, one, "one")
    task = school.services.authoring.get(school.educator, task_id).task
    assert task.scoring_shape() == {"process": [0, 1], "evidence": [0, 1]}
    assert task.reference_answers == ("It evaporated.",)
    assert task.criteria[0].levels[1].descriptor == "names it"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.json", b"[{]", "not valid UTF-8 JSON"),
        ("t.json", b"[]", "no task in this file"),
        ("t.json", b'[{"title": "x"}]', "entry 1 \\('x'\\)"),
        ("t.json", b"[7]", "entry 1: a task is expected"),
        ("t.zip", zipped(readme_md="hello"), "no tasks.json"),
        ("t.zip", b"PK\x03\x04 broken", "can't be opened"),
        ("t.csv", b"name,level\nx,1\n", "no column “title”"),
        ("t.json", b"", "empty"),
    ],
)
def test_files_that_hold_no_task_are_refused_in_words(school: School, name: str, data: bytes, message: str) -> None:
    with pytest.raises(InvalidFile, match=message):
        school.services.authoring.parse_tasks(school.educator, name, data)


def test_what_was_done_is_on_record_without_titles(school: School) -> None:
    task_id = add_task(school)
    school.services.authoring.revise(school.educator, task_id, 1, entry(title="Other"))
    school.services.authoring.publish(school.administrator, task_id)
    events, _ = school.services.audit.events(school.administrator)
    assert [event.action for event in events[:4]] == ["task.publish", "task.revise", "examples.save", "task.create"]
    assert all("uddles" not in str(event.detail) for event in events)
    with school.database.read() as session:
        assert session.get_one(TaskRow, task_id).owner_id is None
