"""The folders are the architecture, and the web process never loads a model."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scoring.settings import ROOT

HEAVY = ("torch", "transformers", "peft", "shap")
PACKAGES = ("scoring", "db", "pages")


def _sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it; `from a import b` counts as `a`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found - {"__future__"}


def _loaded_in_a_fresh_process(modules: set[str], folder: Path) -> list[str]:
    """Which heavy packages are there after importing `modules` in a new interpreter."""
    code = (
        "import importlib, sys\n"
        f"for name in {sorted(modules)!r}:\n    importlib.import_module(name)\n"
        f"print(' '.join(name for name in {HEAVY!r} if name in sys.modules))\n"
    )
    environment = {**os.environ, "EVENHAND_DATA_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_every_folder_of_code_is_a_package() -> None:
    folders = {path.parent for path in _sources(*PACKAGES)}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("path", [p for p in _sources(*PACKAGES) if p.name == "__init__.py"], ids=_module)
def test_a_package_imports_nothing_by_itself(path: Path) -> None:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert [ast.unparse(node) for node in body if not (isinstance(node, ast.Expr) and node is body[0])] == []


def test_only_the_main_script_stands_beside_the_pages() -> None:
    assert sorted(path.name for path in (ROOT / "pages").glob("*.py")) == ["__init__.py", "main.py"]


def test_the_web_process_loads_no_model(tmp_path: Path) -> None:
    modules = {_module(path) for path in _sources("scoring/services", "scoring/web", "pages/components", "db")}
    modules -= {name for name in modules if name.startswith("db.migrations")}
    # Pages are scripts; what they import is loaded when they run.
    for page in [*_sources("pages"), ROOT / "app.py"]:
        modules |= {name for name in _imports(page) if name.split(".")[0] in {*PACKAGES, *HEAVY}}
    assert not modules & set(HEAVY)
    assert _loaded_in_a_fresh_process(modules, tmp_path) == []


def test_the_entry_loads_no_model(tmp_path: Path) -> None:
    assert _loaded_in_a_fresh_process({"app"}, tmp_path) == []


def test_a_model_that_was_loaded_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "peft.py").write_text("")
    (tmp_path / "innocent.py").write_text("import peft")
    assert _loaded_in_a_fresh_process({"innocent"}, tmp_path) == ["peft"]


@pytest.mark.parametrize("command", ["backup", "restore", "verify-audit", "load"])
def test_commands_about_the_database_load_no_model(tmp_path: Path, command: str) -> None:
    module = ROOT / "scoring" / "commands" / f"{command.replace('-', '_')}.py"
    modules = {"scoring.__main__", *(n for n in _imports(module) if n.split(".")[0] in PACKAGES)}
    assert _loaded_in_a_fresh_process(modules, tmp_path) == []


@pytest.mark.parametrize("path", _sources("pages"), ids=_module)
def test_a_page_reaches_for_services_and_nothing_below(path: Path) -> None:
    allowed = (
        "scoring.services",
        "scoring.domain",
        "scoring.errors",
        "scoring.settings",
        "scoring.intake",
        "scoring.web",
    )
    ours = {name for name in _imports(path) if name.split(".")[0] in {"scoring", "db", "sqlalchemy"}}
    assert {name for name in ours if not name.startswith((*allowed,))} == set()


def test_the_rules_about_who_imports_whom_hold() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout
