"""`make pictures`: walks through the real program and takes docs/pictures anew, light and dark, wide and narrow.

python -m tests.e2e.pictures [FOLDER] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from scoring.settings import ROOT
from tests.e2e import walk
from tests.e2e.running import RunningApp, chromium

PICTURES = ROOT / "docs" / "pictures"
CLASS = ROOT / "samples" / "classfiles" / "canvas-student-analysis.csv"
WIDE, NARROW = {"width": 1280, "height": 960}, {"width": 390, "height": 844}
Step = tuple[str, str, Callable[[Page], object] | None]


def open_expander(name: str) -> Callable[[Page], object]:
    """Click an expander's heading."""
    return lambda page: page.get_by_text(re.compile(name)).first.click()


def drop_file(page: Page) -> None:
    """Choose the task and drop its class."""
    walk.choose(page, "Task", "Bubbles from pondweed")
    page.locator("input[type=file]").set_input_files(CLASS)


def begin_another_level(page: Page) -> None:
    """On an answer that shows the model's level, choose another one, so that a reason is asked for."""
    if page.viewport_size == WIDE:
        desk = walk.desk(page)
        suggested = desk.locator(".level.suggested").first
        value = int(suggested.get_attribute("data-level") or 0)
        page.keyboard.press("0" if value else "1")


def decide(page: Page) -> None:
    """Approve what the model says; where that is hidden, give every criterion level 1."""
    desk = walk.desk(page)
    shown = desk.get_attribute("data-response")
    if desk.get_by_role("button", name="Approve").count():
        page.keyboard.press("a")
    else:
        for _ in range(desk.get_by_role("radiogroup").count()):
            page.keyboard.press("1")
        page.keyboard.press("Enter")
    expect(desk).not_to_have_attribute("data-response", shown or "", timeout=walk.SLOW_MS)
    walk.settle(page)


def screens(upload_url: str) -> list[Step]:
    """Name, address, and what to do before the picture is taken."""
    query = upload_url.split("?", 1)[1]
    return [
        ("score", "/", drop_file),
        ("results", f"/results?{query}", None),
        ("uploads", "/results", None),
        ("review", f"/review?{query}", begin_another_level),
        ("review-keys", f"/review?{query}", lambda page: page.keyboard.press("?")),
        ("consistency", f"/consistency?{query}", None),
        ("urgent-signs", "/urgent-signs", None),
        ("comments", "/comments", lambda page: walk.choose(page, "Task", "Bubbles from pondweed")),
        ("sections", "/sections", None),
        ("tasks", "/tasks", lambda page: walk.choose(page, "Task", "Bubbles from pondweed")),
        ("account", "/account", None),
        ("people", "/people", None),
        ("house-rules", "/house-rules", None),
        ("item-bank", "/item-bank", None),
        ("versions", "/versions", None),
        ("health", "/health", None),
        ("audit", "/audit", None),
    ]


def fill_school(page: Page, app: RunningApp) -> str:
    """A section, an educator, an upload that is scored, some decisions; returns the results address."""
    walk.set_up(page, app)
    walk.make_section(page, "Grade 7, period 2")
    walk.upload(page, CLASS, "Bubbles from pondweed")
    walk.submit(page)
    walk.wait_for_scores(page)
    address = page.url
    page.get_by_role("button", name="Review answers").click()
    expect(page.get_by_role("heading", name="Review", level=1)).to_be_visible()
    walk.settle(page)
    while walk.desk(page).get_by_text("to be scored without the model", exact=True).count():
        decide(page)
    for _ in range(3):
        decide(page)
    return address


def take(
    browser: Browser, app: RunningApp, address: str, scheme: str, width: str, folder: Path, only: Sequence[str]
) -> None:  # fmt: skip
    """Every screen, or those named, in one colour scheme and width."""
    context = browser.new_context(color_scheme=scheme, viewport=WIDE if width == "wide" else NARROW)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(walk.SLOW_MS)
    suffix = scheme if width == "wide" else f"{scheme}-narrow"
    page.goto(app.url)
    page.screenshot(path=folder / f"sign-in-{suffix}.png")
    walk.sign_in(page, app, "ada@school.example")
    expect(page.get_by_role("heading", name="Score a class")).to_be_visible()
    for name, path, before in screens(address):
        if only and name not in only:
            continue
        page.goto(app.url + path)
        expect(page.get_by_role("heading", level=1).first).to_be_visible()
        walk.settle(page)
        if before is not None:
            before(page)
            walk.settle(page)
        page.wait_for_timeout(1200)
        page.screenshot(path=folder / f"{name}-{suffix}.png")
    context.close()


def main(folder: Path = PICTURES, only: Sequence[str] = ()) -> None:
    """Take all of them, or those named."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        app = RunningApp(Path(scratch) / "var")
        app.start()
        try:
            app.wait_until_ready()
            page = browser.new_page(viewport=WIDE)
            page.set_default_timeout(walk.SLOW_MS)
            address = fill_school(page, app)
            page.close()
            for scheme in ("light", "dark"):
                for width in ("wide", "narrow"):
                    take(browser, app, address, scheme, width, folder, only)
        finally:
            app.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.pictures", description="Take the pictures anew.")
    parser.add_argument("folder", nargs="?", type=Path, default=PICTURES, help="where they go; default docs/pictures")
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="screens to take, by the file's name")
    args = parser.parse_args()
    main(args.folder, args.only)
