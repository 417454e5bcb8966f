"""One model, many threads: who goes first, and that nobody sees another's pass."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from scoring.worker.turns import Rank, Turns


class Remembering(nn.Module):
    """Fails when a pass begins before the last one ended, as a model with a memory would."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = 0
        self.order: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def forward(self, x: Tensor) -> Tensor:
        assert self.inside == 0
        self.inside += 1
        self.order.append(float(x))
        self.meanwhile()
        self.inside -= 1
        if x < 0:
            raise ValueError("negative")
        return x


@pytest.fixture
def model() -> Remembering:
    return Remembering()


@pytest.fixture
def turns(model: Remembering) -> Turns:
    turns = Turns()
    turns.share(model)
    return turns


def run(*works: Callable[[], object]) -> list[BaseException]:
    """All at once, to their ends; what they raised."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return errors


def test_passes_of_many_threads_never_overlap(model: Remembering, turns: Turns) -> None:
    def work(rank: Rank) -> None:
        for i in range(100):
            with turns.at(rank):
                model(torch.tensor(float(i)))

    assert run(*(lambda rank=rank: work(rank) for rank in Rank), lambda: work(Rank.BULK)) == []
    assert len(model.order) == 100 * (len(Rank) + 1)


def test_more_urgent_work_stops_the_rest_before_its_next_pass(model: Remembering, turns: Turns) -> None:
    began, urgent_is_there = threading.Event(), threading.Event()

    def bulk() -> None:
        with turns.at(Rank.BULK):
            model.meanwhile = lambda: (began.set(), urgent_is_there.wait(10))
            model(torch.tensor(1.0))
            model.meanwhile = lambda: None
            for _ in range(3):
                model(torch.tensor(2.0))

    def urgent() -> None:
        began.wait(10)
        with turns.at(Rank.QUICK):
            urgent_is_there.set()
            for _ in range(3):
                model(torch.tensor(9.0))

    assert run(bulk, urgent) == []
    assert model.order == [1, 9, 9, 9, 2, 2, 2]


def test_a_pass_that_fails_gives_its_turn_back(model: Remembering, turns: Turns) -> None:
    with pytest.raises(ValueError, match="negative"):
        model(torch.tensor(-1.0))
    assert run(lambda: model(torch.tensor(1.0))) == []


def test_work_that_is_alone_lets_nobody_between_its_passes(model: Remembering, turns: Turns) -> None:
    inside = threading.Event()

    def alone() -> None:
        with turns.alone(Rank.IDLE):
            model(torch.tensor(1.0))
            inside.set()
            # The other thread wants its pass now, and is more urgent.
            while not turns.busy(Rank.IDLE):
                pass
            model(torch.tensor(2.0))

    def urgent() -> None:
        inside.wait(10)
        with turns.at(Rank.QUICK):
            model(torch.tensor(9.0))

    assert run(alone, urgent) == []
    assert model.order == [1, 2, 9]


def test_blocks_inside_each_other_return_to_the_outer_rank(turns: Turns) -> None:
    assert turns.rank is Rank.BULK
    with turns.at(Rank.FULL):
        with turns.at(Rank.QUICK):
            assert turns.rank is Rank.QUICK
            assert turns.busy(Rank.FULL)
        assert turns.rank is Rank.FULL
        assert not turns.busy(Rank.FULL)
        assert turns.busy(Rank.BULK)
    assert turns.rank is Rank.BULK
    assert not turns.busy(Rank.IDLE)
