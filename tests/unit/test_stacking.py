from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.domain import Criterion, Level, Task
from scoring.errors import InvalidInput
from scoring.itembank import LabelledResponse
from scoring.training.crossfit import fold_of
from scoring.training.data import Splits
from scoring.training.stacking import combine, fit_pool
from scoring.training.targets import UNSEEN, Opinion, Targets

LEVELS = 3
TASK = Task("ice", "Ice", "Why?", (Criterion("score", "Score", tuple(Level(v, f"{v}") for v in range(1, 4))),))
TASKS = {"ice": TASK}
HASH = "d" * 64


def rows(count: int, prefix: str, seed: int = 0) -> list[LabelledResponse]:
    levels = np.random.default_rng(seed).integers(1, 4, count)
    return [
        LabelledResponse("ice", f"{prefix}{n}", f"{prefix} answer {n}", {"score": int(level)})
        for n, level in enumerate(levels)
    ]


def teacher(
    name: str, about: Sequence[LabelledResponse], *, skill: float, seed: int, sharpness: float = 1.0
) -> Targets:
    """Opinions that lean to the human's level by `skill` nats, under noise of one nat."""
    generator = np.random.default_rng(seed)
    opinions = {}
    for row in about:
        logits = generator.normal(size=LEVELS)
        logits[row.levels["score"] - 1] += skill
        shares = np.exp(sharpness * logits)
        values = tuple((shares / shares.sum()).tolist())
        opinions["ice", row.response_id, "score"] = Opinion("ice", row.response_id, "score", 0, values)
    return Targets(name, HASH, opinions, {"identity": f"{name}-{seed}", "parameters": 10, "seconds": 2.0})


def surprise(targets: Targets, about: Sequence[LabelledResponse]) -> float:
    """Mean negative log-likelihood of the human's levels, nats."""
    return float(
        np.mean([-np.log(targets.of("ice", r.response_id, "score")[r.levels["score"] - 1] + 1e-9) for r in about])  # type: ignore[index]
    )


TRAIN, VAL = rows(600, "t", 1), rows(300, "v", 2)
SPLITS = Splits(TRAIN[:500], TRAIN[500:], VAL)
EVERYONE = [*TRAIN, *VAL]
GOOD = teacher("good", EVERYONE, skill=2.0, seed=3)
OTHER = teacher("other", EVERYONE, skill=2.0, seed=4)
NOISE = teacher("noise", EVERYONE, skill=0.0, seed=5)


def table(targets: Sequence[Targets], about: Sequence[LabelledResponse]) -> np.ndarray:
    return np.array([[each.of("ice", row.response_id, "score") for each in targets] for row in about])


LABELS = np.array([row.levels["score"] - 1 for row in TRAIN])


def test_a_teacher_of_noise_gets_no_weight() -> None:
    pool = fit_pool(table([GOOD, NOISE, OTHER], TRAIN), LABELS)
    assert pool.weights[1] < 0.1
    assert min(pool.weights[[0, 2]]) > 0.7
    # Two independent views of the same kind count in full: their logarithms add.
    assert pool.weights.sum() > 1.5


def test_timid_and_cocksure_teachers_are_corrected() -> None:
    for sharpness in (0.3, 3.0):
        shifted = teacher("shifted", TRAIN, skill=2.0, seed=3, sharpness=sharpness)
        pool = fit_pool(table([shifted], TRAIN), LABELS, ridge=0.01)
        assert pool.weights[0] == pytest.approx(2.0 / sharpness, rel=0.25)


def test_weights_are_where_the_penalised_likelihood_is_least() -> None:
    opinions, ridge = table([GOOD, NOISE, OTHER], TRAIN), 5.0
    pool = fit_pool(opinions, LABELS, ridge)

    def cost(weights: np.ndarray, bias: np.ndarray) -> float:
        said = replace(pool, weights=weights, bias=bias).combine(opinions)
        fit = -np.log(said[np.arange(len(LABELS)), LABELS]).sum()
        return float(fit + ridge * ((weights - 1 / 3) ** 2).sum() + ridge * (bias**2).sum())

    best = cost(pool.weights, pool.bias)
    generator = np.random.default_rng(0)
    for _ in range(50):
        step = generator.normal(size=6) * 0.05
        assert cost(np.maximum(pool.weights + step[:3], 0), pool.bias + step[3:]) > best - 1e-3


def test_few_labels_or_a_strong_penalty_give_equal_weights() -> None:
    opinions = table([GOOD, NOISE], TRAIN)
    assert fit_pool(opinions[:10], LABELS[:10]).weights.tolist() == [0.5, 0.5]
    assert fit_pool(opinions, LABELS, ridge=1e9).weights == pytest.approx([0.5, 0.5], abs=1e-3)


def test_an_ensemble_is_less_surprised_than_its_members() -> None:
    ensemble = combine([GOOD, OTHER, NOISE], TASKS, SPLITS)
    for about in (TRAIN, VAL):
        assert surprise(ensemble, about) < min(surprise(GOOD, about), surprise(OTHER, about)) - 0.05
    assert {ensemble.opinions["ice", row.response_id, "score"].fold for row in VAL} == {UNSEEN}
    assert ensemble.about["parameters"] == 30
    assert ensemble.about["seconds"] == 6


def test_no_row_has_a_say_in_the_weights_that_score_it() -> None:
    before = combine([GOOD, OTHER, NOISE], TASKS, SPLITS)
    turned = fold_of(TRAIN[0], 5)
    changed = [
        replace(row, levels={"score": 4 - row.levels["score"]}) if fold_of(row, 5) == turned else row for row in TRAIN
    ]
    after = combine([GOOD, OTHER, NOISE], TASKS, Splits(changed[:500], changed[500:], VAL))
    same = {key for key in before.opinions if before.opinions[key] == after.opinions[key]}
    assert same == {("ice", row.response_id, "score") for row in TRAIN if fold_of(row, 5) == turned}
    # Ratings of val rows reach nothing at all.
    blind = [replace(row, levels={"score": 1}) for row in VAL]
    assert combine([GOOD, OTHER, NOISE], TASKS, replace(SPLITS, val=blind)).opinions == before.opinions


def human(about: Sequence[LabelledResponse], seed: int = 6) -> Targets:
    return teacher("human", about, skill=4.0, seed=seed)


def test_a_second_human_helps_where_there_is_one_and_is_not_heard_on_val() -> None:
    double = [row for row in EVERYONE if int(row.response_id[1:]) % 2]
    with_human = combine([GOOD, OTHER, human(double)], TASKS, SPLITS)
    machines = combine([GOOD, OTHER], TASKS, SPLITS)
    twice, once = [r for r in TRAIN if r in double], [r for r in TRAIN if r not in double]
    assert surprise(with_human, twice) < surprise(machines, twice) / 2
    for row in (*once, *VAL):
        key = ("ice", row.response_id, "score")
        assert with_human.opinions[key].probabilities == pytest.approx(machines.opinions[key].probabilities)
    other = combine([GOOD, OTHER, human(double, seed=7)], TASKS, SPLITS)
    assert all(
        other.of("ice", row.response_id, "score") == pytest.approx(with_human.of("ice", row.response_id, "score"))
        for row in VAL
    )


def test_a_response_nobody_spoke_on_has_no_opinion() -> None:
    part = [teacher(name, EVERYONE[:-1], skill=1.0, seed=seed) for name, seed in (("a", 1), ("b", 2))]
    assert len(combine(part, TASKS, SPLITS).opinions) == len(EVERYONE) - 1


def test_unlabelled_rows_get_an_opinion_and_teach_nothing() -> None:
    bare = [replace(row, levels={}) for row in TRAIN[:100]]
    ensemble = combine([GOOD, OTHER], TASKS, Splits([*bare, *TRAIN[100:]], [], VAL))
    assert len(ensemble.opinions) == len(EVERYONE)


@pytest.mark.parametrize(
    ("teachers", "said"),
    [
        ([GOOD], "two teachers or more, not 1"),
        ([GOOD, GOOD], "'good' is named twice"),
        ([GOOD, replace(OTHER, data_sha256="e" * 64)], "different item banks"),
        ([human(TRAIN), human(TRAIN, seed=7)], "needs a machine teacher"),
    ],
)
def test_what_cannot_be_combined_is_refused(teachers: list[Targets], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        combine(teachers, TASKS, SPLITS)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 60), teachers=st.integers(1, 4), levels=st.integers(2, 5))
def test_a_pool_always_gives_distributions(seed: int, count: int, teachers: int, levels: int) -> None:
    generator = np.random.default_rng(seed)
    # Alpha this small gives opinions that are all but certain, and zeros.
    opinions = generator.dirichlet(np.full(levels, 0.05), (count, teachers))
    pool = fit_pool(opinions, generator.integers(0, levels, count))
    assert (pool.weights >= 0).all()
    pooled = pool.combine(opinions)
    assert pooled.shape == (count, levels)
    assert np.isfinite(pooled).all()
    assert pooled.sum(axis=1) == pytest.approx(np.ones(count))
