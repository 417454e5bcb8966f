"""Answers are looked at before a model scores them, in steps that may be cut off anywhere and run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select

from db.tables import MachineScore, Response, ResponseFlag, ResponseGates, UrgentAlert
from scoring.checks.likeness import UrgentLikeness
from scoring.domain import UploadStatus
from scoring.errors import ModelUnavailable
from scoring.worker import checking, workflows
from tests.conftest import School
from tests.worker.test_workflows import FakeEngine, FakeStudents, begin, chunk

TEXTS = [
    "The warm plate gives heat to the ice, so it melts.",
    "the warm plate gives heat to the ice so it melts!!",
    "Because the ice takes in heat energy from the plate.",
    "?!?",
    "xkqj wrtz plmk vbnq zzxq wpqk",
    "The ice melts and at home my dad hits me every night and I want to die.",
    "",
]


@pytest.fixture
def engine(school: School) -> Iterator[FakeEngine]:
    engine = FakeEngine()
    workflows.configure(school.database, FakeStudents(engine), 4)  # type: ignore[arg-type]
    return engine


@pytest.fixture
def upload_id(school: School) -> str:
    return school.upload([(f"s{n}", "", text) for n, text in enumerate(TEXTS)])


def check(upload_id: str) -> None:
    workflows.check_texts(upload_id, upload_id, 1, False)


def found(school: School) -> tuple[set[tuple[int, str]], list[bool]]:
    """The flags by place in the file, and which neighbours in it say the same."""
    with school.database.read() as session:
        rows = session.scalars(select(Response).order_by(Response.id)).all()
        first = rows[0].id
        flags = {(flag.response_id - first, flag.kind) for flag in session.scalars(select(ResponseFlag))}
        groups = [row.alike_group for row in rows]
    return flags, [a is not None and a == b for a, b in pairwise(groups)]


def test_checks_and_groups_are_there_before_any_score(school: School, engine: FakeEngine, upload_id: str) -> None:
    begin(school, upload_id)
    assert school.services.uploads.get(school.educator, upload_id).total == len(TEXTS) - 1
    check(upload_id)
    flags, alike = found(school)
    assert {(3, "blank"), (4, "gibberish"), (6, "blank")} <= flags
    assert alike == [True, False, False, False, False, False]
    upload = school.services.uploads.get(school.educator, upload_id)
    assert upload.total == len(TEXTS) - 2, "signs without words are left to people"
    view = school.services.review.response(school.educator, school.response_ids(upload_id)[4])
    (gibberish,) = [entry for entry in view.checks if entry.kind == "gibberish"]
    assert gibberish.words == "not readable"
    assert gibberish.detail.endswith(".")
    assert (view.group_size, engine.asked) == (1, [])
    first = school.services.review.response(school.educator, school.response_ids(upload_id)[0])
    assert first.group_size == 2
    after = 0
    while (done := chunk(upload_id, after))["after"] is not None:
        after = done["after"]
    assert school.services.uploads.get(school.educator, upload_id).done == upload.total


def test_a_classmates_row_is_named(school: School, engine: FakeEngine) -> None:
    long = (
        "When the plate is warm its particles move fast and knock against the particles of the ice, "
        "which start to move more and more until they leave their places and flow as water."
    )
    texts = [long, "Ice is cold.", f"{long} So it melts."]
    upload_id = school.upload([(f"s{n}", "", text) for n, text in enumerate(texts)])
    begin(school, upload_id)
    check(upload_id)
    view = school.services.review.response(school.educator, school.response_ids(upload_id)[2])
    (copied,) = [entry for entry in view.checks if entry.kind == "copied_classmate"]
    assert copied.detail.endswith("It is in row 2.")


def test_checks_that_are_cut_off_anywhere_and_run_again_end_the_same(
    school: School, engine: FakeEngine, upload_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(school, upload_id)
    check(upload_id)
    whole = found(school)
    monkeypatch.setattr(checking, "SLICE", 2)

    class Killed(Exception):
        pass

    for after in range(1, 8):
        with school.database.write() as session:
            for row in session.scalars(select(Response)):
                row.alike_group = "left over" if after % 2 else None
        left = after

        def die() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        try:
            checking.check_answers(school.database, upload_id, die)
        except Killed:
            check(upload_id)
        assert found(school) == whole
    check(upload_id)
    assert found(school) == whole


def test_a_cancel_ends_the_checks_and_an_erased_answer_does_not(
    school: School, engine: FakeEngine, upload_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(school, upload_id)
    last = school.response_ids(upload_id)[-1]
    look = checking._answers

    def erased_meanwhile(*args: Any) -> Any:
        answers = look(*args)
        if school.count("responses") == len(TEXTS):
            school.services.review.erase_response(school.educator, last)
        return answers

    monkeypatch.setattr(checking, "_answers", erased_meanwhile)
    check(upload_id)
    flags, alike = found(school)
    assert (4, "gibberish") in flags
    assert alike[0]
    with school.database.write() as session:
        for row in session.scalars(select(Response)):
            row.alike_group = None
    school.services.uploads.cancel(school.educator, upload_id)
    check(upload_id)
    assert not any(found(school)[1])


def test_urgent_signs_reach_people_though_nothing_is_ever_scored(
    school: School, engine: FakeEngine, upload_id: str
) -> None:
    school.services.uploads.cancel(school.educator, upload_id)
    for _ in range(2):
        workflows.look_for_urgent_signs(upload_id)
    with school.database.read() as session:
        alerts = session.scalars(select(UrgentAlert)).all()
    assert {alert.response_id for alert in alerts} == {school.response_ids(upload_id)[5]}
    assert len({alert.kind for alert in alerts}) == len(alerts)
    assert school.services.alerts.waiting(school.educator) == 1


def test_the_worker_goes_from_signs_to_checks_to_scores(
    school: School, engine: FakeEngine, upload_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    steps = [
        "look_for_urgent_signs", "begin_scoring", "check_texts", "score_chunk", "finish_scoring",
        "look_for_meant_signs",
    ]  # fmt: skip
    for name in steps:
        step = getattr(workflows, name)
        monkeypatch.setattr(workflows, name, lambda *a, n=name, s=step: (order.append(n), s(*a))[1])
    assert workflows._score_upload(upload_id, upload_id, False) == UploadStatus.DONE
    assert list(dict.fromkeys(order)) == steps


class FakeMeanings:
    """An encoder to which a text that holds "dark" means a sign, and one that holds "pizza" another topic."""

    def __init__(self) -> None:
        self.there = True
        self.read = 0

    def available(self) -> bool:
        return self.there

    def embed(self, texts: Sequence[str], heartbeat: Callable[[], None] = lambda: None) -> NDArray[np.floating]:
        heartbeat()
        self.read += len(texts)
        weights = UrgentLikeness.load().weights
        meant = weights[1] - weights[0]
        meant = meant / np.linalg.norm(meant)
        elsewhere = np.roll(meant, 7) - np.roll(meant, 7) @ meant * meant
        ways = {"dark": 9 * meant, "pizza": elsewhere}
        return np.array([next((way for word, way in ways.items() if word in text), -9 * meant) for text in texts])


@pytest.fixture
def meanings(school: School, engine: FakeEngine) -> FakeMeanings:
    meanings = FakeMeanings()
    workflows.configure(school.database, FakeStudents(engine), 4, meanings)  # type: ignore[arg-type]
    return meanings


@pytest.mark.parametrize("end", ["scored", "cancelled", "no model"])
def test_what_is_meant_reaches_people_however_scoring_ends(
    school: School, meanings: FakeMeanings, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(checking, "SLICE", 2)
    texts = [*TEXTS[:3], "It melts. everything at home got so dark for me lately. The ice takes heat.", *TEXTS[3:5]]
    upload_id = school.upload([(f"s{n}", "", text) for n, text in enumerate(texts)])
    if end == "cancelled":
        school.services.uploads.cancel(school.educator, upload_id)
    if end == "no model":

        def none(*_: object) -> None:
            raise ModelUnavailable("gone")

        monkeypatch.setattr(workflows, "begin_scoring", none)
    for _ in range(2):
        workflows._score_upload(upload_id, upload_id, False)
    with school.database.read() as session:
        alerts = session.scalars(select(UrgentAlert)).all()
    marked = school.response_ids(upload_id)[3]
    assert [alert.response_id for alert in alerts] == [marked]
    (start, stop), *_ = alerts[0].matched
    assert texts[3][start:stop].startswith("everything at home")
    assert "The ice" not in texts[3][start:stop]
    assert school.services.alerts.waiting(school.educator) == 1


def test_without_an_encoder_words_alone_are_looked_at(school: School, meanings: FakeMeanings, upload_id: str) -> None:
    meanings.there = False
    assert workflows._score_upload(upload_id, upload_id, False) == UploadStatus.DONE
    assert school.services.alerts.waiting(school.educator) == 1
    assert meanings.read == 0


def test_an_answer_about_something_else_is_found_by_what_it_means(school: School, meanings: FakeMeanings) -> None:
    texts = [f"The warm plate gives heat to the ice, so it melts, {n} times." for n in "abcdefghijkl"]
    upload_id = school.upload([(f"s{n}", "", text) for n, text in enumerate([*texts, "i do like pizza"])])
    begin(school, upload_id)
    check(upload_id)
    flags, _ = found(school)
    assert {row for row, kind in flags if kind == "off_topic"} == {12}


def test_level_sets_and_gates_are_kept_and_the_order_follows(
    school: School, engine: FakeEngine, upload_id: str
) -> None:
    begin(school, upload_id)
    chunk(upload_id)
    school.set_upload(upload_id, job_id="again")
    workflows.score_chunk(upload_id, "again", 1, True, 0)
    with school.database.read() as session:
        scores = session.scalars(select(MachineScore).order_by(MachineScore.id)).all()
        gates = session.scalars(select(ResponseGates)).all()
        rows = [row for row in session.scalars(select(Response)) if row.id in {g.response_id for g in gates}]
    assert [score.level_set for score in scores] == [[1, 2], None] * 4
    assert [gate.weights for gate in gates] == [[[0.25, 0.75]]] * 4
    assert [row.machine_total for row in rows] == [1] * 4
    assert {row.uncertainty for row in rows} == {rows[0].uncertainty}
    assert 0 < (rows[0].uncertainty or 0) < 1


def test_an_answer_erased_while_the_model_works_keeps_no_other_from_its_score(
    school: School, engine: FakeEngine, upload_id: str
) -> None:
    begin(school, upload_id)
    ids = school.response_ids(upload_id)
    engine.meanwhile = lambda: (
        school.count("responses") == len(TEXTS) and school.services.review.erase_response(school.educator, ids[1])
    )
    after = 0
    while (done := chunk(upload_id, after))["after"] is not None:
        after = done["after"]
    with school.database.read() as session:
        scored = set(session.scalars(select(MachineScore.response_id)))
    assert scored == {i for n, i in enumerate(ids) if n not in (1, 6)}
    upload = school.services.uploads.get(school.educator, upload_id)
    assert (upload.done, upload.total) == (5, 5)
