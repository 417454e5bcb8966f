"""The running program and a browser, for tests that walk the whole path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.running import RunningApp, chromium
from tests.e2e.school import School, open_school

# A loaded machine may take long; what is asserted is that it comes, not how fast.
expect.set_options(timeout=30_000)


@pytest.fixture
def running_app(tmp_path: Path) -> Iterator[RunningApp]:
    """The program over an empty data folder, ready to score."""
    app = RunningApp(tmp_path / "var")
    app.start()
    try:
        app.wait_until_ready()
        yield app
    finally:
        app.stop()


@pytest.fixture
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    """One program for all tests of a file; each makes a class of its own."""
    with open_school(tmp_path_factory.mktemp("school")) as opened:
        yield opened
