"""Threads that wait must sleep wherever a model computes; OpenMP reads that once, when PyTorch is loaded."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from scoring.settings import ROOT

LOOK = """
import importlib, os, sys
importlib.import_module({module!r})
loaded = list(sys.modules)
assert "torch" not in loaded or loaded.index("scoring.cores") < loaded.index("torch")
print(os.environ["OMP_WAIT_POLICY"])
"""


@pytest.mark.parametrize("module", ["scoring.worker.__main__", "scoring.__main__", "bench.__main__"])
@pytest.mark.parametrize("chosen", [None, "ACTIVE"])
def test_waiting_threads_sleep_unless_the_environment_says_otherwise(module: str, chosen: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", LOOK.format(module=module)], cwd=ROOT, capture_output=True, text=True, check=False,
        env=environment | ({"OMP_WAIT_POLICY": chosen} if chosen else {}),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == (chosen or "PASSIVE")
