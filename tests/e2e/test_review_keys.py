"""Reviewing in a real browser: fast keys, keyboard alone, a finger, two people, a server that is away for a moment."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median, quantiles

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import func, select

from db.tables import Comment, Response
from tests.e2e import walk
from tests.e2e.keyboard import WATCH_KEYS, plan, review_by_keyboard
from tests.e2e.running import wait_for
from tests.e2e.school import ADA, BEN, School, signed_in

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

MANY = 50_000
FAST_ANSWERS, ALONE_ANSWERS = 40, 30
SHORTEST_GAP_MS, LONGEST_GAP_MS = 20, 300


def press_for_real(page: Page, keys: list[tuple[str, float]]) -> None:
    """Through the browser's own input; a busy machine makes the gaps longer than asked for."""
    for key, gap in keys:
        page.keyboard.press(key)
        time.sleep(gap / 1000)


def press_by_clock(page: Page, keys: list[tuple[str, float]]) -> None:
    """By timers in the page, which keep the shortest gaps also when everything else is slow."""
    page.evaluate(
        """async (keys) => {
          for (const [key, gap] of keys) {
            document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, composed: true }));
            await new Promise((done) => setTimeout(done, gap));
          }
        }""",
        keys,
    )


@pytest.mark.parametrize("press", [press_for_real, press_by_clock])
def test_every_decision_of_fast_fingers_arrives_once_on_its_response_with_its_level(
    school: School, browser: Browser, press: Callable[[Page, list[tuple[str, float]]], None]
) -> None:
    seed = int(os.environ.get("EVENHAND_TEST_SEED", random.SystemRandom().randrange(10**6)))
    print(f"EVENHAND_TEST_SEED={seed}")
    chance = random.Random(seed)
    scored = school.scored(FAST_ANSWERS * 3, blind=5)
    ids = school.order(scored, FAST_ANSWERS + 1)
    reasons = school.services.review.response(school.ada, ids[-1]).reasons
    plans = [plan(scored, i, i in scored.ids[:5], reasons, chance) for i in ids[:FAST_ANSWERS]]
    page = signed_in(browser, school)
    page.add_init_script(WATCH_KEYS)
    walk.open_review(page, school.app, scored.upload_id)
    walk.shows(page, ids[0])
    others = [i for i in scored.ids if i not in ids]
    for number, answer in enumerate(plans):
        longest = LONGEST_GAP_MS if number % 2 else 2 * SHORTEST_GAP_MS
        press(page, [(key, chance.uniform(SHORTEST_GAP_MS, longest)) for key in answer.keys])
        if number % 5 == 0:
            # Somebody else writes meanwhile.
            other = others[number]
            school.services.review.decide(school.ben, other, 0, scored.machine[other], f"ben-{seed}-{other}")
    typed = [at for _, at in page.evaluate("keysSeen")]
    gaps = [later - earlier for earlier, later in pairwise(typed)]
    print(f"{len(typed)} keys, {min(gaps):.0f} to {max(gaps):.0f} ms apart, half of them under {median(gaps):.0f} ms")
    walk.shows(page, ids[FAST_ANSWERS], within_ms=5 * walk.SLOW_MS)
    mine = [row for row in school.decisions(scored) if row[0] not in others]
    assert mine == [row for answer in plans for row in answer.rows]


def test_thirty_answers_by_keyboard_alone_among_fifty_thousand(school: School, browser: Browser) -> None:
    scored = school.scored(MANY)
    done = review_by_keyboard(signed_in(browser, school), school, scored, ALONE_ANSWERS)
    print(f"{ALONE_ANSWERS} answers of {MANY:,}: {done.presses / ALONE_ANSWERS:.1f} key presses per answer, no mouse")
    print(
        f"from the deciding key to the next answer, saved: median {median(done.waits_ms):.0f} ms, "
        f"nine in ten under {quantiles(done.waits_ms, n=10)[-1]:.0f} ms, longest {max(done.waits_ms):.0f} ms"
    )
    print("milliseconds per answer:", [round(wait) for wait in done.waits_ms])
    assert {row[0] for row in school.decisions(scored)} == set(done.ids)


def test_undo_and_redo_reach_the_start_of_the_sitting(school: School, browser: Browser) -> None:
    scored = school.scored()
    ids = school.order(scored, 4)
    page = signed_in(browser, school)
    walk.open_review(page, school.app, scored.upload_id)
    for following in ids[1:]:
        page.keyboard.press("a")
        walk.shows(page, following)
    for before in reversed(ids[:3]):
        page.keyboard.press("u")
        walk.shows(page, before)
        walk.is_told(page, "Taken back")
    page.keyboard.press("u")
    walk.is_told(page, "left to take back")
    for again in ids[:3]:
        page.keyboard.press("r")
        walk.shows(page, again)
        walk.is_told(page, "Put back")
    page.keyboard.press("r")
    walk.is_told(page, "left to put back")
    standing = [school.services.review.response(school.ada, i).reviewed for i in ids]
    assert standing == [True, True, True, False]


def test_nothing_fires_while_somebody_types(school: School, browser: Browser) -> None:
    scored = school.scored()
    [first] = school.order(scored, 1)
    page = signed_in(browser, school)
    desk = walk.open_review(page, school.app, scored.upload_id)
    words = "Look at 0, 1 and 2 again; ask a friend? /j u r f g"
    page.keyboard.press("Shift+C")
    field = desk.get_by_role("textbox", name="Comment on the whole answer")
    expect(field).to_be_focused()
    page.keyboard.type(words)
    page.keyboard.press("Enter")
    page.keyboard.type("a")
    page.keyboard.press("Escape")
    walk.is_told(page, "Comment saved.")
    # A criterion's comment begins with what the level's template says.
    page.keyboard.press("1")
    page.keyboard.press("c")
    expect(field).to_have_count(0)
    expect(desk.locator("textarea")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("0 1 a")
    page.keyboard.press("Escape")
    walk.shows(page, first)
    assert school.decided(scored) == 0
    with school.services.database.read() as session:
        texts = session.scalars(select(Comment.text).where(Comment.response_id == first).order_by(Comment.id)).all()
    assert texts == [f"{words}\na"]


def test_a_comment_that_stands_ready_is_kept_from_one_student_by_key_or_by_emptying_it(
    school: School, browser: Browser
) -> None:
    scored = school.scored()
    ids = school.order(scored, 2)
    criterion = scored.task.criteria[0]
    task = next(t for t in school.services.tasks.available(school.ada) if t.task.id == scored.task.id)
    texts = {level: f"Ready for {level}." for level in criterion.values}
    school.services.feedback.save(school.ada, task.id, criterion.id, texts)
    page = signed_in(browser, school)
    desk = walk.open_review(page, school.app, scored.upload_id)

    def told() -> str | None:
        return school.services.review.response(school.ada, ids[0]).comments.get(criterion.id, "")

    page.keyboard.press("1")
    desk.get_by_role("radiogroup", name=criterion.name).get_by_role("radio", checked=True).focus()
    expect(desk.get_by_text("Ready for 1.")).to_be_visible()
    page.keyboard.press("h")
    walk.is_told(page, "nothing is told there")
    expect(desk.get_by_text("Nothing is told here.")).to_be_visible()
    assert told() is None
    page.keyboard.press("h")
    walk.is_told(page, "Comment saved.")
    assert told() == ""
    # The field begins with the comment; whoever empties it means that nothing shall be told.
    page.keyboard.press("c")
    expect(desk.locator("textarea")).to_have_value("Ready for 1.")
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.keyboard.press("Escape")
    walk.is_told(page, "nothing is told there")
    assert told() is None


def test_search_jump_order_and_help_by_keys(school: School, browser: Browser) -> None:
    scored = school.scored()
    page = signed_in(browser, school)
    desk = walk.open_review(page, school.app, scored.upload_id)
    page.keyboard.press("?")
    expect(desk.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("a")
    page.keyboard.press("?")
    expect(desk.get_by_role("dialog", name="Keys")).to_have_count(0)
    page.keyboard.press("g")
    page.keyboard.type("9")
    page.keyboard.press("Enter")
    walk.shows(page, scored.ids[7])
    with school.services.database.read() as session:
        word = session.get_one(Response, scored.ids[3]).text.split()[0]
    page.keyboard.press("/")
    page.keyboard.type(word)
    page.keyboard.press("Enter")
    hits = desk.get_by_role("search").get_by_role("listitem")
    expect(hits.first).to_be_visible()
    page.keyboard.press("Escape")
    expect(hits).to_have_count(0)
    desk.get_by_label("Order").select_option("file")
    walk.shows(page, scored.ids[0])
    page.keyboard.press("j")
    walk.shows(page, scored.ids[1])
    page.keyboard.press("ArrowLeft")
    walk.shows(page, scored.ids[0])
    page.keyboard.press("k")
    walk.is_told(page, "This is the first answer.")
    assert school.decided(scored) == 0


def test_keys_work_after_a_click_elsewhere_and_each_press_counts_once(school: School, browser: Browser) -> None:
    scored = school.scored()
    ids = school.order(scored, 4)
    page = signed_in(browser, school)
    walk.open_review(page, school.app, scored.upload_id)
    for number, following in enumerate(ids[1:], start=1):
        page.get_by_text("The task").first.click()
        walk.settle(page)
        for criterion in scored.task.criteria:
            page.keyboard.press(str(scored.machine[ids[number - 1]][criterion.id]))
        page.keyboard.press("Enter")
        walk.shows(page, following)
        assert school.decided(scored) == number
    # Away to another screen and back: still one desk that listens.
    walk.go(page, "My sections")
    page.keyboard.press("a")
    walk.open_review(page, school.app, scored.upload_id)
    page.keyboard.press("a")
    wait_for("the decision", lambda: school.decided(scored) == 4)
    assert len(school.decisions(scored)) == 4 * len(scored.task.criteria)


def test_a_key_held_down_decides_once_and_a_blind_answer_is_not_approved(school: School, browser: Browser) -> None:
    scored = school.scored(blind=1)
    ids = school.order(scored, 3)
    page = signed_in(browser, school)
    desk = walk.open_review(page, school.app, scored.upload_id)
    expect(desk.get_by_text("The model's level is hidden until you have")).to_be_visible()
    expect(desk.get_by_text("The model says")).to_have_count(0)
    page.keyboard.press("a")
    walk.is_told(page, "The model's level is hidden here")
    for _ in scored.task.criteria:
        page.keyboard.press("0")
    page.keyboard.press("Enter")
    walk.shows(page, ids[1])
    page.keyboard.down("a")
    for _ in range(12):
        page.keyboard.down("a")
    page.keyboard.up("a")
    walk.shows(page, ids[2])
    page.wait_for_timeout(500)
    assert school.decided(scored) == 2


def test_alike_answers_are_decided_at_once_and_taken_back_as_one(school: School, browser: Browser) -> None:
    scored = school.scored(alike=(0, 1, 2, 3, 4, 5, 6))
    page = signed_in(browser, school)
    desk = walk.open_review(page, school.app, scored.upload_id, scored.ids[2])
    page.keyboard.press("Shift+Enter")
    walk.is_told(page, "Look at the alike answers first.")
    page.keyboard.press("s")
    expect(desk.get_by_role("button", name="Save for all 7")).to_be_enabled()
    for _ in scored.task.criteria:
        page.keyboard.press("1")
    page.keyboard.press("q")
    page.keyboard.press("Shift+Enter")
    walk.is_told(page, "Saved for all 7 answers.")
    assert {(i, level) for i, _, level, _, _ in school.decisions(scored)} == {(i, 1) for i in scored.ids[:7]}
    page.keyboard.press("u")
    walk.is_told(page, "Taken back")
    assert not any(school.services.review.response(school.ada, i).reviewed for i in scored.ids)


@pytest.mark.parametrize("second", [ADA, BEN])
def test_the_later_of_two_decisions_is_refused_with_both_shown(school: School, browser: Browser, second: str) -> None:
    scored = school.scored()
    first, following = school.order(scored, 2)
    mine, theirs = signed_in(browser, school), signed_in(browser, school, second)
    desk = walk.open_review(mine, school.app, scored.upload_id)
    walk.open_review(theirs, school.app, scored.upload_id)
    if second == BEN:
        expect(walk.desk(theirs).get_by_text("Ada Lindqvist is looking at this answer too.")).to_be_visible()
    for criterion in scored.task.criteria:
        mine.keyboard.press(str(criterion.values[0]))
    theirs.keyboard.press("a")
    walk.shows(theirs, following)
    # The look that the page takes now and then brings the other decision, and leaves what is in hand alone.
    expect(desk.get_by_text("reviewed", exact=True)).to_be_visible()
    if any(scored.machine[first].values()):
        mine.keyboard.press("q")
    mine.keyboard.press("Enter")
    expect(desk.get_by_role("alert")).to_contain_text("your decision was not saved")
    name = "Ada Lindqvist" if second == ADA else "Ben Okafor"
    expect(desk.get_by_role("alert")).to_contain_text(
        f"{name} chose level {next(iter(scored.machine[first].values()))}"
    )
    assert school.decided(scored) == 1
    mine.keyboard.press("y")
    walk.shows(mine, following)
    levels = [part.final.level for part in school.services.review.response(school.ada, first).criteria]
    assert levels == [criterion.values[0] for criterion in scored.task.criteria]


def test_a_decision_made_while_the_server_is_away_is_saved_once_when_it_is_back(
    school: School, browser: Browser
) -> None:
    scored = school.scored()
    ids = school.order(scored, 2)
    page = signed_in(browser, school)
    walk.open_review(page, school.app, scored.upload_id)
    school.app.kill_web()
    page.keyboard.press("a")
    walk.is_told(page, "Not saved yet")
    expect(page.locator("[data-part=desk]")).to_have_attribute("data-response", str(ids[0]))
    assert school.decided(scored) == 0
    school.app.start()
    walk.shows(page, ids[1])
    assert [row[0] for row in school.decisions(scored)] == [ids[0]] * len(scored.task.criteria)


def test_a_finger_is_enough_on_a_phone(school: School, browser: Browser) -> None:
    scored = school.scored()
    ids = school.order(scored, 3)
    page = signed_in(
        browser, school, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, color_scheme="dark"
    )
    desk = walk.open_review(page, school.app, scored.upload_id)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 1
    desk.get_by_role("button", name="Approve model").tap()
    walk.shows(page, ids[1])
    for criterion in scored.task.criteria:
        desk.locator(f"[data-criterion={criterion.id}][data-level='{criterion.values[-1]}']").tap()
    small = page.evaluate(
        """() => [...document.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot
             .querySelectorAll('button, select, input')]
             .map((e) => [e.textContent, e.getBoundingClientRect()])
             .filter(([, box]) => box.height > 0 && (box.height < 43.5 || box.width < 43.5))
             .map(([text, box]) => `${text} ${box.width}x${box.height}`)"""
    )
    assert small == []
    if desk.locator("[data-part=reason]").inner_text():
        desk.get_by_role("button", name="Says it in other words").tap()
    desk.get_by_role("button", name="Save and go on").tap()
    walk.shows(page, ids[2])
    with school.services.database.read() as session:
        reviewed = session.scalar(
            select(func.count()).where(Response.upload_id == scored.upload_id, Response.reviewed.is_(True))
        )
    assert reviewed == 2
