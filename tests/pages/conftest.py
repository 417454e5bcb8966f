"""Screens over a real database in a folder of their own; only the cookie is replaced by a known person."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.components import session
from scoring.domain import Role
from scoring.services.actors import Actor
from scoring.services.house import Services, prepare, shared_services
from scoring.services.sections import SectionSummary
from scoring.settings import ROOT, read_settings
from tests.pages.school import hire_student, score, upload_class

PASSWORD = "a long enough sentence"
TASKS = [
    {
        "id": "melting-ice",
        "title": "Why does ice melt?",
        "subject": "Physical science",
        "grade": "5",
        "prompt": "Explain why an ice cube melts on a warm plate.",
        "criteria": [
            {
                "id": "heat",
                "name": "Names the transfer of heat",
                "levels": [
                    {"value": 0, "label": "Not there", "descriptor": "No heat is named."},
                    {"value": 1, "label": "There", "descriptor": "Heat moves from the plate to the ice."},
                ],
            }
        ],
    },
    {
        "id": "plant-light",
        "title": "Plants and light",
        "prompt": "What does a plant need light for?",
        "criteria": [
            {
                "id": "score",
                "name": "Score",
                "levels": [{"value": value, "descriptor": f"{value} ideas"} for value in range(3)],
            }
        ],
    },
]


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """The services over a fresh database with two published tasks and no student."""
    classroom = tmp_path / "classroom"
    classroom.mkdir()
    (classroom / "tasks.json").write_text(json.dumps(TASKS), encoding="utf-8")
    (classroom / "responses.csv").write_text(
        "task_id,response_id,text,heat,score\n"
        "melting-ice,r1,Heat goes into the ice.,1,\n"
        "melting-ice,r2,Because it is ice.,0,\n"
        "plant-light,r3,To make sugar.,,1\n",
        encoding="utf-8",
    )
    for name, value in {
        "DATA_DIR": str(tmp_path / "var"),
        "DATABASE_URL": "",
        "CLASSROOM": str(classroom),
        "STUDENT": str(tmp_path / "no-student"),
        "WORKER": "external",
    }.items():
        monkeypatch.setenv(f"EVENHAND_{name}", value)
    prepare(read_settings())
    shared_services.cache_clear()
    st.cache_data.clear()
    st.cache_resource.clear()
    opened = shared_services()
    yield opened
    opened.close()
    shared_services.cache_clear()


@pytest.fixture
def administrator(services: Services) -> Actor:
    """The first person, signed in."""
    code = services.accounts.new_setup_code()
    assert code is not None
    token = services.accounts.set_up(code, "Ada Admin", "ada@school.example", PASSWORD, "127.0.0.1")
    return services.accounts.resume(token)


@pytest.fixture
def educator(services: Services, administrator: Actor) -> Actor:
    """A teacher who has chosen a password, signed in."""
    _, first = services.accounts.add_person(administrator, "Edna Educator", "edna@school.example", Role.EDUCATOR)
    token = services.accounts.sign_in("edna@school.example", first, "127.0.0.1")
    services.accounts.change_password(services.accounts.resume(token), first, PASSWORD)
    return services.accounts.resume(token)


@pytest.fixture
def app(services: Services, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """`app(actor, "admin/people.py")`: that screen as that person sees it, run once."""

    def open_app(actor: Actor, page: str = "") -> AppTest:
        # Scripts import it by name at each run, so they get this one.
        monkeypatch.setattr(session, "current_actor", lambda: actor)
        at = AppTest.from_file(str(ROOT / "pages" / "main.py"), default_timeout=20).run()
        assert not at.exception
        if page:
            at.switch_page(page).run()
            assert not at.exception
        return at

    return open_app


@pytest.fixture
def section(services: Services, educator: Actor) -> SectionSummary:
    """A class, and a version of the model that scores both tasks."""
    hire_student(services)
    return services.sections.create(educator, "Grade 5, period 2")


@pytest.fixture
def scored(services: Services, educator: Actor, section: SectionSummary) -> str:
    """Three answers to a yes/no task; the model says yes, no, yes."""
    upload_id = upload_class(services, educator, section.id)
    score(services, upload_id, {2: 1, 3: 0, 4: 1})
    return upload_id
