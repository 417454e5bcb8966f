"""What the base encoder reads in a task's own texts: the start of its task embedding."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from scoring.domain import Task
from scoring.student.encoder import encoder_width
from scoring.student.pooling import masked_mean
from scoring.student.text import describe_task
from scoring.student.tokens import Tokenizer, pad


@torch.inference_mode()
def encode_task_views(encoder: nn.Module, tokenizer: Tokenizer, tasks: Iterable[Task]) -> Tensor:
    """Mean of the unit-length encodings of each task's texts, again at unit length.

    Returns:
        (tasks, D) in fp32; a task without any text gives zeros.
    """
    views = []
    width = encoder_width(encoder)
    device = next(encoder.parameters()).device
    for task in tasks:
        texts = describe_task(task)
        view = torch.zeros(width)
        # One text at a time: a long prompt beside short descriptors would be mostly padding.
        for tokens in tokenizer(texts):
            input_ids, mask = (tensor.to(device) for tensor in pad([tokens], tokenizer.pad_id))
            states = encoder(input_ids=input_ids, attention_mask=mask).last_hidden_state  # (1, T, D)
            view += nn.functional.normalize(masked_mean(states.float(), mask)[0], dim=0).cpu()
        views.append(nn.functional.normalize(view, dim=0) if texts else view)
    return torch.stack(views).clone()
