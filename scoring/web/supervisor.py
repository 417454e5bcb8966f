"""Keeping one worker alive beside the web process: start, log, restart with back-off, stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from pathlib import Path
from typing import BinaryIO

from scoring.settings import ROOT, Settings

logger = logging.getLogger(__name__)
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
HEALTHY_AFTER_S = 60.0
STOP_WITHIN_S = 15.0
LONGEST_LOG_BYTES = 5_000_000


class Supervisor:
    """Runs `python -m scoring.worker` until stopped; a worker that dies comes back after a growing pause."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        self._task = asyncio.create_task(self._keep_alive())

    async def stop(self) -> None:
        """Ask the worker to end, and end it if it does not."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _keep_alive(self) -> None:
        pause = FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            try:
                ended = f"ended with code {await self._run_once()}"
            except OSError as error:
                # No memory, no process, no disk for the log: all of them pass.
                ended = f"could not be started ({error})"
            if time.monotonic() - began > HEALTHY_AFTER_S:
                pause = FIRST_PAUSE_S
            logger.warning(
                "The scoring worker %s; starting it again in %.0f s. Its log: %s",
                ended, pause, self._settings.worker_log,
            )  # fmt: skip
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _run_once(self) -> int:
        with _open_log(self._settings.worker_log) as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "scoring.worker",
                cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                env={
                    **os.environ,
                    "EVENHAND_SUPERVISOR_PID": str(os.getpid()),
                    "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
                },
            )  # fmt: skip
        return await self._process.wait()


def _open_log(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LONGEST_LOG_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    return path.open("ab")
