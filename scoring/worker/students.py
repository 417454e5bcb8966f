"""The students that this worker holds in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from sqlalchemy import select

from db.engine import Database
from db.tables import StudentVersion
from scoring.errors import ModelUnavailable
from scoring.inference.engine import Engine
from scoring.services.versions import active_version
from scoring.worker.turns import Turns

HELD = 2  # the active version, and the one it is compared with


class Students:
    """Engines by student version, loaded on first use. Threads may share them: forward passes wait for their turn."""

    def __init__(self, *, encoder: str, device: str) -> None:
        self._encoder = encoder
        self._device = device
        self._lock = threading.Lock()
        self._engines: OrderedDict[int, Engine] = OrderedDict()
        self.turns = Turns()
        self._latest = {"device": "", "student_version_key": ""}

    def get(self, database: Database, version_id: int) -> Engine:
        """The engine of a registered version.

        Raises:
            ModelUnavailable: not registered, or its files are missing or damaged.
        """
        with self._lock:
            if version_id in self._engines:
                self._engines.move_to_end(version_id)
                return self._engines[version_id]
            with database.read() as session:
                row = session.scalar(select(StudentVersion).where(StudentVersion.id == version_id))
            if row is None:
                raise ModelUnavailable(f"student version {version_id} is not registered")
            engine = Engine.load(Path(row.folder), encoder=self._encoder, device=self._device)
            # The tokenizer changes its own settings once; no two threads may be there to see it.
            engine.tokenizer(["one text"])
            self.turns.share(engine.student)
            self._engines[version_id] = engine
            while len(self._engines) > HELD:
                self._engines.popitem(last=False)
            self._latest = {"device": str(engine.device), "student_version_key": row.version_key}
            return engine

    def details(self) -> dict[str, str]:
        """The device, and the version that was loaded last; empty before the first."""
        return self._latest

    def warm(self, database: Database) -> None:
        """Load the active version, so that the first upload does not wait for it; none is no error."""
        with database.read() as session:
            version = active_version(session)
        if version is not None:
            self.get(database, version.id)
