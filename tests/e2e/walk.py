"""What a person does on the screens, as steps that tests and the picture command share."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.e2e.running import RunningApp

PASSWORD = "a long enough sentence"
SLOW_MS = 60_000


def settle(page: Page) -> None:
    """Wait until the script has run to its end."""
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=SLOW_MS)
    page.wait_for_timeout(300)


def set_up(page: Page, app: RunningApp, name: str = "Ada Lindqvist", email: str = "ada@school.example") -> None:
    """The first visitor becomes the first administrator."""
    page.goto(app.url)
    expect(page).to_have_url(re.compile("/session/set-up"))
    page.get_by_label("Set-up code").fill(app.set_up_code())
    page.get_by_label("Your name").fill(name)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("heading", name="Score a class")).to_be_visible(timeout=SLOW_MS)


def sign_in(page: Page, app: RunningApp, email: str, password: str = PASSWORD) -> None:
    """Through the form, to the first screen."""
    page.goto(app.url)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def go(page: Page, name: str, heading: str | None = None) -> None:
    """Through the navigation to a screen."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=heading or name, level=1)).to_be_visible(timeout=SLOW_MS)
    settle(page)


def choose_password(page: Page, first: str) -> None:
    """The first sign-in's screen."""
    expect(page.get_by_role("heading", name="Choose your own password")).to_be_visible(timeout=SLOW_MS)
    page.get_by_label("Current password").fill(first)
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password once more").fill(PASSWORD)
    page.get_by_role("button", name="Change password").click()


def make_section(page: Page, name: str) -> None:
    """On the sections screen."""
    go(page, "My sections")
    page.get_by_label("Name of the new section").fill(name)
    page.get_by_role("button", name="Make a section").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible(timeout=SLOW_MS)


def choose(page: Page, label: str, option: str) -> None:
    """One entry of a select box."""
    page.get_by_role("combobox", name=re.compile(re.escape(label))).click()
    page.get_by_role("option", name=re.compile(re.escape(option))).first.click()
    settle(page)


def upload(page: Page, path: Path, task: str) -> None:
    """Choose a task, drop a file, wait for the check."""
    go(page, "Score a class")
    choose(page, "Task", task)
    page.locator("input[type=file]").set_input_files(path)
    expect(page.get_by_role("heading", name="What the check found")).to_be_visible(timeout=SLOW_MS)
    settle(page)


def submit(page: Page) -> None:
    """Take the good rows and have them scored."""
    score = page.get_by_role("button", name=re.compile(r"Score [\d,]+ answers"))
    expect(score).to_be_visible(timeout=SLOW_MS)
    if score.is_disabled():
        box = page.get_by_role("checkbox", name=re.compile("Take the"))
        page.locator("label", has=box).click()
        expect(box).to_be_checked()
        expect(score).to_be_enabled(timeout=SLOW_MS)
    score.click()
    expect(page).to_have_url(re.compile("/results"), timeout=SLOW_MS)


def wait_for_scores(page: Page) -> None:
    """The results screen with its charts, once the job has ended."""
    expect(page.get_by_role("button", name="Stop scoring")).to_have_count(0, timeout=SLOW_MS)
    expect(page.get_by_role("heading", name="Levels per criterion")).to_be_visible(timeout=SLOW_MS)
    settle(page)


def open_review(page: Page, app: RunningApp, upload_id: str, response_id: int | None = None) -> Locator:
    """Straight to the review screen of an upload; returns the desk once it shows an answer."""
    query = f"upload={upload_id}" + (f"&response={response_id}" if response_id is not None else "")
    page.goto(f"{app.url}/review?{query}")
    return desk(page)


def desk(page: Page) -> Locator:
    """The review desk, with an answer on it and the page at rest."""
    found = page.locator("[data-part=desk][data-response]")
    expect(found).to_be_visible(timeout=SLOW_MS)
    settle(page)
    return found


def shows(page: Page, response_id: int, within_ms: int = SLOW_MS) -> None:
    """Wait until the desk shows this answer and has nothing left to save."""
    shown = page.locator(f"[data-part=desk][data-response='{response_id}'][data-busy=no]")
    expect(shown).to_be_visible(timeout=within_ms)


def is_told(page: Page, text: str) -> None:
    """Wait for what the desk says in its line above the buttons."""
    expect(page.locator("[data-part=said]")).to_contain_text(text, timeout=SLOW_MS)
