"""Asking why in a browser: from the click to the first highlight, and to the tested ones, in the whole app.

The waits are in milliseconds and mean nothing on a machine that does other things; `load` is how many processes
wanted a core when it began.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from statistics import median, quantiles

from playwright.sync_api import Browser
from sqlalchemy import delete, func, select

from db.tables import Explanation, Response
from tests.e2e import walk
from tests.e2e.pictures_why import ADA, Subject, fill
from tests.e2e.running import RunningApp, chromium

ASKED = 12
TOLD = "Tested by taking", "No words are highlighted"
# Notes when the button is pressed and when the page first shows what was asked for.
WATCH = """told => {
  const seen = window.whySeen = {};
  document.addEventListener('click', () => { seen.click ??= performance.now(); }, true);
  new MutationObserver(() => {
    const text = document.body.innerText;
    if (document.querySelector('.why mark') || text.includes('A first look')) seen.first ??= performance.now();
    if (told.some(words => text.includes(words))) { seen.whole ??= performance.now(); seen.first ??= seen.whole; }
  }).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""


def measure(*, quick: bool) -> list[dict[str, object]]:
    """Waits over answers of the sample class that nobody has asked about yet; the longest answers first."""
    with tempfile.TemporaryDirectory() as folder:
        app = RunningApp(Path(folder) / "var")
        app.start()
        try:
            app.wait_until_ready()
            services = app.services()
            subject = fill(services, app.set_up_code())
            with services.database.write() as session:
                length = func.length(Response.text)
                asked = session.scalars(
                    select(Response.id)
                    .where(Response.upload_id == subject.upload_id, Response.reviewed.is_(True))
                    .order_by(length.desc())
                    .limit(3 if quick else ASKED)
                ).all()
                session.execute(delete(Explanation).where(Explanation.response_id.in_(asked)))
            services.close()
            load = os.getloadavg()[0]
            with chromium() as browser:
                waits = [_ask(browser, app, subject, response_id) for response_id in asked]
        finally:
            app.stop()
    return [
        {
            "from the click to": what, "answers": len(of), "median, ms": median(of),
            "nine in ten under, ms": quantiles(of, n=10)[-1], "longest, ms": max(of),
            "each, ms": " ".join(f"{wait:.0f}" for wait in of), "cores": os.cpu_count(), "load": round(load, 1),
        }
        for what, of in (
            ("the first highlight", [first for first, _ in waits]), ("the tested ones", [whole for _, whole in waits])
        )
    ]  # fmt: skip


def _ask(browser: Browser, app: RunningApp, subject: Subject, response_id: int) -> tuple[float, float]:
    """Milliseconds until the first and the tested highlights of one answer."""
    page = browser.new_context(viewport={"width": 1280, "height": 1400}).new_page()
    walk.sign_in(page, app, ADA)
    page.get_by_role("heading", name="Score a class").wait_for()
    page.goto(f"{app.url}/review?upload={subject.upload_id}&response={response_id}")
    walk.desk(page)
    walk.settle(page)
    page.evaluate(WATCH, TOLD)
    page.locator("label", has=page.get_by_role("switch", name="Show why")).click()
    page.wait_for_function("window.whySeen.whole", timeout=walk.SLOW_MS)
    seen = page.evaluate("window.whySeen")
    page.context.close()
    return seen["first"] - seen["click"], seen["whole"] - seen["click"]
