"""Who may use the model next: a person who waits comes before a class, a class before work done ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

from torch import nn


class Rank(IntEnum):
    """How urgent work with the model is; a lower number goes first."""

    QUICK = 0  # somebody waits for a first look
    FULL = 1  # somebody waits for all of it
    BULK = 2  # a class is scored
    TRAINING = 3  # a task is taught to a student
    BACKGROUND = 4  # a class is explained for a report
    IDLE = 5  # done ahead, in case somebody asks


class Turns:
    """Lets threads share one model, which remembers things during a forward pass: one pass at a time.

    Work announces itself with `at(rank)` for as long as it lasts; meanwhile work of lower rank stops
    before its next forward pass. Threads of the same rank alternate as they come.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._present = [0] * len(Rank)
        self._owner: int | None = None  # the thread whose turn it is
        self._depth = 0
        self._of_thread = threading.local()

    @contextmanager
    def at(self, rank: Rank) -> Iterator[None]:
        """Work at this rank, in this thread, until the block ends. Blocks may stand inside each other."""
        before = self.rank
        self._count(rank, 1)
        self._of_thread.rank = rank
        try:
            yield
        finally:
            self._of_thread.rank = before
            self._count(rank, -1)

    @contextmanager
    def alone(self, rank: Rank) -> Iterator[None]:
        """Work at this rank with the model to itself for the whole block: for what changes the model meanwhile."""
        with self.at(rank):
            self._take()
            try:
                yield
            finally:
                self._give_back()

    @property
    def rank(self) -> Rank:
        """At which rank this thread works; bulk, unless it said so."""
        return getattr(self._of_thread, "rank", Rank.BULK)

    def busy(self, rank: Rank) -> bool:
        """Whether more urgent work than this goes on."""
        with self._changed:
            return any(self._present[:rank])

    def share(self, model: nn.Module) -> None:
        """Make every forward pass of `model` wait for its turn."""
        model.register_forward_pre_hook(self._take)
        # Also after an error, or nobody would get a turn again.
        model.register_forward_hook(self._give_back, always_call=True)

    def _count(self, rank: Rank, change: int) -> None:
        with self._changed:
            self._present[rank] += change
            self._changed.notify_all()

    def _take(self, *_: Any) -> None:
        me, rank = threading.get_ident(), self.rank
        with self._changed:
            if self._owner != me:
                self._changed.wait_for(lambda: self._owner is None and not any(self._present[:rank]))
                self._owner = me
            self._depth += 1

    def _give_back(self, *_: Any) -> None:
        with self._changed:
            self._depth -= 1
            if self._depth == 0:
                self._owner = None
                self._changed.notify_all()
