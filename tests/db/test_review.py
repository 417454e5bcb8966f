"""A decision lands on its own response, whole and once, and nothing but a person takes it away."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from db.tables import StudentVersion
from scoring.domain import HumanScoreKind
from scoring.errors import Conflict, InvalidInput
from scoring.services.review import ResponseView
from tests.conftest import School


@pytest.fixture
def responses(school: School) -> list[int]:
    """Three responses; on the first two the machine says heat 1, claim 0."""
    upload_id = school.upload([("s1", "Ann", "Heat moves."), ("s2", "Ben", "It is warm."), ("s3", "Cy", "Ice.")])
    ids = school.response_ids(upload_id)
    for response in ids[:2]:
        school.machine(response, {"heat": 1, "claim": 0})
    return ids


def _levels(view: ResponseView) -> dict[str, tuple[int | None, bool, str]]:
    return {v.criterion.id: (v.final.level, v.final.reviewed, v.final.source) for v in view.criteria}


MACHINE = {"heat": (1, False, "machine"), "claim": (0, False, "machine")}


# Deciding ---------------------------------------------------------------------------------------------


def test_a_response_shows_the_machine_as_unreviewed_until_somebody_decides(
    school: School, responses: list[int]
) -> None:
    view = school.services.review.response(school.educator, responses[0])
    assert _levels(view) == MACHINE
    assert (view.reviewed, view.may_undo, view.revision) == (False, False, 0)
    assert (view.learner, view.learner_name, view.text, view.row) == ("s1", "Ann", "Heat moves.", 2)
    silent = school.services.review.response(school.educator, responses[2])
    assert _levels(silent) == {"heat": (None, False, "none"), "claim": (None, False, "none")}


def test_the_same_levels_confirm_and_others_override(school: School, responses: list[int]) -> None:
    review = school.services.review
    view = review.decide(school.educator, responses[0], 0, {"heat": 2, "claim": 0}, "n", "  names the plate ")
    assert _levels(view) == {"heat": (2, True, "override"), "claim": (0, True, "confirm")}
    assert (view.reviewed, view.may_undo, view.revision) == (True, True, 1)
    (entry,) = view.criteria[0].history
    assert (entry.rater, entry.kind, entry.level, entry.reason) == (
        "Edna Educator", HumanScoreKind.OVERRIDE, 2, "names the plate",
    )  # fmt: skip
    for other in responses[1:]:
        assert not review.response(school.educator, other).reviewed


def test_the_returned_view_is_what_is_stored(school: School, responses: list[int]) -> None:
    view = school.services.review.decide(school.educator, responses[0], 0, {"heat": 1, "claim": 0}, "n")
    assert view == school.services.review.response(school.educator, responses[0])


def test_one_criterion_can_be_decided_alone(school: School, responses: list[int]) -> None:
    view = school.services.review.decide(school.educator, responses[0], 0, {"claim": 0}, "n")
    assert _levels(view) == {"heat": (1, False, "machine"), "claim": (0, True, "confirm")}
    assert not view.reviewed


def test_where_the_machine_was_silent_no_reason_is_asked(school: School, responses: list[int]) -> None:
    view = school.services.review.decide(school.educator, responses[2], 0, {"heat": 2, "claim": 1}, "n")
    assert view.reviewed


@pytest.mark.parametrize(
    ("levels", "reason", "said"),
    [
        ({"heat": 2}, "", "Say why"),
        ({"heat": 2}, "   ", "Say why"),
        ({"heat": 2, "claim": 0}, "", "Say why"),
        ({"heat": 3}, "r", "level 3 is not one of"),
        ({"heat": -1}, "r", "level -1 is not one of"),
        ({"claim": 2, "heat": 1}, "r", "level 2 is not one of"),
        ({"heat": None}, "r", "None is not one of"),
        ({"style": 1}, "r", "no criterion"),
        ({}, "r", "at least one"),
        ({"heat": 2}, "x" * 2001, "at most 2000"),
    ],
)
def test_a_decision_that_cannot_stand_is_refused_whole(
    school: School, responses: list[int], levels: dict[str, int], reason: str, said: str
) -> None:
    before = school.counts()
    with pytest.raises(InvalidInput, match=said):
        school.services.review.decide(school.educator, responses[0], 0, levels, "n", reason)
    assert school.counts() == before
    assert _levels(school.services.review.response(school.educator, responses[0])) == MACHINE


def test_a_stale_screen_saves_nothing(school: School, responses: list[int]) -> None:
    school.services.review.decide(school.administrator, responses[0], 0, {"heat": 0, "claim": 0}, "n1", "no heat")
    before = school.counts()
    with pytest.raises(Conflict, match="Nothing of yours was saved"):
        school.services.review.decide(school.educator, responses[0], 0, {"heat": 2, "claim": 1}, "n2", "mine")
    assert school.counts() == before
    view = school.services.review.response(school.educator, responses[0])
    assert _levels(view) == {"heat": (0, True, "override"), "claim": (0, True, "confirm")}


def test_of_two_who_decide_at_the_same_moment_one_is_told(school: School, responses: list[int]) -> None:
    start = threading.Barrier(2)

    def decide(level: int) -> bool:
        actor = (school.educator, school.administrator)[level]
        start.wait(30)
        try:
            school.services.review.decide(actor, responses[2], 0, {"heat": level, "claim": level}, f"n{level}")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(decide, (0, 1))) == [False, True]
    view = school.services.review.response(school.educator, responses[2])
    assert (view.revision, [len(part.history) for part in view.criteria]) == (1, [1, 1])
    assert len({part.final.level for part in view.criteria}) == 1, "one person's decision, whole"


def test_the_same_press_twice_is_one_decision(school: School, responses: list[int]) -> None:
    decide = school.services.review.decide
    first = decide(school.educator, responses[0], 0, {"heat": 1, "claim": 0}, "n")
    before = school.counts()
    assert decide(school.educator, responses[0], 0, {"heat": 1, "claim": 0}, "n") == first
    assert school.counts() == before


def test_the_same_press_at_the_same_moment_is_one_decision(school: School, responses: list[int]) -> None:
    start = threading.Barrier(3)

    def decide(_number: int) -> int:
        start.wait(30)
        return school.services.review.decide(school.educator, responses[0], 0, {"heat": 1}, "n").revision

    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(decide, range(3))) == {1}
    assert school.count("human_scores") == 1


@pytest.mark.parametrize("levels", [{"heat": 2, "claim": 0}, {"heat": 1}, {"heat": 1, "claim": 1}])
def test_a_second_press_with_other_levels_is_not_taken_for_the_first(
    school: School, responses: list[int], levels: dict[str, int]
) -> None:
    decide = school.services.review.decide
    decide(school.educator, responses[0], 0, {"heat": 1, "claim": 0}, "n")
    before = school.counts()
    with pytest.raises(Conflict):
        decide(school.educator, responses[0], 0, levels, "n", "a reason")
    assert school.counts() == before


def test_a_decision_for_one_response_never_lands_on_another(school: School, responses: list[int]) -> None:
    review = school.services.review
    review.decide(school.educator, responses[0], 0, {"heat": 1, "claim": 0}, "n")
    before = school.counts()
    with pytest.raises(Conflict, match="another response"):
        review.decide(school.educator, responses[1], 0, {"heat": 1, "claim": 0}, "n")
    with pytest.raises(Conflict, match="another response"):
        review.decide(school.administrator, responses[0], 1, {"heat": 1, "claim": 0}, "n")
    assert school.counts() == before
    assert _levels(review.response(school.educator, responses[1])) == MACHINE


# Undo -------------------------------------------------------------------------------------------------


def test_undo_brings_back_what_stood_before_step_by_step(school: School, responses: list[int]) -> None:
    review, edna, response = school.services.review, school.educator, responses[0]
    review.decide(edna, response, 0, {"heat": 1, "claim": 0}, "n1")
    review.decide(edna, response, 1, {"heat": 2, "claim": 1}, "n2", "on second thoughts")
    once = review.undo(edna, response, 2, "u1")
    assert _levels(once) == {"heat": (1, True, "confirm"), "claim": (0, True, "confirm")}
    assert once.may_undo
    twice = review.undo(edna, response, 3, "u2")
    assert _levels(twice) == MACHINE
    assert (twice.may_undo, twice.reviewed) == (False, False)
    assert [(e.kind.value, e.retracted) for e in twice.criteria[0].history] == [
        ("confirm", True), ("override", True), ("retract", False), ("retract", False),
    ]  # fmt: skip
    with pytest.raises(Conflict, match="no decision of yours"):
        review.undo(edna, response, 4, "u3")


def test_undo_takes_back_ones_own_decision_and_leaves_a_colleagues(school: School, responses: list[int]) -> None:
    review, response = school.services.review, responses[0]
    review.decide(school.educator, response, 0, {"heat": 2}, "n1", "mine")
    review.decide(school.administrator, response, 1, {"heat": 0, "claim": 1}, "n2", "theirs")
    view = review.undo(school.educator, response, 2, "u1")
    assert _levels(view) == {"heat": (0, True, "override"), "claim": (1, True, "override")}
    view = review.undo(school.administrator, response, 3, "u2")
    assert _levels(view) == MACHINE


def test_a_stale_undo_saves_nothing(school: School, responses: list[int]) -> None:
    review, response = school.services.review, responses[0]
    review.decide(school.educator, response, 0, {"heat": 1}, "n1")
    review.decide(school.administrator, response, 1, {"heat": 0}, "n2", "no")
    before = school.counts()
    with pytest.raises(Conflict, match="Nothing of yours"):
        review.undo(school.educator, response, 1, "u1")
    assert school.counts() == before


def test_the_same_undo_twice_takes_back_one_decision(school: School, responses: list[int]) -> None:
    review, response = school.services.review, responses[0]
    review.decide(school.educator, response, 0, {"heat": 1}, "n1")
    review.decide(school.educator, response, 1, {"heat": 0}, "n2", "no")
    first = review.undo(school.educator, response, 2, "u")
    assert review.undo(school.educator, response, 2, "u") == first
    assert _levels(first)["heat"] == (1, True, "confirm")


def test_an_undo_with_a_used_nonce_of_something_else_is_refused_not_swallowed(
    school: School, responses: list[int]
) -> None:
    review = school.services.review
    review.decide(school.educator, responses[0], 0, {"heat": 1}, "n1")
    review.decide(school.educator, responses[1], 0, {"heat": 1}, "n2")
    before = school.counts()
    for nonce in ("n1", "n2"):  # of another response; of the decision itself
        with pytest.raises(Conflict):
            review.undo(school.educator, responses[1], 1, nonce)
    review.undo(school.educator, responses[0], 1, "u1")
    with pytest.raises(Conflict):
        review.decide(school.educator, responses[0], 2, {"heat": 1}, "u1")
    assert school.count("human_scores") == before["human_scores"] + 1


# The machine ------------------------------------------------------------------------------------------


def test_a_persons_score_stands_when_the_machine_scores_again(school: School, responses: list[int]) -> None:
    review, response = school.services.review, responses[0]
    review.decide(school.educator, response, 0, {"heat": 2, "claim": 0}, "n", "names the plate")
    school.machine(response, {"heat": 0, "claim": 1}, job_id="again")
    view = review.response(school.educator, response)
    assert _levels(view) == {"heat": (2, True, "override"), "claim": (0, True, "confirm")}
    assert [v.machine.level for v in view.criteria if v.machine] == [0, 1]
    table = school.services.scores.table(school.educator, view.upload_id).frame
    assert tuple(table.loc[0, ["heat", "claim", "reviewed"]]) == (2, 0, True)


def test_the_newest_machine_score_shows_whichever_version_gave_it(school: School, responses: list[int]) -> None:
    with school.database.write() as session:
        row = StudentVersion(version_key="second", folder="x", state="candidate", shapes={}, card={})
        session.add(row)
        session.flush()
        second = row.id
    school.machine(responses[0], {"heat": 2, "claim": 1}, version=second)
    view = school.services.review.response(school.educator, responses[0])
    assert [v.machine.level for v in view.criteria if v.machine] == [2, 1]
    school.machine(responses[0], {"heat": 0, "claim": 0}, version=1)
    view = school.services.review.response(school.educator, responses[0])
    assert [v.machine.level for v in view.criteria if v.machine] == [0, 0]
    table = school.services.scores.table(school.educator, view.upload_id).frame
    assert list(table["heat:machine"])[:2] == [0, 1]


def test_a_decision_on_a_suggestion_that_changed_meanwhile_is_refused(school: School) -> None:
    upload_id = school.upload()
    response = school.response_ids(upload_id)[0]
    school.machine(response, {"heat": 2, "claim": 1})
    school.machine(response, {"heat": 1, "claim": 1}, job_id="again")
    review = school.services.review
    with pytest.raises(Conflict, match="scored this response again"):
        review.decide(school.educator, response, 0, {"heat": 1}, "n", "too high", {"heat": 2, "claim": 1})
    assert school.count("human_scores") == 0
    view = review.decide(school.educator, response, 0, {"heat": 1}, "n", "", {"heat": 1, "claim": 1})
    assert view.criteria[0].final.source == "confirm"
