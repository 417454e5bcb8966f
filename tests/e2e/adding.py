"""Adding a task on the screens, as steps that the test and the picture command share."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from pathlib import Path

from playwright.sync_api import Page, expect

from scoring.settings import ROOT
from tests.e2e import walk
from tests.e2e.running import RunningApp

CLASSROOM = ROOT / "samples" / "classroom"
TASK, TITLE = "season-shadows", "Why June is warm in Minneapolis"
TRAINED_MS = 300_000


def write_bank(path: Path, labelled: int, waiting: int = 0) -> Path:
    """A zipped item bank: a sample task that the bundled student does not score, with some of its answers."""
    entries = json.loads((CLASSROOM / "tasks.json").read_text(encoding="utf-8"))
    [entry] = [entry for entry in entries if entry["id"] == TASK]
    keys = [criterion["id"] for criterion in entry["criteria"]]
    with (CLASSROOM / "responses.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["task_id"] == TASK and row["text"].strip()]
    chosen = rows[: labelled + waiting]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["task_id", "response_id", "text", *keys], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(row if n < labelled else {**row, **dict.fromkeys(keys, "")} for n, row in enumerate(chosen))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tasks.json", json.dumps([entry]))
        archive.writestr("responses.csv", out.getvalue())
    return path


def take_from_file(page: Page, app: RunningApp, bank: Path) -> None:
    """The task from its file, saved as one's own."""
    page.goto(f"{app.url}/add-task")
    page.locator("label", has_text="Take it from a file").click()
    page.locator("input[type=file]").set_input_files(bank)
    page.get_by_role("button", name="Fill the form with it").click()
    # The empty form stands below the full one until the run is over.
    expect(page.get_by_label("Title")).to_have_count(1, timeout=walk.SLOW_MS)
    expect(page.get_by_label("Title").first).to_have_value(TITLE, timeout=walk.SLOW_MS)
    page.get_by_role("button", name="Save the task").click()
    at_step(page, "Examples")


def save_examples(page: Page) -> None:
    """The labelled answers that came with it."""
    save = page.get_by_role("button", name=re.compile(r"Save \d+ answers"))
    expect(save).to_be_visible(timeout=walk.SLOW_MS)
    save.click()
    page.get_by_role("button", name="Go on to training").click()
    at_step(page, "Train")


def at_step(page: Page, name: str) -> None:
    """Wait until the screen shows this step."""
    expect(page.get_by_role("heading", name=re.compile(f"Step . of 6: {name}"))).to_be_visible(timeout=walk.SLOW_MS)
    walk.settle(page)


def step(page: Page, name: str) -> None:
    """Through the stepper."""
    page.get_by_role("button", name=re.compile(rf"\d\. {name}")).click()
    at_step(page, name)


def wait_until_trained(page: Page) -> None:
    """Without a reload: the screen finds out by itself."""
    expect(page.get_by_role("button", name="See how far to trust it")).to_be_visible(timeout=TRAINED_MS)


def activate(page: Page) -> None:
    """In spite of a failed stress test, with a reason, where it failed."""
    page.get_by_role("button", name="Let it score").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Activate")).to_be_visible()
    walk.settle(page)
    why = dialog.get_by_role("textbox", name="Why it may score all the same")
    if why.count():
        why.fill("Every score of this task is reviewed by a person.")
        expect(why).to_have_value("Every score of this task is reviewed by a person.")
    dialog.get_by_role("button", name="Activate").click()
    expect(page.get_by_text("Active: scores new answers")).to_be_visible(timeout=walk.SLOW_MS)
    walk.settle(page)
