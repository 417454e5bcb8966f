"""Probes that tell the truth."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from db.tables import StudentVersion, Worker, utc_now
from scoring.services.house import open_services
from scoring.settings import Settings
from tests.conftest import School, settings_of
from tests.web.conftest import Browser


def _report(school: School, state: str, *, age: float = 0.0, message: str = "", name: str = "worker-1") -> None:
    beat = utc_now() - timedelta(seconds=age)
    with school.database.write() as session:
        session.merge(
            Worker(
                executor_id=name, pid=1, started_at=beat, heartbeat_at=beat, state=state, message=message,
                student_version_key="fake",
            )
        )  # fmt: skip


@pytest.fixture
def unprepared(tmp_path: Path) -> Iterator[Browser]:
    """A browser at an app whose database has no tables yet."""
    services = open_services(settings_of(tmp_path / "new"))
    yield Browser(services)
    services.close()


def test_without_a_schema_nothing_is_healthy_or_ready(unprepared: Browser) -> None:
    for path in ("/healthz", "/readyz"):
        response = unprepared.get(path)
        assert response.status_code == 503
        assert "revision" in response.json()["database"]


def test_a_file_that_is_no_database_is_not_healthy(tmp_path: Path) -> None:
    (tmp_path / "evenhand.db").write_text("Dear diary, " * 1000)
    services = open_services(Settings(data_dir=tmp_path))
    for path in ("/healthz", "/readyz"):
        response = Browser(services).get(path)
        assert response.status_code == 503
        assert "does not answer" in response.json()["database"]
    services.close()


def test_a_database_of_another_program_version_is_not_healthy(school: School, browser: Browser) -> None:
    with school.database.write() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    assert browser.get("/healthz").status_code == 503
    assert browser.get("/readyz").status_code == 503


def test_without_a_worker_the_app_is_healthy_but_not_ready(browser: Browser) -> None:
    assert (browser.get("/healthz").status_code, browser.get("/healthz").json()["status"]) == (200, "ok")
    response = browser.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {
        "status": "not ready", "database": "ok", "worker": "has not started yet", "student": "ok",
    }  # fmt: skip


def test_a_worker_that_reports_makes_it_ready(school: School, browser: Browser) -> None:
    _report(school, "ready")
    response = browser.get("/readyz")
    assert (response.status_code, response.json()["status"]) == (200, "ready")


@pytest.mark.parametrize(
    ("state", "age", "said"),
    [
        ("ready", 60, "silent"),
        ("starting", 0, "starting"),
        ("starting", 60, "silent"),
        ("stopping", 0, "stopping"),
        ("stopped", 60, "stopped"),
        ("failed", 0, "failed: no weights"),
        ("failed", 600, "failed: no weights"),
    ],
)
def test_a_worker_that_does_not_work_is_told_as_it_is(
    school: School, browser: Browser, state: str, age: float, said: str
) -> None:
    _report(school, state, age=age, message="no weights" if state == "failed" else "")
    response = browser.get("/readyz")
    assert response.status_code == 503
    assert response.json()["worker"] == said
    assert browser.get("/healthz").status_code == 200


def test_one_working_worker_is_enough(school: School, browser: Browser) -> None:
    _report(school, "failed", name="worker-1")
    _report(school, "ready", age=5, name="worker-2")
    assert browser.get("/readyz").status_code == 200


def test_without_an_active_student_an_upload_would_not_be_scored(school: School, browser: Browser) -> None:
    _report(school, "ready")
    with school.database.write() as session:
        session.execute(update(StudentVersion).values(state="retired"))
    response = browser.get("/readyz")
    assert response.status_code == 503
    assert "model" in response.json()["student"]


def test_probes_tell_strangers_nothing_about_people_or_files(school: School, browser: Browser) -> None:
    _report(school, "ready")
    text = browser.get("/healthz").text + browser.get("/readyz").text
    for word in ("Edna", "@", "/", "Period"):
        assert word not in text
