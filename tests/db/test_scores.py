"""What stands, as a table and as a file that runs nothing in a spreadsheet."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from sqlalchemy import update

from db.tables import Response
from scoring.errors import InvalidFile
from scoring.services.audit import AuditFilter
from scoring.services.tasks import load_item_bank
from tests.conftest import TASKS, School, write_item_bank


def _export(school: School, upload_id: str) -> tuple[str, list[dict[str, str]]]:
    name, data = school.services.scores.export(school.educator, upload_id)
    assert data.startswith(b"\xef\xbb\xbf"), "so that spreadsheets show accents"
    return name, list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_an_unscored_response_has_no_level_no_total_and_no_probability(school: School) -> None:
    table = school.services.scores.table(school.educator, school.upload([("s1", "Ann", "Heat.")]))
    (row,) = table.frame.to_dict("records")
    assert table.frame[["heat", "claim", "total", "heat:machine", "heat:probability"]].isna().all(axis=None)
    assert (row["heat:source"], row["reviewed"], table.reviewed) == ("none", False, 0)


def test_a_table_of_an_upload_without_responses_is_empty(school: School) -> None:
    upload_id = school.upload()
    with school.database.write() as session:
        session.connection().exec_driver_sql("DELETE FROM responses")
    table = school.services.scores.table(school.educator, upload_id)
    assert (len(table.frame), table.reviewed) == (0, 0)
    assert {"learner", "heat", "claim", "total", "reviewed"} <= set(table.frame.columns)
    assert _export(school, upload_id)[1] == []


def test_many_responses_keep_file_order_and_their_own_scores(school: School) -> None:
    rows = [(f"s{n}", f"Name {n}", f"Answer {n}.") for n in range(40)]
    upload_id = school.upload(rows)
    ids = school.response_ids(upload_id)
    for number, response in reversed(list(enumerate(ids))):
        school.machine(response, {"heat": number % 3, "claim": number % 2})
    school.services.review.decide(school.educator, ids[7], 0, {"heat": 2, "claim": 1}, "n", "reads it so")
    frame = school.services.scores.table(school.educator, upload_id).frame
    assert list(frame["learner"]) == [row[0] for row in rows]
    assert list(frame["text"]) == [row[2] for row in rows]
    heat = [number % 3 for number in range(40)]
    heat[7] = 2
    assert list(frame["heat"]) == heat
    assert list(frame["total"]) == [h + (n % 2) for n, h in enumerate(heat)]
    assert list(frame["heat:machine"]) == [number % 3 for number in range(40)]
    assert list(frame.index[frame["reviewed"]]) == [7]
    assert frame["heat:probability"].tolist() == pytest.approx([0.9] * 40)


def test_a_total_is_missing_where_one_criterion_has_no_score(school: School) -> None:
    upload_id = school.upload([("s1", "Ann", "Heat.")])
    school.services.review.decide(school.educator, school.response_ids(upload_id)[0], 0, {"heat": 2}, "n")
    frame = school.services.scores.table(school.educator, upload_id).frame
    assert list(frame["heat"]) == [2]
    assert frame["total"].isna().all()
    assert not frame["reviewed"].any()


def test_a_score_of_zero_is_a_score(school: School) -> None:
    upload_id = school.upload([("s1", "Ann", "Heat.")])
    school.machine(school.response_ids(upload_id)[0], {"heat": 0, "claim": 0})
    frame = school.services.scores.table(school.educator, upload_id).frame
    assert (list(frame["heat"]), list(frame["total"]), list(frame["heat:source"])) == ([0], [0], ["machine"])
    (row,) = _export(school, upload_id)[1]
    assert (row["Names the transfer of heat"], row["Total"]) == ("0", "0")


def test_two_uploads_of_the_same_learners_do_not_mix(school: School) -> None:
    first, second = school.upload(token="t1"), school.upload(token="t2")
    for response in school.response_ids(first):
        school.machine(response, {"heat": 2, "claim": 1})
    assert list(school.services.scores.table(school.educator, first).frame["heat"]) == [2, 2]
    assert school.services.scores.table(school.educator, second).frame["heat"].isna().all()
    assert list(school.services.scores.table(school.educator, second).frame["attempt"]) == [2, 2]


def test_the_stamp_changes_with_every_decision_and_job(school: School) -> None:
    upload_id = school.upload()
    response = school.response_ids(upload_id)[0]
    stamp = lambda: school.services.scores.stamp(school.educator, upload_id)  # noqa: E731
    seen = [stamp()]
    assert stamp() == seen[0]
    school.machine(response, {"heat": 1, "claim": 0})
    school.set_upload(upload_id, scored=1, status="done")
    seen.append(stamp())
    view = school.services.review.decide(school.educator, response, 0, {"heat": 1}, "n")
    seen.append(stamp())
    school.services.review.undo(school.educator, response, view.revision, "u")
    seen.append(stamp())
    school.services.uploads.score_again(school.educator, upload_id)
    seen.append(stamp())
    assert len(set(seen)) == len(seen)


def test_the_export_runs_nothing_in_a_spreadsheet(school: School) -> None:
    link = '=HYPERLINK(""http://evil.example"")'
    upload_id = school.upload(
        [("@id", link, "=1+1"), ("+1-2", "-Ann", "\t=cmd"), ("ok", "Ann", "-5 degrees")], name="=class.csv"
    )
    name, rows = _export(school, upload_id)
    for row in rows:
        for header, cell in row.items():
            assert not cell.startswith(("=", "+", "@", "-", "\t")), (header, cell)
    assert (rows[0]["Student"], rows[0]["Name"], rows[0]["Answer"]) == (
        "'@id", "'=HYPERLINK(\"http://evil.example\")", "'=1+1",
    )  # fmt: skip
    assert rows[2]["Answer"] == "'-5 degrees"
    assert name.endswith("scores.csv")


def test_the_export_tells_whose_score_each_one_is(school: School) -> None:
    upload_id = school.upload([("s1", "Änn", "Wärme, “heat”\nmoves."), ("s2", "Ben", "Warm."), ("s3", "Cy", "")])
    first, second, _ = school.response_ids(upload_id)
    for response in (first, second):
        school.machine(response, {"heat": 1, "claim": 0})
    school.services.review.decide(school.educator, first, 0, {"heat": 2, "claim": 0}, "n", "reads it so")
    name, rows = _export(school, upload_id)
    assert name == "class - Period 1 - scores.csv"
    decided, machine, blank = rows
    given = "Names the transfer of heat: given by"
    assert (decided["Names the transfer of heat"], decided[given], decided["Reviewed by a person"]) == (
        "2", "a person", "yes",
    )  # fmt: skip
    assert (machine["Names the transfer of heat"], machine[given], machine["Reviewed by a person"]) == (
        "1", "model (unreviewed)", "no",
    )  # fmt: skip
    assert (blank["Names the transfer of heat"], blank[given], blank["Total"], blank["Signs"]) == ("", "", "", "blank")
    assert (decided["Name"], decided["Answer"], decided["Total"], decided["Highest total"]) == (
        "Änn", "Wärme, “heat”\nmoves.", "2", "3",
    )  # fmt: skip
    assert decided["Names the transfer of heat: model's probability"] == "0.90"


def test_an_export_is_on_record(school: School) -> None:
    upload_id = school.upload()
    _export(school, upload_id)
    (event,), total = school.services.audit.events(school.administrator, AuditFilter("scores.export"))
    assert (total, event.actor_id, event.object_id) == (1, school.educator.user_id, upload_id)


def test_a_learner_who_left_the_section_keeps_a_row_without_a_name(school: School) -> None:
    upload_id = school.upload()
    with school.database.write() as session:
        session.connection().exec_driver_sql("DELETE FROM section_members")
        session.execute(update(Response).values(text=""))
    frame = school.services.scores.table(school.educator, upload_id).frame
    assert list(frame["learner"]) == ["Row 2", "Row 3"]


@pytest.mark.parametrize("taken", ["total", "text", "name", "reviewed", "row", "response_id"])
def test_a_criterion_named_like_a_column_of_the_table_is_refused_on_loading(
    school: School, tmp_path: Path, taken: str
) -> None:
    task = {**TASKS[1], "id": "clash", "criteria": [{**TASKS[1]["criteria"][0], "id": taken}]}
    before = len(school.services.tasks.available(school.educator))
    with pytest.raises(InvalidFile, match=taken):
        load_item_bank(school.database, write_item_bank(tmp_path / "clash", [TASKS[0], task]))
    assert len(school.services.tasks.available(school.educator)) == before
