"""Every setting is read from one variable, refuses nonsense by its name, and is documented."""

from __future__ import annotations

import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scoring.errors import InvalidInput
from scoring.settings import ROOT, Settings, read_settings

FIELDS = list(Settings.__dataclass_fields__)


def test_without_variables_the_defaults_hold() -> None:
    assert read_settings({}) == Settings()
    assert read_settings({f"EVENHAND_{name.upper()}": "  " for name in FIELDS}) == Settings()


def test_every_setting_can_be_set(tmp_path: Path) -> None:
    given = {
        "data_dir": str(tmp_path), "database_url": "postgresql://localhost/e", "student": str(tmp_path / "s"),
        "classroom": str(tmp_path / "c"), "encoder": "other", "device": "cpu", "worker": "external",
        "executor_id": "worker-7", "max_upload_mb": "7", "idle_timeout_minutes": "8", "https": "yes",
        "chunk_size": "9",
    }  # fmt: skip
    assert sorted(given) == sorted(FIELDS)
    settings = read_settings({f"EVENHAND_{name.upper()}": value for name, value in given.items()})
    for name in FIELDS:
        assert getattr(settings, name) != getattr(Settings(), name), name
        kind = type(getattr(Settings(), name))
        assert isinstance(getattr(settings, name), kind if kind is not type(tmp_path) else Path), name
    assert (settings.max_upload_mb, settings.https, settings.data_dir) == (7, True, tmp_path)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WORKER", "sometimes"), ("DEVICE", "tpu"), ("MAX_UPLOAD_MB", "many"), ("MAX_UPLOAD_MB", "0"),
        ("MAX_UPLOAD_MB", "1.5"), ("IDLE_TIMEOUT_MINUTES", "-1"), ("IDLE_TIMEOUT_MINUTES", "1h"),
        ("CHUNK_SIZE", "0"), ("CHUNK_SIZE", "x"), ("HTTPS", "maybe"), ("HTTPS", "2"),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_by_its_variables_name(variable: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^EVENHAND_{variable}\b"):
        read_settings({f"EVENHAND_{variable}": value})


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("TRUE", True), ("yes", True), ("0", False), ("False", False), ("no", False)]
)
def test_yes_and_no_are_read_in_the_usual_spellings(text: str, value: bool) -> None:
    assert read_settings({"EVENHAND_HTTPS": text}).https is value


def test_paths_are_taken_from_where_the_program_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings({"EVENHAND_DATA_DIR": "here"}).data_dir == tmp_path / "here"
    assert read_settings({"EVENHAND_DATA_DIR": "~/e"}).data_dir == Path.home() / "e"


def test_the_database_is_in_the_data_folder_unless_named(tmp_path: Path) -> None:
    assert Settings(data_dir=tmp_path).url == f"sqlite:///{tmp_path / 'evenhand.db'}"
    assert Settings(data_dir=tmp_path, database_url="postgresql://x/y").url == "postgresql://x/y"


def test_every_setting_stands_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [name for name in FIELDS if not re.search(rf"\bEVENHAND_{name.upper()}\b", text)]
    assert missing == []


def test_the_readme_names_no_setting_that_does_not_exist() -> None:
    named = set(re.findall(r"\bEVENHAND_([A-Z_]+)\b", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named - {name.upper() for name in FIELDS} == set()


def test_the_cookie_secret_is_made_once_and_kept_to_its_owner(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new")
    secret = settings.cookie_secret()
    assert len(secret) >= 32
    assert settings.cookie_secret() == secret
    assert Settings(data_dir=tmp_path / "other").cookie_secret() != secret
    mode = (tmp_path / "new" / "cookie_secret").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_a_cookie_secret_that_signs_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cookie_secret").write_text("short")
    with pytest.raises(InvalidInput, match="cookie_secret"):
        Settings(data_dir=tmp_path).cookie_secret()


def test_programs_that_start_at_once_share_one_cookie_secret(tmp_path: Path) -> None:
    for number in range(20):
        settings = Settings(data_dir=tmp_path / str(number))
        with ThreadPoolExecutor(4) as pool:
            assert len(set(pool.map(lambda _: settings.cookie_secret(), range(4)))) == 1  # noqa: B023
