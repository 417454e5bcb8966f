"""The review screen on the server's side: what the desk is given to draw, and what becomes of what it sends.

Keys, focus and order in the browser are in tests/e2e/test_review_keys.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update
from streamlit.testing.v1 import AppTest

from db.tables import Comment, HumanScoreRow, Response, SectionEducator
from pages.components.session import Key
from pages.components.words import plain
from scoring.domain import HumanScoreKind
from scoring.services.actors import Actor
from scoring.services.house import Services
from scoring.services.rules import BLIND
from scoring.services.sections import SectionSummary
from tests.pages.conftest import PASSWORD
from tests.pages.driving import NASTY, REVIEW, Open, desk, opened, run, said
from tests.pages.school import another_educator, response_ids, score, upload_class


def send(at: AppTest, **message: Any) -> dict[str, Any]:
    """Let the desk send a message; returns what it is given then."""
    upload_id = at.query_params["upload"]
    key = upload_id if isinstance(upload_id, str) else upload_id[0]
    at.session_state[f"{Key.DESK}-{key}"] = {"message": message}
    return desk(run(at))


def decision(data: dict[str, Any], levels: dict[str, int], nonce: str = "n1", **more: Any) -> dict[str, Any]:
    """What the desk sends when the answer that shows gets these levels."""
    view = shown(data)
    seen = {key: part["machine"]["level"] for key, part in view["parts"].items() if part["machine"]}
    return {
        "kind": "decide", "response_id": view["id"], "revision": view["revision"], "seen": seen, "levels": levels,
        "reason": "", "reason_kind": "", "comments": {}, "nonce": nonce, **more,
    }  # fmt: skip


def shown(data: dict[str, Any]) -> dict[str, Any]:
    return next(dict(view) for view in data["answers"] if view["id"] == data["current"])


def decisions(services: Services) -> list[tuple[int, str, int | None]]:
    with services.database.read() as session:
        rows = session.scalars(select(HumanScoreRow).order_by(HumanScoreRow.id))
        return [(row.response_id, row.kind, row.level) for row in rows]


def test_a_decision_is_saved_and_the_next_answer_shows(
    app: Open, services: Services, educator: Actor, scored: str
) -> None:
    first, second, _ = response_ids(services, educator, scored)
    at = opened(app, educator, REVIEW, scored, first)
    data = desk(at)
    assert shown(data)["parts"]["heat"]["machine"]["level"] == 1
    after = send(at, **decision(data, {"heat": 1}))
    assert decisions(services) == [(first, HumanScoreKind.CONFIRM, 1)]
    assert after["answer_to"] == {
        "nonce": "n1", "done": True, "text": "Saved for Ann (s1).", "show": second, "saved": [first],
        "refused": None, "members": None, "found": None,
    }  # fmt: skip
    assert after["current"] == second
    assert after["queue"]["reviewed"] == 1


def test_a_message_that_is_there_in_every_run_counts_once(
    app: Open, services: Services, educator: Actor, scored: str
) -> None:
    at = opened(app, educator, REVIEW, scored, response_ids(services, educator, scored)[0])
    send(at, **decision(desk(at), {"heat": 1}))
    at.query_params["response"] = str(response_ids(services, educator, scored)[2])
    run(at)
    assert len(decisions(services)) == 1
    # Nor does the answer to it move the desk a second time.
    assert desk(at)["current"] == response_ids(services, educator, scored)[2]


def test_a_message_of_a_lost_connection_changes_nothing_the_second_time(
    app: Open, services: Services, educator: Actor, scored: str
) -> None:
    at = opened(app, educator, REVIEW, scored, response_ids(services, educator, scored)[0])
    message = decision(desk(at), {"heat": 1})
    send(at, **message)
    again = opened(app, educator, REVIEW, scored)
    assert send(again, **message, again=1)["answer_to"]["done"]
    assert len(decisions(services)) == 1


def test_the_order_begins_with_what_the_model_is_least_sure_of(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    upload_id = upload_class(services, educator, section.id, task="plant-light")
    score(services, upload_id, {2: 2, 3: 0, 4: 1})
    two, three, four = response_ids(services, educator, upload_id)
    with services.database.write() as session:
        for response_id, value in ((two, 0.1), (three, 0.9), (four, 0.5)):
            session.execute(update(Response).where(Response.id == response_id).values(uncertainty=value))
    data = desk(opened(app, educator, REVIEW, upload_id))
    assert (data["current"], data["order"]) == (three, [three, four, two])


def test_another_order_and_a_filter_begin_anew(app: Open, services: Services, educator: Actor, scored: str) -> None:
    first, second, third = response_ids(services, educator, scored)
    services.review.flag(educator, third, True, "ask Ben")
    at = opened(app, educator, REVIEW, scored, second)
    data = send(at, kind="queue", nonce="q1", response_id=second, order="file", only="flagged")
    assert (data["current"], data["order"]) == (third, [third])
    assert shown(data)["flag_note"] == "ask Ben"
    data = send(at, kind="queue", nonce="q2", response_id=third, order="file", only="")
    assert (data["current"], data["order"]) == (first, [first, second, third])


def test_a_filter_that_nothing_meets_is_refused(app: Open, educator: Actor, scored: str) -> None:
    at = opened(app, educator, REVIEW, scored)
    before = desk(at)["current"]
    data = send(at, kind="queue", nonce="q1", response_id=before, order="file", only="flagged")
    assert data["answer_to"]["text"] == "No answer is like that. The list stays as it was."
    assert (data["current"], data["queue"]["only"]) == (before, "")


def test_changing_without_a_reason_is_refused_and_nothing_moves(
    app: Open, services: Services, educator: Actor, scored: str
) -> None:
    first = response_ids(services, educator, scored)[0]
    at = opened(app, educator, REVIEW, scored, first)
    data = send(at, **decision(desk(at), {"heat": 0}))
    assert not data["answer_to"]["done"]
    assert "Say why" in data["answer_to"]["text"]
    assert (data["current"], decisions(services)) == (first, [])
    reason = data["reasons"][1]
    send(at, **decision(data, {"heat": 0}, "n2", reason="It names no heat.", reason_kind=reason))
    assert decisions(services) == [(first, HumanScoreKind.OVERRIDE, 0)]
    at = opened(app, educator, REVIEW, scored, first)
    assert f"changed it to level 0: “{plain(reason)}; It names no heat.”" in said(at)
    assert shown(desk(at))["parts"]["heat"]["words"] == f"Edna Educator chose level 0: “{reason}; It names no heat.”."


def test_a_stale_decision_is_refused_and_both_are_shown(
    app: Open, services: Services, administrator: Actor, educator: Actor, section: SectionSummary, scored: str
) -> None:
    colleague = another_educator(services, administrator, "Cora *C*", "cora@school.example", PASSWORD)
    services.sections.share(educator, section.id, colleague.email)
    first = response_ids(services, educator, scored)[0]
    at = opened(app, educator, REVIEW, scored, first)
    message = decision(desk(at), {"heat": 1})
    services.review.decide(colleague, first, 0, {"heat": 0}, "nonce", "sees no heat")
    data = send(at, **message)
    assert not data["answer_to"]["done"]
    assert data["answer_to"]["refused"]["who"] == "Ann (s1)"
    assert data["answer_to"]["refused"]["rows"] == [
        {
            "name": "Names the transfer of heat", "yours": "level 1",
            "stands": "Cora *C* chose level 0: “sees no heat”",
        }
    ]  # fmt: skip
    assert (data["current"], shown(data)["revision"]) == (first, 1)
    assert len(decisions(services)) == 1


def test_a_new_score_of_the_model_meanwhile_is_refused(
    app: Open, services: Services, educator: Actor, scored: str
) -> None:
    at = opened(app, educator, REVIEW, scored, response_ids(services, educator, scored)[0])
    data = send(at, **{**decision(desk(at), {"heat": 0}), "seen": {"heat": 0}})
    assert "scored this response again" in data["answer_to"]["refused"]["text"]
    assert not decisions(services)


def test_somebody_removed_in_mid_review_saves_nothing_and_is_told(
    app: Open, services: Services, administrator: Actor, educator: Actor, section: SectionSummary, scored: str
) -> None:
    at = opened(app, educator, REVIEW, scored)
    message = decision(desk(at), {"heat": 1})
    with services.database.write() as session:
        session.delete(session.get_one(SectionEducator, (section.id, educator.user_id)))
    at.session_state[f"{Key.DESK}-{scored}"] = {"message": message}
    run(at)
    assert "no such upload" in at.error[0].value
    assert not at.get("bidi_component")
    assert not decisions(services)


def test_an_answer_erased_in_mid_review_leaves_a_word_and_the_next_one(
    app: Open, services: Services, educator: Actor, scored: str
) -> None:
    first = response_ids(services, educator, scored)[0]
    at = opened(app, educator, REVIEW, scored, first)
    message = decision(desk(at), {"heat": 1})
    with services.database.write() as session:
        session.delete(session.get_one(Response, first))
    data = send(at, **message)
    assert data["answer_to"]["refused"]["gone"]
    assert data["current"] in response_ids(services, educator, scored)


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "decide", "nonce": "n"},
        {"kind": "decide", "nonce": "n", "response_id": "x"},
        {"kind": "fly", "nonce": "n"},
        {"nonce": "n"},
        {"kind": "queue", "nonce": "n", "order": "random", "only": ""},
    ],
)
def test_what_can_t_be_read_is_refused_in_words(
    app: Open, services: Services, educator: Actor, scored: str, message: dict[str, Any]
) -> None:
    data = send(opened(app, educator, REVIEW, scored), **message)
    assert "can't be read" in data["answer_to"]["text"]
    assert not decisions(services)


def test_a_response_of_another_upload_can_t_be_gone_to(
    app: Open, services: Services, educator: Actor, section: SectionSummary, scored: str
) -> None:
    other = upload_class(services, educator, section.id, name="other.csv")
    elsewhere = response_ids(services, educator, other)[0]
    at = opened(app, educator, REVIEW, scored)
    data = send(at, kind="go", nonce="g", response_id=elsewhere)
    assert not data["answer_to"]["done"]
    assert data["current"] in response_ids(services, educator, scored)


def test_undo_and_redo_go_back_to_the_start_of_the_sitting_and_no_further(
    app: Open, services: Services, educator: Actor, scored: str
) -> None:
    first, second, third = response_ids(services, educator, scored)
    services.review.decide(educator, third, 0, {"heat": 1}, "before", reason_kind="")
    at = opened(app, educator, REVIEW, scored, first)
    send(at, **decision(desk(at), {"heat": 1}, "a"))
    data = send(at, kind="undo", nonce="b", response_id=second)
    assert (data["current"], data["answer_to"]["text"]) == (first, "Taken back for Ann (s1).")
    assert not shown(data)["parts"]["heat"]["reviewed"]
    data = send(at, kind="undo", nonce="c", response_id=first)
    assert "left to take back" in data["answer_to"]["text"]
    data = send(at, kind="redo", nonce="d", response_id=first)
    assert shown(data)["parts"]["heat"]["reviewed"]


def test_comments_come_with_the_decision_or_alone(app: Open, services: Services, educator: Actor, scored: str) -> None:
    first = response_ids(services, educator, scored)[0]
    at = opened(app, educator, REVIEW, scored, first)
    data = send(at, kind="comment", nonce="c", response_id=first, comments={"": "Well done."})
    assert shown(data)["comments"] == {"": "Well done."}
    send(at, **decision(data, {"heat": 1}, comments={"heat": "Say where the heat goes."}))
    with services.database.read() as session:
        texts = session.execute(select(Comment.text).order_by(Comment.id)).scalars().all()
    assert texts == ["Well done.", "Say where the heat goes."]


def test_the_comment_that_stands_ready_is_held_back_from_one_student(
    app: Open, services: Services, educator: Actor, scored: str
) -> None:
    first = response_ids(services, educator, scored)[0]
    at = opened(app, educator, REVIEW, scored, first)
    task = next(t for t in services.tasks.available(educator) if "heat" in {c.id for c in t.task.criteria})
    assert desk(at)["ready"]["heat"] == {}
    services.feedback.save(educator, task.id, "heat", {0: "", 1: "You name the heat."})
    data = send(at, kind="comment", nonce="c", response_id=first, comments={"heat": None})
    assert data["ready"]["heat"] == {"1": "You name the heat."}
    assert (shown(data)["comments"], data["answer_to"]["text"]) == ({"heat": None}, "Saved: nothing is told there.")
    data = send(at, kind="comment", nonce="d", response_id=first, comments={"heat": ""})
    assert shown(data)["comments"] == {}


def test_templates_and_reasons_come_from_the_house(app: Open, educator: Actor, scored: str) -> None:
    data = desk(opened(app, educator, REVIEW, scored))
    assert set(data["templates"]["heat"]) == {"0", "1"}
    assert "Says it in other words" in data["reasons"]


def test_search_and_jump(app: Open, services: Services, educator: Actor, scored: str) -> None:
    first, second, _ = response_ids(services, educator, scored)
    at = opened(app, educator, REVIEW, scored, first)
    data = send(at, kind="search", nonce="s", response_id=first, words="cold")
    assert [hit["id"] for hit in data["answer_to"]["found"]] == [second]
    assert send(at, kind="jump", nonce="j", response_id=first, to="s2")["current"] == second
    assert "No answer" in send(at, kind="jump", nonce="k", response_id=second, to="99")["answer_to"]["text"]


def test_alike_answers_are_decided_at_once_after_a_look(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    rows = [("s1", "Ann", "Heat flows."), ("s2", "Ben", "Cold."), ("s3", "Cat", "heat flows")]
    upload_id = upload_class(services, educator, section.id, rows)
    score(services, upload_id, {2: 1, 3: 0, 4: 1})
    one, _, three = response_ids(services, educator, upload_id)
    with services.database.write() as session:
        session.execute(update(Response).where(Response.id.in_((one, three))).values(alike_group="heat flows"))
    at = opened(app, educator, REVIEW, upload_id, one)
    assert shown(desk(at))["group_size"] == 2
    data = send(at, kind="alike", nonce="l", response_id=one)
    members = data["answer_to"]["members"]
    assert [member["id"] for member in members] == [one, three]
    message = decision(data, {"heat": 1}, "g")
    message |= {
        "kind": "decide_group", "revisions": {str(m["id"]): m["revision"] for m in members},
        "seen": {str(m["id"]): m["machine"] for m in members},
    }  # fmt: skip
    data = send(at, **message)
    assert sorted(data["answer_to"]["saved"]) == [one, three]
    assert decisions(services) == [(one, HumanScoreKind.GROUP, 1), (three, HumanScoreKind.GROUP, 1)]
    send(at, kind="undo", nonce="u", response_id=one)
    assert not any(shown(desk(opened(app, educator, REVIEW, upload_id, i)))["parts"]["heat"]["reviewed"]
                   for i in (one, three))  # fmt: skip


def test_what_is_drawn_blind_tells_nothing_of_the_model(
    app: Open, services: Services, administrator: Actor, educator: Actor, section: SectionSummary
) -> None:
    services.rules.change(administrator, BLIND, {"share": 1})
    upload_id = upload_class(services, educator, section.id)
    score(services, upload_id, {2: 1, 3: 0, 4: 1})
    at = opened(app, educator, REVIEW, upload_id)
    data = desk(at)
    assert data["queue"]["blind_left"] == 3
    for view in data["answers"]:
        assert view["hidden"]
        assert view["parts"]["heat"]["machine"] is None
        assert view["parts"]["heat"]["final"] is None
    send(at, **decision(data, {"heat": 0}))
    assert decisions(services)[0][1:] == (HumanScoreKind.BLIND, 0)


def test_a_blank_answer_waits_for_a_person(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    upload_id = upload_class(services, educator, section.id, [("s1", "Ann", ""), ("s2", "Ben", "Heat.")])
    score(services, upload_id, {3: 1})
    blank = response_ids(services, educator, upload_id)[0]
    at = opened(app, educator, REVIEW, upload_id, blank)
    view = shown(desk(at))
    assert [badge["text"] for badge in view["badges"]] == ["not reviewed, no score yet", "blank"]
    assert view["parts"]["heat"]["machine"] is None
    send(at, **decision(desk(at), {"heat": 0}))
    assert decisions(services) == [(blank, HumanScoreKind.CONFIRM, 0)]
    assert "chose level 0" in said(opened(app, educator, REVIEW, upload_id, blank))


@pytest.mark.parametrize("address", ["²", "abc", "9" * 5000, "-1", "999999"])
def test_an_address_with_nonsense_shows_the_first_answer(
    app: Open, services: Services, educator: Actor, scored: str, address: str
) -> None:
    at = app(educator)
    at.switch_page(REVIEW)
    at.query_params["upload"], at.query_params["response"] = scored, address
    run(at)
    assert desk(at)["current"] in response_ids(services, educator, scored)


def test_an_upload_in_the_making_can_be_looked_at(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    at = opened(app, educator, REVIEW, upload_class(services, educator, section.id))
    assert "still being scored" in said(at)
    assert shown(desk(at))["parts"]["heat"]["machine"] is None


def test_another_person_at_the_same_answer_is_named(
    app: Open, services: Services, administrator: Actor, educator: Actor, section: SectionSummary, scored: str
) -> None:
    colleague = another_educator(services, administrator, "Cora", "cora@school.example", PASSWORD)
    services.sections.share(educator, section.id, colleague.email)
    first, second, _ = response_ids(services, educator, scored)
    hers = opened(app, colleague, REVIEW, scored, first)
    mine = opened(app, educator, REVIEW, scored, first)
    assert shown(desk(mine))["claimed_by"] == "Cora"
    send(opened(app, colleague, REVIEW, scored, first), kind="go", nonce="g", response_id=second)
    assert shown(desk(hers))["claimed_by"] is None


def test_an_answer_is_given_as_typed_and_is_nowhere_markup(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    typed = f"First line\n\n# not a heading\n{NASTY}"
    upload_id = upload_class(services, educator, section.id, [("s1", "", typed)])
    at = opened(app, educator, REVIEW, upload_id)
    with services.database.read() as session:
        assert shown(desk(at))["text"] == session.scalars(select(Response.text)).one()
    assert "# not a heading" in shown(desk(at))["text"]
    assert "alert(1)" not in "\n".join(m.value for m in at.markdown)
