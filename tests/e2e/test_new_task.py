"""A task that the model does not know, from its file to its first scores and back, with the real worker."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from scoring.domain import Role
from scoring.itembank import read_item_bank
from scoring.services.uploads import Mapping
from tests.e2e import adding, walk
from tests.e2e.classes import write_class
from tests.e2e.running import RunningApp, wait_for


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_an_educator_adds_a_task(running_app: RunningApp, browser: Browser, tmp_path: Path) -> None:
    app, services = running_app, running_app.services()
    accounts = services.accounts
    ada = accounts.resume(accounts.set_up(app.set_up_code(), "Ada", "ada@school.example", walk.PASSWORD, "127.0.0.1"))
    _, first = accounts.add_person(ada, "Edna Okafor", "edna@school.example", Role.EDUCATOR)
    edna = accounts.resume(accounts.sign_in("edna@school.example", first, "127.0.0.1"))
    accounts.change_password(edna, first, walk.PASSWORD)
    edna = accounts.resume(accounts.sign_in("edna@school.example", walk.PASSWORD, "127.0.0.1"))
    section = services.sections.create(edna, "Grade 6, period 2").id
    write_class(services, edna, section, 12)

    page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
    page.set_default_timeout(walk.SLOW_MS)
    walk.sign_in(page, app, "edna@school.example")
    expect(page.get_by_role("heading", name="Score a class")).to_be_visible()

    # Described by a file, with answers that are checked before they are saved.
    adding.take_from_file(page, app, adding.write_bank(tmp_path / "bank.zip", 40, 4))
    adding.save_examples(page)
    [task] = services.authoring.mine(edna)
    overview = services.examples.overview(edna, task.id)
    assert (overview.labelled, overview.unlabelled) == (40, 4)

    # Trained while one watches; a reload loses nothing.
    page.get_by_role("button", name="Train quickly").click()
    expect(page.get_by_role("button", name="Stop the training")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Stop the training")).to_be_visible()
    adding.wait_until_trained(page)
    page.get_by_role("button", name="See how far to trust it").click()
    adding.at_step(page, "Trust")
    expect(page.get_by_text("Which levels are mixed up?")).to_be_visible()
    adding.step(page, "Stress test")
    expect(page.get_by_text("held in").first).to_be_visible()

    # Nothing else moves; it scores; one click goes back.
    adding.step(page, "Go live")
    page.get_by_role("button", name="See what would change").click()
    expect(page.get_by_text("0 of 12 answers of other tasks would change")).to_be_visible(timeout=adding.TRAINED_MS)
    adding.activate(page)
    summary = services.authoring.get(edna, task.id)
    assert summary.scorable
    texts = [r.text for r in read_item_bank(adding.CLASSROOM).of_task(adding.TASK) if r.text.strip()][-3:]
    data = "\n".join(["answer", *(f'"{text.replace(chr(34), chr(39))}"' for text in texts)]).encode()
    columns = Mapping("answer", None)
    upload = services.uploads.submit(edna, section, summary.version_id, "new.csv", data, columns, "token")
    wait_for("the scores", lambda: services.uploads.get(edna, upload).finished)
    assert services.uploads.get(edna, upload).done == 3
    page.get_by_role("button", name="Go back to the version before").click()
    expect(page.get_by_role("button", name="Let it score")).to_be_visible()
    assert not services.authoring.get(edna, task.id).scorable
    services.close()
