"""`make pictures`: walks through the real program and takes docs/pictures anew, light and dark, wide and narrow."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
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


def screens(upload_url: str) -> list[Step]:
    """Name, address, and what to do before the picture is taken."""
    query = upload_url.split("?", 1)[1]
    return [
        ("score", "/", drop_file),
        ("results", f"/results?{query}", None),
        ("uploads", "/results", None),
        ("review", f"/review?{query}", lambda page: page.get_by_role("button", name="Next").click()),
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
    """A section, an educator, an upload that is scored, two decisions; returns the results address."""
    walk.set_up(page, app)
    walk.make_section(page, "Grade 7, period 2")
    walk.upload(page, CLASS, "Bubbles from pondweed")
    walk.submit(page)
    walk.wait_for_scores(page)
    address = page.url
    page.get_by_role("button", name="Review answers").click()
    expect(page.get_by_role("heading", name="Review", level=1)).to_be_visible()
    walk.settle(page)
    page.get_by_role("button", name="Next").click()
    for _ in range(3):
        walk.settle(page)
        page.get_by_role("button", name="Save and go on").click()
    walk.settle(page)
    return address


def take(browser: Browser, app: RunningApp, address: str, scheme: str, width: str, folder: Path) -> None:
    """Every screen in one colour scheme and width."""
    context = browser.new_context(color_scheme=scheme, viewport=WIDE if width == "wide" else NARROW)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(walk.SLOW_MS)
    suffix = scheme if width == "wide" else f"{scheme}-narrow"
    page.goto(app.url)
    page.screenshot(path=folder / f"sign-in-{suffix}.png")
    walk.sign_in(page, app, "ada@school.example")
    expect(page.get_by_role("heading", name="Score a class")).to_be_visible()
    for name, path, before in screens(address):
        page.goto(app.url + path)
        expect(page.get_by_role("heading", level=1).first).to_be_visible()
        walk.settle(page)
        if before is not None:
            before(page)
            walk.settle(page)
        page.wait_for_timeout(1200)
        page.screenshot(path=folder / f"{name}-{suffix}.png")
    context.close()


def main(folder: Path = PICTURES) -> None:
    """Take all of them."""
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
                    take(browser, app, address, scheme, width, folder)
        finally:
            app.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES)
