import csv
import dataclasses
import json
import random

import pytest
import torch

from scoring.errors import InvalidInput
from scoring.inference.engine import Engine
from scoring.itembank import LabelledResponse, read_item_bank
from scoring.student import checkpoint
from scoring.student.model import StudentOutput
from scoring.training.config import TrainConfig, read_train_config
from scoring.training.data import bank_hash, check_labels, choose_tasks, split_rows
from scoring.training.evaluation import measure, predict
from scoring.training.losses import UNLABELLED, student_loss
from scoring.training.trainer import Rows, epoch_batches, train

TINY = TrainConfig(
    epochs=25, patience=25, batch_size=16, average=0.0, lr_lora=3e-3, lr_new=1e-2, precision="fp32",
    student={"experts": 2, "expert_hidden": 16, "gate_hidden": 8, "task_width": 8, "lora_rank": 4, "max_tokens": 32},
)  # fmt: skip


def splits_of(folder):
    bank = read_item_bank(folder)
    tasks = choose_tasks(bank)
    return tasks, split_rows([row for row in bank.responses if row.task_id in tasks], dev_share=0.2, val_share=0.2)


def row(number, *, fold="", text=None, task="t"):
    return LabelledResponse(task, str(number), text or f"answer {number}", {"score": 1}, fold=fold)


def test_training_learns_and_repeats_with_its_seed(tiny_bank, tiny_encoder, tmp_path):
    tasks, splits = splits_of(tiny_bank)
    trained = train(tasks, splits, tiny_encoder, TINY, device="cpu", progress=False)
    assert trained.history[0]["dev_qwk"] < 0.5 < 0.7 < trained.best_dev_qwk
    assert trained.best_dev_qwk == pytest.approx(max(r["dev_qwk"] for r in trained.history), abs=1e-4)
    # The student that is handed back is the best one, not the last.
    checkpoint.save(trained.student, tmp_path / "student")
    engine = Engine.load(tmp_path / "student", encoder=str(tiny_encoder.folder), device="cpu", precision="fp32")
    again = measure(splits.dev, predict(engine, splits.dev)).mean_qwk
    assert again == pytest.approx(trained.best_dev_qwk, abs=1e-6)
    short = dataclasses.replace(TINY, epochs=2)
    first, second = (train(tasks, splits, tiny_encoder, short, device="cpu", progress=False) for _ in range(2))
    assert [r["loss_total"] for r in first.history] == [r["loss_total"] for r in second.history]


def test_training_stops_when_dev_does_not_improve(tiny_bank, tiny_encoder):
    tasks, splits = splits_of(tiny_bank)
    config = dataclasses.replace(TINY, lr_lora=1e-9, lr_new=1e-9, patience=2)
    assert len(train(tasks, splits, tiny_encoder, config, device="cpu", progress=False).history) == 3


def test_without_dev_rows_all_epochs_are_trained(tiny_bank, tiny_encoder):
    tasks, splits = splits_of(tiny_bank)
    config = dataclasses.replace(TINY, epochs=2, patience=1, average=0.9)
    trained = train(tasks, dataclasses.replace(splits, dev=[]), tiny_encoder, config, device="cpu", progress=False)
    assert trained.best_epoch == 2
    assert trained.history[-1]["dev_qwk"] is None


def test_an_unlabelled_criterion_adds_nothing_to_the_loss():
    logits = torch.randn(2, 3, requires_grad=True)
    output = StudentOutput(
        {("t", "a"): logits, ("t", "b"): torch.randn(2, 2)}, {"t": torch.arange(2)}, torch.zeros(2, 4),
        torch.ones(2, 1, 1), torch.tensor(1.0), torch.tensor(0.0),
    )  # fmt: skip
    labels = {("t", "a"): torch.tensor([2, UNLABELLED]), ("t", "b"): torch.tensor([UNLABELLED, UNLABELLED])}
    parts = student_loss(output, labels, balance_weight=0.0, z_weight=0.0, expected_weight=1.0)
    assert parts.hard.item() == pytest.approx(-logits.log_softmax(-1)[0, 2].item(), abs=1e-6)
    parts.total.backward()
    assert logits.grad[1].abs().sum() == 0
    nothing = {key: torch.full((2,), UNLABELLED) for key in labels}
    assert student_loss(output, nothing, balance_weight=0.0, z_weight=0.0).total.item() == 0


def test_split_keeps_named_folds_and_takes_dev_from_train():
    rows = [row(n, fold="train" if n < 80 else "val") for n in range(100)]
    splits = split_rows(rows, dev_share=0.2, val_share=0.5)
    assert {r.response_id for r in splits.val} == {str(n) for n in range(80, 100)}
    assert 8 < len(splits.dev) < 25
    assert len(splits.train) + len(splits.dev) == 80


def test_split_by_hash_is_stable_when_rows_are_added_or_shuffled_and_keeps_equal_answers_together():
    rows = [row(n, text=f"answer {n // 2}") for n in range(200)]
    few = split_rows(rows[:120], dev_share=0.2, val_share=0.2)
    more = split_rows(random.Random(0).sample(rows, 200), dev_share=0.2, val_share=0.2)
    for fold in ("train", "dev", "val"):
        assert {r.response_id for r in getattr(few, fold)} <= {r.response_id for r in getattr(more, fold)}
    texts = [{r.text for r in part} for part in (more.train, more.dev, more.val)]
    assert not texts[0] & texts[1]
    assert not texts[0] & texts[2]
    assert not texts[1] & texts[2]


def test_an_unknown_fold_is_refused():
    with pytest.raises(InvalidInput, match="'holdout'"):
        split_rows([row(1, fold="holdout")], dev_share=0.1, val_share=0.1)


def test_held_out_tasks_are_left_out_and_unknown_ones_refused(tiny_bank):
    bank = read_item_bank(tiny_bank)
    assert list(choose_tasks(bank)) == ["melting.ice", "moving-cart"]
    assert list(choose_tasks(bank, ["moving-cart"])) == ["melting.ice"]
    with pytest.raises(InvalidInput, match=r"'volcano'.*melting\.ice"):
        choose_tasks(bank, ["volcano"])
    with pytest.raises(InvalidInput, match="every task"):
        choose_tasks(bank, ["melting.ice", "moving-cart"])


def test_a_criterion_without_any_label_is_refused(tiny_bank):
    bank = read_item_bank(tiny_bank)
    rows = [dataclasses.replace(r, levels={"claim": 1}) for r in bank.of_task("moving-cart")]
    with pytest.raises(InvalidInput, match="'evidence'"):
        check_labels({"moving-cart": bank.tasks["moving-cart"]}, rows)


def test_bank_hash_follows_content(tiny_bank):
    bank = read_item_bank(tiny_bank)
    before = bank_hash(bank)
    assert bank_hash(read_item_bank(tiny_bank)) == before
    bank.responses[0] = dataclasses.replace(bank.responses[0], text="changed")
    assert bank_hash(bank) != before


def test_an_epoch_takes_every_row_once():
    rows = Rows([range(n % 17 + 2) for n in range(103)], [0] * 103, [])
    batches = list(epoch_batches(rows, 8, random.Random(0)))
    assert sorted(position for batch in batches for position in batch) == list(range(103))


def test_measure_gives_undefined_values_as_null():
    rows = [row(n) for n in range(4)]
    report = measure(rows, [{"score": 1}] * 4).to_json()
    assert report["mean_qwk"] is None
    assert report["tasks"][0]["criteria"][0]["exact"] == 1


def test_measure_means_over_criteria_then_tasks():
    rows = [
        LabelledResponse("a", str(n), "x", {"one": n % 2, "two": n % 3}, second={"one": n % 2}) for n in range(12)
    ] + [LabelledResponse("b", str(n), "x", {"one": n % 2}) for n in range(12)]
    predicted = [{"one": n % 2, "two": 0} for n in range(12)] + [{"one": 0}] * 12
    agreement = measure(rows, predicted)
    assert [task.qwk for task in agreement.tasks] == [0.5, 0.0]
    assert agreement.mean_qwk == 0.25
    assert agreement.tasks[0].criteria[0].human_qwk == 1.0
    assert agreement.tasks[0].criteria[0].n_double == 12


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"epochs": 0}, "epochs"),
        ({"lr_new": 0}, "lr_new"),
        ({"warmup": 1}, "warmup"),
        ({"storage": "int4"}, "storage"),
        ({"student": {"width": 3}}, "width"),
        ({"learning_rate": 1}, "learning_rate"),
        ({"epochs": "many"}, "epochs"),
        ({"lr_new": "fast"}, "type"),
    ],
)
def test_training_config_names_the_field_that_is_wrong(tmp_path, values, named):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(values))
    with pytest.raises(InvalidInput, match=named):
        read_train_config(path)


def test_command_line_overrides_the_file(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"epochs": 3, "seed": 5}')
    config = read_train_config(path, epochs=7, seed=None)
    assert (config.epochs, config.seed) == (7, 5)


def test_bank_fixture_has_missing_labels(tiny_bank):
    with (tiny_bank / "responses.csv").open() as stream:
        assert any(r["claim"] and not r["evidence"] for r in csv.DictReader(stream))
