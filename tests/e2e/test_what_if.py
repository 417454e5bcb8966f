"""Why this score, in a browser: the real worker explains a real answer, and an edited text moves its score."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import func, select

from db.tables import Explanation, MachineScore, Trial
from scoring.domain import UploadStatus
from scoring.intake.checking import Mapping as Columns
from scoring.services.actors import Actor
from scoring.services.house import Services
from scoring.services.rules import BLIND
from tests.e2e import walk
from tests.e2e.running import RunningApp, wait_for

TASK = "pondweed-light"
ANSWER = (
    "The closer the lamp is, the more bubbles there are: 46 at 10 cm but only 5 at 50 cm. "
    "Light gives the plant <b>energy</b> to make *oxygen* from carbon dioxide and water."
)
EMPTY_HANDED = "I do not know because I was not there."


def scored_class(services: Services, actor: Actor) -> tuple[str, int]:
    """A class of two that the worker has scored, with nothing drawn for blind scoring; and the first answer."""
    services.rules.change(actor, BLIND, {"share": 0.0})
    section = services.sections.create(actor, "Grade 7, period 2")
    [task] = [entry for entry in services.tasks.available(actor) if entry.task.id == TASK]
    file = f'id,answer\ns1,"{ANSWER}"\ns2,"{EMPTY_HANDED}"\n'.encode()
    columns = Columns(answer="answer", learner="id")
    upload_id = services.uploads.submit(actor, section.id, task.version_id, "class.csv", file, columns, "token")
    wait_for("the scores", lambda: services.uploads.get(actor, upload_id).status is UploadStatus.DONE)
    ids = services.scores.table(actor, upload_id).frame["response_id"]
    return upload_id, int(ids[0])


def open_panel(page: Page) -> None:
    """Ask why, and wait for the tested explanation."""
    page.locator("label", has=page.get_by_role("switch", name="Show why")).click()
    expect(page.get_by_text(re.compile("Tested by taking words out|No words are highlighted")).first).to_be_visible(
        timeout=walk.SLOW_MS
    )
    walk.settle(page)


def try_wording(page: Page, text: str) -> None:
    """Edit the answer in place and wait for what the model makes of it."""
    page.get_by_label("Change the answer here").fill(text)
    page.get_by_role("button", name="See what changes").click()
    expect(page.get_by_text("A first look at the new wording")).to_be_visible(timeout=walk.SLOW_MS)
    expect(page.locator(".why").last).to_contain_text(text.strip() or "(no words)")
    walk.settle(page)


@pytest.mark.e2e
@pytest.mark.timeout(400)
def test_an_edited_answer_moves_score_words_and_gates(
    running_app: RunningApp, browser: Browser, tmp_path: Path
) -> None:
    services = running_app.services()
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(walk.SLOW_MS)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    walk.set_up(page, running_app)
    token = services.accounts.sign_in("ada@school.example", walk.PASSWORD, "127.0.0.1")
    actor = services.accounts.resume(token)
    upload_id, response_id = scored_class(services, actor)

    # The explanation: words of the answer as it was typed, marked by what they did.
    page.goto(f"{running_app.url}/review?upload={upload_id}&response={response_id}")
    open_panel(page)
    answer = page.locator(".why").first
    expect(answer).to_contain_text("<b>energy</b> to make *oxygen*")
    assert answer.locator("b, em, script").count() == 0
    with services.database.read() as session:
        [row] = session.scalars(select(Explanation).where(Explanation.response_id == response_id))
        assert row.status == "done"
        assert row.content is not None
        before = {c["id"]: c for c in row.content["explanation"]["criteria"]}
    shown = next(iter(before.values()))["attribution"]
    assert answer.locator("mark").count() == 0 or shown["trustworthy"]
    if shown["trustworthy"]:
        expect(answer.locator("mark.up, mark.down").first).to_have_attribute("title", re.compile(r"by \d\.\d\d points"))

    # Another wording: the score, the words and the gates of the new text, and none of it saved as a score.
    scores = _count(services)
    page.get_by_role("tab", name="Try another wording").click()
    walk.settle(page)
    try_wording(page, EMPTY_HANDED)
    with services.database.read() as session:
        [trial] = session.scalars(select(Trial))
        assert trial.text == EMPTY_HANDED
        assert trial.content is not None
        after = {c["id"]: c for c in trial.content["criteria"]}
    view = services.review.response(actor, response_id)
    assert any(before[key]["level"] != after[key]["level"] for key in before)
    for criterion in view.task.criteria:
        old, new = before[criterion.id], after[criterion.id]
        metric = page.get_by_test_id("stMetric").filter(has_text=criterion.name)
        said = f"{old['level']} → {new['level']}" if old["level"] != new["level"] else f"still {new['level']}"
        expect(metric).to_contain_text(said)
    expect(page.locator(".why", has_text="I do not know")).to_have_count(1)
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(2)
    assert _count(services) == scores

    # Back to the answer's own words: nothing changes, and no words at all can be tried too.
    try_wording(page, ANSWER)
    for criterion in view.task.criteria:
        metric = page.get_by_test_id("stMetric").filter(has_text=criterion.name)
        expect(metric).to_contain_text(f"still {before[criterion.id]['level']}")
    try_wording(page, " ")
    expect(page.get_by_text("(no words)").first).to_be_visible()

    outside = {url for url in asked if not url.startswith((running_app.url, "data:", "blob:"))}
    assert not outside, f"the browser asked other hosts: {outside}"
    assert "Traceback" not in running_app.console()
    context.close()
    services.close()


def _count(services: Services) -> int:
    with services.database.read() as session:
        return session.scalar(select(func.count()).select_from(MachineScore)) or 0
