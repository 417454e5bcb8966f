"""SetFit as a rival: a subprocess in an environment of its own, since its packages are none of the project's."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scoring.errors import InvalidInput

HERE = Path(__file__).resolve().parent
PYTHON = HERE / "cache" / "setfit-env" / "bin" / "python"
SETTINGS = {"iterations": 20, "steps": 60, "batch": 16}
"""As published, 20 pairs of each kind an answer, but no more than 60 steps of 16 pairs: on one core, a minute."""
MISSING = (
    f"SetFit: {PYTHON} not found, so its cells are left out; make it with `python3.11 -m venv bench/cache/setfit-env` "
    "and `bench/cache/setfit-env/bin/python -m pip install -r bench/setfit-requirements.txt`"
)


def is_there() -> bool:
    """Whether the environment was made."""
    return PYTHON.is_file()


def ask(encoder: Path, texts: Sequence[str], levels: Sequence[int], val: Sequence[str], seed: int) -> dict[str, Any]:
    """What SetFit says: `levels` of the val texts, and the `steps` of its training.

    Raises:
        InvalidInput: the environment is missing, or the run fails; with the end of what it printed.
    """
    if not is_there():
        raise InvalidInput(MISSING)
    with tempfile.TemporaryDirectory() as folder:
        asked, said = Path(folder) / "asked.json", Path(folder) / "said.json"
        whole = {"encoder": str(encoder), "texts": list(texts), "levels": list(levels), "val": list(val), "seed": seed}
        asked.write_text(json.dumps({**whole, **SETTINGS}), encoding="utf-8")
        done = subprocess.run(
            [str(PYTHON), str(HERE / "setfit_rival.py"), str(asked), str(said)],
            env={**os.environ, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise InvalidInput(f"SetFit: it ended with {done.returncode}: {done.stderr[-500:]}")
        found: dict[str, Any] = json.loads(said.read_text(encoding="utf-8"))
    return found
