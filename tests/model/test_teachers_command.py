import json
import re
from pathlib import Path

import pytest

from scoring.__main__ import main
from scoring.itembank import read_item_bank
from scoring.training.data import bank_hash
from scoring.training.targets import read_targets
from tests.model.test_teachers_causal import save

QUICK = {"trees": 5, "inner_folds": 2}


@pytest.fixture
def teach(tiny_encoder, tiny_bank, tmp_path, monkeypatch):
    monkeypatch.setenv("EVENHAND_ENCODER", str(tiny_encoder.folder))
    monkeypatch.setenv("EVENHAND_DEVICE", "cpu")

    def run(kind, *words, out="t.parquet", config=None):
        extra = []
        if config is not None:
            (tmp_path / "config.json").write_text(json.dumps(config))
            extra = ["--config", tmp_path / "config.json"]
        arguments = ["teach", "--data", tiny_bank, "--kind", kind, "--out", tmp_path / out, *words, *extra]
        return main([str(word) for word in arguments])

    return run


def add_second_ratings(bank: Path) -> None:
    """A second rater who gives claims as the first does, to every other answer."""
    path = bank / "responses.csv"
    header, *lines = path.read_text().splitlines()
    rated = [
        f"{line},{line.split(',')[4]}" if number % 2 and line.startswith("moving-cart") else f"{line},"
        for number, line in enumerate(lines)
    ]
    path.write_text("\n".join([f"{header},claim2", *rated]) + "\n")


def read(path, bank):
    whole = read_item_bank(bank)
    return read_targets(path, data_sha256=bank_hash(whole), tasks=whole.tasks)


def test_teachers_are_trained_combined_and_reported(teach, tiny_bank, tmp_path, capsys):
    add_second_ratings(tiny_bank)
    assert teach("ngram", "--folds", 2, out="ngram.parquet", config=QUICK) == 0
    out = capsys.readouterr().out
    assert re.search(r"melting\.ice +\d+ +0\.\d{3} +\d+ +0\.\d{3}", out)
    assert re.search(r"\nmean +-?\d\.\d{3} +-?\d\.\d{3}\nFisher mean +-?\d\.\d{3}", out)
    assert "kept-back" not in out
    settings = {"epochs": 1, "frozen_blocks": 1, "max_tokens": 32}
    assert teach("encoder", "--folds", 2, out="encoder.parquet", config=settings) == 0
    assert teach("human", "--folds", 2, out="human.parquet") == 0
    assert "melting.ice                   0               –        0        –" in capsys.readouterr().out
    members = [tmp_path / f"{name}.parquet" for name in ("ngram", "encoder", "human")]
    assert teach("ensemble", "--from", *members, out="ensemble.parquet") == 0
    assert "val QWK is of the machine teachers alone: ngram, encoder" in capsys.readouterr().out
    ensemble, ngram = read(tmp_path / "ensemble.parquet", tiny_bank), read(members[0], tiny_bank)
    assert ensemble.opinions.keys() == ngram.opinions.keys()
    assert [member["teacher"] for member in ensemble.about["members"]] == ["ngram", "encoder", "human"]
    assert ngram.about["settings"]["trees"] == 5
    assert not list(tmp_path.glob("*.fold-*"))
    assert ensemble.about["weights"].keys() == {"melting.ice", "moving-cart"}


def test_a_causal_language_model_by_its_folder(teach, tiny_bank, tmp_path, capsys):
    model = save(tmp_path / "llama", "llama")
    settings = {"epochs": 1, "max_tokens": 96, "modules": ["q_proj", "v_proj"]}
    assert teach("causal", "--model", model, "--folds", 2, "--hold-out", "moving-cart", config=settings) == 0
    assert "melting.ice" in capsys.readouterr().out
    found = read(tmp_path / "t.parquet", tiny_bank)
    assert {key[0] for key in found.opinions} == {"melting.ice"}
    assert found.about["settings"]["modules"] == ["q_proj", "v_proj"]
    assert str(model) not in json.dumps(found.about)


def test_parts_run_apart_and_the_last_writes_the_file(teach, tmp_path, capsys):
    assert teach("ngram", "--folds", 2, "--fold", 1, config=QUICK) == 0
    assert "part 1 of 2 is done" in capsys.readouterr().err
    assert not (tmp_path / "t.parquet").exists()
    assert teach("ngram", "--folds", 2, "--fold", 0, config=QUICK) == 0
    assert "Fisher mean" in capsys.readouterr().out
    assert (tmp_path / "t.parquet").exists()


@pytest.mark.parametrize(
    ("words", "config", "said"),
    [
        (["ngram", "--encoder", "minilm"], None, "--encoder belongs to --kind encoder, not to ngram"),
        (["human", "--model", "x/y"], None, "--model belongs to --kind causal"),
        (["ngram", "--from", "a.parquet"], None, "--from belongs to --kind ensemble"),
        (["causal"], None, "needs --model"),
        (["causal", "--model", "/no/such"], None, "'/no/such': no such folder"),
        (["ensemble"], None, "two teachers or more, not 0"),
        (["ensemble", "--from", "none.parquet"], None, "none.parquet: not a file of teacher's targets"),
        (["ensemble", "--from", "a", "--fold", "1"], None, "no --config and no --fold"),
        (["human"], None, "no response has a second rating"),
        (["ngram", "--folds", "1"], None, "--folds 1: 2 to 100"),
        (["ngram", "--fold", "5"], None, "--fold 5: the parts are 0 to 4"),
        (["ngram", "--hold-out", "volcano"], None, "'volcano' is not in tasks.json"),
        (["ngram"], {"tree": 5}, "unknown key 'tree' for ngram; allowed are ['inner_folds', 'margin'"),
        (["ngram"], {"name": "x"}, "unknown key 'name'"),
        (["encoder"], {"encoder_sha256": "0"}, "unknown key 'encoder_sha256'"),
        (["ngram"], {"trees": "many"}, "trees is 'many'; something like 100 is expected"),
        (["ngram"], {"trees": True}, "trees is True"),
        (["encoder"], {"per_task": 1}, "per_task is 1; something like False"),
        (["ngram"], {"trees": 0}, "trees: 0 is below 1"),
        (["ngram"], [1], "an object of hyper-parameters is expected"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(teach, tmp_path, capsys, words, config, said):
    assert teach(*words, config=config) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("*.parquet"))


def test_a_place_that_cannot_be_written_is_said_before_any_work(teach, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert teach("ngram", out="file/t.parquet") == 2
    assert "its folder can't be made" in capsys.readouterr().err
    assert teach("ngram", out="bank") == 2
    assert "is a folder" in capsys.readouterr().err


def test_teachers_of_other_data_are_refused(teach, tiny_bank, tmp_path, capsys):
    assert teach("ngram", "--folds", 2, out="old.parquet", config=QUICK) == 0
    path = tiny_bank / "responses.csv"
    path.write_text(path.read_text().replace("because", "since"))
    assert teach("ensemble", "--from", tmp_path / "old.parquet", tmp_path / "old.parquet") == 2
    assert "made from data" in capsys.readouterr().err
