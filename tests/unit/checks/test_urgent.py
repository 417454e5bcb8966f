"""Signs are found in plain, misspelt and disguised words, and science stays quiet."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.checks.likeness import UrgentLikeness, pieces
from scoring.checks.urgent import MISSES_HAPPEN, REASONS, UrgentKind, plain_text, urgent_signs, usual_words
from scoring.domain import Task
from scoring.errors import InvalidInput
from scoring.itembank import read_item_bank
from scoring.settings import ROOT

DATA = ROOT.parent / "shared" / "data"
WRITTEN = json.loads((Path(__file__).parent / "urgent_signs.json").read_text(encoding="utf-8"))
TUNED = [sign for sign in WRITTEN["signs"] if sign["half"] == "tune"]


def test_nearly_every_sentence_that_was_tuned_on_is_found_with_its_kind() -> None:
    found = [{sign.kind.value for sign in urgent_signs(written["text"])} for written in TUNED]
    assert sum(map(bool, found)) / len(TUNED) > 0.97
    assert sum(written["kind"] in kinds for written, kinds in zip(TUNED, found, strict=True)) / len(TUNED) > 0.9


@pytest.mark.parametrize(
    "text",
    [
        "i want to kill myself",
        "I WANT TO KILL MYSELF",
        "i wnat to kil mysellf",
        "i want to k!ll mys3lf",
        "i want to k1ll myself",
        "i want to k*ll myself",
        "i want to k i l l myself",
        "iii waaaant to kiiiill myself",
        "The mass is 422 g.\ni want to kill my self\n422-412=10",
        "i want to kill my\u200bself",
        "Me quiero morir.",
        "s u i c i d e",
    ],
)
def test_spelling_spacing_and_disguise_hide_nothing(text: str) -> None:
    assert [sign.kind for sign in urgent_signs(text)] == [UrgentKind.SELF_HARM]


@pytest.mark.parametrize(
    "text",
    [
        "The antibiotic will kill the bacteria in the dish.",
        "the plant died because it got no light",
        "abuse of antibiotics makes bacteria resistant",
        "The weasels would die without voles.",
        "The cells commit suicide when they are damaged, this is called apoptosis.",
        "white blood cells attack and destroy the virus",
        "I hit the metal with a hammer and it got warm.",
        "the bulb is dead because the battery is dead",
        "when a gun is shot the bullet goes forward",
        "We have no food in the jar so the bugs starved.",
        "H2O and CO2 at 10cm, 5% of it",
        "",
    ],
)
def test_science_is_quiet(text: str) -> None:
    assert urgent_signs(text) == []


def test_one_sign_a_kind_in_their_order() -> None:
    text = "my stepdad hits me. i want to die. they call me ugly every day at school"
    assert [sign.kind for sign in urgent_signs(text)] == [UrgentKind.SELF_HARM, UrgentKind.ABUSE, UrgentKind.BULLYING]


def test_the_words_of_a_sign_stand_in_the_searched_text() -> None:
    for written in TUNED:
        for sign in urgent_signs(written["text"]):
            assert sign.words
            assert sign.words in plain_text(written["text"])


def test_words_of_the_task_are_no_cue() -> None:
    task = next(iter(read_item_bank(ROOT / "samples" / "classroom").tasks.values()))
    story = Task(
        id="story", title="Max", prompt="Why does Max hide in the basement when his father is angry?",
        criteria=task.criteria,
    )  # fmt: skip
    text = "my guess is that his father is angry, and the basement is where he can hide"
    assert urgent_signs(text)
    assert urgent_signs(text, usual_words(story)) == []


def test_the_six_of_the_sample_classroom_are_found_and_few_others() -> None:
    judged = set(json.loads((ROOT / "bench" / "flagged.json").read_text())["sample classroom"]["urgent"])
    bank = read_item_bank(ROOT / "samples" / "classroom")
    found = {f"{r.task_id}/{r.response_id}" for r in bank.responses if urgent_signs(r.text)}
    assert judged <= found
    assert len(found - judged) / len(bank.responses) < 0.01


@pytest.mark.skipif(not DATA.exists(), reason="no real answers beside the project (shared/data)")
@pytest.mark.parametrize("name", ["scientsbank", "beetle"])
def test_real_science_answers_seldom_alarm(name: str) -> None:
    texts = [response.text for response in read_item_bank(DATA / name).responses]
    assert sum(bool(urgent_signs(text)) for text in texts) / len(texts) < 0.002


@given(st.text(st.characters(codec="utf-8"), max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_can_be_searched(text: str) -> None:
    assert urgent_signs(text) == urgent_signs(text)


@pytest.mark.parametrize("text", ["a " * 20_000, "k*" * 5_000, "i " * 10_000 + "die", "my dad " * 5_000, "x" * 100_000])
def test_long_and_odd_texts_end(text: str) -> None:
    assert isinstance(urgent_signs(text), list)


def test_the_statement_says_that_misses_happen_and_a_person_reads() -> None:
    assert "misses" in MISSES_HAPPEN
    assert "person must read" in MISSES_HAPPEN
    assert set(REASONS) == set(UrgentKind)


def test_an_answer_is_cut_into_pieces_that_hold_all_its_words() -> None:
    text = "It melts. " + " ".join(f"w{number}" for number in range(100))
    cut = pieces(text)
    assert all(3 <= len(piece.split()) <= 30 for piece in cut)
    assert {word for piece in cut for word in piece.split()} == {f"w{number}" for number in range(100)}


def likeness() -> UrgentLikeness:
    """Weights for embeddings of width 2: the first axis is nothing, the second is bullying."""
    weights = np.zeros((5, 2))
    weights[0, 0] = weights[4, 1] = 10.0
    return UrgentLikeness("hash", 0.5, weights, np.zeros(5))


def test_the_likeliest_piece_is_the_sign() -> None:
    said = ["the ice melts here", "They Laugh, at me"]
    signs = likeness().signs(said, np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert [(sign.kind, sign.words) for sign in signs] == [(UrgentKind.BULLYING, "they laugh at me")]
    assert likeness().signs(said[:1], np.array([[1.0, 0.0]])) == []
    assert likeness().signs([], np.zeros((0, 2))) == []


def test_embeddings_of_another_width_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"\(N, 2\) is needed"):
        likeness().probabilities(np.ones((1, 3)))


def test_saved_weights_come_back(tmp_path: Path) -> None:
    likeness().save(tmp_path / "weights.json")
    again = UrgentLikeness.load(tmp_path / "weights.json")
    assert (again.encoder, again.threshold) == ("hash", 0.5)
    assert np.array_equal(again.weights, likeness().weights)


def test_the_weights_that_come_along_fit_the_kinds() -> None:
    shipped = UrgentLikeness.load()
    assert shipped.weights.shape[0] == len(shipped.bias) == len(UrgentKind) + 1
    assert 0 < shipped.threshold < 1
