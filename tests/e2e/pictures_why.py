"""Pictures of why a score is what it is, and of the model's inside: answers of the sample classroom, explained.

python -m tests.e2e.pictures_why [FOLDER [light] [dark]]
"""

from __future__ import annotations

import csv
import io
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select

from db.tables import Explanation, Response, ResponseGates
from scoring.domain import UploadStatus
from scoring.intake.checking import Mapping as Columns
from scoring.itembank import read_item_bank
from scoring.services.house import Services
from scoring.settings import ROOT
from tests.e2e import walk
from tests.e2e.pictures import NARROW, PICTURES, WIDE
from tests.e2e.running import RunningApp, chromium, wait_for

TASK, TITLE, CRITERION = "pondweed-light", "Bubbles from pondweed", "Explains the energy"
ADA = "ada@school.example"
WEEKS = 5  # over which the class's scores are spread, so that there is a course to show
LONGEST = 420  # characters of the answer that is shown
WAIT_S = 900
PARTS = (
    ("neighbours", "Similar answers", "Answers that the model reads most like this one"),
    ("experts", "Experts", "The model asks several experts"),
)


@dataclass(frozen=True)
class Subject:
    """What the pictures show."""

    upload_id: str
    response_id: int
    text: str


def fill(services: Services, code: str) -> Subject:
    """A class of held-out answers: scored, decided as its readers decided, explained, and spread over some weeks."""
    accounts = services.accounts
    actor = accounts.resume(accounts.set_up(code, "Ada Lindqvist", ADA, walk.PASSWORD, "127.0.0.1"))
    section = services.sections.create(actor, "Grade 7, period 2")
    [task] = [entry for entry in services.tasks.available(actor) if entry.task.id == TASK]
    answers = [row for row in read_item_bank(ROOT / "samples" / "classroom").of_task(TASK) if row.fold == "val"]
    file = io.StringIO()
    csv.writer(file).writerows([("id", "answer"), *((f"s{at}", row.text) for at, row in enumerate(answers))])
    columns = Columns(answer="answer", learner="id")
    upload_id = services.uploads.submit(
        actor, section.id, task.version_id, "period-2.csv", file.getvalue().encode(), columns, "token",
        take_good_rows=True,
    )  # fmt: skip
    wait_for("the scores", lambda: services.uploads.get(actor, upload_id).status is UploadStatus.DONE, WAIT_S)
    known = {row.text.strip(): row.levels for row in answers}
    with services.database.read() as session:
        rows = session.scalars(select(Response).where(Response.upload_id == upload_id).order_by(Response.id)).all()
    chosen = max((row for row in rows if not row.blind and len(row.text) < LONGEST), key=lambda row: len(row.text))
    for row in rows:
        levels = known.get(row.text.strip())
        if levels is not None and row.id != chosen.id:
            services.review.decide(actor, row.id, row.revision, levels, f"picture-{row.id}", "As the readers decided")
    services.word_reports.explain_upload(actor, upload_id)
    services.explanations.of(actor, chosen.id)
    wait_for("the class's report", lambda: not _open(services), WAIT_S, 1)
    wait_for("what experts are used for", lambda: services.expert_use.report(actor), WAIT_S, 1)
    number = {row.id: at for at, row in enumerate(rows)}
    with services.database.write() as session:
        for gates in session.scalars(select(ResponseGates).where(ResponseGates.response_id.in_(number))):
            gates.created_at -= timedelta(weeks=number[gates.response_id] % WEEKS)
    return Subject(upload_id, chosen.id, chosen.text)


def _open(services: Services) -> bool:
    with services.database.read() as session:
        return (
            session.scalar(select(Explanation.id).where(Explanation.status.in_(["waiting", "first"])).limit(1))
            is not None
        )


def take_why(page: Page, app: RunningApp, subject: Subject, folder: Path, suffix: str) -> None:
    """The panel beside one answer, part by part."""
    page.goto(f"{app.url}/review?upload={subject.upload_id}&response={subject.response_id}")
    walk.desk(page)
    page.locator("label", has=page.get_by_role("switch", name="Show why")).click()
    panel = page.locator(".st-key-why-panel")
    told = panel.get_by_text(re.compile("Tested by taking words out|No words are highlighted")).first
    expect(told).to_be_visible(timeout=walk.SLOW_MS)
    walk.settle(page)
    panel.get_by_role("radio", name=CRITERION).click()
    walk.settle(page)
    _shot(page, panel, folder / f"why-words-{suffix}.png")  # with how sure the model is, the first of the parts
    panel.get_by_role("radio", name=re.compile(r"Why \d and not \d")).first.click()
    expect(panel.get_by_text("speaks for level").first).to_be_visible(timeout=walk.SLOW_MS)
    _shot(page, panel, folder / f"why-levels-{suffix}.png")
    for name, tab, said in PARTS:
        page.get_by_role("tab", name=tab).click()
        expect(panel.get_by_text(said)).to_be_visible(timeout=walk.SLOW_MS)
        walk.settle(page)
        _shot(page, panel, folder / f"why-{name}-{suffix}.png")
    page.get_by_role("tab", name="Try another wording").click()
    walk.settle(page)
    shorter = " ".join(subject.text.split()[: len(subject.text.split()) // 2]) + "."
    page.get_by_label("Change the answer here").fill(shorter)
    page.get_by_role("button", name="See what changes").click()
    expect(page.get_by_text("A first look at the new wording")).to_be_visible(timeout=walk.SLOW_MS)
    walk.settle(page)
    _shot(page, panel, folder / f"why-what-if-{suffix}.png")


def take_inside(page: Page, app: RunningApp, folder: Path, suffix: str) -> None:
    """The administrator's screen, tab by tab."""
    page.goto(f"{app.url}/inside")
    expect(page.get_by_role("heading", name="Inside the model", level=1)).to_be_visible(timeout=walk.SLOW_MS)
    walk.settle(page)
    main = page.get_by_test_id("stMainBlockContainer")
    for name, tab in (("experts", "Experts"), ("words", "Words of a class"), ("disagreements", "Where people decided")):
        page.get_by_role("tab", name=tab).click()
        walk.settle(page)
        if name != "words":
            _choose(page, "Task", TITLE)
        if name != "experts":
            _choose(page, "Criterion", CRITERION)
        _shot(page, main, folder / f"inside-{name}-{suffix}.png")


def _choose(page: Page, label: str, option: str) -> None:
    """An entry of a box that stands further down: a list that is open closes when the page moves."""
    page.get_by_role("combobox", name=label).scroll_into_view_if_needed()
    page.wait_for_timeout(1500)
    walk.choose(page, label, option)


def _shot(page: Page, part: Locator, path: Path) -> None:
    """The whole part in one picture: the page scrolls in a frame of its own, so the window grows to hold it."""
    usual = page.viewport_size
    expect(page.locator("[data-stale=true]")).to_have_count(0, timeout=walk.SLOW_MS)
    box = part.bounding_box()
    assert usual is not None
    assert box is not None
    page.set_viewport_size({"width": usual["width"], "height": max(usual["height"], int(box["height"]) + 400)})
    part.scroll_into_view_if_needed()
    page.wait_for_timeout(1500)  # charts grow to their size
    expect(page.locator("[data-stale=true]")).to_have_count(0, timeout=walk.SLOW_MS)
    part.screenshot(path=path)
    page.set_viewport_size(usual)


def main(folder: Path = PICTURES, schemes: Sequence[str] = ("light", "dark")) -> None:
    """Take all of them, in these colour schemes."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        app = RunningApp(Path(scratch) / "var")
        app.start()
        services = app.services()
        try:
            app.wait_until_ready()
            subject = fill(services, app.set_up_code())
            for scheme in schemes:
                for viewport, ending in ((WIDE, ""), (NARROW, "-narrow")):
                    context = browser.new_context(color_scheme=scheme, viewport=viewport)  # type: ignore[arg-type]
                    page = context.new_page()
                    page.set_default_timeout(walk.SLOW_MS)
                    walk.sign_in(page, app, ADA)
                    expect(page.get_by_role("heading", name="Score a class")).to_be_visible(timeout=walk.SLOW_MS)
                    take_why(page, app, subject, folder, scheme + ending)
                    take_inside(page, app, folder, scheme + ending)
                    context.close()
        finally:
            services.close()
            app.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES, sys.argv[2:] or ("light", "dark"))
