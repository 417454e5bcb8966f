"""Training the upper layers of an encoder alone: what the lower ones compute is kept, and played back.

A delta in the upper layers needs neither the lower ones' passes forward nor their gradients, which
halves the time of a step or better. The lower layers' deltas stay zero, so the student that is saved
computes the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from scoring.student.model import Student
from scoring.student.tokens import Tokens, pad


class Playback(nn.Module):
    """Stands in for an encoder's embeddings: gives the kept states of the batch in hand."""

    def __init__(self) -> None:
        super().__init__()
        self.states: Tensor | None = None

    def forward(self, *_: Any, **__: Any) -> Tensor:
        """(B, T, D)."""
        assert self.states is not None
        return self.states


class LowerStates:
    """What the layers below the trained ones make of every answer.

    An encoder without the usual parts (`embeddings`, and `encoder.layer`) is computed whole each time.
    """

    def __init__(self, student: Student, trained: int) -> None:
        self._student = student
        self._encoder: Any = student.encoder
        layers = getattr(getattr(self._encoder, "encoder", None), "layer", None)
        embeddings = getattr(self._encoder, "embeddings", None)
        self._layers = layers if isinstance(layers, nn.ModuleList) and embeddings is not None else None
        self._whole = self._layers is None or trained >= len(self._layers)
        self._trained = trained
        self._kept: dict[int, Tensor] = {}

    @property
    def plays_back(self) -> bool:
        """Whether lower layers are left out."""
        return not self._whole

    @contextmanager
    def recording(self, positions: Sequence[int], mask: Tensor) -> Iterator[None]:
        """Keep the states of the batch that is computed inside the block."""
        if self._whole:
            yield
            return
        assert self._layers is not None
        lengths = mask.sum(1).tolist()

        def keep(_module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
            states = arguments[0] if arguments else keywords["hidden_states"]
            for row, (position, length) in enumerate(zip(positions, lengths, strict=True)):
                self._kept[position] = states[row, :length].detach().to("cpu", torch.bfloat16, copy=True)

        hook = self._layers[len(self._layers) - self._trained].register_forward_pre_hook(keep, with_kwargs=True)
        try:
            yield
        finally:
            hook.remove()

    def part(self, positions: Sequence[int]) -> LowerStates:
        """The same states for some of the answers, numbered anew."""
        chosen = LowerStates(self._student, self._trained)
        chosen._kept = {new: self._kept[old] for new, old in enumerate(positions)} if self._kept else {}
        return chosen

    @contextmanager
    def playing(self) -> Iterator[Playback | None]:
        """Within the block the student computes its upper layers only, on what `show` gave."""
        if self._whole:
            yield None
            return
        whole, embeddings = self._encoder.encoder.layer, self._encoder.embeddings
        player = Playback()
        self._encoder.encoder.layer = nn.ModuleList(list(whole)[-self._trained :])
        self._encoder.embeddings = player
        try:
            yield player
        finally:
            self._encoder.encoder.layer, self._encoder.embeddings = whole, embeddings

    def batch(
        self, player: Playback | None, positions: Sequence[int], tokens: Sequence[Tokens], pad_id: int,
        device: torch.device,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """The padded ids and mask of a batch; its kept states are laid before the player."""
        ids, mask = pad([tokens[at] for at in positions], pad_id)
        if player is not None:
            width = self._student.config.width
            states = torch.zeros(len(positions), ids.shape[1], width)
            for row, position in enumerate(positions):
                kept = self._kept[position]
                states[row, : len(kept)] = kept.float()
            player.states = states.to(device)
        return ids.to(device), mask.to(device)
