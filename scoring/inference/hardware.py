"""Which device and number format to compute with."""

from __future__ import annotations

import torch

from scoring.errors import InvalidInput

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "fp32", "bf16")


def choose_device(device: str = "auto") -> torch.device:
    """`auto` takes CUDA where there is one. Raises `InvalidInput` for a device that isn't there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.split(":")[0] not in DEVICES:
        raise InvalidInput(f"device: {device!r} is not one of {list(DEVICES)}")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InvalidInput(f"device: {device!r} was asked for, but PyTorch sees no CUDA device; use 'auto' or 'cpu'")
    return torch.device(device)


def choose_precision(precision: str, device: torch.device) -> torch.dtype:
    """`auto` takes bf16 where the hardware computes in it, since emulated bf16 is slower than fp32."""
    if precision not in PRECISIONS:
        raise InvalidInput(f"precision: {precision!r} is not one of {list(PRECISIONS)}")
    if precision == "auto":
        return torch.bfloat16 if _has_bf16(device) else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    # PyTorch has no public question for this; a release that renames it gives the slower, exact answer.
    asks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, ask, bool)()) for ask in asks)
