from __future__ import annotations

import numpy as np
import pytest
import torch

from scoring.errors import InvalidInput
from scoring.itembank import read_item_bank
from scoring.settings import ROOT
from scoring.student.encoder import load_encoder, locate_encoder
from scoring.training.crossfit import cross_fit
from scoring.training.data import Splits, bank_hash, choose_tasks
from scoring.training.teachers.encoder import EncoderTeacher, split_encoder


def test_the_bundled_encoder_teaches_the_sample_classroom(tmp_path):
    bank = read_item_bank(ROOT / "samples" / "classroom")
    wanted = ("warming-spoons", "beetle-colour")
    tasks = {task_id: task for task_id, task in choose_tasks(bank).items() if task_id in wanted}
    rows = {task_id: bank.of_task(task_id) for task_id in tasks}
    splits = Splits([row for own in rows.values() for row in own[:24]], [], [own[-1] for own in rows.values()])
    kind = EncoderTeacher("minilm", locate_encoder("minilm").sha256, frozen_blocks=5, epochs=1)
    found = cross_fit(
        kind, tasks, splits, tmp_path / "t.parquet", data_sha256=bank_hash(bank), folds=2, device="cpu", progress=False
    )
    assert found is not None
    for task in tasks.values():
        for criterion in task.criteria:
            own = [o for key, o in found.opinions.items() if key[0] == task.id and key[2] == criterion.id]
            assert len(own) == 25
            assert {len(opinion.probabilities) for opinion in own} == {len(criterion.levels)}
            # Something was read: answers don't all get the same opinion.
            assert np.ptp([opinion.probabilities[0] for opinion in own]) > 1e-3
    assert found.about["parameters"] > 20_000_000
    assert "minilm" not in found.about["settings"].values()


@pytest.fixture
def learnable(tiny_bank):
    bank = read_item_bank(tiny_bank)
    tasks = choose_tasks(bank)
    return tasks, [row for row in bank.responses if row.task_id in tasks]


def teacher(files, **settings):
    defaults = {"frozen_blocks": 0, "epochs": 12, "lr": 3e-3, "lr_head": 1e-2, "max_tokens": 32}
    return EncoderTeacher(str(files.folder), files.sha256, **(defaults | settings))


def test_it_learns_levels_from_words(learnable, tiny_encoder):
    tasks, rows = learnable
    asked = [row for row in rows if row.task_id == "melting.ice" and int(row.response_id[1:]) >= 40]
    fitted = teacher(tiny_encoder).fit(tasks, [row for row in rows if row not in asked], seed=0, progress=False)
    table = fitted.predict_proba("melting.ice", asked)["score"]
    apart = np.abs(table @ np.arange(4) - [row.levels["score"] for row in asked])
    assert apart.mean() < 0.5


def test_one_model_per_task_sees_its_own_task_only(learnable, tiny_encoder):
    tasks, rows = learnable
    kind = teacher(tiny_encoder, per_task=True, epochs=1)
    both = kind.fit(tasks, rows, seed=0, progress=False)
    alone = kind.fit(
        {"melting.ice": tasks["melting.ice"]}, [row for row in rows if row.task_id == "melting.ice"], seed=0,
        progress=False,
    )  # fmt: skip
    own = rows[:10:2]
    np.testing.assert_array_equal(
        both.predict_proba("melting.ice", own)["score"], alone.predict_proba("melting.ice", own)["score"]
    )
    assert both.parameters() > 1.5 * alone.parameters()


def test_lower_and_upper_blocks_together_are_the_encoder(tiny_encoder):
    whole = load_encoder(tiny_encoder)
    ids = torch.randint(5, 30, (3, 8))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    with torch.inference_mode():
        expected = whole(input_ids=ids, attention_mask=mask).last_hidden_state
    lower, upper = split_encoder(whole, 1)
    with torch.inference_mode():
        states = lower(input_ids=ids, attention_mask=mask).last_hidden_state
        found = upper(inputs_embeds=states, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(found[mask.bool()], expected[mask.bool()])


def test_freezing_every_block_is_refused(tiny_encoder):
    with pytest.raises(InvalidInput, match="frozen_blocks: 2 leaves nothing to train"):
        split_encoder(load_encoder(tiny_encoder), 2)
