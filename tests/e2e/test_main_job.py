"""The whole path as people walk it: set-up, a class's file, scores, decisions, the download."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import func, select

from db.tables import HumanScoreRow, Response, Upload
from scoring.domain import UploadStatus
from scoring.itembank import read_item_bank
from scoring.services.house import Services
from scoring.settings import ROOT
from tests.e2e import walk
from tests.e2e.running import RunningApp, wait_for

NETWORK = Path(__file__).parent / "watch_network"
TASK = "pondweed-light"


@pytest.fixture
def watched_app(tmp_path: Path) -> Iterator[RunningApp]:
    """The program, with every connection that leaves the machine on record."""
    app = RunningApp(
        tmp_path / "var",
        PYTHONPATH=str(NETWORK),
        EVENHAND_TEST_NETWORK_LOG=str(tmp_path / "network.log"),
        EVENHAND_CHUNK_SIZE="32",
    )
    app.start()
    try:
        app.wait_until_ready()
        yield app
    finally:
        app.stop()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile that keeps every request's address in `context.outside`."""
    opened = browser.new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True)
    yield opened
    opened.close()


def write_class(path: Path, answers: int) -> Path:
    """A messy class: so many good rows, a blank, a duplicate, a row without a student, a formula as a name."""
    texts = [r.text for r in read_item_bank(ROOT / "samples" / "classroom").of_task(TASK) if len(r.text) > 30]
    with path.open("w", newline="", encoding="cp1252", errors="replace") as stream:
        writer = csv.writer(stream, delimiter=";")
        writer.writerow(["Student ID", "Name", "Answer"])
        for i in range(answers):
            writer.writerow(
                [f"s{i:04d}", f"Learner {i}", f"{texts[i % len(texts)]}" + (f" ({i})" if i >= len(texts) else "")]
            )
        writer.writerow(
            ["s9001", '=HYPERLINK("http://example.org";"x")', "The light gives the plant energy, “I think”."]
        )
        writer.writerow(["s9002", "", ""])
        writer.writerow(["s0000", "Learner 0", texts[0]])
        writer.writerow(["", "Nobody", "an answer of nobody"])
    return path


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_from_a_class_file_to_reviewed_scores(
    watched_app: RunningApp, context: BrowserContext, browser: Browser, tmp_path: Path
) -> None:
    app = watched_app
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.set_default_timeout(walk.SLOW_MS)

    # The first visitor needs the code from the console, and becomes the administrator.
    page.goto(app.url)
    page.get_by_label("Set-up code").fill("0000-0000-0000-0000")
    page.get_by_label("Your name").fill("Mallory")
    page.get_by_label("E-mail address").fill("mallory@school.example")
    page.get_by_label("Password").fill(walk.PASSWORD)
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("alert")).to_contain_text("set-up code is not right")
    walk.set_up(page, app)

    # The administrator adds an educator.
    walk.go(page, "People")
    page.get_by_label("Name", exact=True).fill("Edna Okafor")
    page.get_by_label("E-mail address").fill("edna@school.example")
    page.get_by_role("button", name="Add person").click()
    first = page.get_by_test_id("stCode").inner_text().strip()
    page.get_by_role("button", name="Done, I have copied it").click()

    # The educator signs in on another machine, chooses a password, makes a section.
    edna = browser.new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True)
    edna.on("request", lambda request: asked.append(request.url))
    page = edna.new_page()
    page.set_default_timeout(walk.SLOW_MS)
    page.goto(app.url + "/people")
    expect(page).to_have_url(re.compile("/session/sign-in"))
    walk.sign_in(page, app, "edna@school.example", first)
    walk.choose_password(page, first)
    expect(page.get_by_role("heading", name="Score a class")).to_be_visible()
    expect(page.get_by_text("First, make a section")).to_be_visible()
    assert page.get_by_role("link", name="People").count() == 0
    walk.make_section(page, "Grade 7, period 2")

    # The file, with every problem by row before anything is saved.
    walk.upload(page, write_class(tmp_path / "class.csv", 600), "Bubbles from pondweed")
    expect(page.get_by_text("2 rows can't be taken; 602 can.")).to_be_visible()
    score = page.get_by_role("button", name=re.compile(r"Score [\d,]+ answers"))
    expect(score).to_be_disabled()
    services = app.services()
    assert _uploads(services) == 0
    walk.submit(page)

    # Progress survives a reload; cancelling keeps what is scored.
    expect(page.get_by_role("progressbar").first).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Stop scoring")).to_be_visible()
    wait_for("the first scores", lambda: _upload(services).scored)
    page.get_by_role("button", name="Stop scoring").click()
    expect(page.get_by_text("Scoring was stopped. What was scored is kept.")).to_be_visible()
    stopped = _upload(services)
    assert stopped.status == UploadStatus.CANCELLED
    assert 0 < stopped.scored < 601
    page.get_by_role("button", name="Score the rest").click()
    wait_for("the rest", lambda: _done(services), within=300)
    walk.wait_for_scores(page)
    expect(page.get_by_text("0 of 602")).to_be_visible()

    # One response at a time, by keys. What was drawn for it is scored before the model's level shows.
    page.get_by_role("button", name="Review answers").click()
    expect(page.get_by_role("heading", name="Review", level=1)).to_be_visible()
    desk = walk.desk(page)
    expect(desk.get_by_text("The model's level is hidden until you have")).to_be_visible()
    for _ in desk.get_by_role("radiogroup").all():
        page.keyboard.press("0")
    page.keyboard.press("Enter")
    expect(desk.get_by_text("1 of 602 reviewed")).to_be_visible()
    # Agree with the model, then change a level with a reason.
    for (response_id, row), count in zip(_revealed(services, 2), (2, 3), strict=True):
        page.keyboard.press("g")
        page.keyboard.type(str(row))
        page.keyboard.press("Enter")
        walk.shows(page, response_id)
        expect(desk.get_by_text("not reviewed", exact=True)).to_be_visible()
        if count == 3:
            desk.locator("[role=radio]:not(.suggested)").first.click()
        page.keyboard.press("a")
        if count == 3:
            walk.is_told(page, "You chose another level than the model. Say why")
            desk.get_by_label("Or in your own words").fill("reads the table the wrong way round")
            desk.get_by_role("button", name="Save and go on").click()
        expect(desk.get_by_text(f"{count} of 602 reviewed")).to_be_visible()
    decided = _overrides(services)
    assert len(decided) == 1

    # Scored again: the human score stands.
    walk.go(page, "Results", "Bubbles from pondweed")
    before = _upload(services).job_id
    page.get_by_role("button", name="Score again").click()
    wait_for("the second scoring", lambda: _upload(services).job_id != before and _done(services), within=300)
    walk.wait_for_scores(page)
    expect(page.get_by_text("3 of 602").first).to_be_visible()
    assert _overrides(services) == decided

    # The download has the reviewed mark, and no cell that a spreadsheet would run.
    with page.expect_download() as download:
        page.get_by_role("button", name="Download scores (CSV)").click()
    text = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 602
    assert [row["Reviewed by a person"] for row in rows].count("yes") == 3
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row.values())
    assert any(row["Name"].startswith("'=HYPERLINK") for row in rows)

    # Signed out in one tab, every tab is out at its next click.
    second = edna.new_page()
    second.goto(app.url + "/sections")
    expect(second.get_by_role("heading", name="My sections")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/session/sign-in"))
    second.get_by_label("Name of the new section").fill("after sign-out")
    second.get_by_role("button", name="Make a section").click()
    expect(second).to_have_url(re.compile("/session/sign-in"))

    services.close()
    outside = {url for url in asked if not url.startswith((app.url, "data:", "blob:"))}
    assert not outside, f"the browser asked other hosts: {outside}"
    log = tmp_path / "network.log"
    assert not log.exists(), f"the program connected to other hosts: {log.read_text()}"


def _upload(services: Services) -> Upload:
    with services.database.read() as session:
        upload = session.scalars(select(Upload)).one()
        session.expunge(upload)
        return upload


def _done(services: Services) -> bool:
    return _upload(services).status == UploadStatus.DONE


def _uploads(services: Services) -> int:
    with services.database.read() as session:
        return session.scalar(select(func.count()).select_from(Upload)) or 0


def _revealed(services: Services, count: int) -> list[tuple[int, int]]:
    """Id and row of the first scored responses that were not drawn for blind scoring."""
    with services.database.read() as session:
        query = select(Response.id, Response.row_number).where(Response.uncertainty.is_not(None))
        return [row.tuple() for row in session.execute(query.order_by(Response.id).limit(count))]


def _overrides(services: Services) -> list[tuple[int, int | None, str]]:
    with services.database.read() as session:
        rows = session.execute(
            select(HumanScoreRow.response_id, HumanScoreRow.level, HumanScoreRow.reason).where(
                HumanScoreRow.kind == "override"
            )
        )
        return [tuple(row) for row in rows]


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_a_browser_closed_in_mid_upload_loses_nothing_that_was_sent(
    running_app: RunningApp, browser: Browser, tmp_path: Path
) -> None:
    file = write_class(tmp_path / "class.csv", 20_000)
    services = running_app.services()
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(walk.SLOW_MS)
    walk.set_up(page, running_app)
    walk.make_section(page, "Grade 7")

    # Closed while the file is checked: nothing was promised, nothing is there.
    walk.go(page, "Score a class")
    walk.choose(page, "Task", "Bubbles from pondweed")
    page.locator("input[type=file]").set_input_files(file)
    context.close()
    assert _uploads(services) == 0

    # Closed just after the button is pressed.
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(walk.SLOW_MS)
    walk.sign_in(page, running_app, "ada@school.example")
    expect(page.get_by_role("heading", name="Score a class")).to_be_visible()
    walk.upload(page, file, "Bubbles from pondweed")
    page.locator("label", has=page.get_by_role("checkbox", name=re.compile("Take the"))).click()
    score = page.get_by_role("button", name=re.compile(r"Score [\d,]+ answers"))
    expect(score).to_be_enabled()
    score.click()
    page.wait_for_timeout(500)
    context.close()
    # What was sent is finished without its browser.
    wait_for("the upload", lambda: _uploads(services) == 1)
    with services.database.read() as session:
        rows = session.scalar(select(func.count()).select_from(Response))
    assert rows == _upload(services).response_count == 20_002
    services.close()


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_stopping_the_program_stops_its_worker_and_a_dead_worker_comes_back(tmp_path: Path) -> None:
    app = RunningApp(tmp_path / "var")
    app.start()
    try:
        app.wait_until_ready()
        first = app.worker_pid()
        assert app.kill_worker()
        second = wait_for("another worker", lambda: (pid := app.worker_pid()) != first and pid)
        wait_for("readiness", lambda: app.get("/readyz")[0] == 200)
    finally:
        app.stop()
    wait_for("the worker's end", lambda: not Path(f"/proc/{second}").exists(), within=20)
    assert "Traceback" not in app.console()


def _visible_overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_screens_fit_a_phone(running_app: RunningApp, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.set_default_timeout(walk.SLOW_MS)
    walk.set_up(page, running_app)
    for path in ("/", "/results", "/review", "/sections", "/tasks", "/add-task", "/account", "/people", "/health"):
        page.goto(running_app.url + path)
        expect(page.get_by_role("heading", level=1).first).to_be_visible()
        walk.settle(page)
        assert _visible_overflow(page) <= 1, f"{path} is wider than the window"
    context.close()
