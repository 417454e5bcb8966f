"""The composition root: every service over one database, and getting a data folder ready to serve."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache, partial

from db.engine import Database
from db.schema import migrate
from scoring.errors import InvalidInput, ModelUnavailable
from scoring.services.accounts import Accounts
from scoring.services.adaptations import Adaptations
from scoring.services.alerts import Alerts
from scoring.services.audit import Audit
from scoring.services.authoring import Authoring
from scoring.services.examples import Examples
from scoring.services.expert_use import ExpertUse
from scoring.services.explanations import Explanations
from scoring.services.feedback import Feedback
from scoring.services.health import Health
from scoring.services.jobs import Jobs
from scoring.services.looks import Looks
from scoring.services.promotion import Promotion
from scoring.services.review import Review
from scoring.services.rules import Rules
from scoring.services.scores import Scores
from scoring.services.sections import Sections
from scoring.services.tasks import Tasks, load_item_bank
from scoring.services.uploads import Uploads
from scoring.services.versions import Versions, find_moved, register_student
from scoring.services.word_reports import WordReports
from scoring.settings import Settings, read_settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """All that a page may call."""

    settings: Settings
    database: Database
    jobs: Jobs
    accounts: Accounts
    sections: Sections
    tasks: Tasks
    uploads: Uploads
    scores: Scores
    review: Review
    versions: Versions
    authoring: Authoring
    examples: Examples
    adaptations: Adaptations
    promotion: Promotion
    explanations: Explanations
    expert_use: ExpertUse
    word_reports: WordReports
    feedback: Feedback
    alerts: Alerts
    rules: Rules
    looks: Looks
    audit: Audit
    health: Health

    def close(self) -> None:
        """Give all connections back."""
        self.jobs.close()
        self.database.close()


def open_services(settings: Settings) -> Services:
    """Connect the services to the database in `settings`; changes nothing there."""
    settings.make_data_dir()
    database = Database(settings.url)
    jobs = Jobs(settings.url)
    return Services(
        settings=settings,
        database=database,
        jobs=jobs,
        accounts=Accounts(database, timedelta(minutes=settings.idle_timeout_minutes)),
        sections=Sections(database),
        tasks=Tasks(database),
        uploads=Uploads(database, jobs, settings.max_upload_mb * 1024 * 1024),
        scores=Scores(database),
        review=Review(database),
        versions=Versions(database),
        authoring=Authoring(database, settings.max_upload_mb * 1024 * 1024),
        examples=Examples(database, settings.max_upload_mb * 1024 * 1024),
        adaptations=Adaptations(database, jobs),
        promotion=Promotion(database, jobs),
        explanations=Explanations(database, jobs),
        expert_use=ExpertUse(database),
        word_reports=WordReports(database, jobs),
        feedback=Feedback(database),
        alerts=Alerts(database),
        rules=Rules(database),
        looks=Looks(database),
        audit=Audit(database),
        health=Health(database, settings.worker_log),
    )


def prepare(settings: Settings) -> None:
    """Migrate the database (after a backup), register the bundled student, load the sample classroom.

    Safe to run at every start and by two processes at once.
    """
    settings.make_data_dir()
    database = Database(settings.url)
    try:
        migrate(database, settings.backup_dir)
        find_moved(database, settings.data_dir / "versions")
        # A damaged sample must not keep people from what is there already.
        for folder, load in (
            (settings.student, partial(register_student, store=settings.data_dir / "versions")),
            (settings.classroom, load_item_bank),
        ):
            if not folder.exists():
                logger.warning("%s: not found, so nothing is loaded from there.", folder)
                continue
            try:
                load(database, folder)
            except (ModelUnavailable, InvalidInput) as error:
                logger.error("Not loaded: %s", error)
    finally:
        database.close()


@lru_cache(maxsize=1)
def shared_services() -> Services:
    """The services of this process, over the settings of its environment."""
    return open_services(read_settings())
