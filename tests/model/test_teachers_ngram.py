from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scoring.agreement import quadratic_weighted_kappa
from scoring.errors import InvalidInput
from scoring.itembank import LabelledResponse, read_item_bank
from scoring.settings import ROOT
from scoring.training.crossfit import fold_of
from scoring.training.data import choose_tasks
from scoring.training.teachers.ngram import FLOOR, NgramTeacher
from scoring.training.teachers.ngram_views import Views, stem_pairs, surface_counts

REAL = ROOT.parent / "shared" / "data" / "asap-sas"
QUICK = NgramTeacher(trees=10, inner_folds=3)


def levels(table: np.ndarray, lowest: int = 0) -> list[int]:
    values = np.arange(table.shape[1]) + lowest
    return np.floor(table @ values + 0.5).astype(int).tolist()


@pytest.fixture
def parts(tiny_bank):
    """Tasks, and rows to learn from and to ask about, apart by text."""
    bank = read_item_bank(tiny_bank)
    tasks = choose_tasks(bank)
    rows = [row for row in bank.responses if row.task_id in tasks]
    return tasks, [row for row in rows if fold_of(row, 4)], [row for row in rows if not fold_of(row, 4)]


def test_it_learns_what_words_mean_on_answers_it_never_saw(parts):
    tasks, rest, asked = parts
    fitted = QUICK.fit(tasks, rest, seed=0, progress=False)
    for task in tasks.values():
        own = [row for row in asked if row.task_id == task.id]
        found = fitted.predict_proba(task.id, own)
        assert list(found) == [criterion.id for criterion in task.criteria]
        for criterion in task.criteria:
            table = found[criterion.id]
            assert table.shape == (len(own), len(criterion.levels))
            assert table.sum(axis=1) == pytest.approx(np.ones(len(own)))
            rated = [at for at, row in enumerate(own) if criterion.id in row.levels]
            human = [own[at].levels[criterion.id] for at in rated]
            machine = levels(table[rated], criterion.values[0])
            assert quadratic_weighted_kappa(human, machine) > 0.6


def test_opinions_depend_on_the_seed_and_the_answer_alone(parts):
    tasks, rest, asked = parts
    task = {"moving-cart": tasks["moving-cart"]}
    fitted = QUICK.fit(task, rest, seed=3, progress=False)
    own = [row for row in asked if row.task_id == "moving-cart"]
    together = fitted.predict_proba("moving-cart", own)
    again = QUICK.fit(task, rest, seed=3, progress=False).predict_proba("moving-cart", own)
    other = QUICK.fit(task, rest, seed=4, progress=False).predict_proba("moving-cart", own)
    relabelled = fitted.predict_proba("moving-cart", [replace(row, levels={"claim": 0}, second={}) for row in own])
    for criterion_id, table in together.items():
        np.testing.assert_array_equal(table, again[criterion_id])
        np.testing.assert_array_equal(table, relabelled[criterion_id])
        assert np.abs(table - other[criterion_id]).max() > 1e-6
        alone = np.vstack([fitted.predict_proba("moving-cart", [row])[criterion_id] for row in own])
        np.testing.assert_allclose(table, alone, atol=1e-9)


def test_no_level_is_impossible_even_if_nobody_was_given_it(parts):
    tasks, rest, asked = parts
    ice = {"melting.ice": tasks["melting.ice"]}
    never = [row for row in rest if row.levels.get("score") != 3]
    table = QUICK.fit(ice, never, seed=0, progress=False).predict_proba(
        "melting.ice", [row for row in asked if row.task_id == "melting.ice"]
    )["score"]
    assert table[:, 3] == pytest.approx(np.full(len(table), FLOOR / 4), rel=0.02)


@pytest.mark.parametrize(
    "texts",
    [
        [f"answer {n}" for n in range(12)],  # too few
        ["the same answer"] * 60,  # as good as one
        ["  "] * 60,  # nothing to read
        ["?!"] * 60,
    ],
)
def test_with_too_little_to_learn_from_it_gives_how_often_each_level_was_given(parts, texts):
    tasks, _, _ = parts
    rows = [LabelledResponse("melting.ice", str(n), text, {"score": n % 2}) for n, text in enumerate(texts)]
    fitted = QUICK.fit({"melting.ice": tasks["melting.ice"]}, rows, seed=0, progress=False)
    table = fitted.predict_proba("melting.ice", [*rows[:2], LabelledResponse("melting.ice", "new", "salt", {})])[
        "score"
    ]
    half, total = len(rows) / 2, len(rows) + 4
    assert table == pytest.approx(np.tile([(half + 1) / total] * 2 + [1 / total] * 2, (3, 1)))


def test_one_level_for_all_is_no_reason_to_fail(parts):
    tasks, rest, _ = parts
    same = [replace(row, levels={"score": 2}) for row in rest if row.task_id == "melting.ice"]
    fitted = QUICK.fit({"melting.ice": tasks["melting.ice"]}, same, seed=0, progress=False)
    assert fitted.predict_proba("melting.ice", same[:1])["score"][0].argmax() == 2


def test_odd_answers_are_scored(parts):
    tasks, rest, _ = parts
    fitted = QUICK.fit({"melting.ice": tasks["melting.ice"]}, rest, seed=0, progress=False)
    odd = ["", "🧊", "salt " * 5000, "\x00\ud800 &amp; ^p", "SALT\u00adHEAT"]
    table = fitted.predict_proba("melting.ice", [LabelledResponse("melting.ice", t, t, {}) for t in odd])["score"]
    assert np.isfinite(table).all()
    assert fitted.predict_proba("melting.ice", [])["score"].shape == (0, 4)


def test_kernels_of_own_texts_and_of_the_same_texts_again_agree():
    texts = ["salt melts ice", "heat melts the ice", "because of heat", "particles move faster", ""]
    views = Views(texts)
    own, again = views.kernels(), views.kernels(texts)
    assert list(own) == ["words", "characters", "pairs", "pieces", "linear", "radial"]
    for name, kernel in own.items():
        np.testing.assert_allclose(kernel, again[name], atol=1e-12)
        np.testing.assert_allclose(kernel, kernel.T, atol=1e-12)
        assert np.linalg.eigvalsh(kernel).min() > -1e-9


def test_pairs_reach_over_words_between_and_keep_the_order():
    assert "salt~ice" in stem_pairs("salt quickly melts the ice")
    assert "ice~salt" not in stem_pairs("salt quickly melts the ice")
    assert "conta~vineg" in stem_pairs("Containers of vinegars")


def test_surface_counts_of_nothing_are_zero():
    assert surface_counts([""]).tolist() == [[0] * 6]
    assert surface_counts([]).shape == (0, 6)


@pytest.mark.parametrize(
    ("name", "value"), [("trees", 0), ("inner_folds", 1), ("ridge", 0), ("stack", -1.0), ("second_weight", 1.5)]
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(InvalidInput, match=name):
        NgramTeacher(**{name: value})


@pytest.mark.skipif(not REAL.exists(), reason="no real answers beside the project (shared/data)")
def test_on_real_answers_it_agrees_with_people_as_such_models_do():
    bank = read_item_bank(REAL)
    task = bank.tasks["asap-sas-6"]
    rows = bank.of_task(task.id)
    rest, asked = [row for row in rows if row.fold == "train"][:700], [row for row in rows if row.fold == "val"]
    fitted = replace(QUICK, trees=30).fit({task.id: task}, rest, seed=0, progress=False)
    table = fitted.predict_proba(task.id, asked)["score"]
    assert quadratic_weighted_kappa([row.levels["score"] for row in asked], levels(table)) > 0.7
