"""Where a running adaptation keeps its finished parts' tensors, so that a kill costs one part."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as dump_tensors
from torch import Tensor


class PartStore:
    """Tensors by the key of the part that made them, as safetensors files in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def save(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        """Written whole or not at all."""
        path = self._path(key)
        partial = path.with_suffix(f".partial-{os.getpid()}")
        partial.write_bytes(dump_tensors({name: tensor.contiguous() for name, tensor in tensors.items()}))
        os.replace(partial, path)

    def load(self, key: str) -> dict[str, Tensor] | None:
        """None where the part isn't there or can't be read; it is then made again."""
        try:
            return {
                name: tensor.to(torch.float32) for name, tensor in load_tensors(self._path(key).read_bytes()).items()
            }
        except (OSError, SafetensorError):
            return None

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"
