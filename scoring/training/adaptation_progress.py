"""An adaptation from the command line that a kill doesn't undo: finished parts lie beside the version to be."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scoring.domain import Task, content_hash, task_to_json
from scoring.itembank import LabelledResponse
from scoring.student.checkpoint import read_manifest
from scoring.training.adaptation_config import AdaptConfig


class Progress:
    """What was finished earlier by a command with the same arguments. `folder` is the workspace of `adapt`."""

    def __init__(
        self, out: Path, base: Path, task: Task, rows: Sequence[LabelledResponse], config: AdaptConfig, encoder: str
    ) -> None:
        identity = content_hash(
            {
                "base": read_manifest(base).version_id, "task": task_to_json(task), "config": config.to_json(),
                "rows": [[row.response_id, row.text, row.levels, row.second] for row in rows], "encoder": encoder,
            }
        )  # fmt: skip
        out = out.resolve()
        self.folder = out.with_name(f".{out.name}.unfinished")
        self._identity, self._path = identity, self.folder / "parts.json"
        self.finished: dict[str, Mapping[str, Any]] = {}
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            kept = {}
        if kept.get("identity") == identity:
            self.finished = kept["parts"]
        else:
            self.clear()

    def keep(self, key: str, result: Mapping[str, Any]) -> None:
        """A part is finished."""
        self.finished = {**self.finished, key: result}
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps({"identity": self._identity, "parts": self.finished}), encoding="utf-8")
        partial.replace(self._path)

    def clear(self) -> None:
        """Nothing is left over."""
        shutil.rmtree(self.folder, ignore_errors=True)
