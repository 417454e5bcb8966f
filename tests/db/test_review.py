"""A decision lands on its own response, whole and once, and nothing but a person takes it away."""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from db.tables import StudentVersion
from scoring.domain import FinalScore, HumanScoreKind
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


# Anything, in any order -------------------------------------------------------------------------------


@dataclass
class _Given:
    """What the model remembers of one score."""

    rater: int
    level: int
    nonce: str
    source: str
    retracted: bool = False


_choice = st.integers(0, 2)
_wanted = st.dictionaries(st.sampled_from(["heat", "claim"]), st.integers(0, 1), min_size=1)


class Reviewing(RuleBasedStateMachine):
    """Two people decide, undo and repeat themselves on three responses while the machine scores again."""

    def __init__(self, school: School) -> None:
        super().__init__()
        self.school = school
        self.raters = (school.educator, school.administrator)
        upload_id = school.upload([(f"s{n}", f"Name {n}", f"Answer {n}.") for n in range(3)])
        self.upload_id, self.responses = upload_id, school.response_ids(upload_id)
        self.revision = dict.fromkeys(self.responses, 0)
        self.machine: dict[tuple[int, str], int] = {}
        self.given: dict[tuple[int, str], list[_Given]] = defaultdict(list)
        self.sent: list[tuple[int, int, dict[str, int], str]] = []
        self.numbers = itertools.count()

    @rule(who=st.integers(0, 1), which=_choice, levels=_wanted)
    def decide(self, who: int, which: int, levels: dict[str, int]) -> None:
        response, nonce = self.responses[which], f"n{next(self.numbers)}"
        self.school.services.review.decide(
            self.raters[who], response, self.revision[response], levels, nonce, "a reason"
        )
        self.revision[response] += 1
        self.sent.append((who, response, levels, nonce))
        for criterion, level in levels.items():
            differs = self.machine.get((response, criterion), level) != level
            kind = "override" if differs else "confirm"
            self.given[response, criterion].append(_Given(who, level, nonce, kind))

    @rule(who=st.integers(0, 1), which=_choice, levels=_wanted, behind=st.sampled_from([-1, 1, 5]))
    def decide_on_a_stale_screen(self, who: int, which: int, levels: dict[str, int], behind: int) -> None:
        response = self.responses[which]
        with pytest.raises(Conflict):
            self.school.services.review.decide(
                self.raters[who], response, self.revision[response] - behind, levels, f"n{next(self.numbers)}", "r"
            )

    @rule(data=st.data())
    def press_again(self, data: st.DataObject) -> None:
        if self.sent:
            who, response, levels, nonce = data.draw(st.sampled_from(self.sent))
            self.school.services.review.decide(self.raters[who], response, 0, levels, nonce, "a reason")

    @rule(data=st.data(), which=_choice)
    def send_to_another_response(self, data: st.DataObject, which: int) -> None:
        if self.sent:
            who, response, levels, nonce = data.draw(st.sampled_from(self.sent))
            other = self.responses[which]
            if other != response:
                with pytest.raises(Conflict):
                    self.school.services.review.decide(
                        self.raters[who], other, self.revision[other], levels, nonce, "a reason"
                    )

    @rule(who=st.integers(0, 1), which=_choice)
    def undo(self, who: int, which: int) -> None:
        response = self.responses[which]
        mine = [nonce for w, r, _, nonce in self.sent if (w, r) == (who, response)]
        still = [g.nonce for c in ("heat", "claim") for g in self.given[response, c] if not g.retracted]
        standing = [nonce for nonce in mine if nonce in still]
        nonce = f"u{next(self.numbers)}"
        if not standing:
            with pytest.raises(Conflict):
                self.school.services.review.undo(self.raters[who], response, self.revision[response], nonce)
            return
        self.school.services.review.undo(self.raters[who], response, self.revision[response], nonce)
        self.revision[response] += 1
        for criterion in ("heat", "claim"):
            for given in self.given[response, criterion]:
                given.retracted |= given.nonce == standing[-1]

    @rule(which=_choice, heat=st.integers(0, 2), claim=st.integers(0, 1))
    def machine_scores(self, which: int, heat: int, claim: int) -> None:
        response = self.responses[which]
        self.school.machine(response, {"heat": heat, "claim": claim}, job_id=f"job{next(self.numbers)}")
        self.machine[response, "heat"], self.machine[response, "claim"] = heat, claim

    def _expected(self, response: int, criterion: str) -> FinalScore:
        standing = [given for given in self.given[response, criterion] if not given.retracted]
        if standing:
            return FinalScore(standing[-1].level, True, standing[-1].source)
        level = self.machine.get((response, criterion))
        return FinalScore(level, False, "none" if level is None else "machine")

    @invariant()
    def every_response_shows_its_own_scores(self) -> None:
        table = self.school.services.scores.table(self.school.educator, self.upload_id).frame
        for row in table.to_dict("records"):
            response = row["response_id"]
            view = self.school.services.review.response(self.school.educator, response)
            assert view.revision == self.revision[response]
            for part in view.criteria:
                key = part.criterion.id
                wanted = self._expected(response, key)
                assert part.final == wanted
                shown = None if pd.isna(row[key]) else int(row[key])
                assert (shown, row[f"{key}:source"], row[f"{key}:reviewed"]) == (
                    wanted.level, wanted.source, wanted.reviewed,
                )  # fmt: skip
                kept = [entry.level for entry in part.history if entry.kind is not HumanScoreKind.RETRACT]
                assert kept == [given.level for given in self.given[response, key]], "no decision vanishes"

    def teardown(self) -> None:
        assert self.school.services.audit.verify(self.school.administrator).intact
        self.school.services.close()


def test_no_order_of_decisions_undos_and_rescoring_moves_or_loses_a_score(
    open_school: Callable[[Path], School], tmp_path: Path
) -> None:
    numbers = itertools.count()
    run_state_machine_as_test(
        lambda: Reviewing(open_school(tmp_path / str(next(numbers)))),
        settings=settings(max_examples=10, stateful_step_count=15, deadline=None),
    )


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
