"""Sentence embeddings: as the encoder gives them, in order, and good enough to tell signs from science."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scoring.checks.likeness import UrgentLikeness, pieces
from scoring.errors import ModelUnavailable
from scoring.inference.sentences import SentenceEncoder
from scoring.settings import ROOT
from scoring.student.encoder import EncoderFiles, locate_encoder
from scoring.worker import meanings
from scoring.worker.meanings import Meanings
from scoring.worker.turns import Turns

WRITTEN = json.loads((ROOT / "tests" / "unit" / "checks" / "urgent_signs.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def minilm() -> SentenceEncoder:
    return SentenceEncoder(locate_encoder())


def test_embeddings_have_unit_length_and_do_not_depend_on_company(tiny_encoder: EncoderFiles) -> None:
    encoder = SentenceEncoder(tiny_encoder)
    texts = ["ice melts", "a much longer answer about why the ice melts on a warm plate", "", "ice melts"]
    embeddings = encoder.embed(texts)
    assert embeddings.shape[0] == 4
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert np.allclose(embeddings[0], embeddings[3], atol=1e-5)
    assert np.allclose(embeddings[1], encoder.embed(texts[1:2])[0], atol=1e-5)
    assert encoder.embed([]).shape == (0, embeddings.shape[1])


def test_texts_that_mean_the_same_lie_nearer(minilm: SentenceEncoder) -> None:
    salt, ice, cat = minilm.embed(["Salt lowers the freezing point.", "Ice melts sooner with salt.", "A cat sat."])
    assert salt @ ice > salt @ cat + 0.2


def test_the_worker_reads_the_same_text_once_and_stops_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meanings, "_AT_ONCE", 2)
    worker = Meanings(Turns(), "cpu")
    assert worker.available()
    beats: list[int] = []
    embeddings = worker.embed(["ice melts", "a cat sat", "ice melts", "salt", "ice melts"], lambda: beats.append(1))
    assert len(beats) == 2
    assert (embeddings[0] == embeddings[2]).all()
    assert (embeddings[0] == embeddings[4]).all()
    assert not (embeddings[0] == embeddings[1]).all()
    assert worker.embed([]).shape == (0, embeddings.shape[1])

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker.embed(["one more"], stop)


def test_without_the_bundled_encoder_the_worker_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing() -> EncoderFiles:
        raise ModelUnavailable("not installed")

    monkeypatch.setattr(meanings, "locate_encoder", missing)
    worker = Meanings(Turns(), "cpu")
    assert not worker.available()
    assert "by words alone: not installed" in caplog.text
    with pytest.raises(ModelUnavailable):
        worker.embed(["a"])


def test_most_signs_that_it_was_not_trained_on_are_found_and_few_harmless_sentences(minilm: SentenceEncoder) -> None:
    likeness = UrgentLikeness.load()
    assert likeness.encoder == minilm.sha256

    def listed(texts: list[str]) -> float:
        said = [pieces(text) for text in texts]
        return sum(bool(likeness.signs(each, minilm.embed(each))) for each in said) / len(texts)

    assert listed([sign["text"] for sign in WRITTEN["signs"] if sign["half"] == "held_out"]) > 0.85
    assert listed([sentence["text"] for sentence in WRITTEN["harmless"] if sentence["half"] == "held_out"]) < 0.15
