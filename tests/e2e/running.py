"""The real program as a user starts it: the web process, its worker, a browser."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from playwright.sync_api import Browser, sync_playwright

from scoring.services.house import Services, open_services
from scoring.settings import ROOT, Settings

T = TypeVar("T")
START_WITHIN_S = 120
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
    "--no-first-run",
]


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, look: Callable[[], T | None], within: float = START_WITHIN_S, every: float = 0.1) -> T:
    """Look again and again until something is there; fails with `what` in its message."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"waited {within:.0f} s in vain for {what}")


class RunningApp:
    """`streamlit run app.py` over a data folder of its own."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = environment
        self._console = data_dir.parent / f"{data_dir.name}-console.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the web process; it starts the worker."""
        with self._console.open("ab") as console:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)],
                cwd=ROOT,
                stdout=console,
                stderr=subprocess.STDOUT,
                env={
                    **{k: v for k, v in os.environ.items() if not k.startswith("EVENHAND_")},
                    "EVENHAND_DATA_DIR": str(self.data_dir),
                    **self._environment,
                },
            )

    def console(self) -> str:
        """What the program printed."""
        return self._console.read_text(errors="replace") if self._console.exists() else ""

    def set_up_code(self) -> str:
        """The one-time code from the console."""
        return str(wait_for("the set-up code", lambda: re.findall(r"first visitor: (\S+)", self.console()))[-1])

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a GET; status 0 while nobody listens."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def wait_until_ready(self) -> None:
        """Wait for database and worker."""
        wait_for(f"/readyz; the console said {self.console()[-2000:]}", lambda: self.get("/readyz")[0] == 200)

    def worker_pid(self) -> int | None:
        """The worker that the web process started, if it lives."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        try:
            pids = [int(pid) for pid in children.read_text().split()]
        except OSError:
            return None
        for pid in pids:
            try:
                if b"scoring.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
            except OSError:
                continue
        return None

    def kill_web(self) -> None:
        """SIGKILL the web process, as a crash or an impatient person would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def kill_worker(self) -> bool:
        """SIGKILL the worker; false when there was none to kill."""
        pid = self.worker_pid()
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        return True

    def stop(self) -> None:
        """End it as a service manager would."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def services(self) -> Services:
        """The same services over the same data, from this process."""
        return open_services(Settings(data_dir=self.data_dir))


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium; where it is missing the test is skipped, on a build machine it fails."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        message = "Chromium is not installed (Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
