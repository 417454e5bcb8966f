"""Other ways to attribute a score to words, to hold the product's own against.

Each takes an engine, a task, an answer and the game over its words, and gives (n, outputs) values for
the game's outputs, which are the expected scores of the task's criteria.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from captum.attr import LayerIntegratedGradients
from torch import Tensor

from scoring.explain.game import Floats, WordGame
from scoring.explain.gradients import TokenWords, gradient_times_input, gradient_times_state, token_words
from scoring.explain.shapley import owen_values
from scoring.inference.engine import Engine

INTEGRATION_STEPS = 16

Method = Callable[[Engine, str, WordGame, int], Floats]
"""Called with engine, task, game and the budget of evaluations that shap has."""


def shap_partition(engine: Engine, task_id: str, game: WordGame, evaluations: int) -> Floats:
    """What the product shows."""
    return owen_values(game, evaluations)


def gradient_at_states(engine: Engine, task_id: str, game: WordGame, evaluations: int) -> Floats:
    """The product's first look."""
    return _columns(gradient_times_state(engine, task_id, token_words(engine, game.text, game.spans)), game)


def gradient_at_input(engine: Engine, task_id: str, game: WordGame, evaluations: int) -> Floats:
    """Gradient x input at the token embeddings."""
    return _columns(gradient_times_input(engine, task_id, token_words(engine, game.text, game.spans)), game)


def integrated_gradients(engine: Engine, task_id: str, game: WordGame, evaluations: int) -> Floats:
    """Integrated gradients (Sundararajan et al. 2017) from mask tokens to the answer, by captum."""
    tokens = token_words(engine, game.text, game.spans)
    ids, mask = tokens.input_ids.to(engine.device), tokens.attention_mask.to(engine.device)
    is_word = torch.tensor([word is not None for word in tokens.word], device=engine.device)
    blank = torch.where(is_word, engine.tokenizer.mask_id, ids)
    encoder: Any = engine.student.encoder
    embedding = encoder.get_input_embeddings()
    found = {}
    for output in game.outputs:

        def expected(input_ids: Tensor, criterion_id: str = output.criterion_id) -> Tensor:
            rows = len(input_ids)
            index = torch.full((rows,), engine.task_index(task_id), device=engine.device)
            logits = engine.student(input_ids, mask.expand(rows, -1), index).logits[task_id, criterion_id]
            levels = torch.tensor(engine.tasks[task_id][criterion_id], dtype=torch.double, device=engine.device)
            points: Tensor = (logits.double() / engine.temperature(task_id, criterion_id)).softmax(-1) @ levels
            return points

        by_captum = LayerIntegratedGradients(expected, embedding)
        per_token = by_captum.attribute(ids, blank, n_steps=INTEGRATION_STEPS)  # (1, T, D)
        found[output.criterion_id] = tokens.sum_words(per_token.detach().double().sum(-1)[0].cpu().numpy())
    return _columns(found, game)


def attention(engine: Engine, task_id: str, game: WordGame, evaluations: int) -> Floats:
    """How much attention a word's tokens get in the encoder's last layer, mean over heads and askers."""
    tokens = token_words(engine, game.text, game.spans)
    received = _last_attention(engine, task_id, tokens).mean((0, 1))  # (T,)
    values = tokens.sum_words(received.double().cpu().numpy())
    return np.repeat(values[:, None], len(game.outputs), axis=1)


def leave_one_out(engine: Engine, task_id: str, game: WordGame, evaluations: int) -> Floats:
    """What the score loses when one word is left out."""
    words = len(game.spans)
    scored = game(np.concatenate([np.ones((1, words), dtype=bool), ~np.eye(words, dtype=bool)]))
    lost: Floats = scored[0] - scored[1:]
    return lost


def random_values(engine: Engine, task_id: str, game: WordGame, evaluations: int) -> Floats:
    """Chance; the same for the same answer."""
    generator = np.random.default_rng(len(game.text))
    return generator.standard_normal((len(game.spans), len(game.outputs)))


METHODS: dict[str, Method] = {
    "shap (shown)": shap_partition,
    "gradient x state (first look)": gradient_at_states,
    "gradient x input": gradient_at_input,
    "integrated gradients": integrated_gradients,
    "attention": attention,
    "leave one out": leave_one_out,
    "random": random_values,
}


def _columns(by_criterion: dict[str, Floats], game: WordGame) -> Floats:
    return np.stack([by_criterion[output.criterion_id] for output in game.outputs], axis=1)


@torch.no_grad()
def _last_attention(engine: Engine, task_id: str, tokens: TokenWords) -> Tensor:
    """(heads, T, T) of the last layer; the fused kernels don't keep it, so the plain ones run this once."""
    encoder: Any = engine.student.encoder
    fused = encoder.config._attn_implementation
    kept: list[Tensor] = []
    handle = encoder.register_forward_hook(lambda _module, _arguments, output: kept.append(output.attentions[-1][0]))
    encoder.set_attn_implementation("eager")
    encoder.config.output_attentions = True
    try:
        index = torch.tensor([engine.task_index(task_id)], device=engine.device)
        engine.student(tokens.input_ids.to(engine.device), tokens.attention_mask.to(engine.device), index)
    finally:
        handle.remove()
        encoder.config.output_attentions = False
        encoder.set_attn_implementation(fused)
    return kept[0]
