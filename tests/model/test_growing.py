import dataclasses

import pytest
import torch

from scoring.errors import InvalidInput
from scoring.itembank import read_item_bank
from scoring.student import checkpoint
from scoring.student.tokens import Tokenizer, pad
from scoring.training.growing import added_bytes, graft, grow, only_newest


@pytest.fixture
def volcano(tiny_bank):
    """A task that the tiny student has never seen."""
    task = read_item_bank(tiny_bank).tasks["kept-back"]
    return dataclasses.replace(task, id="volcano", prompt="Why is the light faster?")


def shake(student):
    """Train the newest task for a few steps at a wild rate."""
    ids, mask = torch.randint(5, 30, (6, 9)), torch.ones(6, 9, dtype=torch.long)
    index = torch.tensor([0, 1, len(student.config.tasks) - 1] * 2)
    with only_newest(student) as own:
        # Weight decay would move rows that have no gradient; they are put back nevertheless.
        optimizer = torch.optim.AdamW(own, lr=0.5, weight_decay=0.5)
        for _ in range(3):
            loss = sum(logits.square().mean() + logits.mean() for logits in student(ids, mask, index).logits.values())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return student


def outputs(student, tokenizer, index):
    texts = ["the salt melts", "force", "it is faster because the mass moves", "light"]
    with torch.inference_mode():
        return student(*pad(tokenizer(texts), tokenizer.pad_id), torch.tensor(index))


def test_training_a_new_task_leaves_every_other_score_equal_to_the_bit(tiny_student, tiny_encoder, volcano):
    tokenizer = Tokenizer(tiny_encoder, 32)
    grown = grow(tiny_student, tiny_encoder, tokenizer, volcano)
    untouched = outputs(grown, tokenizer, [2, 2, 2, 2])
    shake(grown)
    for index in ([0, 1, 0, 1], [1, 1, 1, 1]):
        before, after = outputs(tiny_student, tokenizer, index), outputs(grown, tokenizer, index)
        assert before.logits.keys() == after.logits.keys()
        assert all(torch.equal(logits, after.logits[key]) for key, logits in before.logits.items())
        assert torch.equal(before.gate_weights, after.gate_weights)
    # In company of the new task, too.
    mixed = outputs(grown, tokenizer, [0, 2, 1, 2])
    alone = outputs(tiny_student, tokenizer, [0, 1, 1, 1])
    assert torch.equal(mixed.logits["melting.ice", "score"], alone.logits["melting.ice", "score"])
    key = ("volcano", "score")
    assert not torch.equal(outputs(grown, tokenizer, [2, 2, 2, 2]).logits[key], untouched.logits[key])


def test_a_second_new_task_leaves_the_first_one_alone(tiny_student, tiny_encoder, volcano, tmp_path):
    tokenizer = Tokenizer(tiny_encoder, 32)
    once = shake(grow(tiny_student, tiny_encoder, tokenizer, volcano))
    checkpoint.save(once, tmp_path / "once")
    loaded, manifest = checkpoint.load(tmp_path / "once", tiny_encoder)
    assert manifest.config.adapted_tasks == ("volcano",)
    twice = shake(grow(loaded, tiny_encoder, tokenizer, dataclasses.replace(volcano, id="geyser")))
    assert twice.config.adapted_tasks == ("volcano", "geyser")
    before, after = outputs(once, tokenizer, [2, 2, 0, 1]), outputs(twice, tokenizer, [2, 2, 0, 1])
    assert all(torch.equal(logits, after.logits[key]) for key, logits in before.logits.items())


def test_a_new_task_starts_from_its_text(tiny_student, tiny_encoder, volcano):
    tokenizer = Tokenizer(tiny_encoder, 32)
    grown = grow(tiny_student, tiny_encoder, tokenizer, volcano)
    assert grown.task_embedding.views[-1].norm().item() == pytest.approx(1, abs=1e-5)
    described = grown.task_embedding.project(grown.task_embedding.views[-1:])
    assert torch.equal(grown.task_embedding(torch.tensor([2])), described)


def test_what_a_task_adds_is_counted(tiny_student, tiny_encoder, volcano, tmp_path):
    grown = grow(tiny_student, tiny_encoder, Tokenizer(tiny_encoder, 32), volcano)
    sizes = []
    for name, student in (("before", tiny_student), ("after", grown)):
        checkpoint.save(student, tmp_path / name, storage="bf16")
        sizes.append((tmp_path / name / checkpoint.WEIGHTS).stat().st_size)
    # What is left over is the file's own list of tensors.
    assert 0 <= sizes[1] - sizes[0] - added_bytes(grown) < 2_000
    assert all(not p.requires_grad or not n.startswith("encoder.") or "delta" in n for n, p in grown.named_parameters())


def test_a_known_task_is_refused(tiny_student, tiny_encoder, volcano):
    with pytest.raises(InvalidInput, match=r"melting\.ice"):
        grow(tiny_student, tiny_encoder, Tokenizer(tiny_encoder, 32), dataclasses.replace(volcano, id="melting.ice"))


def test_tasks_that_were_added_apart_are_brought_together(tiny_student, tiny_encoder, volcano):
    tokenizer = Tokenizer(tiny_encoder, 32)
    torch.manual_seed(3)
    one = shake(grow(tiny_student, tiny_encoder, tokenizer, volcano))
    other = shake(grow(tiny_student, tiny_encoder, tokenizer, dataclasses.replace(volcano, id="geyser")))
    both = graft(one, other, "geyser", tiny_encoder)
    assert both.config.task_ids == ("melting.ice", "moving-cart", "volcano", "geyser")
    before, after = outputs(one, tokenizer, [0, 1, 2, 2]), outputs(both, tokenizer, [0, 1, 2, 2])
    assert all(torch.equal(logits, after.logits[key]) for key, logits in before.logits.items())
    learnt, grafted = outputs(other, tokenizer, [2, 2, 2, 2]), outputs(both, tokenizer, [3, 3, 3, 3])
    assert torch.equal(learnt.logits["geyser", "score"], grafted.logits["geyser", "score"])
    again = graft(both, other, "geyser", tiny_encoder)
    assert again.config.task_ids == both.config.task_ids


def test_a_task_of_another_student_is_not_grafted(tiny_student, tiny_encoder, volcano):
    tokenizer = Tokenizer(tiny_encoder, 32)
    grown = grow(tiny_student, tiny_encoder, tokenizer, volcano)
    moved = grow(tiny_student, tiny_encoder, tokenizer, dataclasses.replace(volcano, id="geyser"))
    with torch.no_grad():
        moved.moe[0].norm.bias.add_(1)
    with pytest.raises(InvalidInput, match="another student"):
        graft(moved, grown, "volcano", tiny_encoder)
    with pytest.raises(InvalidInput, match="does not know"):
        graft(tiny_student, moved, "volcano", tiny_encoder)
