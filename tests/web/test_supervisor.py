"""The worker comes back whatever ended it, and goes when the program goes."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest

from scoring.settings import Settings
from scoring.web import supervisor
from scoring.web.supervisor import Supervisor


def run_for(seconds: float, keeper: Supervisor) -> None:
    async def live() -> None:
        keeper.start()
        await asyncio.sleep(seconds)
        await keeper.stop()

    asyncio.run(live())


def test_a_worker_that_dies_or_cannot_start_is_tried_again_with_growing_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE_S", 0.05)
    outcomes = iter([3, OSError("no memory"), 1, OSError("no space"), 0])
    tried: list[float] = []

    async def run_once() -> int:
        tried.append(asyncio.get_running_loop().time())
        outcome = next(outcomes, None)
        if outcome is None:
            await asyncio.sleep(60)
        if isinstance(outcome, OSError):
            raise outcome
        return outcome or 0

    keeper = Supervisor(Settings(data_dir=tmp_path))
    monkeypatch.setattr(keeper, "_run_once", run_once)
    run_for(0.6, keeper)
    assert len(tried) == 6
    pauses = [later - earlier for earlier, later in itertools.pairwise(tried)]
    assert pauses[1] > 1.5 * pauses[0]


def test_a_long_log_is_put_aside_at_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LONGEST_LOG_BYTES", 10)
    log = tmp_path / "worker.log"
    log.write_text("much that was said before")
    supervisor._open_log(log).close()
    assert log.read_text() == ""
    assert (tmp_path / "worker.log.1").read_text() == "much that was said before"
