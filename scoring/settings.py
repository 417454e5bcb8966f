"""The environment, read once."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scoring.errors import InvalidInput

ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds app.py."""


@dataclass(frozen=True)
class Settings:
    """All that can be set from outside. Each field is the variable EVENHAND_<FIELD> in upper case."""

    data_dir: Path = ROOT / "var"  # folder for the database, logs, secrets, versions and backups
    database_url: str = ""  # SQLAlchemy URL; empty: SQLite in data_dir
    student: Path = ROOT / "samples" / "student"  # version folder that is registered on first start
    classroom: Path = ROOT / "samples" / "classroom"  # item bank folder loaded on first start; empty folder: none
    encoder: str = "minilm"  # "minilm" (bundled), a local folder, or a hub name
    device: str = "auto"  # auto, cpu, cuda
    worker: str = "supervised"  # supervised: the web process starts one; external: it starts none
    executor_id: str = "worker-1"  # fixed name of this worker, so that its interrupted jobs are found again
    max_upload_mb: int = 50  # largest class file, MB
    idle_timeout_minutes: int = 60  # signed out after this long without a click
    https: bool = False  # true behind a TLS proxy: cookies are sent over HTTPS only
    chunk_size: int = 256  # responses scored between two looks at the cancel sign

    def __post_init__(self) -> None:
        if self.worker not in {"supervised", "external"}:
            raise InvalidInput(f"EVENHAND_WORKER: {self.worker!r} is not supervised or external")
        if self.device not in {"auto", "cpu", "cuda"}:
            raise InvalidInput(f"EVENHAND_DEVICE: {self.device!r} is not auto, cpu or cuda")
        for name in ("max_upload_mb", "idle_timeout_minutes", "chunk_size"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"EVENHAND_{name.upper()}: must be 1 or more")

    @property
    def url(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite:///{self.data_dir / 'evenhand.db'}"

    @property
    def backup_dir(self) -> Path:
        """Where the copies made before an upgrade go."""
        return self.data_dir / "backups"

    @property
    def worker_log(self) -> Path:
        """What the supervised worker printed."""
        return self.data_dir / "worker.log"

    def make_data_dir(self) -> None:
        """Make the data folder, readable by this user only: it holds learners' answers."""
        if not self.data_dir.exists():
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)

    def cookie_secret(self) -> str:
        """The key that signs session cookies; made on first use, readable by this user only."""
        path = self.data_dir / "cookie_secret"
        self.make_data_dir()
        if not path.exists():
            # Written whole beside it and linked, so that a program that starts at once never reads half.
            part = path.with_name(f"cookie_secret.{secrets.token_hex(4)}")
            with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as stream:
                stream.write(secrets.token_urlsafe(48))
            with contextlib.suppress(FileExistsError):
                os.link(part, path)
            part.unlink()
        secret = path.read_text().strip()
        if len(secret) < 32:
            raise InvalidInput(f"{path}: too short to sign cookies; delete it and start again")
        return secret


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read EVENHAND_* variables.

    Raises:
        InvalidInput: a value has the wrong form; the message names the variable.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, object] = {}
    for name, field in Settings.__dataclass_fields__.items():
        variable = f"EVENHAND_{name.upper()}"
        text = environment.get(variable, "").strip()
        if not text:
            continue
        try:
            values[name] = _parse(str(field.type), text)
        except ValueError:
            raise InvalidInput(f"{variable}: {text!r} is not a {field.type}") from None
    return Settings(**values)  # type: ignore[arg-type]


def _parse(kind: str, text: str) -> object:
    if kind == "int":
        return int(text)
    if kind == "Path":
        return Path(text).expanduser().resolve()
    if kind == "bool":
        if text.lower() not in {"1", "true", "yes", "0", "false", "no"}:
            raise ValueError(text)
        return text.lower() in {"1", "true", "yes"}
    return text
