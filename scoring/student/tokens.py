"""Texts to token ids, the same way in training and scoring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scoring.errors import ModelUnavailable
from scoring.student.encoder import EncoderFiles
from scoring.student.text import clean_text

LENGTH_STEP = 8
"""Batches are padded to multiples of this: kernels are compiled per shape, and fewer shapes cost less."""


@dataclass(frozen=True)
class Tokens:
    """Token ids of one response, special tokens included; `truncated` when its end was cut off."""

    ids: tuple[int, ...]
    truncated: bool

    def __len__(self) -> int:
        return len(self.ids)


class Tokenizer:
    """An encoder's fast tokenizer with the student's own limit on length."""

    def __init__(self, files: EncoderFiles, max_tokens: int) -> None:
        from transformers import AutoTokenizer

        try:
            self._fast: Any = AutoTokenizer.from_pretrained(files.folder, local_files_only=True, use_fast=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"encoder {files.name!r}: its tokenizer can't be loaded ({error})") from error
        self.max_tokens = max_tokens
        self.pad_id: int = self._fast.pad_token_id or 0
        self.mask_id: int = self.pad_id if self._fast.mask_token_id is None else self._fast.mask_token_id

    def __call__(self, texts: Sequence[str]) -> list[Tokens]:
        """Clean and tokenize texts. An empty text gives the special tokens alone."""
        if not texts:
            return []
        cleaned = [clean_text(text) for text in texts]
        rows = self._fast(cleaned, truncation=False, padding=False, verbose=False)["input_ids"]
        return [self._cut(row) for row in rows]

    def with_offsets(self, text: str) -> tuple[Tokens, list[tuple[int, int]]]:
        """One text's tokens, and where each stands in the cleaned text; (0, 0) for special tokens."""
        encoded = self._fast(clean_text(text), truncation=False, return_offsets_mapping=True, verbose=False)
        offsets = [(int(start), int(end)) for start, end in encoded["offset_mapping"]]
        tokens = self._cut(encoded["input_ids"])
        return tokens, [*offsets[: len(tokens) - 1], offsets[-1]]

    def _cut(self, row: list[int]) -> Tokens:
        if len(row) <= self.max_tokens:
            return Tokens(tuple(row), truncated=False)
        # The closing special token stays, as the encoder saw it at the end of every text.
        return Tokens((*row[: self.max_tokens - 1], row[-1]), truncated=True)


def padded_length(length: int) -> int:
    """The next multiple of `LENGTH_STEP`.

    >>> padded_length(8), padded_length(9)
    (8, 16)
    """
    return -(-length // LENGTH_STEP) * LENGTH_STEP


def pad(rows: Sequence[Tokens], pad_id: int) -> tuple[Tensor, Tensor]:
    """Stack rows of different lengths.

    Returns:
        `input_ids` and `attention_mask`, both (B, T) int64, T the longest row rounded up to a multiple of 8.
    """
    length = padded_length(max(len(row) for row in rows))
    input_ids = torch.full((len(rows), length), pad_id, dtype=torch.long)  # (B, T)
    attention_mask = torch.zeros((len(rows), length), dtype=torch.long)  # (B, T)
    for index, row in enumerate(rows):
        input_ids[index, : len(row)] = torch.tensor(row.ids, dtype=torch.long)
        attention_mask[index, : len(row)] = 1
    return input_ids, attention_mask
