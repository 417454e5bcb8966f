import json

import pytest
import torch

from bench.matrix import row as matrix_row
from bench.matrix import unimoe
from bench.matrix.report import ratios, rows_of
from bench.matrix.row import QUICK_ROWS, configured, data, run
from bench.matrix.systems import SYSTEMS, named
from scoring.training.data import bank_hash
from scoring.training.resume import Checkpoints
from scoring.training.run import splits_of
from scoring.training.targets import Opinion, Targets


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Results and students of the quick size, away from those that are kept."""
    for module in ("bench.matrix.row", "bench.matrix.report"):
        monkeypatch.setattr(f"{module}.RESULTS", tmp_path / "results")
    monkeypatch.setattr(matrix_row, "CACHE", tmp_path / "students")
    return tmp_path


def test_systems_have_names_of_their_own_and_rivals_learn_from_people_alone():
    assert len({system.name for system in SYSTEMS}) == len(SYSTEMS)
    for name in ("per-task", "no-moe", "moe-hard", "worded-hard", "lora-per-task"):
        assert named(name).config.distil_weight == 0
        assert not named(name).targets


def test_a_row_is_trained_measured_kept_and_not_run_twice(elsewhere, monkeypatch):
    record = run(named("lora-per-task"), 0, quick=True)
    assert record["val_responses"] == 2 * QUICK_ROWS
    assert len(record["levels"]) == 2
    # A rank-8 delta for query and value of six layers, twice, and two tasks' heads: far below the encoder.
    assert record["stored_bytes"] < 2_000_000 < 40_000_000 < record["merged_bytes"]
    kept = elsewhere / "results" / "lora-per-task-0-quick.json"
    assert json.loads(kept.read_text()) == record
    monkeypatch.setitem(matrix_row.MAKERS, "student", None)  # would fail if it were called
    assert run(named("lora-per-task"), 0, quick=True) == record
    kept.write_text(kept.read_text().replace(record["identity"], "of other settings"))
    with pytest.raises(TypeError):
        run(named("lora-per-task"), 0, quick=True)


def test_wording_is_added_to_the_student_of_another_row(elsewhere, monkeypatch):
    plain = run(named("moe-hard"), 0, quick=True)
    monkeypatch.setattr(matrix_row, "train_version", None)  # would fail if it were called
    # Of so few dev rows it would be none.
    monkeypatch.setattr("scoring.training.wording_fit.best_share", lambda *_: 0.5)
    worded = run(named("worded-hard"), 0, quick=True)
    assert worded["stored_bytes"] > plain["stored_bytes"]
    assert worded["levels"] != plain["levels"]
    (folder,) = (elsewhere / "students").glob("worded-hard-*")
    assert set(json.loads((folder / "card.json").read_text())["wording"]) == set(data(quick=True)[1])


def test_a_row_that_was_not_run_says_so(elsewhere):
    rows = {row["system"]: row for row in rows_of(quick=True)}
    assert rows["the student"]["mean QWK"] == "not run"
    assert rows["the student"]["seeds"] == "0 of 3"
    assert "not run" in ratios()
    assert run(named("full"), 0, quick=True) is None


@pytest.fixture
def taught():
    """Sample tasks, splits, and a teacher who gives everybody the lowest level."""
    bank, tasks, _ = data(quick=True)
    splits = splits_of(bank, tasks, configured(named("moe-hard"), 0, quick=True))
    opinions = {
        (row.task_id, row.response_id, criterion.id): Opinion(
            row.task_id, row.response_id, criterion.id, 0, (1.0,) + (0.0,) * (len(criterion.levels) - 1)
        )
        for row in bank.responses
        for criterion in tasks[row.task_id].criteria
    }
    return tasks, splits, Targets("lowest", bank_hash(bank), opinions)


def test_the_released_system_trains_on_labels_and_teacher(taught, tmp_path, monkeypatch):
    monkeypatch.setattr(unimoe, "EPOCHS", 1)
    tasks, splits, targets = taught
    torch.manual_seed(0)
    before = unimoe.UniMoE(tasks).state_dict()
    model, _ = unimoe.train_unimoe(tasks, splits, targets, Checkpoints(tmp_path / "run", "run"), seed=0)
    # The encoder itself is trained, as theirs was.
    name = next(name for name in before if name.endswith("query.weight"))
    assert not torch.equal(before[name], model.state_dict()[name])
    predicted = model.predict(splits.val)
    for row, found in zip(splits.val, predicted, strict=True):
        for criterion in tasks[row.task_id].criteria:
            assert found[criterion.id].level in criterion.values
            assert sum(found[criterion.id].probabilities) == 1


def test_the_released_system_goes_on_after_a_kill_with_the_same_result(taught, tmp_path, monkeypatch):
    monkeypatch.setattr(unimoe, "EPOCHS", 2)
    unimoe.train_unimoe(*taught, Checkpoints(tmp_path / "whole", "run"), seed=0)
    seen = []

    def killed_in_the_second_epoch(*_: object) -> float:
        seen.append(1)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return 0.5

    measured = unimoe._dev_kappa
    monkeypatch.setattr(unimoe, "_dev_kappa", killed_in_the_second_epoch)
    with pytest.raises(KeyboardInterrupt):
        unimoe.train_unimoe(*taught, Checkpoints(tmp_path / "killed", "run"), seed=0)
    trained = []
    monkeypatch.setattr(unimoe, "_dev_kappa", lambda *given: trained.append(1) or measured(*given) + 1)
    resumed, _ = unimoe.train_unimoe(*taught, Checkpoints(tmp_path / "killed", "run"), seed=0)
    assert len(trained) == 1  # the first epoch was not run again
    last = Checkpoints(tmp_path / "whole", "run").load()[0]
    for name, tensor in resumed.state_dict().items():
        torch.testing.assert_close(tensor, last[f"live.{name}"], rtol=0, atol=0)
