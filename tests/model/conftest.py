"""A tiny random encoder and a tiny learnable item bank: every model test without network or real weights."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest
import torch

from scoring.student import checkpoint
from scoring.student.config import StudentConfig
from scoring.student.encoder import EncoderFiles, load_encoder, locate_encoder
from scoring.student.model import Student

# On models this small a second thread costs more than it brings, and much more on a busy machine.
torch.set_num_threads(1)

WORDS = [
    "the", "a", "is", "because", "water", "salt", "heat", "energy", "force", "mass",
    "light", "plant", "moves", "melts", "particles", "faster", "slower", "more", "less", "evidence",
    "claim", "sinks", "floats", "i", "think", "it", "so", "and", "not",
]  # fmt: skip

TASKS = [
    {
        "id": "melting.ice", "title": "Melting ice", "prompt": "Why does salt melt the ice?",
        "reference_answers": ["salt melts the ice"],
        "criteria": [
            {"id": "score", "name": "Score", "levels": [{"value": v, "descriptor": f"level {v}"} for v in range(4)]}
        ],
    },
    {
        "id": "moving-cart", "title": "Moving cart", "prompt": "Why is the cart faster?",
        "criteria": [
            {"id": "claim", "name": "Claim", "levels": [{"value": v, "descriptor": "ny"[v]} for v in (0, 1)]},
            {"id": "evidence", "name": "Evidence", "levels": [{"value": v, "descriptor": f"{v}"} for v in (1, 2, 3)]},
        ],
    },
    {
        "id": "kept-back", "title": "Kept back", "prompt": "Why?", "held_out": True,
        "criteria": [{"id": "score", "name": "Score", "levels": [{"value": v, "descriptor": ""} for v in (0, 1)]}],
    },
]  # fmt: skip


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> EncoderFiles:
    """A random two-layer BERT, 32 wide, with a WordPiece vocabulary of a few words and single letters."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny-encoder")
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    vocabulary += [letter for letter in letters if letter not in WORDS] + [f"##{letter}" for letter in letters]
    ids = {word: index for index, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(folder)  # fmt: skip
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=64, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        initializer_range=0.2,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return locate_encoder(str(folder))


@pytest.fixture
def tiny_config(tiny_encoder: EncoderFiles) -> StudentConfig:
    """A small student for the two trained tasks of the tiny bank."""
    return StudentConfig(
        encoder=tiny_encoder.name, encoder_sha256=tiny_encoder.sha256, width=32,
        tasks={"melting.ice": {"score": (0, 1, 2, 3)}, "moving-cart": {"claim": (0, 1), "evidence": (1, 2, 3)}},
        experts=3, expert_hidden=16, gate_hidden=8, task_width=8, max_tokens=32, lora_rank=4,
    )  # fmt: skip


@pytest.fixture
def tiny_student(tiny_config: StudentConfig, tiny_encoder: EncoderFiles) -> Student:
    """A student whose every weight is random, so that no part of it is a no-op."""
    torch.manual_seed(1)
    student = Student(tiny_config, load_encoder(tiny_encoder)).eval()
    with torch.no_grad():
        for name, parameter in student.named_parameters():
            if not name.startswith("encoder.") or ".delta." in name:
                parameter.add_(torch.randn_like(parameter) * 0.2)
        student.task_embedding.views.copy_(torch.randn_like(student.task_embedding.views))
    return student


@pytest.fixture
def tiny_version(tiny_student: Student, tmp_path: Path) -> Path:
    """The tiny student as a version folder."""
    folder = tmp_path / "student"
    checkpoint.save(tiny_student, folder)
    return folder


@pytest.fixture
def tiny_bank(tmp_path: Path) -> Path:
    """An item bank whose levels follow from key words, 60 answers to each task."""
    folder = tmp_path / "bank"
    folder.mkdir()
    (folder / "tasks.json").write_text(json.dumps(TASKS), encoding="utf-8")
    generator = random.Random(3)
    filler = ["the", "a", "is", "i", "think", "it", "so", "and"]
    rows = []
    for number in range(60):
        found = number % 4
        words = ["salt", "heat", "particles"][:found] + generator.choices(filler, k=4)
        generator.shuffle(words)
        rows.append({"task_id": "melting.ice", "response_id": f"m{number}", "text": " ".join(words), "score": found})
        claim, evidence = number % 2, 1 + number % 3
        words = ["faster"] * claim + ["mass", "force"][: evidence - 1] + generator.choices(filler, k=4)
        generator.shuffle(words)
        cart = {"task_id": "moving-cart", "response_id": f"c{number}", "text": " ".join(words), "claim": claim}
        # Every fifth answer has no rating on one criterion.
        rows.append(cart if number % 5 == 0 else {**cart, "evidence": evidence})
    rows.append({"task_id": "kept-back", "response_id": "k1", "text": "because", "score": 1})
    with (folder / "responses.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["task_id", "response_id", "text", "score", "claim", "evidence"])
        writer.writeheader()
        writer.writerows(rows)
    return folder
