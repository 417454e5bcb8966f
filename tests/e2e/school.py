"""A small school in the running program: two people who teach one section, and classes that are scored already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import select

from db.tables import CriterionRow, HumanScoreRow, Response
from scoring.domain import Role
from scoring.services.actors import Actor
from scoring.services.house import Services
from scoring.services.review import QueueOrder
from tests.e2e import walk
from tests.e2e.classes import ScoredClass, write_class
from tests.e2e.running import RunningApp, wait_for

ADA, BEN = "ada@school.example", "ben@school.example"


@dataclass(frozen=True)
class School:
    """The running program with two people who teach one section; nothing scores there but people."""

    app: RunningApp
    services: Services
    ada: Actor
    ben: Actor
    section: int

    def scored(self, answers: int = 12, **details: object) -> ScoredClass:
        """Another class of the section."""
        return write_class(self.services, self.ada, self.section, answers, **details)  # type: ignore[arg-type]

    def order(self, scored: ScoredClass, count: int) -> list[int]:
        """The first answers as the desk shows them."""
        review = self.services.review
        first = review.next(self.ada, scored.upload_id, QueueOrder.UNCERTAIN, None)
        assert first is not None
        return review.window(self.ada, scored.upload_id, QueueOrder.UNCERTAIN, first, 0, count - 1)

    def decisions(self, scored: ScoredClass) -> list[tuple[int, str, int | None, str, str]]:
        """Every human score of a class in the order in which it came: response, criterion, level, kind, reason."""
        with self.services.database.read() as session:
            rows = session.execute(
                select(
                    HumanScoreRow.response_id, CriterionRow.key, HumanScoreRow.level, HumanScoreRow.kind,
                    HumanScoreRow.reason_kind,
                )
                .join(CriterionRow, CriterionRow.id == HumanScoreRow.criterion_id)
                .join(Response, Response.id == HumanScoreRow.response_id)
                .where(Response.upload_id == scored.upload_id)
                .order_by(HumanScoreRow.id)
            )  # fmt: skip
            return [(response, key, level, kind, reason) for response, key, level, kind, reason in rows]

    def decided(self, scored: ScoredClass) -> int:
        """How many answers of a class somebody has decided, whatever became of it."""
        return len({row[0] for row in self.decisions(scored)})


@contextmanager
def open_school(folder: Path) -> Iterator[School]:
    """The program over a folder of its own, without a worker: nothing has to be scored."""
    app = RunningApp(folder / "var", EVENHAND_WORKER="external")
    app.start()
    services = app.services()
    try:
        wait_for("the program", lambda: app.get("/healthz")[0] == 200)
        accounts = services.accounts
        ada = accounts.resume(accounts.set_up(app.set_up_code(), "Ada Lindqvist", ADA, walk.PASSWORD, "127.0.0.1"))
        section = services.sections.create(ada, "Grade 5, period 2").id
        _, first = accounts.add_person(ada, "Ben Okafor", BEN, Role.EDUCATOR)
        ben = accounts.resume(accounts.sign_in(BEN, first, "127.0.0.1"))
        accounts.change_password(ben, first, walk.PASSWORD)
        ben = accounts.resume(accounts.sign_in(BEN, walk.PASSWORD, "127.0.0.1"))
        services.sections.share(ada, section, BEN)
        yield School(app, services, ada, ben, section)
    finally:
        services.close()
        app.stop()


def signed_in(browser: Browser, school: School, email: str = ADA, **context: object) -> Page:
    """A browser of one's own, signed in."""
    opened: BrowserContext = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **context})  # type: ignore[arg-type]
    page = opened.new_page()
    page.set_default_timeout(walk.SLOW_MS)
    walk.sign_in(page, school.app, email)
    expect(page.get_by_role("heading", name="Score a class")).to_be_visible()
    return page
