"""No serious fault of accessibility on any screen: axe-core over what people see, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from pages.components.authoring.stepper import Step
from scoring.settings import ROOT
from tests.e2e import walk
from tests.e2e.classes import ScoredClass
from tests.e2e.school import ADA, BEN, School, signed_in
from tests.pages.authored import add_candidate, write_task

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

CLASS = ROOT / "samples" / "classfiles" / "canvas-student-analysis.csv"
GRAVE = {"serious", "critical"}


@pytest.fixture(scope="module")
def scored(school: School) -> ScoredClass:
    """A class with something of everything: decided, flagged, commented, alike, drawn blind."""
    made = school.scored(24, blind=2, alike=(4, 5, 6))
    review, first = school.services.review, made.ids[10]
    review.decide(school.ada, first, 0, made.machine[first], "accessible")
    review.flag(school.ada, first, True, "ask Ben")
    review.comment(school.ada, first, None, "Well observed.", "accessible")
    return made


def faults(page: Page) -> list[str]:
    """Every serious or critical violation, with the element it is on."""
    walk.settle(page)
    # The sign that a run takes long is the framework's own, and gone a moment later.
    found = Axe().run(page, {"exclude": [["[data-testid=stStatusWidget]"]]}).response["violations"]
    return [
        f"{violation['id']} ({violation['impact']}): {node['target']} {node['html'][:200]}"
        for violation in found
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]


def navigation(page: Page) -> list[str]:
    """The paths of all screens that this person gets."""
    more = page.get_by_role("button", name=re.compile(r"View \d+ more"))
    if more.count():
        more.click()
    links = page.get_by_test_id("stSidebarNav").get_by_role("link")
    return [link.evaluate("a => new URL(a.href).pathname") for link in links.all()]


@pytest.fixture(params=[(ADA, "light"), (BEN, "dark")], ids=["administrator, light", "educator, dark"])
def page(request: pytest.FixtureRequest, school: School, browser: Browser) -> Iterator[Page]:
    """Somebody signed in."""
    email, scheme = request.param
    opened = signed_in(browser, school, email, color_scheme=scheme)
    yield opened
    opened.context.close()


def test_every_screen(page: Page, school: School, scored: ScoredClass) -> None:
    found = {}
    paths = navigation(page)
    assert {"/", "/results", "/review", "/account"} <= set(paths)
    for path in paths:
        page.goto(f"{school.app.url}{path}?upload={scored.upload_id}")
        expect(page.get_by_role("heading", level=1).first).to_be_visible()
        walk.settle(page)
        found[path] = faults(page)
    assert not {path: told for path, told in found.items() if told}


def test_the_desk_in_all_its_states(page: Page, school: School, scored: ScoredClass) -> None:
    desk = walk.open_review(page, school.app, scored.upload_id, scored.ids[4])
    found = {"suggested": faults(page)}
    page.keyboard.press("s")
    expect(desk.get_by_role("button", name=re.compile("Save for all"))).to_be_visible()
    for criterion in scored.task.criteria:
        level = scored.machine[scored.ids[4]][criterion.id]
        page.keyboard.press(str(level - 1 if level else level + 1))
    page.keyboard.press("Enter")
    walk.is_told(page, "Say why")
    found["asked for a reason, alike answers open"] = faults(page)
    page.keyboard.press("c")
    expect(desk.locator("textarea")).to_be_visible()
    found["comment open"] = faults(page)
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    found["search open"] = faults(page)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(desk.get_by_role("dialog", name="Keys")).to_be_visible()
    found["help"] = faults(page)
    walk.open_review(page, school.app, scored.upload_id, scored.ids[0])
    found["drawn blind"] = faults(page)
    walk.open_review(page, school.app, scored.upload_id, scored.ids[10])
    found["decided, flagged, commented"] = faults(page)
    assert not {state: told for state, told in found.items() if told}


def test_a_file_that_was_checked(page: Page, school: School) -> None:
    page.goto(school.app.url)
    walk.choose(page, "Task", "Bubbles from pondweed")
    page.locator("input[type=file]").set_input_files(CLASS)
    expect(page.get_by_role("heading", name="What the check found")).to_be_visible()
    walk.settle(page)
    assert not faults(page)


def test_adding_a_task_step_by_step(school: School, browser: Browser, tmp_path: Path) -> None:
    task = write_task(school.services, school.ada)
    add_candidate(school.services, school.ada, task, tmp_path / "candidate")
    found = {}
    for scheme in ("light", "dark"):
        page = signed_in(browser, school, color_scheme=scheme)
        for step in Step:
            page.goto(f"{school.app.url}/add-task?task={task}&step={step}")
            expect(page.get_by_role("heading", name=re.compile("Step . of 6"))).to_be_visible()
            found[scheme, step] = faults(page)
        page.goto(f"{school.app.url}/versions")
        expect(page.get_by_text("Candidate: not in use yet")).to_be_visible()
        found[scheme, "versions"] = faults(page)
        page.context.close()
    assert not {step: told for step, told in found.items() if told}


def test_signing_in(school: School, browser: Browser) -> None:
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(f"{school.app.url}/session/sign-in")
        assert not faults(page)
        context.close()


def test_review_on_a_phone(school: School, scored: ScoredClass, browser: Browser) -> None:
    page = signed_in(browser, school, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    walk.open_review(page, school.app, scored.upload_id, scored.ids[5])
    assert not faults(page)
