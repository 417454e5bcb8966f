"""The README is true: its commands exist, its settings are all there, its pictures are in the repository."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from scoring.__main__ import COMMANDS
from scoring.settings import ROOT, Settings

README = (ROOT / "README.md").read_text("utf-8")


def test_every_setting_is_documented() -> None:
    documented = set(re.findall(r"`EVENHAND_([A-Z_]+)`", README))
    assert documented == {name.upper() for name in Settings.__dataclass_fields__}


def test_every_command_is_documented_and_answers_to_help() -> None:
    documented = set(re.findall(r"python -m scoring ([a-z-]+)", README))
    assert documented == set(COMMANDS)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_of_each_command_works(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scoring", command, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert set(re.findall(r"^make ([a-z-]+)", README, re.M)) <= targets


def test_every_picture_and_linked_file_exists() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links
    missing = [link for link in links if not (ROOT / link).exists()]
    assert not missing


def test_decisions_are_short() -> None:
    for path in (ROOT / "docs" / "adr").glob("*.md"):
        assert len(path.read_text("utf-8").splitlines()) <= 12, path.name


def test_every_requirement_is_pinned() -> None:
    for path in ROOT.glob("requirements*.txt"):
        for line in path.read_text("utf-8").splitlines():
            assert not line.strip() or line.startswith("#") or re.match(r"[\w-]+==[\w.]+(\s+#.*)?$", line), line
