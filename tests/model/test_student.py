import dataclasses
import json

import pytest
import torch
from torch import nn

from scoring.errors import InvalidInput
from scoring.student import checkpoint
from scoring.student.config import StudentConfig
from scoring.student.encoder import load_encoder
from scoring.student.heads import CumulativeHead, SoftmaxHead, build_head
from scoring.student.lora import AdaptedLinear, TaskDeltas, add_adapters, merge_adapters
from scoring.student.model import Student
from scoring.student.moe import MoELayer, balance_loss
from scoring.student.pooling import TaskPooling
from scoring.student.tokens import Tokenizer, pad

HERE = torch.zeros(8, dtype=torch.long)
"""The task index of responses where there is one task only."""


def a_batch(texts, tokenizer):
    return pad(tokenizer(texts), tokenizer.pad_id)


def test_moe_of_one_expert_is_a_residual_perceptron_with_layer_norm():
    torch.manual_seed(0)
    layer = MoELayer(width=8, task_width=3, experts=1, expert_hidden=16, gate_hidden=4).eval()
    hidden, task = torch.randn(5, 8), torch.randn(5, 3)
    first, _, _, second = layer.experts[0]
    plain = nn.functional.layer_norm(hidden + second(first(hidden).relu()), (8,), layer.norm.weight, layer.norm.bias)
    out = layer(hidden, task, HERE[: len(hidden)])
    assert torch.allclose(out.hidden, plain, atol=1e-6)
    assert torch.equal(out.weights, torch.ones(5, 1))


def test_sparse_gate_over_all_experts_equals_the_dense_one():
    torch.manual_seed(0)
    dense = MoELayer(8, 3, experts=4, expert_hidden=16, gate_hidden=4).eval()
    all_of_them = MoELayer(8, 3, experts=4, expert_hidden=16, gate_hidden=4, top_k=4).eval()
    all_of_them.load_state_dict(dense.state_dict())
    hidden, task = torch.randn(5, 8), torch.randn(5, 3)
    assert torch.equal(dense(hidden, task, HERE[:5]).hidden, all_of_them(hidden, task, HERE[:5]).hidden)


def test_sparse_gate_uses_only_its_largest_weights_and_is_their_weighted_sum():
    torch.manual_seed(0)
    layer = MoELayer(8, 3, experts=4, expert_hidden=16, gate_hidden=4, top_k=2).eval()
    hidden, task = torch.randn(6, 8), torch.randn(6, 3)
    out = layer(hidden, task, HERE[: len(hidden)])
    assert ((out.weights > 0).sum(-1) == 2).all()
    assert torch.allclose(out.weights.sum(-1), torch.ones(6))
    mixed = sum(out.weights[:, k, None] * layer.experts[k](hidden) for k in range(4))
    assert torch.allclose(out.hidden, layer.norm(hidden + mixed), atol=1e-6)


def test_balance_loss_is_least_when_the_batch_uses_experts_alike():
    uniform = torch.full((6, 3), 1 / 3)
    specialised = torch.eye(3).repeat(2, 1)
    skewed = torch.tensor([[0.8, 0.1, 0.1]]).repeat(6, 1)
    alone = torch.eye(3)[:1].repeat(6, 1)
    assert balance_loss(uniform, uniform).item() == pytest.approx(1)
    # Tasks may each take their own expert as long as the batch as a whole is even.
    assert balance_loss(specialised, specialised).item() == pytest.approx(1)
    assert 1 < balance_loss(skewed, skewed).item() < balance_loss(alone, alone).item() == pytest.approx(3)


def test_merged_adapters_compute_what_unmerged_ones_do(tiny_student, tiny_encoder):
    tokenizer = Tokenizer(tiny_encoder, 32)
    batch = (*a_batch(["the salt melts", "faster because force"], tokenizer), torch.tensor([0, 1]))
    with torch.inference_mode():
        before = tiny_student(*batch)
        after = tiny_student.merge_adapters()(*batch)
    assert not any(isinstance(module, AdaptedLinear) for module in tiny_student.modules())
    for key, logits in before.logits.items():
        assert torch.allclose(logits, after.logits[key], atol=1e-5)


def test_untrained_adapters_change_nothing(tiny_encoder):
    ids, mask = a_batch(["water moves"], Tokenizer(tiny_encoder, 32))
    encoder = load_encoder(tiny_encoder)
    with torch.inference_mode():
        before = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        adapted = add_adapters(encoder, ("query", "dense"), rank=4, alpha=8)
        after = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    assert adapted == 2 * 4  # two layers: query, attention output, intermediate, output
    assert torch.equal(before, after)
    assert merge_adapters(encoder) == adapted


def test_adapting_a_layer_that_is_not_there_names_those_that_are(tiny_encoder):
    with pytest.raises(InvalidInput, match=r"'q_proj'.*'query'"):
        add_adapters(load_encoder(tiny_encoder), ("q_proj",), rank=2, alpha=2)


def test_base_encoder_gets_no_gradient_and_every_new_part_does(tiny_student, tiny_encoder):
    batch = (*a_batch(["the salt melts", "faster"], Tokenizer(tiny_encoder, 32)), torch.tensor([0, 1]))
    output = tiny_student(*batch)
    total = sum(logits.square().sum() for logits in output.logits.values()) + output.balance_loss + output.z_loss
    total.backward()
    for name, parameter in tiny_student.named_parameters():
        own = not name.startswith("encoder.") or ".delta." in name
        assert (parameter.grad is not None) == own, name
    assert set(tiny_student.own_state()) >= {n for n, p in tiny_student.named_parameters() if p.requires_grad}


def test_outputs_name_tasks_criteria_and_rows_of_a_mixed_batch(tiny_student, tiny_encoder):
    ids, mask = a_batch(["salt", "mass", "heat"], Tokenizer(tiny_encoder, 32))
    output = tiny_student(ids, mask, torch.tensor([1, 0, 1]))
    assert {key: tuple(logits.shape) for key, logits in output.logits.items()} == {
        ("melting.ice", "score"): (1, 4),
        ("moving-cart", "claim"): (2, 2),
        ("moving-cart", "evidence"): (2, 3),
    }
    assert output.rows["moving-cart"].tolist() == [0, 2]
    assert output.gate_weights.shape == (3, 2, 3)
    assert torch.allclose(output.gate_weights.sum(-1), torch.ones(3, 2))


def test_a_response_is_scored_alike_in_any_company_and_padding(tiny_student, tiny_encoder):
    tokenizer = Tokenizer(tiny_encoder, 32)
    with torch.inference_mode():
        alone = tiny_student(*a_batch(["salt"], tokenizer), torch.tensor([0]))
        crowd = tiny_student(
            *a_batch(["force is mass and the light of energy so it moves", "salt"], tokenizer), torch.tensor([1, 0])
        )
    key = ("melting.ice", "score")
    assert torch.allclose(alone.logits[key], crowd.logits[key], atol=1e-5)
    assert torch.allclose(alone.gate_weights[0], crowd.gate_weights[1], atol=1e-5)


def test_the_task_changes_how_the_same_text_is_pooled():
    torch.manual_seed(0)
    pooling = TaskPooling(width=8, task_width=4, heads=2)
    nn.init.normal_(pooling.out.weight)
    hidden, mask = torch.randn(1, 5, 8), torch.ones(1, 5)
    assert not torch.allclose(pooling(hidden, mask, torch.ones(1, 4)), pooling(hidden, mask, -torch.ones(1, 4)))


@pytest.mark.parametrize("levels", [2, 3, 6])
@pytest.mark.parametrize("kind", ["softmax", "cumulative"])
def test_every_head_gives_one_logit_a_level_and_a_gradient(kind, levels):
    head = build_head(kind, 8, levels, dropout=0.0)
    logits = head(torch.randn(5, 8))
    assert logits.shape == (5, levels)
    logits.softmax(-1)[:, 0].sum().backward()
    assert all(parameter.grad is not None for parameter in head.parameters())


def test_cumulative_head_is_rank_consistent_and_its_logits_are_log_probabilities():
    torch.manual_seed(0)
    head = CumulativeHead(8, 5, dropout=0.0)
    nn.init.normal_(head.gaps)
    assert (head.thresholds().diff() > 0).all()
    hidden = torch.randn(50, 8) * 5
    probabilities = head(hidden).exp()
    assert torch.allclose(probabilities.sum(-1), torch.ones(50), atol=1e-4)
    # A higher score moves the whole distribution up.
    order = head.score(hidden)[:, 0].argsort()
    expected = (probabilities * torch.arange(5)).sum(-1)[order]
    assert (expected.diff() >= -1e-4).all()


def test_two_levels_are_one_yes_no_logit():
    head = build_head("cumulative", 8, 2, dropout=0.0)
    assert isinstance(head, SoftmaxHead)
    assert head.linear.out_features == 1
    hidden = torch.randn(3, 8)
    assert torch.allclose(head(hidden).softmax(-1)[:, 1], head.linear(hidden)[:, 0].sigmoid())


def test_config_round_trips_through_json(tiny_config):
    assert StudentConfig.from_json(json.loads(json.dumps(tiny_config.to_json()))) == tiny_config


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"experts": 0}, "experts"),
        ({"top_k": 9}, "top_k"),
        ({"dropout": 1.0}, "dropout"),
        ({"head": "ranks"}, "head"),
        ({"pooling_heads": 5}, "pooling_heads"),
        ({"tasks": {}}, "tasks"),
        ({"tasks": {"t": {"c": [0, 2]}}}, "'c'"),
        ({"lora_modules": []}, "lora_modules"),
    ],
)
def test_config_names_the_field_that_is_wrong(tiny_config, change, named):
    with pytest.raises(InvalidInput, match=named):
        dataclasses.replace(tiny_config, **change)


def test_student_without_adapters_is_possible(tiny_config, tiny_encoder):
    student = Student(dataclasses.replace(tiny_config, lora_rank=0), load_encoder(tiny_encoder))
    assert not any(".delta." in name for name in student.own_state())


def with_task_deltas(config, encoder, **changes):
    """A student whose tasks have their own deltas, and nothing in them is zero."""
    torch.manual_seed(2)
    student = Student(dataclasses.replace(config, task_lora_rank=2, **changes), load_encoder(encoder)).eval()
    with torch.no_grad():
        for name, parameter in student.named_parameters():
            if ".delta." in name or ".task_delta." in name:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return student


@pytest.mark.parametrize("lora_rank", [0, 4])
def test_each_row_of_a_mixed_batch_goes_through_its_own_tasks_deltas(tiny_config, tiny_encoder, lora_rank):
    student = with_task_deltas(tiny_config, tiny_encoder, lora_rank=lora_rank)
    ids, mask = a_batch(["salt melts", "faster force", "salt melts"], Tokenizer(tiny_encoder, 32))
    key = ("melting.ice", "score")
    with torch.inference_mode():
        mixed = student(ids, mask, torch.tensor([0, 1, 1]))
        alone = student(ids[:1], mask[:1], torch.tensor([0]))
        assert torch.allclose(mixed.logits[key], alone.logits[key], atol=1e-5)
        assert not torch.allclose(mixed.vectors[0], mixed.vectors[2])
        # Another task's deltas, however wild, don't reach this one's rows: not by a bit.
        for module in student.modules():
            if isinstance(module, TaskDeltas):
                module.up[1] += 10
        again = student(ids, mask, torch.tensor([0, 1, 1]))
        assert torch.equal(mixed.logits[key], again.logits[key])
        assert not torch.allclose(mixed.logits["moving-cart", "claim"], again.logits["moving-cart", "claim"])
        merged = student.merge_adapters()(ids, mask, torch.tensor([0, 1, 1]))
    assert torch.allclose(merged.logits[key], again.logits[key], atol=1e-5)


def test_rows_of_tasks_without_a_delta_are_not_touched(tiny_config, tiny_encoder):
    bare = Student(tiny_config, load_encoder(tiny_encoder)).eval()
    grown = with_task_deltas(tiny_config, tiny_encoder, adapted_tasks=("moving-cart",))
    grown.load_state_dict(bare.own_state(), strict=False)
    ids, mask = a_batch(["salt melts", "faster force", "heat"], Tokenizer(tiny_encoder, 32))
    with torch.inference_mode():
        for index in (torch.tensor([0, 1, 0]), torch.tensor([0, 0, 0])):
            before, after = bare(ids, mask, index), grown(ids, mask, index)
            assert torch.equal(before.logits["melting.ice", "score"], after.logits["melting.ice", "score"])
            places = (index == 0).nonzero()[:, 0]
            assert torch.equal(before.gate_weights[places], after.gate_weights[places])
        changed = grown(ids, mask, torch.tensor([1, 1, 1])).vectors
        assert not torch.allclose(bare(ids, mask, torch.tensor([1, 1, 1])).vectors, changed)


def test_task_deltas_are_trained_saved_and_loaded(tiny_config, tiny_encoder, tmp_path):
    student = with_task_deltas(tiny_config, tiny_encoder)
    batch = (*a_batch(["the salt melts", "faster"], Tokenizer(tiny_encoder, 32)), torch.tensor([0, 0]))
    student(*batch).logits["melting.ice", "score"].square().sum().backward()
    deltas = [module for module in student.modules() if isinstance(module, TaskDeltas)]
    assert len(deltas) == 2 * 2  # query and value of two layers
    for module in deltas:
        assert module.up.grad[0].abs().sum() > 0
        assert module.up.grad[1].abs().sum() == 0
    checkpoint.save(student, tmp_path / "student")
    loaded, _ = checkpoint.load(tmp_path / "student", tiny_encoder)
    with torch.inference_mode():
        for key, logits in student(*batch).logits.items():
            assert torch.equal(loaded(*batch).logits[key], logits)


def test_student_without_moe_layers_or_text_of_the_task(tiny_config, tiny_encoder):
    student = Student(dataclasses.replace(tiny_config, moe_layers=0, text_informed=False), load_encoder(tiny_encoder))
    output = student(*a_batch(["salt"], Tokenizer(tiny_encoder, 32)), torch.tensor([0]))
    assert output.gate_weights.shape == (1, 0, tiny_config.experts)
    assert output.balance_loss == output.z_loss == 0
    assert not any("project" in name for name, _ in student.named_parameters())
