"""Pictures of adding a task: a sample task is taught to the model in the running program, step by step.

python -m tests.e2e.pictures_adding [FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from scoring.services.actors import Actor
from scoring.services.house import Services
from scoring.settings import ROOT
from tests.e2e import adding, walk
from tests.e2e.classes import write_class
from tests.e2e.running import RunningApp, chromium, wait_for

PICTURES = ROOT / "docs" / "pictures"
LABELLED, WAITING = 110, 40
MODES = [(scheme, width) for scheme in ("light", "dark") for width in ("wide", "narrow")]
TALL = {"trust": 1560, "stress": 1380, "examples": 1180, "live": 1240}
"""Heights of pictures whose point lies further down, where they are wide."""


@contextmanager
def opened(browser: Browser, app: RunningApp, scheme: str, width: str) -> Iterator[Page]:
    """Somebody signed in, in one colour scheme and width."""
    viewport = {"width": 1280, "height": 960} if width == "wide" else {"width": 390, "height": 844}
    context = browser.new_context(color_scheme=scheme, viewport=viewport)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(walk.SLOW_MS)
    walk.sign_in(page, app, "ada@school.example")
    expect(page.get_by_role("heading", name="Score a class")).to_be_visible()
    yield page
    context.close()


def shoot(page: Page, app: RunningApp, path: str, target: Path, height: int | None = None) -> None:
    """One screen, at rest."""
    if height is not None:
        page.set_viewport_size({"width": 1280, "height": height})
    page.goto(app.url + path)
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    page.wait_for_timeout(2500)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    page.wait_for_timeout(1200)
    page.screenshot(path=target)
    if height is not None:
        page.set_viewport_size({"width": 1280, "height": 960})


def teach(app: RunningApp, browser: Browser, services: Services, actor: Actor, scratch: Path, folder: Path) -> int:
    """The task from its file to a version with a preview; pictures of the training while it goes on."""
    with opened(browser, app, "light", "wide") as page:
        adding.take_from_file(page, app, adding.write_bank(scratch / "bank.zip", LABELLED, WAITING))
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / "add-task-check-light.png")
        adding.save_examples(page)
        page.get_by_role("button", name="Train quickly").click()
        expect(page.get_by_role("button", name="Stop the training")).to_be_visible()
    [task] = [entry for entry in services.authoring.mine(actor) if entry.owner_id == actor.user_id]

    def curve() -> bool:
        run = services.adaptations.newest(actor, task.id)
        assert run is not None
        return run.finished or len({point.labels for point in run.curve}) > 1

    wait_for("the learning curve", curve, 900, 1)
    for scheme, width in MODES:
        with opened(browser, app, scheme, width) as page:
            shoot(page, app, f"/add-task?task={task.id}&step=train", folder / name_of("train", scheme, width))
    wait_for("the training", lambda: (run := services.adaptations.newest(actor, task.id)) and run.finished, 900, 1)
    run = services.adaptations.newest(actor, task.id)
    assert run is not None
    assert run.candidate_id is not None, run.error
    preview_id = services.promotion.preview(actor, run.candidate_id, "pictures")
    wait_for("the preview", lambda: services.promotion.preview_state(actor, preview_id).finished, 300, 1)
    return task.id


def name_of(step: str, scheme: str, width: str) -> str:
    """A picture's file name."""
    return f"add-task-{step}-{scheme}{'' if width == 'wide' else '-narrow'}.png"


def main(folder: Path = PICTURES, modes: Sequence[tuple[str, str]] = tuple(MODES)) -> None:
    """Take all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=walk.SLOW_MS)
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        app = RunningApp(Path(scratch) / "var")
        app.start()
        services = app.services()
        try:
            app.wait_until_ready()
            accounts, code = services.accounts, app.set_up_code()
            token = accounts.set_up(code, "Ada Lindqvist", "ada@school.example", walk.PASSWORD, "127.0.0.1")
            ada = accounts.resume(token)
            write_class(services, ada, services.sections.create(ada, "Grade 7, period 2").id, 60)
            task_id = teach(app, browser, services, ada, Path(scratch), folder)
            for scheme, width in modes:
                with opened(browser, app, scheme, width) as page:
                    shoot(page, app, "/add-task", folder / name_of("start", scheme, width))
                    for step in ("describe", "examples", "trust", "stress", "live"):
                        height = TALL.get(step) if width == "wide" else None
                        path = f"/add-task?task={task_id}&step={step}"
                        shoot(page, app, path, folder / name_of(step, scheme, width), height)
                    shoot(page, app, "/versions", folder / name_of("versions", scheme, width))
        finally:
            services.close()
            app.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.pictures_adding", description="Take the pictures anew.")
    parser.add_argument("folder", nargs="?", type=Path, default=PICTURES, help="where they go; default docs/pictures")
    main(parser.parse_args().folder)
