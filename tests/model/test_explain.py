"""Explanations of the real student, tiny: sums, odd texts, and sanity checks against planted and random weights."""

import json

import numpy as np
import pytest
import torch

from scoring.errors import InvalidInput
from scoring.explain.explainer import explain, first_look
from scoring.explain.explanation import ExplainSettings, Explanation
from scoring.explain.game import Output, WordGame
from scoring.explain.gates import gate_profile, profile_of
from scoring.explain.gradients import gradient_times_input, gradient_times_state, token_words
from scoring.explain.neighbours import KnownAnswer, Neighbourhood
from scoring.explain.shapley import owen_values
from scoring.explain.words import word_spans
from scoring.inference.engine import Engine
from scoring.student.calibration import Calibration, CriterionCalibration
from scoring.student.encoder import load_encoder
from scoring.student.model import Student
from scoring.student.tokens import Tokenizer
from tests.model.test_commands import run  # noqa: F401

TEXT = "I think the salt melts it because heat moves faster and the water is not so slow."
ODD = {
    "one word": "salt",
    "no words": " \n\t\u200b",
    "empty": "",
    "marks alone": "?! ...",
    "500 words": "salt and water " * 167,
    "emoji": "melts 🧊🔥👩‍👩‍👧 so 💀💀 it is energy 👍🏽",
    "right to left": "الملح يذيب الجليد لأن درجة التجمد أقل",
    "control characters": "salt\x00melts\x07 ^p it &amp; more\ud800 heat is energy",
}


CALIBRATION = Calibration(0.9, {("moving-cart", "evidence"): CriterionCalibration(1.7, 0.8, 30)})


def engine_of(student, files) -> Engine:
    tokenizer = Tokenizer(files, student.config.max_tokens)
    return Engine(student, tokenizer, "tiny", torch.device("cpu"), torch.float32, CALIBRATION)


@pytest.fixture
def engine(tiny_student, tiny_encoder):
    return engine_of(tiny_student, tiny_encoder)


@pytest.fixture
def planted(tiny_config, tiny_encoder):
    """A student that counts one word: its encoder keeps tokens apart, its head looks for "salt"."""
    torch.manual_seed(2)
    student = Student(tiny_config, load_encoder(tiny_encoder)).eval()
    tokenizer = Tokenizer(tiny_encoder, tiny_config.max_tokens)
    with torch.no_grad():
        encoder = student.encoder
        for name, parameter in encoder.named_parameters():
            if "output.dense" in name or "position_embeddings" in name or "token_type" in name:
                parameter.zero_()
        for layer in student.moe:
            for expert in layer.experts:
                expert[-1].weight.zero_()
                expert[-1].bias.zero_()
        states = encoder(torch.tensor([tokenizer(["salt"])[0].ids])).last_hidden_state[0]
        # Four levels: each is worth more of the direction that salt has and the special tokens don't.
        direction = states[1] - states[0] / 2 - states[2] / 2
        student.heads[0][0].linear.weight.copy_(torch.outer(torch.arange(4.0), direction / 4))
    return engine_of(student, tiny_encoder)


def test_base_value_and_words_make_up_every_value(engine):
    for task in engine.tasks:
        found = explain(engine, task, TEXT)
        assert found.complete
        scores = engine.score(task, [TEXT])[0]
        for c, score in zip(found.criteria, scores.criteria, strict=True):
            assert (c.level, c.probabilities) == (score.level, pytest.approx(score.probabilities, abs=1e-5))
            assert c.attribution.value == pytest.approx(score.expected, abs=1e-5)
            assert [p.lower for p in c.pairs] == [v for v in c.levels[:-1] if v in (c.level - 1, c.level)]
            for a in (c.attribution, *(p.attribution for p in c.pairs)):
                assert len(a.values) == len(c.gradient) == len(found.spans)
                assert a.base_value + sum(a.values) == pytest.approx(a.value, abs=1e-9)
                assert a.sentence.endswith(".")
            for p in c.pairs:
                odds = score.probabilities[p.upper - c.levels[0]] / score.probabilities[p.lower - c.levels[0]]
                assert p.attribution.value == pytest.approx(np.log(odds), abs=1e-4)
        assert found.gate_weights == tuple(pytest.approx(layer, abs=1e-5) for layer in scores.gate_weights)


def test_the_same_answer_is_explained_the_same_way(engine):
    assert explain(engine, "moving-cart", TEXT) == explain(engine, "moving-cart", TEXT)


def test_an_explanation_goes_on_from_its_first_look_and_survives_json(engine):
    look = first_look(engine, "moving-cart", TEXT)
    assert not look.complete
    found = explain(engine, "moving-cart", TEXT, look=look)
    assert found == explain(engine, "moving-cart", TEXT)
    assert (found.spans, found.gate_weights, found.settings_hash) == (
        look.spans, look.gate_weights, ExplainSettings().hash(),
    )  # fmt: skip
    assert Explanation.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_texts_get_a_sensible_explanation(engine, text):
    found = explain(engine, "moving-cart", text)
    assert found.spans == word_spans(text)
    for c in found.criteria:
        assert c.attribution.base_value + sum(c.attribution.values) == pytest.approx(c.attribution.value, abs=1e-9)
        assert np.isfinite(c.attribution.values).all()
        assert np.isfinite(c.gradient).all()
    if not found.spans:
        assert "no words" in found.note
        assert found.criteria[0].attribution.value == found.criteria[0].attribution.base_value
    if len(found.spans) < 5:
        assert not any(c.attribution.trustworthy for c in found.criteria)


def test_words_beyond_the_limit_have_no_value_and_the_note_says_so(engine):
    text = "salt and water " * 20  # 60 words, of which 30 fit beside two special tokens
    found = explain(engine, "melting.ice", text)
    assert found.truncated
    assert found.words_read == 30
    assert "first 30 of 60 words" in found.note
    (criterion,) = found.criteria
    assert not any(criterion.attribution.values[30:])
    assert not any(criterion.gradient[30:])
    assert criterion.attribution.value == pytest.approx(engine.score("melting.ice", [text])[0].criteria[0].expected)


def test_an_unknown_task_is_refused(engine):
    with pytest.raises(InvalidInput, match="unknown to this student"):
        explain(engine, "nothing", TEXT)


def test_a_planted_keyword_is_what_explains_the_score(planted):
    text = "the water is slow because i think it is not salt and so it moves"
    spans = word_spans(text)
    keyword = text.split().index("salt")
    found = explain(planted, "melting.ice", text).criteria[0]
    without = planted.score("melting.ice", [text.replace("salt ", "")])[0].criteria[0].expected
    assert found.expected > without
    assert np.argmax(found.attribution.values) == keyword
    assert np.argmax(found.gradient) == keyword
    assert np.argmax(found.pairs[-1].attribution.values) == keyword
    game = WordGame(planted, "melting.ice", text, spans, [Output("score", (0, 1, 2, 3))])
    baselines = pytest.importorskip("bench.baselines")
    for method in (baselines.integrated_gradients, baselines.leave_one_out):
        assert np.argmax(method(planted, "melting.ice", game, 0)) == keyword


def test_layer_normalisation_hides_a_planted_keyword_from_gradient_times_input(planted):
    text = "the water is slow because i think it is not salt"
    tokens = token_words(planted, text, word_spans(text))
    at_input = gradient_times_input(planted, "melting.ice", tokens)["score"]
    at_states = gradient_times_state(planted, "melting.ice", tokens)["score"]
    assert np.argmax(at_states) == text.split().index("salt")
    assert np.abs(at_input).max() < 0.01 * at_states.max()


def test_other_weights_give_other_attributions(engine, tiny_config, tiny_encoder):
    torch.manual_seed(11)
    student = Student(tiny_config, load_encoder(tiny_encoder)).eval()
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.2)
    other = engine_of(student, tiny_encoder)
    spans = word_spans(TEXT)
    for method in (shap_values, gradient_values):
        ours, theirs = (method(e, "melting.ice", TEXT, spans) for e in (engine, other))
        assert abs(np.corrcoef(ours, theirs)[0, 1]) < 0.9
        assert not np.allclose(ours, theirs, atol=1e-4)


def shap_values(engine, task, text, spans):
    outputs = [Output(c, levels) for c, levels in engine.tasks[task].items()]
    return owen_values(WordGame(engine, task, text, spans, outputs), 128)[:, 0]


def gradient_values(engine, task, text, spans):
    return next(iter(gradient_times_state(engine, task, token_words(engine, text, spans)).values()))


def test_the_gradient_is_that_of_the_expected_score(engine):
    """Against finite differences: the states moved a little from their mean."""
    spans = word_spans(TEXT)
    tokens = token_words(engine, TEXT, spans)
    values = gradient_times_state(engine, "moving-cart", tokens)["evidence"]
    word, step, student = 3, 1e-3, engine.student
    of_word = torch.tensor([w == word for w in tokens.word])

    def expected(scale):
        def nudge(_module, arguments):
            states, mask, task = arguments
            mean = states[:, mask[0] == 1].mean(1, keepdim=True)
            return states + scale * (states - mean) * of_word[None, :, None], mask, task

        handle = student.pooling.register_forward_pre_hook(nudge)
        try:
            return engine.score("moving-cart", [TEXT])[0].criteria[1].expected
        finally:
            handle.remove()

    assert values[word] == pytest.approx((expected(step) - expected(-step)) / (2 * step), rel=0.05, abs=1e-4)


def test_explaining_leaves_the_student_as_it_was(engine):
    before = engine.score("moving-cart", [TEXT])
    explain(engine, "moving-cart", TEXT)
    assert engine.score("moving-cart", [TEXT]) == before
    assert all(parameter.grad is None for parameter in engine.student.parameters())


def test_gates_and_neighbours_over_a_bank(engine):
    texts = ["salt melts it", "heat moves particles faster", "the light is slow"]
    known = Neighbourhood.build(
        engine, "melting.ice", [KnownAnswer(str(i), t, {"score": i}) for i, t in enumerate(texts)]
    )
    profile = profile_of({"melting.ice": known})
    assert profile.tasks["melting.ice"].weights == tuple(
        pytest.approx(np.mean([s.gate_weights[layer] for s in engine.score("melting.ice", texts)], 0), abs=1e-5)
        for layer in range(2)
    )
    without_levels = gate_profile(engine, {"melting.ice": texts, "moving-cart": texts})
    assert without_levels.others("moving-cart") == profile.tasks["melting.ice"].weights
    reading = engine.read("melting.ice", ["heat moves particles"])
    nearest = known.nearest(reading, "heat moves particles", 3)
    assert nearest[0].similarity >= nearest[1].similarity >= nearest[2].similarity
    own = known.nearest(engine.read("melting.ice", texts[:1]), texts[0], 1)[0]
    assert (own.id, own.similarity, own.differences) == ("0", pytest.approx(1), ())
    assert known.routed_alike(engine.read("melting.ice", texts[2:]), texts[2], 1)[0].id == "2"


def test_the_command_prints_words_that_sum_to_the_value(run, tiny_version, capsys):  # noqa: F811
    text = 'Salt "melts" it  because\nheat is moving faster 🧊'
    command = ("explain", "--task", "moving-cart", "--text", text, "--student", tiny_version)
    assert run(*command, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert [c["id"] for c in report["criteria"]] == ["claim", "evidence"]
    for c in report["criteria"]:
        for part in (c, *c["pairs"]):
            assert part["base_value"] + sum(w["value"] for w in part["words"]) == pytest.approx(part["value"])
            assert [text[w["start"] : w["end"]] for w in part["words"]] == [w["text"] for w in part["words"]]
    assert [sum(layer) for layer in report["gate_weights"]] == [pytest.approx(1)] * 2
    assert run(*command) == 0
    told = capsys.readouterr().out
    assert "claim: level" in told
    assert "gate of layer 2: expert 1" in told


def test_the_command_takes_an_empty_answer_and_refuses_an_unknown_task(run, tiny_version, capsys):  # noqa: F811
    words = ("explain", "--text", "", "--student", tiny_version)
    assert run(*words, "--task", "moving-cart") == 0
    assert capsys.readouterr().out.startswith("The answer has no words")
    assert run(*words, "--task", "nothing") == 2
    assert "it knows melting.ice, moving-cart" in capsys.readouterr().err


def test_every_method_of_the_benchmark_gives_a_value_per_word(engine):
    baselines = pytest.importorskip("bench.baselines")
    spans = word_spans(TEXT)
    game = WordGame(engine, "moving-cart", TEXT, spans, [Output(c, v) for c, v in engine.tasks["moving-cart"].items()])
    before = engine.read("moving-cart", [TEXT]).vectors
    for name, method in baselines.METHODS.items():
        values = method(engine, "moving-cart", game, 64)
        assert values.shape == (len(spans), 2), name
        assert np.isfinite(values).all(), name
        assert np.ptp(values[:, 0]) > 0, name
    assert (engine.read("moving-cart", [TEXT]).vectors == before).all()
