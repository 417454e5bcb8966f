"""Explanations as the worker makes them, by the sample student, in a real database."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from db.tables import ExpertProfile, HouseRule, MachineScore, Response, StudentVersion, Trial, Upload, utc_now
from db.tables import Explanation as Row
from scoring.domain import UploadStatus, task_to_json
from scoring.errors import ModelUnavailable
from scoring.explain.explanation import ExplainSettings
from scoring.itembank import read_item_bank
from scoring.services.explanations import SETTINGS, ExplanationView, Pending
from scoring.services.tasks import load_item_bank
from scoring.services.versions import register_student
from scoring.settings import ROOT
from scoring.worker import explainers, explaining, workflows
from scoring.worker.ahead import PREPARED_AHEAD, Ahead
from scoring.worker.explainers import Explainers
from scoring.worker.students import Students
from scoring.worker.turns import Rank
from tests.conftest import School

TASK, OTHER = "pondweed-light", "warming-spoons"
ANSWERS = [
    "More bubbles come when the lamp is near, because light gives the plant energy to make oxygen: 46 at 10 cm.",
    "The plant breathes faster when it is warm next to the lamp and so it makes more bubbles in the water.",
    "It just does.",
    "The light energy is stored in sugar, carbon dioxide and water go in and the bubbles are oxygen that comes out.",
]
ODD = {
    "one word": "bubbles",
    "no words": "?! ...",
    "500 words": "the photosynthesizing lamp illuminates the pondweed: it bubbles oxygen " * 50,
    "emoji": "💡 light makes 🫧🫧 bubbles 👍🏽 because the 🌱 takes energy from it",
    "right to left": "الضوء يعطي النبات الطاقة ليصنع الأكسجين والفقاعات تزيد عندما يقترب المصباح",
}


@pytest.fixture(scope="module")
def students() -> Students:
    """Held over the module: loading takes longer than a test."""
    return Students(encoder="minilm", device="cpu")


@pytest.fixture
def house(school: School, students: Students, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> School:
    """The school with two sample tasks, a few labelled answers to each, and the sample student as its model."""
    # What the worker does with explanations is tested here, not how good they are: less work makes do.
    monkeypatch.setattr(explainers, "SETTINGS", ExplainSettings(evaluations=24, draws=5, steps=2))
    bank = read_item_bank(ROOT / "samples" / "classroom")
    folder = tmp_path / "bank"
    folder.mkdir()
    tasks = [{**task_to_json(bank.tasks[key]), "stimulus_figure": ""} for key in (TASK, OTHER)]
    (folder / "tasks.json").write_text(json.dumps(tasks), encoding="utf-8")
    columns = sorted({criterion.id for key in (TASK, OTHER) for criterion in bank.tasks[key].criteria})
    with (folder / "responses.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, ["task_id", "response_id", "text", *columns], restval="")
        table.writeheader()
        for answer in [*bank.of_task(TASK)[:12], *bank.of_task(OTHER)[:12]]:
            row = {"task_id": answer.task_id, "response_id": answer.response_id, "text": answer.text}
            table.writerow({**row, **answer.levels})
    load_item_bank(school.database, folder)
    with school.database.write() as session:
        session.execute(update(StudentVersion).values(state="retired"))
    register_student(school.database, ROOT / "samples" / "student", tmp_path / "versions")
    found = {summary.task.id: summary for summary in school.services.tasks.available(school.educator)}
    # The version has the same id in every test's database, and it is the same student each time.
    workflows.configure(school.database, students, 256)
    explaining.configure(school.database, Explainers(school.database, students))
    return replace(school, task=found[TASK].id, version=found[TASK].version_id)


def scored(house: School, answers: list[str]) -> list[int]:
    """Their response ids, after the worker's own steps have scored them."""
    rows = [(f"s{number}", "", text) for number, text in enumerate(answers)]
    upload_id = house.upload(rows)
    begun = workflows.begin_scoring(upload_id, upload_id, False)
    assert begun["status"] == UploadStatus.RUNNING
    workflows.score_chunk(upload_id, upload_id, begun["student_version_id"], False, 0)
    workflows.finish_scoring(upload_id, upload_id, UploadStatus.DONE, "")
    return house.response_ids(upload_id)


def asked(house: School, response_id: int) -> Row:
    """The row that a person's question made."""
    house.services.explanations.of(house.educator, response_id)
    return newest(house, response_id)


def newest(house: School, response_id: int) -> Row:
    with house.database.read() as session:
        return session.scalars(select(Row).where(Row.response_id == response_id)).one()


def explain(house: School, response_id: int) -> ExplanationView:
    """Ask, let the worker work, and look."""
    row = asked(house, response_id)
    assert explaining.look_first(row.id, row.job_id) == "first"
    assert explaining.explain_fully(row.id, row.job_id) == "done"
    view = house.services.explanations.of(house.educator, response_id)
    assert isinstance(view, ExplanationView)
    return view


def test_the_first_look_is_there_before_the_whole(house: School) -> None:
    [response] = scored(house, ANSWERS[:1])
    row = asked(house, response)
    explaining.look_first(row.id, row.job_id)
    pending = house.services.explanations.of(house.educator, response)
    assert isinstance(pending, Pending)
    assert pending.first is not None
    assert not pending.first.complete
    explaining.explain_fully(row.id, row.job_id)
    view = house.services.explanations.of(house.educator, response)
    assert isinstance(view, ExplanationView)
    assert view.explanation.complete
    assert view.explanation.spans == pending.first.spans
    with house.database.read() as session:
        levels = dict(session.execute(select(MachineScore.criterion_id, MachineScore.level)).all())
    assert sorted(c.level for c in view.explanation.criteria) == sorted(levels.values())


@pytest.mark.parametrize("kind", ODD)
def test_odd_answers_are_explained_as_well(house: School, kind: str) -> None:
    [response] = scored(house, [ODD[kind]])
    view = explain(house, response)
    for criterion in view.explanation.criteria:
        assert criterion.attribution is not None
        moved = sum(criterion.attribution.values)
        assert criterion.attribution.base_value + moved == pytest.approx(criterion.attribution.value, abs=1e-6)
    assert all(0 <= start < end <= len(ODD[kind]) for start, end in view.explanation.spans)
    if kind == "500 words":
        assert view.explanation.truncated
        assert 0 < view.explanation.words_read < len(view.explanation.spans)
        assert "longer than the model reads" in view.explanation.note


def test_beside_it_stand_scored_answers_to_the_same_task(house: School) -> None:
    responses = scored(house, ANSWERS)
    criteria = house.services.review.response(house.educator, responses[0]).task.criteria
    levels = {criterion.id: 0 for criterion in criteria}
    for number in (1, 2):
        house.services.review.decide(house.educator, responses[number], 0, levels, f"n{number}", "because")
    view = explain(house, responses[0])
    assert len(view.context.neighbours) == 4
    assert [n.similarity for n in view.context.neighbours] == sorted(
        (n.similarity for n in view.context.neighbours), reverse=True
    )
    assert {n.answer.task_key for n in view.context.neighbours} == {TASK}
    for neighbour in view.context.neighbours:
        assert all(0 <= a <= b <= len(neighbour.answer.text) for a, b in neighbour.theirs)
    # An answer that nobody has scored is never shown as one that somebody has, nor the answer itself.
    texts = {n.answer.text for n in view.context.neighbours} | {answer.text for answer in view.context.alike}
    assert not texts & {ANSWERS[0], ANSWERS[3]}
    twin = scored_like(house, ANSWERS[1])
    assert explain(house, twin).context.neighbours[0].answer.of_class


def scored_like(house: School, text: str) -> int:
    """Another answer of the same class, next to the one that was decided."""
    upload_id = house.upload([("s9", "", text + " ")], token="again", name="again.csv")
    begun = workflows.begin_scoring(upload_id, upload_id, False)
    workflows.score_chunk(upload_id, upload_id, begun["student_version_id"], False, 0)
    return house.response_ids(upload_id)[0]


def test_a_response_deleted_while_it_is_explained_leaves_nothing(house: School) -> None:
    [response] = scored(house, ANSWERS[:1])
    row = asked(house, response)
    assert explaining.look_first(row.id, row.job_id) == "first"
    with house.database.write() as session:
        session.execute(delete(Response))
    assert explaining.explain_fully(row.id, row.job_id) == "gone"
    assert explaining._explain(row.id, row.job_id, Rank.QUICK, Rank.FULL, threading.Lock()) == "gone"
    trial = Trial(id="t", response_id=response, user_id=house.educator.user_id, text="x", content=None)
    assert explaining.look_at_trial(trial.id) == "gone"


@pytest.mark.parametrize("part", ["look", "content"])
@pytest.mark.parametrize("who", ["somebody who waits", "work done ahead"])
def test_a_response_deleted_during_the_models_own_passes_leaves_nothing(
    house: School, ahead: Ahead, monkeypatch: pytest.MonkeyPatch, part: str, who: str
) -> None:
    """Deleted after its text was read, before anything is saved."""
    make = getattr(Explainers, part)

    def deleted_meanwhile(*arguments: object) -> object:
        with house.database.write() as session:
            session.execute(delete(Response))
        return make(*arguments)

    [response] = scored(house, ANSWERS[:1])
    monkeypatch.setattr(Explainers, part, deleted_meanwhile)
    if who == "work done ahead":
        assert ahead.prepare_next()  # what the experts are used for
        assert ahead.prepare_next()
    else:
        row = asked(house, response)
        assert explaining._explain(row.id, row.job_id, Rank.QUICK, Rank.FULL, threading.Lock()) == "gone"
    assert house.count("responses") == 0
    assert house.count("explanations") == 0


def test_a_wording_whose_answer_is_deleted_while_it_is_tried_leaves_nothing(
    house: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    [response] = scored(house, ANSWERS[:1])
    trial = house.services.explanations.try_text(house.educator, response, "other words")
    look = Explainers.look

    def deleted_meanwhile(*arguments: object) -> object:
        with house.database.write() as session:
            session.execute(delete(Response))
        return look(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Explainers, "look", deleted_meanwhile)
    explaining.try_text.__wrapped__(trial)
    assert house.count("trials") == 0


def test_a_job_that_was_taken_over_writes_nothing(house: School) -> None:
    [response] = scored(house, ANSWERS[:1])
    row = asked(house, response)
    assert explaining.look_first(row.id, "another") == "gone"
    explaining.look_first(row.id, row.job_id)
    with house.database.write() as session:
        session.execute(update(Row).values(job_id="another"))
    assert explaining.explain_fully(row.id, row.job_id) == "gone"
    assert newest(house, response).status == "first"


def test_a_retired_version_still_explains_its_own_scores_and_one_that_is_gone_says_so(
    house: School, tmp_path: Path
) -> None:
    [response] = scored(house, ANSWERS[:1])
    with house.database.write() as session:
        session.execute(update(StudentVersion).values(state="retired"))
    view = explain(house, response)
    assert not view.version_active
    with house.database.write() as session:
        gone = StudentVersion(version_key="gone", folder=str(tmp_path / "gone"), state="retired", shapes={}, card={})
        session.add(gone)
        session.flush()
        session.execute(update(MachineScore).values(student_version_id=gone.id))
    row = next(r for r in [asked_of(house, response, "gone")])
    explaining._explain(row.id, row.job_id, Rank.QUICK, Rank.FULL, threading.Lock())
    state = house.services.explanations.of(house.educator, response)
    assert isinstance(state, Pending)
    assert state.failed
    assert "can't be loaded any more" in state.error
    assert str(tmp_path) not in state.error


def asked_of(house: School, response_id: int, version_key: str) -> Row:
    house.services.explanations.of(house.educator, response_id)
    with house.database.read() as session:
        query = select(Row).join(StudentVersion, StudentVersion.id == Row.student_version_id)
        return session.scalars(query.where(StudentVersion.version_key == version_key)).one()


@pytest.mark.parametrize("text", ["", "bubbles", ODD["right to left"], "<b>light</b> & **sugar**", "word " * 500])
def test_a_trial_gets_a_score_and_never_becomes_one(house: School, text: str) -> None:
    [response] = scored(house, ANSWERS[:1])
    before = house.count("machine_scores")
    explanations = house.services.explanations
    trial = explanations.try_text(house.educator, response, text)
    assert explaining.look_at_trial(trial) == "done"
    view = explanations.trial(house.educator, trial)
    assert view.explanation is not None
    assert [c.id for c in view.explanation.criteria] == ["light_pattern", "data_evidence", "matter", "energy"]
    assert sum(view.explanation.gate_weights[0]) == pytest.approx(1)
    assert house.count("machine_scores") == before


def test_trials_are_forgotten_after_a_day(house: School) -> None:
    [response] = scored(house, ANSWERS[:1])
    old, new = (house.services.explanations.try_text(house.educator, response, text) for text in ("old", "new"))
    with house.database.write() as session:
        session.execute(
            update(Trial).where(Trial.id == old).values(created_at=utc_now() - timedelta(days=1, minutes=1))
        )
    explaining.tidy()
    with house.database.read() as session:
        assert list(session.scalars(select(Trial.id))) == [new]


def test_an_explanation_whose_job_ended_without_saying_so_can_be_asked_for_again(
    house: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    [response] = scored(house, ANSWERS[:1])
    asked(house, response)
    monkeypatch.setattr(explaining.DBOS, "get_workflow_status", lambda _job: None)
    explaining.tidy()
    state = house.services.explanations.of(house.educator, response)
    assert isinstance(state, Pending)
    assert "interrupted" in state.error


# Ahead ------------------------------------------------------------------------------------------------


@pytest.fixture
def ahead(house: School, students: Students) -> Ahead:
    return Ahead(house.database, Explainers(house.database, students))


def test_idle_time_goes_to_the_experts_then_to_the_head_of_the_queue(house: School, ahead: Ahead) -> None:
    responses = scored(house, ANSWERS)
    done = 0
    while ahead.prepare_next():
        done += 1
    assert done == 1 + len(responses) <= 1 + PREPARED_AHEAD
    for response in responses:
        view = house.services.explanations.of(house.educator, response)
        assert isinstance(view, ExplanationView)
        assert len(view.context.experts) == len(view.explanation.gate_weights)
        assert len(view.context.task_gates[0]) == len(view.context.other_gates[0]) == 4
    with house.database.read() as session:
        [profile] = session.scalars(select(ExpertProfile))
    assert set(profile.content["tasks"]) == {TASK, OTHER}
    assert house.count("workflow_status") == 1  # the upload's own; nobody asked for the rest


def test_what_must_not_be_shown_is_not_prepared(house: School, ahead: Ahead) -> None:
    with house.database.write() as session:
        session.merge(HouseRule(name="blind", value={"share": 1}))
    scored(house, ANSWERS)
    while ahead.prepare_next():
        pass
    assert house.count("explanations") == 0


def test_an_answer_that_cannot_be_explained_is_not_tried_for_ever(
    house: School, ahead: Ahead, monkeypatch: pytest.MonkeyPatch
) -> None:
    [response] = scored(house, ANSWERS[:1])

    def fail(*_: object) -> None:
        raise ModelUnavailable("the folder is gone")

    monkeypatch.setattr(Explainers, "content", fail)
    while ahead.prepare_next():
        pass
    assert newest(house, response).status == "failed"


def test_somebody_who_asks_meanwhile_keeps_their_own_job(
    house: School, ahead: Ahead, monkeypatch: pytest.MonkeyPatch
) -> None:
    [response] = scored(house, ANSWERS[:1])
    content = Explainers.content

    def asked_meanwhile(self: Explainers, *arguments: object) -> object:
        house.services.explanations.of(house.educator, response)
        return content(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Explainers, "content", asked_meanwhile)
    while ahead.prepare_next():
        pass
    row = newest(house, response)
    assert (row.status, row.job_id.startswith("explain-")) == ("waiting", True)


def test_people_and_classes_are_served_while_something_is_prepared(
    house: School, students: Students, ahead: Ahead
) -> None:
    """Three threads on one student: nobody sees another's pass, and all end."""
    responses = scored(house, ANSWERS)
    alone = explain(house, responses[0]).explanation
    with house.database.write() as session:
        session.execute(delete(Row))
    engine = students.get(house.database, newest_version_id(house))
    quiet = [score.criteria for score in engine.score(TASK, ANSWERS)]
    errors: list[BaseException] = []
    seen: list[object] = []

    def run(work: Callable[[], object]) -> threading.Thread:
        def guarded() -> None:
            try:
                seen.append(work())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    def idle() -> None:
        with students.turns.at(Rank.IDLE):
            while ahead.prepare_next():
                pass

    def bulk() -> object:
        with students.turns.at(Rank.BULK):
            return [[s.criteria for s in engine.score(TASK, ANSWERS, token_budget=64)] for _ in range(5)]

    row = asked(house, responses[0])
    threads = [
        run(idle),
        run(bulk),
        run(lambda: explaining._explain(row.id, row.job_id, Rank.QUICK, Rank.FULL, threading.Lock())),
    ]
    for thread in threads:
        thread.join(200)
        assert not thread.is_alive()
    assert errors == []
    view = house.services.explanations.of(house.educator, responses[0])
    assert isinstance(view, ExplanationView)
    assert view.explanation == alone
    [scores] = [found for found in seen if isinstance(found, list)]
    for again in scores:
        for one, other in zip(again, quiet, strict=True):
            for a, b in zip(one, other, strict=True):
                assert a.expected == pytest.approx(b.expected, abs=0.02)


def newest_version_id(house: School) -> int:
    with house.database.read() as session:
        return session.scalars(select(Upload.student_version_id)).first() or 0


# A report over an upload ------------------------------------------------------------------------------


def test_a_report_explains_the_upload_and_gives_way_to_people(house: School) -> None:
    responses = scored(house, ANSWERS)
    use = house.services.word_reports
    with house.database.read() as session:
        upload_id = session.scalars(select(Upload.id)).one()
    assert use.explain_upload(house.administrator, upload_id) == len(responses)
    assert use.explain_upload(house.administrator, upload_id) == 0
    job_id = newest(house, responses[0]).job_id
    # Somebody asks for one of them: it is theirs now.
    asked(house, responses[1])
    done = 0
    while (explanation_id := explaining.next_of_report(job_id)) is not None:
        explaining._explain(explanation_id, job_id, Rank.BACKGROUND, Rank.BACKGROUND, threading.Lock())
        done += 1
    assert done == len(responses) - 1
    state = use.state(house.administrator, upload_id)
    assert (state.explained, state.wanted, state.running) == (done, len(responses), False)
    words = use.words(house.administrator, upload_id, "light_pattern")
    assert words.answers + words.withheld == done
    assert SETTINGS.hash() == newest(house, responses[0]).settings_hash


def test_a_stopped_report_explains_no_more(house: School) -> None:
    responses = scored(house, ANSWERS)
    use = house.services.word_reports
    with house.database.read() as session:
        upload_id = session.scalars(select(Upload.id)).one()
    use.explain_upload(house.administrator, upload_id)
    job_id = newest(house, responses[0]).job_id
    assert use.state(house.administrator, upload_id).running
    use.stop(house.administrator, upload_id)
    assert explaining.next_of_report(job_id) is None
    assert not use.state(house.administrator, upload_id).running
