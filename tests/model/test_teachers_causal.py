"""The whole path of a causal language model as teacher, with tiny random ones: no download, on the CPU."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from scoring.domain import Criterion, Level
from scoring.errors import InvalidInput, ModelUnavailable
from scoring.itembank import LabelledResponse, read_item_bank
from scoring.training.crossfit import cross_fit
from scoring.training.data import bank_hash, choose_tasks, split_rows
from scoring.training.opinions import measure_targets
from scoring.training.teachers.causal import CausalTeacher
from scoring.training.teachers.prompts import Prompter
from scoring.training.teachers.reader import Reader, locate_causal
from tests.model.conftest import WORDS

SHAPE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
PROMPT_WORDS = ["Question", "Rubric", "Answer", "Score", "Reference", "answer", "level", ":", ",", ".", "?", "Claim"]


def tokenizer_of(words: list[str]) -> PreTrainedTokenizerFast:
    vocabulary = {word: at for at, word in enumerate(["<pad>", "<unk>", "<s>", *dict.fromkeys(words)])}
    bare = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    bare.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    bare.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", vocabulary["<s>"])])
    return PreTrainedTokenizerFast(tokenizer_object=bare, pad_token="<pad>", unk_token="<unk>", bos_token="<s>")


def save(folder: Path, kind: str, words: list[str] | None = None) -> Path:
    tokenizer = tokenizer_of(words or [*WORDS, *PROMPT_WORDS, *"0123456789", *"ABCDEFG"])
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    size = len(tokenizer)
    model: PreTrainedModel
    if kind == "llama":
        model = LlamaForCausalLM(LlamaConfig(vocab_size=size, max_position_embeddings=256, **SHAPE))
    elif kind == "neox":
        model = GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=size, max_position_embeddings=256, **SHAPE))
    else:
        model = GPT2LMHeadModel(GPT2Config(vocab_size=size, n_embd=32, n_layer=1, n_head=2, n_positions=256))
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                torch.nn.init.normal_(weight, std=0.15)
    model.save_pretrained(folder, max_shard_size="40KB" if kind == "neox" else "5GB")
    return folder


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("llama"), "llama")


@pytest.fixture(scope="module")
def neox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("neox"), "neox")


@pytest.fixture
def fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exact comparisons need fp32, whatever this machine computes fastest in."""
    monkeypatch.setattr("scoring.training.teachers.reader.choose_precision", lambda *_: torch.float32)


def teacher(folder: Path, **settings: object) -> CausalTeacher:
    defaults = {"rank": 8, "alpha": 16.0, "epochs": 1, "batch_size": 8, "max_tokens": 128, "lr": 5e-3}
    return CausalTeacher(str(folder), locate_causal(str(folder)).sha256, **(defaults | settings))  # type: ignore[arg-type]


def bank_of(folder: Path):
    bank = read_item_bank(folder)
    tasks = choose_tasks(bank)
    rows = [row for row in bank.responses if row.task_id in tasks]
    return bank, tasks, rows


@pytest.mark.parametrize(("kind", "hold_out"), [("llama", []), ("neox", ["moving-cart"])])
def test_a_random_model_learns_the_tasks_out_of_fold(kind, hold_out, tiny_bank, tmp_path, request):
    folder = request.getfixturevalue(kind)
    bank, _, rows = bank_of(tiny_bank)
    tasks = choose_tasks(bank, hold_out)
    splits = split_rows(rows, dev_share=0.15, val_share=0.2)
    found = cross_fit(
        teacher(folder, epochs=12), tasks, splits, tmp_path / "causal.parquet", data_sha256=bank_hash(bank), folds=2,
        device="cpu", progress=False,
    )  # fmt: skip
    assert found is not None
    agreement = measure_targets(found, tasks, [row for row in (*splits.train, *splits.dev) if row.task_id in tasks])
    assert agreement.mean_qwk > 0.5
    assert {key[2] for key in found.opinions} == {c.id for task in tasks.values() for c in task.criteria}
    for opinion in found.opinions.values():
        assert len(opinion.probabilities) == {"score": 4, "claim": 2, "evidence": 3}[opinion.criterion_id]
        assert sum(opinion.probabilities) == pytest.approx(1, abs=1e-2)
    assert found.about["parameters"] > 10_000


@pytest.mark.usefixtures("fp32")
@pytest.mark.parametrize("kind", ["llama", "neox"])
def test_untrained_opinions_are_the_models_own_next_token(kind, tiny_bank, request):
    """Parity with the model as Hugging Face runs it, one prompt at a time."""
    folder = request.getfixturevalue(kind)
    _, tasks, rows = bank_of(tiny_bank)
    task = tasks["moving-cart"]
    own = [row for row in rows if row.task_id == task.id][:7]
    fitted = teacher(folder, lr=1e-12).fit(tasks, own, seed=0, device="cpu", progress=False)
    found = fitted.predict_proba(task.id, own)
    model = {"llama": LlamaForCausalLM, "neox": GPTNeoXForCausalLM}[kind].from_pretrained(folder).eval()
    prompter = Prompter(PreTrainedTokenizerFast.from_pretrained(folder), 128)
    for criterion in task.criteria:
        wanted = list(prompter.verbalizer(criterion).tokens)
        for at, row in enumerate(own):
            ids = torch.tensor([prompter(task, criterion, row.text).ids])
            with torch.inference_mode():
                logits = model(ids).logits[0, -1, wanted]
            assert found[criterion.id][at] == pytest.approx(logits.softmax(-1).numpy(), abs=1e-5)


@pytest.mark.usefixtures("fp32")
def test_how_the_work_is_divided_changes_nothing(llama, tiny_bank):
    _, tasks, rows = bank_of(tiny_bank)
    plain = teacher(llama).fit(tasks, rows[:40], seed=1, device="cpu", progress=False)
    divided = teacher(llama, rows_per_pass=1, checkpointing=True, token_budget=64)
    other = divided.fit(tasks, rows[:40], seed=1, device="cpu", progress=False)
    assert divided.to_json() == teacher(llama).to_json()
    for task_id in tasks:
        own = [row for row in rows if row.task_id == task_id]
        expected = plain.predict_proba(task_id, own)
        for criterion_id, table in other.predict_proba(task_id, own).items():
            np.testing.assert_allclose(table, expected[criterion_id], atol=2e-4)


@pytest.mark.usefixtures("fp32")
def test_adapters_per_task_know_their_own_rows_only(llama, tiny_bank):
    _, tasks, rows = bank_of(tiny_bank)
    ice = [row for row in rows if row.task_id == "melting.ice"]
    cart = [row for row in rows if row.task_id == "moving-cart"]
    both = teacher(llama, per_task=True).fit(tasks, [*ice, *cart], seed=1, device="cpu", progress=False)
    alone = teacher(llama).fit({"melting.ice": tasks["melting.ice"]}, ice, seed=1, device="cpu", progress=False)
    expected = alone.predict_proba("melting.ice", ice)["score"]
    both.predict_proba("moving-cart", cart)
    np.testing.assert_allclose(both.predict_proba("melting.ice", ice)["score"], expected, atol=1e-6)
    shared = teacher(llama).fit(tasks, [*ice, *cart], seed=1, device="cpu", progress=False)
    assert np.abs(shared.predict_proba("melting.ice", ice)["score"] - expected).max() > 1e-3
    assert both.parameters() > shared.parameters()


def test_a_model_whose_layers_cannot_be_adapted_is_refused(tmp_path, tiny_bank):
    _, tasks, rows = bank_of(tiny_bank)
    folder = save(tmp_path / "gpt2", "gpt2")
    with pytest.raises(InvalidInput, match=r"'gpt2' has no nn\.Linear layer"):
        teacher(folder).fit(tasks, rows, seed=0, device="cpu", progress=False)
    with pytest.raises(InvalidInput, match="no layer 'c_attn'"):
        teacher(folder, modules=["c_attn"]).fit(tasks, rows, seed=0, device="cpu", progress=False)


def test_only_the_layers_that_were_asked_for_are_adapted(llama):
    files, device = locate_causal(str(llama)), torch.device("cpu")
    few = Reader(files, device, modules=["q_proj", "v_proj"], rank=2, alpha=4.0, max_tokens=64)
    every = Reader(files, device, modules=(), rank=2, alpha=4.0, max_tokens=64)
    assert len(few.adapters()) == 2 * 2 * 2
    assert len(every.adapters()) == 2 * 7 * 2
    assert not any("lm_head" in name for name in every.adapters())


def test_the_weights_must_be_those_that_were_meant(llama, tiny_bank):
    _, tasks, rows = bank_of(tiny_bank)
    other = dataclasses.replace(teacher(llama), model_sha256="0" * 64)
    with pytest.raises(ModelUnavailable, match="not 000000000000"):
        other.fit(tasks, rows, seed=0, device="cpu", progress=False)


def test_a_hash_covers_every_shard(neox):
    before = locate_causal(str(neox)).sha256
    shards = sorted(neox.glob("*.safetensors"))
    assert len(shards) > 1
    content = bytearray(shards[-1].read_bytes())
    content[-1] ^= 1
    try:
        shards[-1].write_bytes(content)
        assert locate_causal(str(neox)).sha256 != before
    finally:
        content[-1] ^= 1
        shards[-1].write_bytes(content)
    assert locate_causal(str(neox)).sha256 == before


@pytest.mark.parametrize("spec", ["no-such-folder", "/no/such/folder", "./none", "a/b/c"])
def test_a_model_that_is_not_there_is_said(spec):
    with pytest.raises(ModelUnavailable, match="no such folder"):
        locate_causal(spec)


def test_a_folder_without_weights_is_said(tmp_path):
    with pytest.raises(ModelUnavailable, match=r"needs config\.json"):
        locate_causal(str(tmp_path))


def levels(*values: int) -> Criterion:
    return Criterion("c", "Criterion", tuple(Level(value, f"{value}") for value in values))


def test_levels_are_said_by_points_or_else_by_letters():
    words = [*PROMPT_WORDS, "0", "1", "2", *"ABC"]
    prompter = Prompter(tokenizer_of(words), 128)
    assert prompter.verbalizer(levels(0, 1, 2)).labels == ("0", "1", "2")
    # The vocabulary has no 3: two unknown words can't be told apart.
    assert prompter.verbalizer(levels(2, 3, 4)).labels == ("A", "B", "C")
    with pytest.raises(InvalidInput, match="tells neither"):
        prompter.verbalizer(levels(2, 3, 4, 5))


def test_what_all_levels_begin_with_ends_the_prompt():
    """As with tokenizers that make a token of the space before a digit."""
    bare = Tokenizer(models.WordLevel({"<unk>": 0, "_": 1, "1": 2, "2": 3, "0": 4, "Score": 5}, unk_token="<unk>"))
    bare.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(replacement="_"), pre_tokenizers.Split("", "isolated")]
    )
    prompter = Prompter(PreTrainedTokenizerFast(tokenizer_object=bare, unk_token="<unk>"), 64)
    said = prompter.verbalizer(levels(0, 1, 2))
    assert (said.shared, said.tokens) == ((1,), (4, 2, 3))
    # 1 and 10 begin alike, so one token can't tell them apart.
    with pytest.raises(InvalidInput, match="tells neither"):
        prompter.verbalizer(levels(9, 10))


def test_a_long_prompt_keeps_the_answer_and_ends_with_the_question_for_a_score(tiny_bank, llama):
    _, tasks, _ = bank_of(tiny_bank)
    task = dataclasses.replace(tasks["melting.ice"], prompt="water " * 300)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(llama)
    prompter = Prompter(tokenizer, 60)
    short = prompter(task, task.criteria[0], "salt melts the ice")
    read = tokenizer.decode(short.ids)
    assert len(short) == 60
    assert not short.truncated
    assert read.startswith("<s> Question : water")
    assert "level 3" in read.replace("  ", " ")
    assert read.rstrip().endswith("Score :")
    assert "Answer : salt melts the" in read
    long = prompter(task, task.criteria[0], "salt " * 300)
    assert len(long) == 60
    assert long.truncated
    assert long.ids.count(tokenizer.convert_tokens_to_ids("salt")) >= 25
    with pytest.raises(InvalidInput, match="no room"):
        Prompter(tokenizer, 5)(task, task.criteria[0], "salt")


def test_blank_and_very_long_answers_are_scored(llama, tiny_bank):
    _, tasks, rows = bank_of(tiny_bank)
    fitted = teacher(llama).fit(tasks, rows[:10], seed=0, device="cpu", progress=False)
    odd = [
        LabelledResponse("melting.ice", str(at), text, {}) for at, text in enumerate(["", "salt " * 900, "🧊 الملح"])
    ]
    table = fitted.predict_proba("melting.ice", odd)["score"]
    assert table.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-4)
    assert fitted.predict_proba("melting.ice", [])["score"].shape == (0, 4)


@pytest.mark.parametrize("name", ["rank", "epochs", "batch_size", "rows_per_pass", "max_tokens"])
def test_settings_out_of_range_are_refused(name, llama):
    with pytest.raises(InvalidInput, match=name):
        teacher(llama, **{name: 0})
