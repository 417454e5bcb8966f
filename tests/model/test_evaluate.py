"""The evaluate command, its report for people and the model card, on the tiny student and in a real browser."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import pytest

from scoring.__main__ import main
from scoring.domain import task_from_json
from scoring.itembank import LabelledResponse, read_item_bank
from scoring.training.evaluation import measure
from scoring.training.predictions import Prediction
from scoring.training.report import render
from scoring.training.tables import console
from tests.e2e.running import chromium

HOSTILE = '<script>alert("x")</script>'
VOID = {"meta", "br", "img", "link", "input", "line", "polyline", "circle"}


class Page(HTMLParser):
    """What a page loads, its headings, the cells of its tables, and whether its tags are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.headings: list[str] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attributes if name in ("src", "href", "srcset", "data")]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words += data
        if self._open and self._open[-1] == "h2":
            self.headings.append(data)


@pytest.fixture
def evaluate(tiny_encoder, tiny_version, tiny_bank, monkeypatch, tmp_path):
    """Run the command; returns its exit code and the report's path."""
    monkeypatch.setenv("EVENHAND_ENCODER", str(tiny_encoder.folder))
    monkeypatch.setenv("EVENHAND_DEVICE", "cpu")

    def run(*words: object, data: Path = tiny_bank) -> tuple[int, Path]:
        out = tmp_path / "reports" / "tiny.json"
        arguments = ["evaluate", "--data", data, "--student", tiny_version, "--out", out, *words]
        return main([str(word) for word in arguments]), out

    return run


def add_columns(bank: Path, **columns):
    """Give every row of a bank further cells, each made by a function of the row's number."""
    path = bank / "responses.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows = [{**row, **{name: make(number, row) for name, make in columns.items()}} for number, row in enumerate(rows)]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def report_of(count=120, *, sets=True, probabilities=True, group=""):
    """A report on made-up predictions to a task of two criteria, and the task."""
    task = task_from_json(
        {
            "id": "t", "title": f"Title {HOSTILE}", "prompt": "Why?",
            "criteria": [
                {"id": c, "name": f"{c} {HOSTILE}", "levels": [{"value": v, "descriptor": ""} for v in range(3)]}
                for c in ("claim", "reason")
            ],
        }
    )  # fmt: skip
    rows, said = [], []
    for number in range(count):
        human = {"claim": number % 3, "reason": number // 2 % 3}
        groups = {"section": group or "AB"[number % 2], "home": f"{group}{number % 2}"}
        rows.append(
            LabelledResponse("t", str(number), "", human, {"claim": (number + number % 7 // 6) % 3}, "", groups)
        )
        level = {c: (v + (number % 5 == 0)) % 3 for c, v in human.items()}
        said.append(
            {
                c: Prediction(
                    v, float(v), (0, 1, 2), tuple(0.8 if p == v else 0.1 for p in range(3)) if probabilities else (),
                    (v,) if sets else (),
                )
                for c, v in level.items()
            }
        )  # fmt: skip
    report = {
        "student": "abc", "data": {"name": f"bank {HOSTILE}", "sha256": "0"}, "fold": "val", "date": "2025-03-01",
        "seen_in_training": False, "skipped_tasks": [], "coverage_goal": 0.9 if sets else None,
        **measure(rows, said, replicates=100).to_json(),
    }  # fmt: skip
    return report, {"t": task}


def test_evaluate_writes_json_and_a_page_beside_it(evaluate, tiny_bank, capsys):
    add_columns(
        tiny_bank,
        claim2=lambda n, row: row["claim"] if n % 4 else "",
        score2=lambda n, row: str(min(3, int(row["score"]) + (n % 6 == 0))) if row["task_id"] == "melting.ice" else "",
        section=lambda n, _: "AB"[n // 2 % 2],
    )
    code, out = evaluate("--fold", "all")
    assert code == 0
    report = json.loads(out.read_text())
    assert {"mean_qwk", "fisher_qwk", "tasks", "means", "groups", "by_level", "reliability"} <= report.keys()
    assert [task["task_id"] for task in report["tasks"]] == ["melting.ice", "moving-cart"]
    assert report["n"] == 120
    assert report["coverage_goal"] is None
    ice, cart = report["tasks"]
    assert ice["n_double"] == 60
    assert ice["human_qwk"] > 0.8
    assert ice["prmse"] is not None
    assert [c["n"] for c in cart["criteria"]] == [60, 48]
    assert {(g["column"], g["value"]) for g in report["groups"]} == {("section", "A"), ("section", "B")}
    page = Page(out.with_suffix(".html").read_text())
    assert "Melting ice" in page.words
    assert f"{report['mean_qwk']:.3f}" in page.words
    shown = capsys.readouterr()
    assert max(map(len, shown.out.splitlines())) <= 100
    assert f"mean QWK over 2 tasks {report['mean_qwk']:.3f}" in shown.out
    assert "tiny.html" in shown.err
    assert sorted(path.name for path in out.parent.iterdir()) == ["tiny.html", "tiny.json"]


def test_evaluate_on_levels_that_never_vary_writes_dashes(evaluate, tiny_bank, capsys):
    add_columns(tiny_bank, score=lambda _, row: row["score"] and "1")
    code, out = evaluate("--fold", "all")
    assert code == 0
    (criterion,) = json.loads(out.read_text())["tasks"][0]["criteria"]
    assert criterion["smd"] is None
    assert criterion["undefined"]["smd"] == "people gave every response the same level"
    assert "People gave every response the same level" in Page(out.with_suffix(".html").read_text()).words
    assert "–" in capsys.readouterr().out


def test_evaluate_without_rows_says_so_and_writes_nothing(evaluate, tiny_bank, capsys):
    add_columns(tiny_bank, score=lambda *_: "", claim=lambda *_: "", evidence=lambda *_: "")
    code, out = evaluate("--fold", "all")
    assert code == 2
    assert "no labelled response" in capsys.readouterr().err
    assert not out.exists()


def test_the_page_loads_nothing_runs_nothing_and_escapes_what_people_typed():
    report, tasks = report_of(group=HOSTILE)
    text = render(report, tasks)
    page = Page(text)
    assert page.loads == []
    assert "script" not in page.tags
    assert HOSTILE in page.words
    assert not re.search(r"url\(|@import|https?:", text)
    assert page.headings == [
        "Agreement by task", "Against the usual thresholds", "Every figure", "Agreement by score level",
        "Where they differ", "Can its confidence be believed?", "Score sets", "Groups of learners",
        "What the words mean",
    ]  # fmt: skip


@pytest.mark.parametrize("known", [True, False])
def test_the_page_of_a_system_that_gives_levels_only_leaves_out_what_is_not_known(known):
    report, tasks = report_of(sets=False, probabilities=False)
    page = Page(render(report, tasks if known else {}))
    assert "Can its confidence be believed?" not in page.headings
    assert "Score sets" not in page.headings
    assert "The system gives no probabilities: everywhere." in page.words
    assert ("Title" in page.words) == known


def test_the_smallest_report_is_still_a_page_and_a_table():
    report, tasks = report_of(1)
    assert "not enough evidence" in Page(render(report, tasks)).words
    assert "–" in console(report)
    assert max(map(len, console(report).splitlines())) <= 100


def test_long_names_do_not_widen_the_table():
    report, _ = report_of()
    for task in report["tasks"]:
        task["task_id"] = "a-very-long-task-identifier-" * 3
        for criterion in task["criteria"]:
            criterion["criterion_id"] *= 20
    assert max(map(len, console(report).splitlines())) <= 100


@pytest.mark.e2e
def test_the_page_in_a_browser(tmp_path):
    path = tmp_path / "report.html"
    path.write_text(render(*report_of()), encoding="utf-8")
    with chromium() as browser:
        for scheme, width in product(("light", "dark"), (1200, 360)):
            context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}, offline=True)
            page = context.new_page()
            heard = []
            page.on("request", lambda request, heard=heard: heard.append(request.url))
            page.on("console", lambda message, heard=heard: heard.append(message.text))
            page.goto(path.as_uri())
            assert heard == [path.as_uri()]
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
            dot = page.locator(".chart .dot").first.bounding_box()
            track = page.locator(".chart .track").first.bounding_box()
            assert track["x"] < dot["x"] + dot["width"] / 2 < track["x"] + track["width"]
            page.emulate_media(media="print", color_scheme=scheme)
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
            context.close()


def test_the_card_says_what_was_measured(evaluate, tiny_bank, tmp_path):
    folds = ("train", "train", "dev", "val")
    add_columns(tiny_bank, section=lambda n, _: "AB"[n // 2 % 2], fold=lambda n, _: folds[n // 4 % 4])
    few = {"epochs": 1, "precision": "fp32", "student": {"experts": 2, "expert_hidden": 16, "lora_rank": 4}}
    (tmp_path / "few.json").write_text(json.dumps(few))
    trained = tmp_path / "trained"
    command = ["train", "--data", tiny_bank, "--out", trained, "--config", tmp_path / "few.json"]
    assert main([str(word) for word in command]) == 0
    card = json.loads((trained / "card.json").read_text())
    text = (trained / "card.md").read_text()
    rows = [row for row in read_item_bank(tiny_bank).responses if row.levels]
    assert card["val"]["n"] < len(rows)
    assert card["dev"].keys() == {"n", "mean_qwk", "mean_qwk_low", "mean_qwk_high", "fisher_qwk"}
    assert card["val"]["tasks"][0]["criteria"][0]["confusion"]
    assert "compared by section only" in text
    for heading in ("Usual thresholds", "Confidence", "Agreement by score level", "Groups of learners", "Limits"):
        assert f"## {heading}" in text
    if card["calibration"]:
        assert f"{card['calibration']['coverage']:.0%} of the time" in text
