"""Heads that compare an answer with labelled ones: the same in scoring as in learning, and alone with their task."""

import dataclasses
import random

import numpy as np
import pytest
import torch

from scoring.errors import InvalidInput
from scoring.student import checkpoint
from scoring.student.encoder import locate_encoder
from scoring.student.example_heads import ExampleHeads, levels_of
from scoring.student.model import Student
from scoring.student.tokens import Tokenizer, pad
from scoring.student.wording import BUCKETS, POWER, rarity_of, spelling_of, wording, wording_counts
from scoring.training import adaptation_views
from scoring.training.adaptation_views import compare
from scoring.training.growing import graft, grow, task_rows, with_example_heads
from scoring.training.kernel_ridge import teach

WORDS = ["water", "energy", "light", "the", "is", "so", "and", "because", "more", "less", "think"]


@pytest.fixture
def tokenizer(tiny_encoder):
    return Tokenizer(tiny_encoder, 32)


def texts(count, seed=0):
    generator = random.Random(seed)
    return [" ".join(generator.choices(WORDS, k=generator.randrange(3, 12))) for _ in range(count)]


def learnt(tokenizer, tiny_encoder, count=40, known=30, levels=(3, 2)):
    """Answers with random vectors, the comparison, and heads made of the first ones' labels."""
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(count, 8)).astype(np.float32)
    tokens = tokenizer(texts(count))
    comparison = compare(vectors, tokens, tokenizer.pad_id, spelling_of(tiny_encoder), 0.5)
    # The second criterion was rated on some of the answers only.
    rated = [list(range(known)), list(range(0, known, 3))]
    said = [
        teach(comparison.kernel, rows, generator.integers(0, size, len(rows)).tolist(), size)
        for rows, size in zip(rated, levels, strict=True)
    ]
    return vectors, tokens, said, comparison.heads(rated, [opinion.weights for opinion in said])


def ask(state, vectors, tokens, tokenizer, tiny_encoder, levels=(3, 2)):
    heads = ExampleHeads(vectors.shape[1], len(state["examples"]), levels)
    heads.load_state_dict(state)
    return heads(torch.tensor(vectors), *pad(tokens, tokenizer.pad_id), spelling_of(tiny_encoder))


def test_the_heads_say_of_others_what_was_said_in_learning(tokenizer, tiny_encoder):
    vectors, tokens, said, state = learnt(tokenizer, tiny_encoder)
    tables = ask(state, vectors[30:], tokens[30:], tokenizer, tiny_encoder)
    for table, opinion in zip(tables, said, strict=True):
        assert table.exp().sum(1).numpy() == pytest.approx(np.ones(10), abs=1e-5)
        assert table.exp().numpy() == pytest.approx(opinion.probabilities[30:], abs=1e-4)
        assert opinion.probabilities[30:].std() > 0.01


def test_beyond_so_many_examples_some_stand_in_for_the_others(tokenizer, tiny_encoder, monkeypatch):
    monkeypatch.setattr(adaptation_views, "MOST_KEPT", 25)
    vectors, tokens, said, state = learnt(tokenizer, tiny_encoder, count=40, known=30)
    assert state["examples"].shape == (25, 8)
    for table, opinion in zip(ask(state, vectors, tokens, tokenizer, tiny_encoder), said, strict=True):
        expected = table[30:].exp().numpy() @ np.arange(table.shape[1])
        exact = opinion.probabilities[30:] @ np.arange(table.shape[1])
        assert np.corrcoef(expected, exact)[0, 1] > 0.9


def test_an_answer_is_scored_alike_whatever_its_company(tokenizer, tiny_encoder):
    vectors, tokens, _, state = learnt(tokenizer, tiny_encoder)
    together = ask(state, vectors[30:], tokens[30:], tokenizer, tiny_encoder)
    alone = ask(state, vectors[[35]], [tokens[35]], tokenizer, tiny_encoder)
    for many, one in zip(together, alone, strict=True):
        torch.testing.assert_close(many[[5]], one)


def test_an_empty_answer_has_no_wording_and_gets_a_distribution(tokenizer, tiny_encoder):
    vectors, _, _, state = learnt(tokenizer, tiny_encoder)
    for table in ask(state, vectors[:1], tokenizer([""]), tokenizer, tiny_encoder):
        assert table.isfinite().all()


def test_beyond_the_limits_words_still_have_a_gradient():
    reached = torch.tensor([[1.4, -0.2]], requires_grad=True)
    table = levels_of(reached)
    assert table.argmax().item() == 1
    assert (table.detach() > 0).all()
    (table @ torch.arange(3.0)).sum().backward()
    assert (reached.grad > 0).all()


def test_runs_of_letters_know_a_word_by_its_spelling():
    minilm = locate_encoder()
    tokenizer, spelling = Tokenizer(minilm, 64), spelling_of(minilm)
    answers = ["photosynthesis", "photosinthesis", "temperature"]
    counts = wording_counts(*pad(tokenizer(answers), tokenizer.pad_id), spelling)
    letters = torch.nn.functional.normalize(counts[:, BUCKETS:], dim=-1)
    near = letters @ letters.T
    assert near[0, 1] > 0.3 > 0.1 > near[0, 2]


def test_what_one_answer_alone_holds_weighs_nothing(tokenizer, tiny_encoder):
    ids, mask = pad(tokenizer(["water water light", "water energy", "water"]), tokenizer.pad_id)
    counts = wording_counts(ids, mask, spelling_of(tiny_encoder))
    rarity = rarity_of(counts)
    assert (rarity[(counts > 0).sum(0) == 1] == 0).all()
    assert (rarity[(counts > 0).sum(0) == 3] > 0).any()
    # With a power of 1, as heads of before have it, to the bit what normalizing gives.
    table = torch.where(counts > 0, 1 + counts.clamp(min=1).log(), 0.0) * rarity
    halves = [torch.nn.functional.normalize(half, dim=-1) for half in (table[:, :BUCKETS], table[:, BUCKETS:])]
    assert torch.equal(wording(counts, rarity, torch.ones(1)), torch.cat(halves, dim=1) / 2**0.5)


def test_a_longer_answer_says_more_but_not_in_proportion(tokenizer, tiny_encoder):
    answers = texts(30)
    counts = wording_counts(*pad(tokenizer(answers), tokenizer.pad_id), spelling_of(tiny_encoder))
    rarity = rarity_of(counts)
    sizes, whole = (wording(counts, rarity, torch.tensor([power])).norm(dim=1) for power in (POWER, 0.0))
    assert sizes.square().mean().item() == pytest.approx(1, abs=1e-5)
    short, long = whole.argmin(), whole.argmax()
    assert 1.1 < sizes[long] / sizes[short] < 0.8 * whole[long] / whole[short]


def test_heads_of_before_there_was_a_choice_are_read_as_they_were(tiny_student, tiny_encoder, tokenizer, tmp_path):
    made = given_examples(tiny_student, tiny_encoder, "melting.ice")
    for name, tensor in made.heads[0].state_dict().items():
        tensor.mul_(0.01 if "criteria" in name else 1)  # far from certain
    made.heads[0].power.fill_(1.0)
    state = made.own_state()
    checkpoint.save(made, tmp_path / "now")
    del state["heads.0.power"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Student, "own_state", lambda _: state)
        checkpoint.save(made, tmp_path / "before")
    old, new = (checkpoint.load(tmp_path / name, tiny_encoder)[0] for name in ("before", "now"))
    key = ("melting.ice", "score")
    assert torch.equal(scores(old, tokenizer, [0] * 4)[key], scores(new, tokenizer, [0] * 4)[key])
    new.heads[0].power.fill_(POWER)
    assert not torch.equal(scores(old, tokenizer, [0] * 4)[key], scores(new, tokenizer, [0] * 4)[key])


@pytest.fixture
def volcano(tiny_bank):
    from scoring.itembank import read_item_bank

    return dataclasses.replace(read_item_bank(tiny_bank).tasks["kept-back"], id="volcano")


def given_examples(student, tiny_encoder, task_id, count=5):
    """A copy whose task compares with random answers."""
    made = with_example_heads(student, task_id, count, tiny_encoder)
    torch.manual_seed(count)
    with torch.no_grad():
        for name, tensor in task_rows(made, task_id).items():
            if name.startswith("head.") and tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape))
    return made


def scores(student, tokenizer, index):
    ids, mask = pad(tokenizer(texts(4, seed=3)), tokenizer.pad_id)
    with torch.inference_mode():
        return student(ids, mask, torch.tensor(index)).logits


def test_example_heads_are_saved_and_move_no_other_task(tiny_student, tiny_encoder, tokenizer, volcano, tmp_path):
    grown = given_examples(grow(tiny_student, tiny_encoder, tokenizer, volcano), tiny_encoder, "volcano")
    checkpoint.save(grown, tmp_path / "grown")
    loaded, manifest = checkpoint.load(tmp_path / "grown", tiny_encoder)
    assert manifest.config.example_tasks == {"volcano": 5}
    mixed, again = scores(grown, tokenizer, [0, 2, 1, 2]), scores(loaded, tokenizer, [0, 2, 1, 2])
    assert all(torch.equal(table, again[key]) for key, table in mixed.items())
    alone = scores(tiny_student, tokenizer, [0, 1, 1, 1])
    assert torch.equal(mixed["melting.ice", "score"], alone["melting.ice", "score"])
    # A further task beside it, and the same one grafted onto the student as it was.
    further = grow(loaded, tiny_encoder, tokenizer, dataclasses.replace(volcano, id="geyser"))
    assert further.config.example_tasks == {"volcano": 5}
    grafted = graft(tiny_student, loaded, "volcano", tiny_encoder)
    key = ("volcano", "score")
    for other in (further, grafted):
        assert torch.equal(scores(other, tokenizer, [2] * 4)[key], scores(grown, tokenizer, [2] * 4)[key])


def test_a_task_learnt_anew_forgets_its_examples(tiny_student, tiny_encoder, tokenizer, volcano):
    grown = given_examples(grow(tiny_student, tiny_encoder, tokenizer, volcano), tiny_encoder, "volcano")
    assert grow(grown, tiny_encoder, tokenizer, volcano, renew=True).config.example_tasks == {}


def test_examples_of_an_unknown_task_are_refused(tiny_config, tiny_student):
    with pytest.raises(InvalidInput, match="'geyser' is not a task"):
        dataclasses.replace(tiny_config, example_tasks={"geyser": 5})
    with pytest.raises(InvalidInput, match="example_tasks"):
        dataclasses.replace(tiny_config, example_tasks={"melting.ice": 0})
    with pytest.raises(ValueError, match="spelling"):
        Student(dataclasses.replace(tiny_config, example_tasks={"melting.ice": 5}), tiny_student.encoder)
