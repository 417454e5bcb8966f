"""Reviewing by keyboard alone, with the time of every key and of every answer taken down in the page itself."""

from __future__ import annotations

import random
from dataclasses import dataclass

from playwright.sync_api import Page

from tests.e2e import walk
from tests.e2e.classes import ScoredClass
from tests.e2e.school import School

WATCH_KEYS = (
    "window.keysSeen = []; addEventListener('keydown', (e) => keysSeen.push([e.key, performance.now()]), true);"
)
WATCH_ANSWERS = """() => {
  const desk = document.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot.querySelector('.desk');
  window.answersSeen = [];
  let last = desk.dataset.response;
  new MutationObserver(() => {
    if (desk.dataset.response === last) return;
    last = desk.dataset.response;
    answersSeen.push([Number(last), performance.now()]);
  }).observe(desk, { attributes: true, attributeFilter: ['data-response'] });
}"""


@dataclass(frozen=True)
class Plan:
    """What somebody means to do with one answer: the keys, and what they must lead to."""

    keys: list[str]
    rows: list[tuple[int, str, int, str, str]]


def plan(scored: ScoredClass, response_id: int, blind: bool, reasons: tuple[str, ...], chance: random.Random) -> Plan:
    """One of the ways to decide: approve, type the same levels, or type others with a reason."""
    machine = scored.machine[response_id]
    way = "type" if blind else chance.choice(["approve", "same", "type"])
    levels = {c.id: chance.choice(c.values) if way == "type" else machine[c.id] for c in scored.task.criteria}
    differs = not blind and levels != machine
    keys = ["a"] if way == "approve" else [str(level) for level in levels.values()]
    reason = chance.randrange(len(reasons)) if differs else None
    if reason is not None:
        keys.append("qweio"[reason])
    if way != "approve":
        keys.append("Enter")
    given = "" if reason is None else reasons[reason]
    rows = []
    for key, level in levels.items():
        kind = "blind" if blind else "confirm" if level == machine[key] else "override"
        rows.append((response_id, key, level, kind, given))
    return Plan(keys, rows)


@dataclass(frozen=True)
class Done:
    """What a review by keyboard took: key presses, and from each deciding key to the next answer, the last saved."""

    ids: list[int]
    presses: int
    waits_ms: list[float]


def review_by_keyboard(page: Page, school: School, scored: ScoredClass, answers: int) -> Done:
    """Decide on the first answers of a class as the desk shows them, waiting for each next one.

    Args:
        page: A signed-in browser's.
        school: Where the class is.
        scored: The class.
        answers: How many.
    """
    ids = school.order(scored, answers + 1)
    reasons = school.services.review.response(school.ada, ids[0]).reasons
    chance = random.Random(3)
    plans = [plan(scored, i, False, reasons, chance) for i in ids[:answers]]
    page.add_init_script(WATCH_KEYS)
    walk.open_review(page, school.app, scored.upload_id)
    page.evaluate(WATCH_ANSWERS)
    for answer, following in zip(plans, ids[1:], strict=True):
        for key in answer.keys:
            page.keyboard.press(key)
        walk.shows(page, following)
    pressed, shown = page.evaluate("keysSeen"), page.evaluate("answersSeen")
    assert [i for i, _ in shown] == ids[1:]
    deciding = [at for key, at in pressed if key in ("a", "Enter")]
    waits = [seen - at for at, (_, seen) in zip(deciding, shown, strict=True)]
    return Done(ids[:answers], len(pressed), waits)
