"""The state of an unfinished training on disk, so that a killed run goes on where it stopped.

Tensors are safetensors and the rest is JSON; nothing is pickled. A state is written beside its
place and renamed, and says which run it belongs to.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from scoring.errors import InvalidInput

FILE = "state.safetensors"


class Checkpoints:
    """One run's state in one folder.

    Args:
        folder: made when missing; removed by `clear`.
        identity: a hash of everything that decides the run's result; a state of another run is not taken up.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder = folder
        self._identity = identity

    def save(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Put a state in the place of the one before.

        Raises:
            InvalidInput: the folder can't be written.
        """
        partial = self._folder / f".{FILE}.{os.getpid()}"
        about = json.dumps({"identity": self._identity, "values": values})
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial, {"run": about})
            with partial.open("rb") as written:
                os.fsync(written.fileno())
            os.replace(partial, self._folder / FILE)
        except OSError as error:
            raise InvalidInput(f"{self._folder}: can't be written ({error.strerror})") from None
        finally:
            partial.unlink(missing_ok=True)

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The state that this very run left, or None."""
        try:
            with safe_open(self._folder / FILE, framework="pt") as state:
                about = json.loads(state.metadata()["run"])
                if about["identity"] != self._identity:
                    return None
                return {name: state.get_tensor(name) for name in state.keys()}, about["values"]  # noqa: SIM118
        except (OSError, SafetensorError, KeyError, ValueError, TypeError):
            return None

    def clear(self) -> None:
        """Remove the state of a run that is finished."""
        shutil.rmtree(self._folder, ignore_errors=True)


def pack_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimizer's tensors, named `position.name`; its groups follow from the configuration."""
    return {
        f"optimizer.{position}.{name}": value
        for position, entry in optimizer.state_dict()["state"].items()
        for name, value in entry.items()
    }


def unpack_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give an optimizer its tensors back."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, position, name = key.split(".", 2)
            state.setdefault(int(position), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
