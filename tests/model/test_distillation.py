import dataclasses

import numpy as np
import pytest
import torch

from scoring.errors import InvalidInput
from scoring.inference.engine import Engine
from scoring.itembank import read_item_bank
from scoring.student import checkpoint
from scoring.student.model import StudentOutput
from scoring.training.data import choose_tasks, split_rows
from scoring.training.losses import UNLABELLED, distillation_loss, mixed_target, student_loss
from scoring.training.resume import Checkpoints
from scoring.training.targets import Opinion, Targets
from scoring.training.trainer import train
from tests.model.test_training import TINY


@pytest.fixture
def learnable(tiny_bank):
    bank = read_item_bank(tiny_bank)
    tasks = choose_tasks(bank)
    rows = [row for row in bank.responses if row.task_id in tasks]
    return tasks, split_rows(rows, dev_share=0.2, val_share=0.2)


def always(tasks, splits, place):
    """A teacher that is sure of one level, the same for every response."""
    opinions = {}
    for row in (*splits.train, *splits.dev, *splits.val):
        for criterion in tasks[row.task_id].criteria:
            values = [0.01] * len(criterion.levels)
            values[place] = 1 - 0.01 * (len(values) - 1)
            key = row.task_id, row.response_id, criterion.id
            opinions[key] = Opinion(*key, 0, tuple(values))
    return Targets("always", "d", opinions)


def output_of(logits):
    return StudentOutput(
        logits={("t", "a"): logits}, rows={"t": torch.arange(len(logits))}, vectors=torch.zeros(len(logits), 4),
        gate_weights=torch.zeros(len(logits), 1, 2), balance_loss=torch.tensor(1.0), z_loss=torch.tensor(0.0),
    )  # fmt: skip


def test_distillation_softens_both_sides_and_is_nothing_when_they_agree():
    teacher = torch.tensor([[0.7, 0.2, 0.1]])
    assert distillation_loss(teacher.log(), teacher, 2.0).item() == pytest.approx(0, abs=1e-6)
    # By hand, at temperature 2: the teacher's square roots, normalised.
    soft = np.sqrt([0.7, 0.2, 0.1]) / np.sqrt([0.7, 0.2, 0.1]).sum()
    assert distillation_loss(torch.zeros(1, 3), teacher, 2.0).item() == pytest.approx(
        4 * (soft * np.log(soft * 3)).sum(), abs=1e-5
    )


def test_the_loss_weighs_people_and_teacher_and_leaves_out_rows_without_an_opinion():
    logits = torch.randn(3, 3, requires_grad=True)
    labels = {("t", "a"): torch.tensor([2, 0, UNLABELLED])}
    targets = {("t", "a"): torch.tensor([[0.2, 0.3, 0.5], [float("nan")] * 3, [0.2, 0.3, 0.5]])}
    weights = {"balance_weight": 0.0, "z_weight": 0.0}
    parts = student_loss(output_of(logits), labels, targets, distil_weight=0.25, temperature=2.0, **weights)
    own = -logits.log_softmax(-1)
    apart = distillation_loss(logits, targets["t", "a"].nan_to_num(1 / 3), 2.0)
    assert parts.hard.item() == pytest.approx((0.75 * own[0, 2] + own[1, 0]).item() / 2, abs=1e-5)
    assert parts.distil.item() == pytest.approx(0.25 * apart[0].item() / 2, abs=1e-5)
    parts.total.backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[2].abs().sum() == 0
    alone = student_loss(output_of(logits), labels, None, distil_weight=0.25, **weights)
    assert alone.total.item() == pytest.approx((own[0, 2] + own[1, 0]).item() / 2, abs=1e-5)


def test_the_expected_level_to_aim_for_lies_between_people_and_teacher():
    teacher = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    aim = mixed_target(torch.tensor([0, 2]), teacher, torch.tensor([0.5, 0.0]))
    assert aim.tolist() == pytest.approx([0.5, 1.0])


def test_a_student_follows_its_teacher_rather_than_people_where_it_is_told_to(learnable, tiny_encoder):
    tasks, splits = learnable
    config = dataclasses.replace(TINY, epochs=6, distil_weight=1.0)
    trained = train(
        tasks, dataclasses.replace(splits, dev=[]), tiny_encoder, config, targets=always(tasks, splits, 1),
        device="cpu", progress=False,
    )  # fmt: skip
    engine = Engine(trained.student, trained.tokenizer, "v", torch.device("cpu"), torch.float32)
    scores = engine.score("melting.ice", [row.text for row in splits.val if row.task_id == "melting.ice"])
    assert {score.criteria[0].level for score in scores} == {1}


def test_targets_that_leave_a_row_out_are_refused_before_training(learnable, tiny_encoder):
    tasks, splits = learnable
    targets = always(tasks, splits, 0)
    row = splits.train[0]
    gone = {key: value for key, value in targets.opinions.items() if key[1] != row.response_id}
    with pytest.raises(InvalidInput, match=rf"{row.response_id!r}.*teach"):
        train(tasks, splits, tiny_encoder, TINY, targets=dataclasses.replace(targets, opinions=gone), progress=False)


class Killed(Exception):
    pass


class DiesAfter(Checkpoints):
    """Stands for a kill right after a state was written."""

    def __init__(self, folder, identity, saves):
        super().__init__(folder, identity)
        self._left = saves

    def save(self, tensors, values):
        super().save(tensors, values)
        self._left -= 1
        if not self._left:
            raise Killed


@pytest.mark.parametrize("saves", [1, 5, 9])
def test_a_killed_run_goes_on_with_the_same_result(learnable, tiny_encoder, tmp_path, monkeypatch, saves):
    tasks, splits = learnable
    # Dropout, a decaying rate, an average and a teacher: everything with a memory.
    student = {**TINY.student, "dropout": 0.2}
    config = dataclasses.replace(TINY, epochs=3, average=0.9, student=student)
    targets = always(tasks, splits, 1)
    whole = train(tasks, splits, tiny_encoder, config, targets=targets, device="cpu", progress=False)
    monkeypatch.setattr("scoring.training.trainer.CHECKPOINT_EVERY_S", 0.0)  # a state after every step
    with pytest.raises(Killed):
        train(
            tasks, splits, tiny_encoder, config, targets=targets, device="cpu", progress=False,
            checkpoints=DiesAfter(tmp_path, "run", saves),
        )  # fmt: skip
    resumed = train(
        tasks, splits, tiny_encoder, config, targets=targets, device="cpu", progress=False,
        checkpoints=Checkpoints(tmp_path, "run"),
    )  # fmt: skip
    for one, other in zip(whole.history, resumed.history, strict=True):
        assert {k: v for k, v in one.items() if k != "seconds"} == {k: v for k, v in other.items() if k != "seconds"}
    expected = whole.student.own_state()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in resumed.student.own_state().items())


def test_a_state_of_another_run_or_a_damaged_one_is_not_taken_up(tmp_path):
    Checkpoints(tmp_path, "one").save({"a": torch.ones(2)}, {"step": 3})
    assert Checkpoints(tmp_path, "one").load()[1] == {"step": 3}
    assert Checkpoints(tmp_path, "other").load() is None
    (tmp_path / "state.safetensors").write_bytes(b"half a fi")
    assert Checkpoints(tmp_path, "one").load() is None
    Checkpoints(tmp_path, "one").clear()
    assert not tmp_path.exists()


def test_calibration_travels_with_the_version_and_gives_level_sets(learnable, tiny_encoder, tmp_path):
    from scoring.training.calibrating import calibrate
    from scoring.training.trainer import dev_look

    tasks, splits = learnable
    trained = train(tasks, splits, tiny_encoder, dataclasses.replace(TINY, epochs=4), device="cpu", progress=False)
    found = dev_look(trained, splits.dev, TINY, device="cpu")
    calibration = calibrate(found.logits, found.labels)
    plain = checkpoint.save(trained.student, tmp_path / "plain")
    version = checkpoint.save(trained.student, tmp_path / "student", calibration=calibration)
    assert plain != version
    assert checkpoint.read_manifest(tmp_path / "student").calibration.to_json() == calibration.to_json()
    where = {"encoder": str(tiny_encoder.folder), "device": "cpu", "precision": "fp32"}
    engine, raw = (Engine.load(tmp_path / name, **where) for name in ("student", "plain"))
    texts = [row.text for row in splits.dev if row.task_id == "melting.ice"]
    for score, uncalibrated in zip(engine.score("melting.ice", texts), raw.score("melting.ice", texts), strict=True):
        one, other = score.criteria[0], uncalibrated.criteria[0]
        assert one.level in one.level_set
        assert list(one.level_set) == list(range(one.level_set[0], one.level_set[-1] + 1))
        assert other.level_set == ()
        # A temperature changes the distribution, never the order of its levels.
        assert np.argsort(one.probabilities).tolist() == np.argsort(other.probabilities).tolist()
