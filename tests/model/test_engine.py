import pytest
import torch

from scoring.domain import round_half_up, task_from_json
from scoring.errors import InvalidInput
from scoring.inference.batching import plan_batches
from scoring.inference.engine import Engine
from scoring.inference.hardware import choose_device, choose_precision
from scoring.student.text import clean_text
from scoring.student.tokens import padded_length
from tests.model.conftest import TASKS

TEXTS = [
    "salt melts it",
    "",
    "because heat",
    "salt  melts it ",
    "the " * 20,
    "energy 🧊🔥",
    "الملح يذيب الثلج",
    "\x00\n",
]


@pytest.fixture
def engine(tiny_version, tiny_encoder):
    return Engine.load(tiny_version, encoder=str(tiny_encoder.folder), device="cpu", precision="fp32")


def test_scores_come_in_the_order_of_the_texts(engine):
    forward = engine.score("melting.ice", TEXTS)
    backward = engine.score("melting.ice", TEXTS[::-1])[::-1]
    assert len(forward) == len(TEXTS)
    for first, second in zip(forward, backward, strict=True):
        assert first.criteria[0].expected == pytest.approx(second.criteria[0].expected, abs=1e-5)


def test_the_same_input_gives_the_same_output(engine):
    assert engine.score("moving-cart", TEXTS) == engine.score("moving-cart", TEXTS)


def test_equal_answers_are_scored_once_and_alike(engine):
    seen = []
    original = engine.student.forward
    engine.student.forward = lambda ids, *rest: seen.append(len(ids)) or original(ids, *rest)
    scores = engine.score("melting.ice", ["salt", "heat", " salt", "salt\n"])
    assert sum(seen) == 2
    assert scores[0] == scores[2] == scores[3] != scores[1]


def test_scores_do_not_depend_on_the_batching(engine):
    many = ["salt " * (1 + n % 13) + "heat" * (n % 3) for n in range(40)]
    small = engine.score("melting.ice", many, token_budget=1)
    large = engine.score("melting.ice", many, token_budget=100_000)
    for first, second in zip(small, large, strict=True):
        assert first.criteria[0].probabilities == pytest.approx(second.criteria[0].probabilities, abs=1e-5)


def test_level_is_the_rounded_expected_score_and_probabilities_sum_to_one(engine):
    for score in engine.score("moving-cart", TEXTS):
        assert [c.criterion_id for c in score.criteria] == ["claim", "evidence"]
        for criterion, values in zip(score.criteria, ((0, 1), (1, 2, 3)), strict=True):
            assert sum(criterion.probabilities) == pytest.approx(1)
            expected = sum(p * v for p, v in zip(criterion.probabilities, values, strict=True))
            assert criterion.expected == pytest.approx(expected)
            assert criterion.level == round_half_up(criterion.expected)
            assert criterion.level in values
        assert [len(layer) for layer in score.gate_weights] == [3, 3]
        assert all(sum(layer) == pytest.approx(1, abs=1e-5) for layer in score.gate_weights)


def test_a_text_beyond_the_limit_is_cut_and_says_so(engine):
    short, at_limit, beyond, far_beyond = engine.score(
        "melting.ice", ["salt", "salt " * 30, "salt " * 31, "salt " * 5000]
    )
    assert not short.truncated
    assert not at_limit.truncated  # 30 words and two special tokens are the 32 that fit
    assert beyond.truncated
    assert far_beyond.truncated
    assert far_beyond.criteria[0].expected == pytest.approx(at_limit.criteria[0].expected, abs=1e-5)


def test_nothing_to_score_is_an_empty_list(engine):
    assert engine.score("melting.ice", []) == []


def test_progress_counts_responses_up_to_all_of_them(engine):
    calls = []
    engine.score("melting.ice", TEXTS, on_progress=lambda done, total: calls.append((done, total)), token_budget=8)
    assert calls[-1] == (len(TEXTS), len(TEXTS))
    assert calls == sorted(calls)
    assert len(calls) > 1


def test_an_unknown_task_lists_the_known_ones(engine):
    with pytest.raises(InvalidInput, match=r"'volcano'.*melting\.ice, moving-cart"):
        engine.score("volcano", ["salt"])


def test_supports_only_tasks_with_the_same_criteria_and_levels(engine):
    assert engine.supports(task_from_json(TASKS[0]))
    assert not engine.supports(task_from_json(TASKS[2]))
    fewer = {**TASKS[1], "criteria": TASKS[1]["criteria"][:1]}
    assert not engine.supports(task_from_json(fewer))
    relabelled = {
        **TASKS[0],
        "criteria": [{**TASKS[0]["criteria"][0], "levels": TASKS[0]["criteria"][0]["levels"][:3]}],
    }
    assert not engine.supports(task_from_json(relabelled))


def test_bf16_stays_near_fp32(engine, tiny_version, tiny_encoder):
    low = Engine.load(tiny_version, encoder=str(tiny_encoder.folder), device="cpu", precision="bf16")
    for exact, near in zip(engine.score("melting.ice", TEXTS), low.score("melting.ice", TEXTS), strict=True):
        assert exact.criteria[0].expected == pytest.approx(near.criteria[0].expected, abs=0.1)


def test_devices_and_precisions_that_are_not_there_are_refused():
    with pytest.raises(InvalidInput, match="device"):
        choose_device("tpu")
    with pytest.raises(InvalidInput, match="precision"):
        choose_precision("fp16", torch.device("cpu"))
    if not torch.cuda.is_available():
        with pytest.raises(InvalidInput, match="CUDA"):
            choose_device("cuda")


def test_batches_hold_every_row_once_within_the_budget():
    lengths = [5, 300, 7, 7, 64, 1, 5]
    batches = plan_batches(lengths, token_budget=64)
    assert sorted(position for batch in batches for position in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * padded_length(max(lengths[position] for position in batch)) <= 64


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("One. ^p 2).Two^p3", "One. 2).Two 3"),
        ("2^power stays", "2^power stays"),
        ("''samples'' and \"\"more\"\"", '"samples" and "more"'),
        ("hot &amp; dry &#8776; 53", "hot & dry ≈ 53"),
        ("AT&T &copy", "AT&T &copy"),
        ("\ufeffa\u200bb\x00c\r\n\td", "ab c d"),
        ("e\u0301", "é"),
        ("don't", "don't"),
    ],
)
def test_cleaning_undoes_transcription_and_nothing_else(text, cleaned):
    assert clean_text(text) == cleaned
    assert clean_text(cleaned) == cleaned
