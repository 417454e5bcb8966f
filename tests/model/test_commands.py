import csv
import json
import subprocess
import sys

import pytest

from scoring.__main__ import COMMANDS, main

FEW = {
    "epochs": 2, "precision": "fp32",
    "student": {"experts": 2, "expert_hidden": 16, "gate_hidden": 8, "task_width": 8, "lora_rank": 4, "max_tokens": 32},
}  # fmt: skip


@pytest.fixture
def run(tiny_encoder, monkeypatch):
    monkeypatch.setenv("EVENHAND_ENCODER", str(tiny_encoder.folder))
    monkeypatch.setenv("EVENHAND_DEVICE", "cpu")
    return lambda *words: main([str(word) for word in words])


@pytest.fixture
def score(run, tiny_version, tmp_path):
    """Score a file with the given bytes as answers to one task; returns the exit code and the output's path."""

    def score(content, task="moving-cart"):
        source, out = tmp_path / "answers.csv", tmp_path / "scores.csv"
        source.write_bytes(content if isinstance(content, bytes) else content.encode())
        return run("score", "--task", task, "--in", source, "--out", out, "--student", tiny_version), out

    return score


def test_train_then_evaluate_then_score(run, tiny_bank, tmp_path, capsys):
    (tmp_path / "few.json").write_text(json.dumps(FEW))
    student = tmp_path / "trained"
    assert run("train", "--data", tiny_bank, "--out", student, "--config", tmp_path / "few.json", "--seed", 3) == 0
    assert {path.name for path in student.iterdir()} == {
        "card.json", "card.md", "config.json", "student.safetensors", "training.jsonl",
    }  # fmt: skip
    card = json.loads((student / "card.json").read_text())
    assert [task["id"] for task in card["tasks"]] == ["melting.ice", "moving-cart"]
    assert card["training"]["seed"] == 3
    assert card["version_id"] in (student / "card.md").read_text()
    assert len((student / "training.jsonl").read_text().splitlines()) == 2
    assert not list(tmp_path.glob(".*partial*"))

    assert run("evaluate", "--data", tiny_bank, "--student", student, "--out", tmp_path / "report") == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert {"mean_qwk", "fisher_qwk", "tasks"} <= report.keys()
    assert report["fold"] == "val"
    assert report["n"] == card["val"]["n"]
    assert report["mean_qwk"] == card["val"]["mean_qwk"]
    assert report["skipped_tasks"] == ["kept-back"]
    assert "mean QWK" in capsys.readouterr().out


def test_training_refuses_a_folder_that_holds_something_else_before_it_starts(run, tiny_bank, tmp_path, capsys):
    (tmp_path / "essays").mkdir()
    (tmp_path / "essays" / "keep.txt").write_text("mine")
    assert run("train", "--data", tiny_bank, "--out", tmp_path / "essays") == 2
    assert "does not hold a student" in capsys.readouterr().err


def test_score_keeps_ids_and_order_and_leaves_blanks_without_a_score(score, capsys):
    ids = ["z9", "=1+1", "007", " é ", "b", "dup-text"]
    texts = ["faster", 'because, of "force"\nand mass', "🧊 الملح", "  ", "heat " * 60, "faster"]
    lines = [f'"{i}","{t.replace(chr(34), chr(34) * 2)}"' for i, t in zip(ids, texts, strict=True)]
    code, out = score(b"\xef\xbb\xbf" + "\r\n".join(["response_id,text", *lines]).encode())
    assert code == 0
    with out.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["response_id"] for row in rows] == ids
    assert list(rows[0]) == ["response_id"] + [
        f"{c}_{what}" for c in ("claim", "evidence") for what in ("level", "expected", "probability")
    ]
    assert [row["claim_level"] == "" for row in rows] == [False, False, False, True, False, False]
    for row in rows:
        if row["claim_level"]:
            assert row["claim_level"] in "01"
            assert row["evidence_level"] in "123"
            assert 0 < float(row["evidence_probability"]) <= 1
            assert 1 <= float(row["evidence_expected"]) <= 3
    assert rows[0]["claim_expected"] == rows[5]["claim_expected"]
    err = capsys.readouterr().err
    assert "1 blank" in err
    assert "1 responses are longer" in err


def test_score_of_a_file_without_rows_is_a_header(score):
    code, out = score("response_id,text\n")
    assert code == 0
    assert out.read_text().startswith("response_id,claim_level")
    assert len(out.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,text\n1,a\n", "'response_id'"),
        ("response_id;text\n1;a\n", "'response_id'"),
        ("", "empty file"),
        ("response_id,text\na,x\nb,y\na,z\n", "lines 2 and 4"),
        ('response_id,text\na,"x\ny"\nb,y\na,z\n', "lines 2 and 5"),
        ("response_id,text\na\n", "line 2"),
        ("response_id,text\n,x\n", "line 2: response_id is empty"),
        ('response_id,text\na,"open\n', "not valid CSV"),
        ("response_id,text\n1,caf\xe9\n".encode("latin-1"), "line 2: not UTF-8"),
        ("response_id,text\n1,a\n".encode("utf-16"), "UTF-8"),
    ],
)
def test_score_refuses_a_file_it_cannot_trust_and_writes_nothing(score, capsys, content, said):
    code, out = score(content)
    assert code == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_score_lists_the_known_tasks(score, capsys):
    code, _ = score("response_id,text\n1,a\n", task="volcano")
    assert code == 2
    assert "melting.ice, moving-cart" in capsys.readouterr().err


def test_a_failing_score_leaves_the_older_output(score, tmp_path):
    (tmp_path / "scores.csv").write_text("older")
    code, out = score("id\n")
    assert code == 2
    assert out.read_text() == "older"


def test_an_output_folder_that_is_missing_is_said(run, tiny_version, tmp_path, capsys):
    (tmp_path / "a.csv").write_text("response_id,text\n1,salt\n")
    arguments = ("--task", "moving-cart", "--in", tmp_path / "a.csv", "--student", tiny_version)
    assert run("score", *arguments, "--out", tmp_path / "no" / "b.csv") == 2
    assert "can't be written" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_help_of_the_command_line_does_not_load_pytorch():
    code = "import sys, scoring.__main__ as m\ntry: m.main(['--help'])\nexcept SystemExit: pass\n"
    code += "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
