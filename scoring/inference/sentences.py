"""Sentence embeddings of the base encoder, for checks that compare meanings rather than score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoTokenizer

from scoring.student.encoder import EncoderFiles, encoder_width, load_encoder
from scoring.student.pooling import masked_mean
from scoring.student.text import clean_text

_LONGEST = 256  # tokens; all-MiniLM-L6-v2 was trained on no more
_BATCH = 64


class SentenceEncoder:
    """The encoder as it came: the mean of its token states, at unit length (Reimers & Gurevych 2019)."""

    def __init__(self, files: EncoderFiles, device: str = "cpu") -> None:
        self.sha256 = files.sha256
        self._device = device
        self.encoder = load_encoder(files).to(device)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(files.folder, local_files_only=True)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N, D) embeddings of N texts, in their order; a blank text gives that of no words."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        found = np.zeros((len(texts), encoder_width(self.encoder)), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), _BATCH):
                part = order[start : start + _BATCH]
                batch = self._tokenizer(
                    [clean_text(texts[index]) for index in part],
                    padding=True, truncation=True, max_length=_LONGEST, return_tensors="pt",
                ).to(self._device)  # fmt: skip
                states = self.encoder(**batch).last_hidden_state  # (B, T, D)
                pooled = torch.nn.functional.normalize(masked_mean(states, batch["attention_mask"]), dim=-1)
                found[part] = pooled.float().cpu().numpy()
        return found
