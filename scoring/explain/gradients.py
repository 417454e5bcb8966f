"""Attributions along the gradient: one pass forward and a short one back, for the first look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scoring.explain.game import Floats
from scoring.explain.words import Span, cleaned_spans
from scoring.inference.engine import Engine
from scoring.student.pooling import masked_mean
from scoring.student.tokens import pad


@dataclass(frozen=True)
class TokenWords:
    """A text's tokens as the student reads it, and which word each is part of."""

    input_ids: Tensor  # (1, T)
    attention_mask: Tensor  # (1, T)
    word: tuple[int | None, ...]  # per token; None for special tokens and padding
    words: int  # in the text
    words_read: int  # words from here on are wholly beyond the student's limit
    truncated: bool

    def sum_words(self, per_token: Floats) -> Floats:
        """(T,) -> (words,): the sum over each word's tokens, 0 for a word without."""
        totals = np.zeros(self.words)
        for value, word in zip(per_token, self.word, strict=True):
            if word is not None:
                totals[word] += value
        return totals


def token_words(engine: Engine, text: str, spans: Sequence[Span]) -> TokenWords:
    """Tokenize a text and find the word of each token."""
    tokens, offsets = engine.tokenizer.with_offsets(text)
    input_ids, mask = pad([tokens], engine.tokenizer.pad_id)
    ends = [end for _, end in cleaned_spans(text, spans)]
    word: list[int | None] = []
    for start, end in offsets:
        # The first word that reaches beyond the token's start: some tokenizers count the space before a word.
        index = int(np.searchsorted(ends, start, side="right"))
        word.append(index if end > start and index < len(ends) else None)
    word += [None] * (input_ids.shape[1] - len(word))
    read = max((index for index in word if index is not None), default=-1) + 1
    return TokenWords(
        input_ids, mask, tuple(word), len(spans), read if tokens.truncated else len(spans), tokens.truncated
    )


def gradient_times_state(engine: Engine, task_id: str, tokens: TokenWords) -> dict[str, Floats]:
    """How each word's token states, by which they differ from the answer's mean, move each expected score.

    The gradient is taken at the encoder's output. At its input the layer normalisation that follows
    the embeddings makes the gradient all but orthogonal to them, and the products are noise: they
    agree with what deleting words does no better than chance (`python -m bench explain`).

    Returns:
        Criterion id -> (words,) points. Unlike Owen values they don't sum to the score.
    """
    states: list[Tensor] = []

    def keep(_module: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        states.append(arguments[0].detach().requires_grad_())
        return states[0], *arguments[1:]

    handle = engine.student.pooling.register_forward_pre_hook(keep)
    try:
        gradients = _gradients(engine, task_id, tokens, states)
    finally:
        handle.remove()
    mask = tokens.attention_mask.to(engine.device)
    inner = states[0].detach() - masked_mean(states[0].detach(), mask)[:, None]  # (1, T, D)
    return {c: tokens.sum_words(_along(gradient, inner)) for c, gradient in gradients.items()}


def gradient_times_input(engine: Engine, task_id: str, tokens: TokenWords) -> dict[str, Floats]:
    """The same at the token embeddings, without a baseline: the textbook's gradient x input, to compare with."""
    with embeddings_as_input(engine.student.encoder) as embedded:
        gradients = _gradients(engine, task_id, tokens, embedded)
    return {c: tokens.sum_words(_along(gradient, embedded[0].detach())) for c, gradient in gradients.items()}


@contextmanager
def embeddings_as_input(encoder: nn.Module) -> Iterator[list[Tensor]]:
    """Within the block the encoder's token embeddings are leaves of the graph, and are kept in the list."""
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _arguments: Any, embedded: Tensor) -> Tensor:
        kept.append(embedded.detach().requires_grad_())
        return kept[-1]

    layer: nn.Module = encoder.get_input_embeddings()  # type: ignore[operator]
    handle = layer.register_forward_hook(keep)
    try:
        yield kept
    finally:
        handle.remove()


def _gradients(engine: Engine, task_id: str, tokens: TokenWords, leaves: list[Tensor]) -> dict[str, Tensor]:
    """Gradient of each criterion's expected score at the one leaf that the forward pass leaves behind."""
    index = torch.tensor([engine.task_index(task_id)], device=engine.device)
    ids, mask = tokens.input_ids.to(engine.device), tokens.attention_mask.to(engine.device)
    gradients = {}
    with torch.enable_grad():
        output = engine.student(ids, mask, index)
        for criterion_id, levels in engine.tasks[task_id].items():
            points = torch.tensor(levels, dtype=torch.double, device=engine.device)
            logits = output.logits[task_id, criterion_id][0].double() / engine.temperature(task_id, criterion_id)
            expected = (logits.softmax(-1) * points).sum()
            (gradients[criterion_id],) = torch.autograd.grad(expected, leaves, retain_graph=True)
    return gradients


def _along(gradient: Tensor, direction: Tensor) -> Floats:
    """(1, T, D) twice -> (T,)."""
    per_token: Floats = (gradient.double() * direction.double()).sum(-1)[0].cpu().numpy()
    return per_token
