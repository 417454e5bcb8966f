"""A class file is saved whole, once, and by the right people, or not at all."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from dbos import DBOSClient
from sqlalchemy import select, update

from db.queries import next_unscored
from db.tables import Learner, Response, ResponseFlag, SectionMember, StudentVersion, Upload, UploadFile
from scoring.domain import UploadStatus
from scoring.errors import Conflict, InvalidFile, InvalidInput, ModelUnavailable, NotFound, StorageFull
from scoring.intake.checking import Mapping as Columns
from scoring.services.tasks import load_item_bank
from tests.conftest import COLUMNS, TASKS, School, class_csv, write_item_bank


def _submit(school: School, data: bytes, token: str = "t", **more: Any) -> str:
    mapping = more.pop("mapping", COLUMNS)
    return school.services.uploads.submit(
        school.educator, school.section, school.version, "f.csv", data, mapping, token, **more
    )


def _rows(school: School, upload_id: str) -> list[tuple[int, str, int, str]]:
    """(row number, identifier, attempt, text) of each response."""
    frame = school.services.scores.table(school.educator, upload_id).frame
    return list(frame[["row", "learner", "attempt", "text"]].itertuples(index=False, name=None))


# Saving -----------------------------------------------------------------------------------------------


def test_a_class_file_is_saved_with_its_rows_bytes_and_job(school: School) -> None:
    data = class_csv([("s1", "Ann", "Heat moves."), ("s2", "Ben", "It is warm.")])
    upload_id = _submit(school, data)
    summary = school.services.uploads.get(school.educator, upload_id)
    assert (summary.status, summary.responses, summary.total, summary.done) == (UploadStatus.QUEUED, 2, 2, 0)
    assert (summary.section, summary.educator, summary.finished) == ("Period 1", "Edna Educator", False)
    assert _rows(school, upload_id) == [(2, "s1", 1, "Heat moves."), (3, "s2", 1, "It is warm.")]
    client = DBOSClient(system_database_url=school.database.url)
    try:
        assert client.retrieve_workflow(upload_id).get_status().status == "ENQUEUED"
    finally:
        client.destroy()


def test_the_original_bytes_come_back_exactly(school: School) -> None:
    data = b'\xef\xbb\xbfid;name;answer\r\n"s1";"Ann";"W\xc3\xa4rme, \xe2\x80\x9cheat\xe2\x80\x9d"\r\n\r\n'
    upload_id = _submit(school, data)
    assert school.services.uploads.original(school.educator, upload_id) == ("f.csv", data)


class EngineBroken(Exception):
    """What a job engine may raise at any time."""


def test_nothing_is_saved_when_the_job_cannot_be_queued(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    before = school.counts()

    def refuse(*_args: object, **_options: object) -> None:
        raise EngineBroken

    with monkeypatch.context() as patch:
        patch.setattr(DBOSClient, "enqueue_in_transaction", refuse)
        with pytest.raises(EngineBroken):
            school.upload()
    assert school.counts() == before
    assert school.upload(), "the same form can be sent again"


def test_nothing_is_queued_when_the_last_write_fails(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    before = school.counts()

    def refuse(*_args: object, **_options: object) -> None:
        raise EngineBroken

    monkeypatch.setattr("scoring.services.uploads.record", refuse)
    with pytest.raises(EngineBroken):
        school.upload()
    assert school.counts() == before


def test_a_double_click_saves_once(school: School) -> None:
    first = school.upload(token="same")
    before = school.counts()
    assert school.upload(token="same") == first
    assert school.counts() == before


def test_two_submits_of_one_form_at_the_same_moment_save_once(school: School) -> None:
    start = threading.Barrier(4)

    def submit(_number: int) -> str:
        start.wait(30)
        return school.upload(token="same")

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(submit, range(4)))) == 1
    assert (school.count("uploads"), school.count("responses"), school.count("workflow_status")) == (1, 2, 1)


def test_two_uploads_at_the_same_moment_share_learners_and_number_attempts(school: School) -> None:
    start = threading.Barrier(3)

    def submit(number: int) -> str:
        start.wait(30)
        return school.upload(token=f"t{number}")

    with ThreadPoolExecutor(3) as pool:
        uploads = list(pool.map(submit, range(3)))
    assert school.count("learners") == 2
    assert sorted(attempt for upload in uploads for _, _, attempt, _ in _rows(school, upload)) == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("other", ["file", "section", "task"])
def test_a_token_that_comes_with_another_form_is_refused_and_not_taken_for_saved(school: School, other: str) -> None:
    school.upload(token="same")
    if other == "file":
        with pytest.raises(Conflict, match="another file"):
            school.upload([("s3", "Cy", "Something else.")], token="same")
    elif other == "section":
        second = school.services.sections.create(school.educator, "Period 3").id
        with pytest.raises(Conflict, match="another file"):
            school.upload(token="same", section=second)
    else:
        with pytest.raises(Conflict, match="another file"):
            replace(school, version=school.unscored_version).upload(token="same")
    assert school.count("uploads") == 1


def test_the_same_file_again_is_told_and_allowed(school: School) -> None:
    data = class_csv([("s1", "Ann", "Heat moves.")])
    sha256 = hashlib.sha256(data).hexdigest()
    uploads = school.services.uploads
    assert uploads.same_file(school.educator, school.section, sha256) == []
    first = _submit(school, data, "t1")
    assert uploads.read_file(school.educator, "f.csv", data).sha256 == sha256
    assert [upload.id for upload in uploads.same_file(school.educator, school.section, sha256)] == [first]
    second = _submit(school, data, "t2")
    assert [upload.id for upload in uploads.same_file(school.educator, school.section, sha256)] == [second, first]
    other = school.services.sections.create(school.educator, "Period 3").id
    assert uploads.same_file(school.educator, other, sha256) == []


# What changed meanwhile -------------------------------------------------------------------------------


def test_a_task_changed_meanwhile_is_a_conflict_and_nothing_is_saved(school: School, tmp_path: Any) -> None:
    changed = [{**TASKS[0], "prompt": "Another prompt."}, TASKS[1]]
    load_item_bank(school.database, write_item_bank(tmp_path / "changed", changed))
    before = school.counts()
    with pytest.raises(Conflict, match="changed meanwhile"):
        school.upload()
    assert school.counts() == before
    task = school.services.tasks.get(school.educator, school.task)
    assert task.version_number == 2
    assert replace(school, version=task.version_id).upload()


def test_a_task_retired_meanwhile_is_a_conflict_and_nothing_is_saved(school: School) -> None:
    school.services.tasks.set_retired(school.administrator, school.task, True)
    before = school.counts()
    with pytest.raises(Conflict, match="retired meanwhile"):
        school.upload()
    assert school.counts() == before
    school.services.tasks.set_retired(school.administrator, school.task, False)
    assert school.upload()


def test_a_section_put_away_meanwhile_is_a_conflict_and_nothing_is_saved(school: School) -> None:
    school.services.sections.set_archived(school.educator, school.section, True)
    before = school.counts()
    with pytest.raises(Conflict, match="put away"):
        school.upload()
    assert school.counts() == before


@pytest.mark.parametrize("shapes", [{}, {"melting-ice": {"heat": [0, 1], "claim": [0, 1]}}, None])
def test_a_task_that_no_active_student_scores_is_refused(school: School, shapes: dict[str, Any] | None) -> None:
    with school.database.write() as session:
        values = {"shapes": shapes} if shapes is not None else {"state": "retired"}
        session.execute(update(StudentVersion).values(**values))
    before = school.counts()
    with pytest.raises(ModelUnavailable, match="no scoring model"):
        school.upload()
    assert school.counts() == before
    assert not school.services.tasks.get(school.educator, school.task).scorable


def test_a_task_version_that_does_not_exist_is_not_found(school: School) -> None:
    with pytest.raises(NotFound):
        replace(school, version=999).upload()


# Rows -------------------------------------------------------------------------------------------------

REPEATED = class_csv([("s1", "Ann", "Heat."), ("s2", "Ben", "Warm."), ("s1", "Ann", "Heat."), ("", "Cy", "Ice.")])


def test_rows_with_errors_are_refused_by_number_and_nothing_is_saved(school: School) -> None:
    before = school.counts()
    with pytest.raises(InvalidFile, match="2 problems, the first in row 4"):
        _submit(school, REPEATED)
    assert school.counts() == before


def test_the_good_rows_can_be_taken_and_the_others_stay_listed(school: School) -> None:
    upload_id = _submit(school, REPEATED, take_good_rows=True)
    assert _rows(school, upload_id) == [(2, "s1", 1, "Heat."), (3, "s2", 1, "Warm.")]
    errors = [p for p in school.services.uploads.problems(school.educator, upload_id) if p.severity == "error"]
    assert [(problem.row, problem.field) for problem in errors] == [(4, "id"), (5, "id")]
    assert school.services.uploads.original(school.educator, upload_id)[1] == REPEATED


def test_a_file_without_any_good_row_is_refused_even_so(school: School) -> None:
    with pytest.raises(InvalidFile, match="No row"):
        _submit(school, class_csv([("", "Ann", "Heat.")]), take_good_rows=True)
    assert school.count("uploads") == 0


def test_a_mapping_that_does_not_fit_the_file_is_refused(school: School) -> None:
    with pytest.raises(InvalidInput, match="no column"):
        _submit(school, class_csv([("s1", "Ann", "Heat.")]), mapping=Columns("essay", "id"))
    assert school.count("uploads") == 0


def test_blanks_are_flagged_and_left_to_people(school: School) -> None:
    upload_id = school.upload([("s1", "Ann", "Heat."), ("s2", "Ben", "   "), ("s3", "Cy", "-")])
    summary = school.services.uploads.get(school.educator, upload_id)
    assert (summary.responses, summary.total) == (3, 1)
    with school.database.read() as session:
        flagged = session.execute(select(Response.row_number, ResponseFlag.kind).join(ResponseFlag)).all()
        assert [tuple(row) for row in flagged] == [(3, "blank"), (4, "blank")]
        (scorable,) = next_unscored(session, upload_id, 1, "job", again=False, after=0, limit=10)
        assert scorable[1] == "Heat."


def test_a_file_of_blanks_only_is_kept_for_people(school: School) -> None:
    summary = school.services.uploads.get(school.educator, school.upload([("s1", "Ann", ""), ("s2", "Ben", "")]))
    assert (summary.responses, summary.total) == (2, 0)


def test_an_overlong_answer_is_flagged_as_cut(school: School) -> None:
    upload_id = school.upload([("s1", "Ann", "water " * 3000)])
    view = school.services.review.response(school.educator, school.response_ids(upload_id)[0])
    assert view.flags == ("truncated",)
    assert len(view.text) <= 10_000


# Learners ---------------------------------------------------------------------------------------------


def test_attempts_go_on_over_uploads_and_task_versions(school: School, tmp_path: Any) -> None:
    first = school.upload([("s1", "Ann", "One."), ("s1", "Ann", "Two."), ("s2", "Ben", "One.")], token="t1")
    assert [row[1:3] for row in _rows(school, first)] == [("s1", 1), ("s1", 2), ("s2", 1)]
    changed = [{**TASKS[0], "prompt": "Another prompt."}, TASKS[1]]
    load_item_bank(school.database, write_item_bank(tmp_path / "changed", changed))
    newest = replace(school, version=school.services.tasks.get(school.educator, school.task).version_id)
    second = newest.upload([("s1", "Ann", "Three."), ("s3", "Cy", "One.")], token="t2")
    assert [row[1:3] for row in _rows(school, second)] == [("s1", 3), ("s3", 1)]
    assert school.count("learners") == 3


def test_the_same_identifier_in_another_section_is_another_learner(school: School) -> None:
    school.upload([("s1", "Ann", "One.")], token="t1")
    second = school.upload([("s1", "Abe", "One.")], token="t2", actor=school.stranger, section=school.strangers_section)
    view = school.services.review.response(school.stranger, school.response_ids(second)[0])
    assert (view.learner_name, view.attempt) == ("Abe", 1)


def test_a_learner_written_in_another_case_is_the_same_learner(school: School) -> None:
    first = school.upload([("ann@b.example", "Ann", "One."), ("Ann@B.example", "Ann", "Two.")], token="t1")
    second = school.upload([("ANN@b.example", "Ann", "Three.")], token="t2")
    assert [row[2] for row in _rows(school, first) + _rows(school, second)] == [1, 2, 3]
    assert school.count("learners") == school.count("section_members") == 1


def test_rows_without_a_student_column_are_never_taken_for_one_learner(school: School) -> None:
    unnamed = Columns(answer="answer", learner=None)
    first = _submit(school, b"answer\nHeat moves.\nIt is warm.\n", "t1", mapping=unnamed)
    second = _submit(school, b"answer\nQuite another class.\nIt is cold.\n", "t2", mapping=unnamed)
    assert [row[:3] for row in _rows(school, first)] == [(2, "Row 2", 1), (3, "Row 3", 1)]
    assert [row[:3] for row in _rows(school, second)] == [(2, "Row 2", 1), (3, "Row 3", 1)]
    assert school.count("learners") == 4
    with school.database.read() as session:
        learners = list(session.scalars(select(Response.learner_id)))
    assert len(set(learners)) == 4
    view = school.services.review.response(school.educator, school.response_ids(second)[0])
    assert (view.learner, view.attempt) == ("Row 2", 1)


def test_names_are_optional_and_kept_when_given(school: School) -> None:
    upload_id = school.upload([("s1", "", "One."), ("s2", "Ben", "Two.")])
    frame = school.services.scores.table(school.educator, upload_id).frame
    assert list(frame["name"]) == ["", "Ben"]


# Mapping ----------------------------------------------------------------------------------------------


def test_the_mapping_of_such_a_header_is_remembered_per_educator(school: School) -> None:
    data = b"who,first text,second text\ns1,a long enough answer,another one that is much longer\n"
    uploads = school.services.uploads
    chosen = Columns(answer="first text", learner="who")
    assert uploads.suggest_mapping(school.educator, uploads.read_file(school.educator, "f.csv", data)) != chosen
    _submit(school, data, mapping=chosen)
    later = b"who,first text,second text\ns7,yet another answer of somebody,and one that is longer than that\n"
    assert uploads.suggest_mapping(school.educator, uploads.read_file(school.educator, "g.csv", later)) == chosen
    assert uploads.suggest_mapping(school.stranger, uploads.read_file(school.stranger, "g.csv", later)) != chosen
    other = b"who,first text,third text\ns7,yet another answer of somebody,and one that is longer than that\n"
    assert uploads.suggest_mapping(school.educator, uploads.read_file(school.educator, "h.csv", other)) != chosen


# Jobs -------------------------------------------------------------------------------------------------


def test_two_educators_of_a_section_see_the_same_uploads(school: School) -> None:
    school.services.sections.share(school.educator, school.section, "sam@school.example")
    mine = school.upload(token="t1")
    theirs = school.upload([("s1", "Ann", "Again.")], token="t2", actor=school.stranger)
    for actor in (school.educator, school.stranger):
        uploads, total = school.services.uploads.recent(actor)
        assert ([upload.id for upload in uploads], total) == ([theirs, mine], 2)
        assert [upload.educator for upload in uploads] == ["Sam Stranger", "Edna Educator"]


def test_recent_uploads_come_in_pages(school: School) -> None:
    ids = [school.upload([("s1", "Ann", f"Answer {n}.")], token=f"t{n}") for n in range(5)]
    uploads, total = school.services.uploads.recent(school.educator, limit=2, offset=2)
    assert ([upload.id for upload in uploads], total) == ([ids[2], ids[1]], 5)


def test_scoring_again_waits_until_the_running_job_has_ended(school: School) -> None:
    upload_id = school.upload()
    for status in (UploadStatus.QUEUED, UploadStatus.RUNNING):
        school.set_upload(upload_id, status=status)
        for start in (school.services.uploads.score_again, school.services.uploads.score_rest):
            with pytest.raises(Conflict, match="being scored already"):
                start(school.educator, upload_id)
    assert school.count("workflow_status") == 1


def test_a_cancelled_upload_can_be_scored_to_the_end(school: School) -> None:
    upload_id = school.upload([(f"s{n}", "", f"Answer {n}.") for n in range(5)])
    first, second, *_ = school.response_ids(upload_id)
    for response in (first, second):
        school.machine(response, {"heat": 1, "claim": 0}, job_id=upload_id)
    school.set_upload(upload_id, status=UploadStatus.RUNNING, scored=2)
    school.services.uploads.cancel(school.educator, upload_id)
    stopped = school.services.uploads.get(school.educator, upload_id)
    assert (stopped.status, stopped.finished, stopped.done) == (UploadStatus.CANCELLED, True, 2)
    school.services.uploads.score_rest(school.educator, upload_id)
    going = school.services.uploads.get(school.educator, upload_id)
    assert (going.status, going.done, going.total) == (UploadStatus.QUEUED, 0, 3)
    with school.database.read() as session:
        job_id = session.scalar(select(Upload.job_id))
        assert job_id is not None
        assert job_id != upload_id, "the old job may no longer write"
        rest = next_unscored(session, upload_id, 1, job_id, again=False, after=0, limit=10)
        assert [text for _, text in rest] == ["Answer 2.", "Answer 3.", "Answer 4."]
    assert school.count("workflow_status") == 2


def test_scoring_again_takes_every_answer_that_is_not_blank(school: School) -> None:
    upload_id = school.upload([("s1", "", "One."), ("s2", "", ""), ("s3", "", "Three.")])
    for response in school.response_ids(upload_id):
        school.machine(response, {"heat": 1, "claim": 0})
    school.finish(upload_id)
    school.services.uploads.score_again(school.educator, upload_id)
    assert school.services.uploads.get(school.educator, upload_id).total == 2


def test_cancelling_twice_or_after_the_end_changes_nothing(school: School) -> None:
    upload_id = school.upload()
    school.services.uploads.cancel(school.educator, upload_id)
    before = school.counts()
    school.services.uploads.cancel(school.educator, upload_id)
    school.finish(upload_id)
    school.services.uploads.cancel(school.educator, upload_id)
    assert school.counts() == before
    assert school.services.uploads.get(school.educator, upload_id).status is UploadStatus.DONE


def test_scoring_the_rest_without_a_student_is_refused_and_the_upload_stays(school: School) -> None:
    upload_id = school.upload()
    school.services.uploads.cancel(school.educator, upload_id)
    with school.database.write() as session:
        session.execute(update(StudentVersion).values(state="retired"))
    before = school.counts()
    with pytest.raises(ModelUnavailable):
        school.services.uploads.score_rest(school.educator, upload_id)
    assert school.counts() == before
    assert school.services.uploads.get(school.educator, upload_id).status is UploadStatus.CANCELLED


# A full disk ------------------------------------------------------------------------------------------


def test_a_full_disk_saves_nothing_and_the_form_works_once_there_is_room(
    school: School, fill_disk: Callable[..., Callable[[], None]]
) -> None:
    rows = [(f"s{n}", f"Name {n}", f"Answer {n}: " + "heat " * 60) for n in range(60)]
    before, failures = school.counts(), 0
    for pages in range(60):
        free = fill_disk(school.database, pages)
        try:
            upload_id = school.upload(rows)
        except StorageFull:
            failures += 1
            assert school.counts() == before
        else:
            break
        finally:
            free()
    assert failures > 3
    assert school.services.uploads.get(school.educator, upload_id).responses == 60
    assert school.services.audit.verify(school.administrator).intact
    assert school.upload(token="next", name="next.csv")


def test_a_full_disk_refuses_a_decision_and_keeps_what_is_there(
    school: School, fill_disk: Callable[..., Callable[[], None]]
) -> None:
    review, reason = school.services.review, "why " * 490
    response = school.response_ids(school.upload())[0]
    school.machine(response, {"heat": 1, "claim": 0})
    free = fill_disk(school.database)

    def decide_until_full() -> int:
        for revision in range(50):
            try:
                review.decide(school.educator, response, revision, {"heat": 2 * (revision % 2)}, f"n{revision}", reason)
            except StorageFull:
                return revision
        raise AssertionError("fifty long reasons need more than no room")

    saved = decide_until_full()
    view = review.response(school.educator, response)
    assert (view.revision, len(view.criteria[0].history)) == (saved, saved)
    free()
    view = review.decide(school.educator, response, saved, {"heat": 0}, f"n{saved}", reason)
    assert (view.revision, len(view.criteria[0].history)) == (saved + 1, saved + 1)
    assert school.services.audit.verify(school.administrator).intact


# Size -------------------------------------------------------------------------------------------------


def test_fifty_thousand_rows_are_taken_in_one_go(school: School) -> None:
    count = 50_000
    lines = "".join(f"s{n},Name {n},Answer number {n} about heat.\n" for n in range(count))
    upload_id = _submit(school, f"id,name,answer\n{lines}".encode())
    summary = school.services.uploads.get(school.educator, upload_id)
    assert (summary.responses, summary.total) == (count, count)
    with school.database.read() as session:
        content = session.get(UploadFile, upload_id)
        assert content is not None
        assert content.content.endswith(b"Answer number 49999 about heat.\n")
        last = session.execute(
            select(SectionMember.identifier, Learner.name, Response.text)
            .join(Response, Response.learner_id == SectionMember.learner_id)
            .join(Learner)
            .order_by(Response.row_number.desc())
            .limit(1)
        ).one()
    assert tuple(last) == ("s49999", "Name 49999", "Answer number 49999 about heat.")
