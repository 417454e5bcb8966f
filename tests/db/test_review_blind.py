"""Until a person has scored an answer that was drawn blind, no call tells what the machine thinks of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from db.tables import HumanScoreRow, Response
from scoring.domain import HumanScoreKind
from scoring.errors import Conflict, EvenhandError
from scoring.services.audit import AuditFilter
from scoring.services.review import QueueOrder
from scoring.services.review_state import refresh
from scoring.settings import ROOT
from tests.conftest import School

ROWS = [(f"s{n}", f"Name {n}", f"Answer {n}.") for n in range(8)]
DRAWN, MATE, OTHER = 2, 5, 6  # the mate says the same as the drawn one; the other one stands alone


def _share(school: School, share: float) -> None:
    school.services.rules.change(school.administrator, "blind", {"share": share})


def _upload(school: School, hidden: Mapping[str, int]) -> tuple[str, list[int]]:
    """Eight scored answers; the machine gives `hidden` to the drawn one and to its mate."""
    upload_id = school.upload(ROWS)
    ids = school.response_ids(upload_id)
    with school.database.write() as session:
        session.execute(update(Response).where(Response.id == ids[DRAWN]).values(blind=True))
        alike = Response.id.in_([ids[DRAWN], ids[MATE]])
        session.execute(update(Response).where(alike).values(alike_group="same"))
    for number, i in enumerate(ids):
        school.machine(i, hidden if number in (DRAWN, MATE) else {"heat": number % 3, "claim": number % 2})
    school.finish(upload_id)
    return upload_id, ids


def _all_that_can_be_asked(school: School, upload_id: str, ids: list[int]) -> dict[str, str]:
    """What every way out says of the upload; ids that differ between runs are evened out."""
    review, edna = school.services.review, school.educator
    said: dict[str, Any] = {
        "table": school.services.scores.table(edna, upload_id).frame.to_csv(),
        "export": school.services.scores.export(edna, upload_id),
        "stamp": school.services.scores.stamp(edna, upload_id),
        "queue": review.queue(edna, upload_id),
        "evidence": review.blind_report(edna, upload_id),
        "inconsistencies": review.inconsistencies(edna, upload_id),
        "search": review.search(edna, upload_id, "Answer"),
        "upload": school.services.uploads.get(edna, upload_id).done,
    }
    for i in ids:
        said[f"response {i}"] = review.response(edna, i)
        said[f"group {i}"] = review.group(edna, i)
        if i in (ids[DRAWN], ids[MATE]):
            said[f"why {i}"] = _why(school, i)
    for order in QueueOrder:
        said[f"order {order}"] = review.window(edna, upload_id, order, ids[0], before=9, after=9)
        said[f"next {order}"] = [review.next(edna, upload_id, order, i) for i in (None, *ids)]
    said["audit"] = [e.detail for e in school.services.audit.events(school.administrator, AuditFilter("response."))[0]]
    return {
        name: re.sub(r"datetime\.datetime\([^()]*\)", "then", repr(value).replace(upload_id, "upload"))
        for name, value in said.items()
    }


def _why(school: School, response_id: int) -> object:
    try:
        return school.services.explanations.of(school.educator, response_id)
    except EvenhandError as refusal:
        return str(refusal)


def test_two_schools_that_differ_in_hidden_scores_alone_cannot_be_told_apart(
    open_school: Callable[[Path], School], tmp_path: Path
) -> None:
    schools = [open_school(tmp_path / name) for name in ("low", "high")]
    uploads = [_upload(s, h) for s, h in zip(schools, ({"heat": 0, "claim": 0}, {"heat": 2, "claim": 1}), strict=True)]

    def telling() -> set[str]:
        low, high = (_all_that_can_be_asked(s, *u) for s, u in zip(schools, uploads, strict=True))
        return {name for name in low if low[name] != high[name]}

    assert telling() == set()
    # A criterion decided, or all taken back, is not yet a person's score; and a refusal must not tell either.
    for school, (_, ids) in zip(schools, uploads, strict=True):
        school.services.review.decide(school.educator, ids[DRAWN], 0, {"heat": 1}, "half", "", {})
        school.services.review.decide(school.educator, ids[MATE], 0, {"heat": 1, "claim": 1}, "mate", "", {})
    assert telling() == set()
    for school, (_, ids) in zip(schools, uploads, strict=True):
        school.services.review.decide(school.educator, ids[DRAWN], 1, {"claim": 1}, "whole")
    assert {"table", "evidence", f"response {uploads[0][1][DRAWN]}"} <= telling(), "now it is decided"
    for number, (school, (upload_id, ids)) in enumerate(zip(schools, uploads, strict=True)):
        view = school.services.review.response(school.educator, ids[DRAWN])
        assert [part.machine.level for part in view.criteria if part.machine] == [[0, 0], [2, 1]][number]
        school.services.review.undo_last(school.educator, upload_id, "back", 0)
    assert telling() == {"evidence"}, "hidden once more, but for what was found before"


def test_what_was_said_of_a_revealed_score_is_hidden_with_it(school: School) -> None:
    upload_id, ids = _upload(school, {"heat": 2, "claim": 1})
    review, drawn = school.services.review, ids[DRAWN]
    review.decide(school.educator, drawn, 0, {"heat": 1, "claim": 1}, "n1")
    review.decide(school.educator, drawn, 1, {"heat": 0}, "n2", "the model is far too kind")
    review.undo(school.educator, drawn, 2, "u1")
    view = review.undo(school.educator, drawn, 3, "u2")
    assert view.machine_hidden
    for part in view.criteria:
        assert (part.machine, part.final.source) == (None, "hidden")
        for entry in part.history:
            assert entry.kind in (HumanScoreKind.BLIND, HumanScoreKind.RETRACT)
            assert entry.reason == ""
    row = school.services.scores.table(school.educator, upload_id).frame.iloc[DRAWN]
    assert row["heat:source"] == "hidden"


def test_a_blind_answer_is_scored_without_a_reason_and_says_so(school: School) -> None:
    _, ids = _upload(school, {"heat": 2, "claim": 1})
    review = school.services.review
    with pytest.raises(Conflict, match="come into view"):
        review.decide(school.educator, ids[DRAWN], 0, {"heat": 0}, "n0", "", {"heat": 2, "claim": 1})
    view = review.decide(school.educator, ids[DRAWN], 0, {"heat": 0, "claim": 1}, "n", machine_seen={})
    assert [part.final.source for part in view.criteria] == ["blind", "blind"]
    assert not view.machine_hidden
    assert view.blind
    with school.database.read() as session:
        rows = session.scalars(select(HumanScoreRow)).all()
        assert [(row.blind, row.machine_level) for row in rows] == [(True, 2), (True, 1)]


def test_a_score_that_comes_into_view_while_somebody_decides_is_looked_at_first(school: School) -> None:
    _, ids = _upload(school, {"heat": 2, "claim": 1})
    review = school.services.review
    mate = review.response(school.educator, ids[MATE])
    assert mate.machine_hidden
    review.decide(school.administrator, ids[DRAWN], 0, {"heat": 2, "claim": 1}, "n1")
    with pytest.raises(Conflict, match="come into view"):
        review.decide(school.educator, ids[MATE], mate.revision, {"heat": 1, "claim": 1}, "n2", "", {})


def test_place_in_the_order_comes_with_the_reveal_of_a_mate_and_never_for_the_drawn(school: School) -> None:
    _, ids = _upload(school, {"heat": 2, "claim": 1})

    def places() -> dict[int, tuple[float | None, int | None]]:
        with school.database.read() as session:
            rows = session.scalars(select(Response).where(Response.id.in_([ids[DRAWN], ids[MATE], ids[OTHER]])))
            return {ids.index(row.id): (row.uncertainty, row.machine_total) for row in rows}

    assert places()[DRAWN] == places()[MATE] == (None, None)
    assert None not in places()[OTHER]
    school.services.review.decide(school.educator, ids[DRAWN], 0, {"heat": 0, "claim": 0}, "n")
    assert places()[DRAWN] == (None, None)
    assert places()[MATE][1] == 3
    alone = places()[OTHER][0]
    assert alone is not None
    assert (places()[MATE][0] or 0) > alone, "a person disagreed with the machine on an answer that says the same"
    school.services.review.undo_last(school.educator, school.services.review.response(
        school.educator, ids[DRAWN]).upload_id, "u", 0)  # fmt: skip
    assert places()[MATE] == (None, None)


@pytest.mark.parametrize(("share", "count", "drawn"), [(0.1, 30, 3), (0.1, 3, 1), (0.0, 30, 0), (1.0, 30, 30)])
def test_the_share_of_the_house_is_drawn_and_on_record(school: School, share: float, count: int, drawn: int) -> None:
    _share(school, share)
    upload_id = school.upload([(f"s{n}", "", f"Answer {n}.") for n in range(count)])
    with school.database.read() as session:
        found = session.scalars(select(Response.id).where(Response.blind.is_(True))).all()
    assert len(found) == drawn
    ((event, *_), _) = school.services.audit.events(school.administrator, AuditFilter("upload.submit"))
    assert (event.object_id, event.detail["blind"], event.detail["blind_share"]) == (upload_id, drawn, share)


def test_every_place_of_the_file_can_be_drawn_but_no_blank(school: School) -> None:
    _share(school, 0.3)
    drawn: set[int] = set()
    for number in range(12):
        upload = school.upload([(f"s{n}", "", "" if n == 4 else f"Answer {n}.") for n in range(10)], token=f"t{number}")
        ids = school.response_ids(upload)
        with school.database.read() as session:
            chosen = session.scalars(select(Response.id).where(Response.upload_id == upload, Response.blind.is_(True)))
            drawn |= {ids.index(i) for i in chosen}
    assert 4 not in drawn
    # Each of the nine is missed by all twelve draws with probability 0.6 ** 12 = 0.002.
    assert len(drawn) >= 7


def test_only_what_was_given_before_the_reveal_is_evidence(school: School) -> None:
    upload_id = school.upload([(f"s{n}", "", f"Answer {n}.") for n in range(10)])
    ids, review = school.response_ids(upload_id), school.services.review
    with school.database.write() as session:
        session.execute(update(Response).where(Response.id.in_(ids[:4])).values(blind=True))
    for i in ids:
        school.machine(i, {"heat": 2, "claim": 1})
    report = review.blind_report(school.educator, upload_id)
    assert (report.drawn, report.decided, report.blind.n, report.revealed.n) == (4, 0, 0, 0)
    # Blind: one agrees; one differs and is changed to the machine's after the reveal; one corrects a slip
    # before the reveal; one is decided by half.
    review.decide(school.educator, ids[0], 0, {"heat": 2, "claim": 1}, "a")
    review.decide(school.educator, ids[1], 0, {"heat": 0, "claim": 1}, "b")
    review.undo(school.educator, ids[1], 1, "b-")
    review.decide(school.educator, ids[1], 2, {"heat": 2, "claim": 1}, "b2")
    review.decide(school.educator, ids[2], 0, {"heat": 0}, "c")
    review.undo(school.educator, ids[2], 1, "c-")
    review.decide(school.educator, ids[2], 2, {"heat": 2}, "c2")
    review.decide(school.educator, ids[2], 3, {"claim": 1}, "c3")
    review.decide(school.educator, ids[3], 0, {"heat": 0}, "d")
    # Revealed: four confirmed, one overridden, one in a group.
    for i in ids[4:8]:
        review.decide(school.educator, i, 0, {"heat": 2, "claim": 1}, f"r{i}")
    review.decide(school.educator, ids[8], 0, {"heat": 2, "claim": 0}, "o", "no claim")
    review.decide_group(school.educator, ids[9], {ids[9]: 0}, {"heat": 0, "claim": 0}, "g", "both missing")
    report = review.blind_report(school.educator, upload_id)
    assert (report.drawn, report.decided) == (4, 3)
    assert (report.blind.n, report.blind.differing) == (3, 1)
    assert (report.revealed.n, report.revealed.differing) == (5, 1)
    value, low, high = report.anchoring
    assert value == pytest.approx(1 / 3 - 1 / 5)
    assert low < 0 < value < high
    heat, claim = report.agreement
    assert (heat.n, heat.exact, claim.exact) == (3, pytest.approx(2 / 3), 1.0)
    assert (heat.criterion.id, heat.qwk) == ("heat", 0.0)


def test_rescoring_shows_nothing_of_what_is_hidden(school: School) -> None:
    upload_id, ids = _upload(school, {"heat": 2, "claim": 1})
    school.machine(ids[DRAWN], {"heat": 0, "claim": 0}, job_id="again")
    assert school.services.review.response(school.educator, ids[DRAWN]).machine_hidden
    with school.database.write() as session:
        refresh(session, ids)
    frame = school.services.scores.table(school.educator, upload_id).frame
    assert frame.loc[[DRAWN, MATE], ["heat", "heat:machine", "heat:probability", "total"]].isna().all(axis=None)


def test_machine_scores_are_read_in_one_place() -> None:
    """A new way out must go through `db.queries`, or say here why it tells nobody a level."""
    allowed = {
        "db/queries.py": "the place",
        "db/explanation_queries.py": "which version scored, no level",
        "scoring/worker/workflows.py": "writes them",
        "scoring/services/versions.py": "counts them",
        "scoring/services/erasing.py": "asks whether a job has written one",
        "bench/review.py": "writes them",
    }
    found = set()
    for path in (path for folder in ("scoring", "db", "pages", "bench") for path in (ROOT / folder).rglob("*.py")):
        names = {n.id for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Name)}
        if "MachineScore" in names:
            found.add(path.relative_to(ROOT).as_posix())
    assert found <= set(allowed)
    for path in (ROOT / "scoring" / "services").glob("*.py"):
        if "even_hidden=True" in path.read_text(encoding="utf-8"):
            assert path.name == "decision_writing.py", "only to keep the machine's level beside a decision"
