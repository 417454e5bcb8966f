"""The real encoder: checked, loaded and scored with, without the network."""

import pytest
import torch

from scoring.inference.engine import Engine
from scoring.student import checkpoint
from scoring.student.config import StudentConfig
from scoring.student.encoder import MINILM_SHA256, load_encoder, locate_encoder
from scoring.student.model import Student
from scoring.student.pooling import masked_mean
from scoring.student.tokens import Tokenizer, pad


@pytest.fixture(scope="module")
def minilm():
    return locate_encoder("minilm")


def test_bundled_encoder_has_the_published_hash_and_knows_what_texts_mean(minilm):
    assert minilm.sha256 == MINILM_SHA256
    tokenizer = Tokenizer(minilm, 64)
    ids, mask = pad(tokenizer(["Salt lowers the freezing point.", "Ice melts sooner with salt.", "A cat sat."]), 0)
    with torch.inference_mode():
        states = load_encoder(minilm)(input_ids=ids, attention_mask=mask).last_hidden_state
    salt, ice, cat = torch.nn.functional.normalize(masked_mean(states, mask), dim=-1)
    assert salt @ ice > salt @ cat + 0.2


def test_a_default_student_on_it_is_small_and_scores(minilm, tmp_path):
    config = StudentConfig(
        encoder=minilm.name, encoder_sha256=minilm.sha256, width=384, tasks={"t": {"score": (0, 1, 2)}}
    )
    checkpoint.save(Student(config, load_encoder(minilm)), tmp_path / "student", storage="bf16")
    assert (tmp_path / "student" / checkpoint.WEIGHTS).stat().st_size < 10_000_000
    texts = ["Salt lowers the freezing point.", "", "word " * 3000]
    scores = Engine.load(tmp_path / "student", device="cpu").score("t", texts)
    assert [score.truncated for score in scores] == [False, False, True]
