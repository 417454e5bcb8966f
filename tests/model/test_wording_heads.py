"""Wording beside trained heads: a mixture of two opinions, fitted without steps, alone with its task."""

import dataclasses

import numpy as np
import pytest
import torch

from scoring.errors import InvalidInput
from scoring.explain.gradients import gradient_times_state, token_words
from scoring.explain.words import word_spans
from scoring.inference.engine import Engine
from scoring.itembank import read_item_bank
from scoring.student import checkpoint
from scoring.student.model import Student
from scoring.student.tokens import Tokenizer, pad
from scoring.student.wording import BUCKETS
from scoring.training.calibrating import fit_temperature
from scoring.training.config import TrainConfig
from scoring.training.data import bank_hash, choose_tasks, split_rows
from scoring.training.growing import graft, grow, shared_state, task_rows, with_wording_heads
from scoring.training.run import train_version
from scoring.training.targets import Opinion, Targets
from scoring.training.trainer import Trained, dev_look
from scoring.training.wording_fit import best_share, draw, with_wording

TEXTS = ["the salt melts", "force", "it is faster because the mass moves", "light is energy"]
CONFIG = TrainConfig(precision="fp32")
BRIEF = TrainConfig(
    epochs=2, patience=2, precision="fp32", dev_share=0.3,
    student={"experts": 2, "expert_hidden": 16, "gate_hidden": 8, "task_width": 8, "lora_rank": 4, "max_tokens": 32},
)  # fmt: skip


@pytest.fixture
def tokenizer(tiny_encoder):
    return Tokenizer(tiny_encoder, 32)


@pytest.fixture
def volcano(tiny_bank):
    """A task that the tiny student has never seen."""
    return dataclasses.replace(read_item_bank(tiny_bank).tasks["kept-back"], id="volcano")


@pytest.fixture
def worded(tiny_student, tiny_encoder):
    """The tiny student with random opinions of wording on both of its tasks."""
    made = with_wording_heads(tiny_student, tiny_encoder)
    torch.manual_seed(5)
    for heads in made.wording:
        for name, tensor in heads.state_dict().items():
            tensor.copy_(torch.rand(tensor.shape) if "by_wording" in name else torch.full(tensor.shape, 0.3))
    return made


@pytest.fixture
def ground(tiny_bank):
    """Tasks and splits of the tiny bank, whose levels follow from key words."""
    bank = read_item_bank(tiny_bank)
    tasks = choose_tasks(bank)
    return bank, tasks, split_rows([r for r in bank.responses if r.task_id in tasks], dev_share=0.3, val_share=0.2)


def logits(student, tokenizer, index):
    with torch.inference_mode():
        return student(*pad(tokenizer(TEXTS), tokenizer.pad_id), torch.tensor(index)).logits


def as_trained(student, tokenizer):
    return Trained(student, tokenizer, 1, 0.0, 0.0, [{"epoch": 1}])


def test_the_heads_and_the_wording_are_mixed_as_probabilities(tiny_student, worded, tokenizer):
    key = ("moving-cart", "evidence")
    read = (logits(tiny_student, tokenizer, [1] * 4)[key] / 0.3).softmax(-1)

    def mixed(share):
        for heads in worded.wording:
            heads.share.fill_(share)
        return logits(worded, tokenizer, [1] * 4)[key].exp()

    said = mixed(1.0)
    assert not torch.allclose(said, read, atol=0.01)
    for share in (0.3, 0.8):
        torch.testing.assert_close(mixed(share), (1 - share) * read + share * said)
        torch.testing.assert_close(mixed(share).sum(-1), torch.ones(4))


def test_wording_is_saved_and_moves_with_its_task_alone(
    worded, tiny_student, tiny_encoder, tokenizer, volcano, tmp_path
):
    checkpoint.save(worded, tmp_path / "worded")
    loaded, manifest = checkpoint.load(tmp_path / "worded", tiny_encoder)
    assert manifest.config.worded_tasks == ("melting.ice", "moving-cart")
    before, after = logits(worded, tokenizer, [0, 1, 0, 1]), logits(loaded, tokenizer, [0, 1, 0, 1])
    assert all(torch.equal(table, after[key]) for key, table in before.items())
    grown = grow(loaded, tiny_encoder, tokenizer, volcano)
    assert grown.config.worded_tasks == loaded.config.worded_tasks
    again = logits(grown, tokenizer, [0, 1, 0, 1])
    assert all(torch.equal(table, again[key]) for key, table in before.items())
    # Onto a student whose tasks are read without wording, the new task brings none.
    grafted = graft(tiny_student, grown, "volcano", tiny_encoder)
    assert not grafted.config.worded_tasks
    assert torch.equal(
        logits(grafted, tokenizer, [2] * 4)["volcano", "score"], logits(grown, tokenizer, [2] * 4)["volcano", "score"]
    )
    # Where the task itself has wording, that comes along.
    own = with_wording_heads(grown, tiny_encoder)
    task_rows(own, "volcano")["wording.criteria.0.by_wording"].fill_(0.1)
    brought = graft(tiny_student, own, "volcano", tiny_encoder)
    assert brought.config.worded_tasks == ("volcano",)
    assert torch.equal(
        logits(brought, tokenizer, [2] * 4)["volcano", "score"], logits(own, tokenizer, [2] * 4)["volcano", "score"]
    )
    # What all tasks share is the same with wording and without.
    assert shared_state(worded).keys() == shared_state(tiny_student).keys()
    assert task_rows(grown, "moving-cart")["wording.criteria.1.by_wording"].shape == (2 * BUCKETS, 2)


def test_a_task_learnt_anew_forgets_its_wording(worded, tiny_encoder, tokenizer, volcano):
    renewed = dataclasses.replace(volcano, id="melting.ice")
    assert grow(worded, tiny_encoder, tokenizer, renewed, renew=True).config.worded_tasks == ("moving-cart",)


def test_wording_of_an_unknown_task_or_beside_examples_is_refused(tiny_config, tiny_student):
    with pytest.raises(InvalidInput, match="worded_tasks: 'geyser'"):
        dataclasses.replace(tiny_config, worded_tasks=("geyser",))
    with pytest.raises(InvalidInput, match="not a task of this student with trained heads"):
        dataclasses.replace(tiny_config, worded_tasks=("melting.ice",), example_tasks={"melting.ice": 3})
    with pytest.raises(ValueError, match="spelling"):
        Student(dataclasses.replace(tiny_config, worded_tasks=("melting.ice",)), tiny_student.encoder)
    with pytest.raises(InvalidInput, match="wording: 'yes'"):
        TrainConfig(wording="yes")


def test_words_that_decide_are_found_and_counted_as_far_as_dev_rows_say(tiny_student, tiny_encoder, tokenizer, ground):
    _, _, splits = ground
    before = as_trained(tiny_student, tokenizer)
    after = with_wording(before, splits, tiny_encoder, CONFIG, device="cpu")
    assert before.student is tiny_student
    shares = {float(heads.share) for heads in after.student.wording}
    assert len(shares) == 1
    # A student with random weights knows nothing, and the key words are all there is to know.
    assert 0.3 < shares.pop() < 1
    alone, mixed = (dev_look(trained, splits.val, CONFIG, device="cpu") for trained in (before, after))
    assert alone.mean_qwk < 0.4 < 0.65 < mixed.mean_qwk


def test_without_dev_rows_or_a_gain_on_them_nothing_is_mixed_in(tiny_student, tiny_encoder, tokenizer, ground):
    _, _, splits = ground
    before = as_trained(tiny_student, tokenizer)
    assert with_wording(before, dataclasses.replace(splits, dev=[]), tiny_encoder, CONFIG, device="cpu") is before
    # On dev rows whose levels are turned round, words are wrong wherever they say anything.
    turned = [
        dataclasses.replace(row, levels={"score": 3 - row.levels["score"]})
        for row in splits.dev
        if row.task_id == "melting.ice"
    ]
    assert with_wording(before, dataclasses.replace(splits, dev=turned), tiny_encoder, CONFIG, device="cpu") is before


def test_a_draw_of_many_rows_leaves_no_criterion_out(ground, monkeypatch):
    _, _, splits = ground
    cart = [row for row in splits.train if row.task_id == "moving-cart"]
    rated = [row for row in cart if "evidence" in row.levels]
    thin = [*(dataclasses.replace(row, levels={"claim": row.levels["claim"]}) for row in cart), rated[0]]
    assert draw(cart, ("claim", "evidence"), np.random.default_rng(0)) == cart
    monkeypatch.setattr("scoring.training.wording_fit.MOST", 10)
    drawn = draw(thin, ("claim", "evidence"), np.random.default_rng(0))
    assert 5 <= len(drawn) <= 6
    assert rated[0] in drawn


def test_the_best_share_is_the_one_of_least_squared_error():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, 300)
    one, other = (labels + generator.normal(size=300) * noise for noise in (0.6, 1.2))
    key, flat = ("t", "c"), ("t", "flat")
    share = best_share({key: one}, {key: other}, {key: labels})
    errors = {w: float((((1 - w) * one + w * other - labels) ** 2).mean()) for w in np.linspace(0, 1, 101)}
    assert share == pytest.approx(300 / 350 * min(errors, key=errors.get), abs=0.006)
    assert best_share({key: labels}, {key: other}, {key: labels}) == 0
    assert best_share({key: other}, {key: labels}, {key: labels}) == pytest.approx(300 / 350)
    # Three labels that words happen to hit say little.
    assert best_share({key: other[:3]}, {key: labels[:3]}, {key: labels[:3]}) == pytest.approx(3 / 53)
    # A criterion on which everybody got the same level says nothing.
    nothing = np.zeros(300, int)
    with_flat = best_share({key: one, flat: one}, {key: other, flat: other}, {key: labels, flat: nothing})
    assert with_flat == pytest.approx(share * 350 / 300 * 600 / 650)


def test_wording_learns_from_the_teacher_as_far_as_the_student_does(
    tiny_student, tiny_encoder, tokenizer, ground, tmp_path
):
    bank, tasks, splits = ground
    # A teacher who gives everybody level 2 of 0 to 3.
    opinions = {
        (row.task_id, row.response_id, criterion.id): Opinion(
            row.task_id, row.response_id, criterion.id, 0, tuple(float(at == 2) for at in range(len(criterion.levels)))
        )
        for row in bank.responses if row.task_id in tasks
        for criterion in tasks[row.task_id].criteria
    }  # fmt: skip
    always_two = Targets("always two", bank_hash(bank), opinions)
    before = as_trained(tiny_student, tokenizer)

    def lean(share):
        """What the wording says of any answer before its words count: chances of levels 1, 2 and 3."""
        config = dataclasses.replace(CONFIG, distil_weight=share)
        found = with_wording(before, splits, tiny_encoder, config, targets=always_two, device="cpu")
        return found.student.wording[0].criteria[0].constant.tolist()

    none, half, nearly = lean(0.0), lean(0.4), lean(0.9)
    assert none[1] < half[1] < nearly[1]
    assert none[2] > half[2] > nearly[2]
    assert min(nearly[:2]) > 0.6 > 0.15 > nearly[2]
    # A whole training hands its teacher on.
    taught = train_version(
        bank, tasks, tmp_path / "taught", dataclasses.replace(BRIEF, distil_weight=0.9), targets=always_two,
        data_name="tiny", encoder=str(tiny_encoder.folder), device="cpu", progress=False,
    )  # fmt: skip
    reach = taught.trained.student.wording[0].criteria[0].constant
    assert min(reach[:2]) > 0.6 > 0.15 > reach[2]


def test_a_version_is_trained_with_wording_and_says_so(tiny_bank, tiny_encoder, tmp_path):
    bank = read_item_bank(tiny_bank)
    about = {"data_name": "tiny", "encoder": str(tiny_encoder.folder), "device": "cpu", "progress": False}
    tasks = choose_tasks(bank)
    version = train_version(bank, tasks, tmp_path / "worded", BRIEF, **about)
    plain = train_version(bank, tasks, tmp_path / "plain", dataclasses.replace(BRIEF, wording=False), **about)
    share = version.card["wording"]["melting.ice"]
    assert version.card["wording"] == dict.fromkeys(tasks, share)
    assert (
        f"alone make {share:.0%} of what it says about answers to 2 tasks"
        in (tmp_path / "worded" / "card.md").read_text()
    )
    assert plain.card["wording"] == {}
    assert "Wording" not in (tmp_path / "plain" / "card.md").read_text()
    assert version.val.mean_qwk > plain.val.mean_qwk


def test_the_trained_head_is_tempered_by_dev_rows_before_it_is_mixed(tiny_student, tiny_encoder, tokenizer, ground):
    _, _, splits = ground
    before = as_trained(tiny_student, tokenizer)
    found = dev_look(before, splits.dev, CONFIG, device="cpu")
    after = with_wording(before, splits, tiny_encoder, CONFIG, device="cpu")
    for (task_id, criteria), heads in zip(after.student.config.tasks.items(), after.student.wording, strict=True):
        for criterion_id, reach in zip(criteria, heads.criteria, strict=True):
            key = (task_id, criterion_id)
            fitted = fit_temperature(found.logits[key], found.labels[key])
            assert abs(fitted - 1) > 0.05
            assert float(reach.temperature) == pytest.approx(fitted)


def test_the_first_look_follows_the_gradient_through_the_mixture(worded, tiny_encoder, tmp_path):
    checkpoint.save(worded, tmp_path / "worded")
    engine = Engine.load(tmp_path / "worded", encoder=str(tiny_encoder.folder), device="cpu", precision="fp32")
    text = "water moves because heat melts"
    found = gradient_times_state(engine, "melting.ice", token_words(engine, text, word_spans(text)))["score"]
    assert found.shape == (5,)
    assert np.abs(found).min() > 0
