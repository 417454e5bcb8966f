"""A causal language model as a reader of prompts: loading, adapting, and the logits of the levels' tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from scoring.errors import InvalidInput, ModelUnavailable
from scoring.inference.hardware import choose_precision
from scoring.student.encoder import EncoderFiles
from scoring.student.lora import add_adapters
from scoring.student.tokens import Tokens, pad
from scoring.training.teachers.prompts import Prompter


class Reader:
    """A frozen causal language model with adapters; gives the logits of the levels' tokens."""

    def __init__(
        self, files: EncoderFiles, device: torch.device, *, modules: Sequence[str], rank: int, alpha: float,
        max_tokens: int, checkpointing: bool = False,
    ) -> None:  # fmt: skip
        self.device = device
        self._dtype = choose_precision("auto", device)
        self.model, tokenizer = _load(files, self._dtype)
        self.base_parameters: int = sum(weight.numel() for weight in self.model.parameters())
        positions = getattr(self.model.config, "max_position_embeddings", None) or max_tokens
        self.prompter = Prompter(tokenizer, min(max_tokens, positions))
        pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        self._pad_id = pad_id or 0  # padding comes after the prompt, which never looks ahead
        add_adapters(self.model, modules or linear_layers(self.model), rank, alpha)
        self.model.to(device).eval()
        if checkpointing:
            self.model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})

    def __call__(self, prompts: Sequence[Tokens], level_tokens: Sequence[Sequence[int]]) -> Tensor:
        """(B, L) logits in fp32; -inf beyond a criterion's own levels where others have more."""
        ids, mask = (part.to(self.device) for part in pad(prompts, self._pad_id))  # (B, T)
        with torch.autocast(self.device.type, dtype=self._dtype, enabled=self._dtype is torch.bfloat16):
            states = self.model.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        last = states[torch.arange(len(prompts), device=self.device), mask.sum(1) - 1].float()  # (B, D)
        most = max(len(tokens) for tokens in level_tokens)
        wanted = torch.tensor([[*tokens, *[-1] * (most - len(tokens))] for tokens in level_tokens], device=self.device)
        head = self.model.get_output_embeddings()
        logits = torch.einsum("bld,bd->bl", head.weight[wanted.clamp(min=0)].float(), last)  # (B, L)
        if head.bias is not None:
            logits = logits + head.bias[wanted.clamp(min=0)].float()
        return logits.masked_fill(wanted < 0, float("-inf"))

    def adapters(self) -> dict[str, Tensor]:
        """A copy of the adapters' weights, on the CPU."""
        return {name: weight.detach().cpu().clone() for name, weight in self._trainable().items()}

    def load_adapters(self, adapters: Mapping[str, Tensor]) -> None:
        """Put a copy back."""
        with torch.no_grad():
            for name, weight in self._trainable().items():
                weight.copy_(adapters[name])

    def _trainable(self) -> dict[str, nn.Parameter]:
        return {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}


def locate_causal(spec: str) -> EncoderFiles:
    """Find a causal language model, whole or in shards, and hash its weights.

    Args:
        spec: a local folder, or a hub name, which may reach the network.

    Raises:
        ModelUnavailable: nothing is there, or the weights aren't safetensors.
    """
    folder = Path(spec).expanduser()
    if not folder.is_dir():
        if folder.is_absolute() or spec.startswith((".", "~")) or spec.count("/") != 1:
            raise ModelUnavailable(f"model {spec!r}: no such folder; name one, or a hub name like 'owner/model'")
        folder = _from_hub(spec)
    shards = sorted(folder.glob("*.safetensors"))
    if not shards or not (folder / "config.json").is_file():
        raise ModelUnavailable(f"model {spec!r}: {folder} needs config.json, a tokenizer and *.safetensors")
    digests = []
    for shard in shards:
        with shard.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    whole = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    return EncoderFiles(folder.resolve().name, folder, whole)


def linear_layers(model: Any) -> list[str]:
    """Last names of a model's linear layers, without its output layer.

    Raises:
        InvalidInput: it has none, as GPT-2, whose layers are transposed (`Conv1D`).
    """
    output = model.get_output_embeddings()
    names = {name for name, part in model.named_modules() if isinstance(part, nn.Linear) and part is not output}
    if not names:
        raise InvalidInput(
            f"model of type {model.config.model_type!r} has no nn.Linear layer to adapt (GPT-2's Conv1D layers are "
            "not supported); use a Llama-, Qwen- or GPT-NeoX-like model"
        )
    return sorted({name.rsplit(".", 1)[-1] for name in names})


def _load(files: EncoderFiles, dtype: torch.dtype) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        model = AutoModelForCausalLM.from_pretrained(
            files.folder, dtype=dtype, local_files_only=True, use_safetensors=True
        )
        return model, AutoTokenizer.from_pretrained(files.folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
        raise ModelUnavailable(f"model {files.name!r}: {files.folder} can't be loaded ({error})") from error


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"]))
    except Exception as error:  # the client raises its own, httpx's and OS errors
        raise ModelUnavailable(
            f"model {name!r}: is not a local folder and could not be fetched from the hub ({type(error).__name__})"
        ) from error
