"""Tables of benchmarks: between their own markers, and never from a quick run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import tables
from scoring.errors import InvalidInput

PAGE = "before\n<!-- checks -->\nold\n<!-- end -->\nbetween\n<!-- explain -->\n<!-- end -->\nafter\n"


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    page = tmp_path / "README.md"
    page.write_text(PAGE)
    return page


def test_a_table_replaces_what_stands_between_its_own_markers(readme: Path) -> None:
    tables.write_block("checks", r"| a\1 |", readme)
    tables.write_block("explain", "| b |", readme)
    tables.write_block("explain", "| c |", readme)
    assert readme.read_text() == (
        "before\n<!-- checks -->\n\n| a\\1 |\n\n<!-- end -->\n"
        "between\n<!-- explain -->\n\n| c |\n\n<!-- end -->\nafter\n"
    )
    with pytest.raises(InvalidInput, match="<!-- speed -->"):
        tables.write_block("speed", "", readme)


@pytest.mark.parametrize(
    ("kept", "said"), [(None, "not run yet"), ({"quick": True, "rows": []}, "only the quick size")]
)
def test_what_was_not_run_in_full_size_has_no_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: object, said: str
) -> None:
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    if kept is not None:
        (tmp_path / "checks.json").write_text(json.dumps(kept))
    with pytest.raises(InvalidInput, match=said):
        tables.block("checks")


def test_faithfulness_is_shown_by_method_and_by_task() -> None:
    row = {"answers": "here", "task": "all", "method": "shap", "comprehensiveness": "0.4"}
    by_task = [{**row, "task": task, "comprehensiveness": figure} for task, figure in (("salt", "0.1"), ("sun", "0.2"))]
    text = tables.explain([row, *by_task])
    assert "| here | shap | 0.4 |" in text
    assert "| answers | task | shap |" in text
    assert "| here | sun | 0.2 |" in text


def test_the_page_has_a_place_for_every_table() -> None:
    page = tables.README.read_text(encoding="utf-8")
    assert all(f"<!-- {name} -->" in page for name in (*tables.BLOCKS, "matrix"))
