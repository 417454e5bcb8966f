"""The version folder on disk: `student.safetensors`, `config.json`, and documents beside them.

A folder is written beside its final place and renamed, so that it is there whole or not at all.
It never holds the base encoder, only that encoder's name and hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as dump_tensors
from torch import Tensor

from scoring.domain import content_hash
from scoring.errors import InvalidInput, ModelUnavailable
from scoring.student.calibration import Calibration
from scoring.student.config import StudentConfig
from scoring.student.encoder import EncoderFiles, load_encoder
from scoring.student.lora import AdaptedLinear
from scoring.student.model import Student
from scoring.student.wording import spelling_of

FORMAT = 1
WEIGHTS = "student.safetensors"
CONFIG = "config.json"
STORAGE = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Manifest:
    """What `config.json` says: the architecture, and the hash that the weights must have."""

    version_id: str  # first 12 hex digits of the content's hash
    weights_sha256: str
    config: StudentConfig
    calibration: Calibration


def save(
    student: Student, folder: Path, *, storage: str = "fp32", calibration: Calibration | None = None,
    documents: Mapping[str, str] | None = None, replace: bool = False,
) -> str:  # fmt: skip
    """Write a version folder and return its version id.

    Args:
        student: with its adapters unmerged.
        folder: where the version is to be; its parent is made when missing.
        storage: "fp32", or "bf16" for half the size with weights rounded to 8 bits of mantissa.
        calibration: how its logits are read; without one they are read as they are.
        documents: further text files, name -> content (model card, training log).
        replace: put it in the place of an older student in the same folder.

    Raises:
        InvalidInput: the folder exists and may not be replaced, or the student's adapters are merged.
    """
    if storage not in STORAGE:
        raise InvalidInput(f"storage: {storage!r} is not one of {sorted(STORAGE)}")
    if student.config.lora_rank and not any(isinstance(m, AdaptedLinear) for m in student.encoder.modules()):
        raise InvalidInput("a student whose adapters were merged can't be saved; save it before merging")
    check_target(folder, replace=replace)
    weights = dump_tensors(
        {
            name: (tensor.to(STORAGE[storage]) if tensor.is_floating_point() else tensor).contiguous().cpu()
            for name, tensor in student.own_state().items()
        }
    )
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "student": student.config.to_json(),
    }
    if calibration is not None:
        manifest["calibration"] = calibration.to_json()
    manifest["version_id"] = content_hash(manifest)[:12]
    files = {WEIGHTS: weights, CONFIG: (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()}
    files |= {name: text.encode() for name, text in (documents or {}).items()}
    partial = staging_folder(folder)
    try:
        for name, content in files.items():
            _write(partial / name, content)
        publish(partial, folder, replace=replace)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return str(manifest["version_id"])


def staging_folder(folder: Path) -> Path:
    """An empty hidden folder beside `folder`, on the same file system, so that a rename can publish it."""
    staging = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    return staging


def add_document(folder: Path, name: str, text: str) -> None:
    """Write one text file into a version folder that isn't published yet."""
    _write(folder / name, text.encode())


def publish(partial: Path, folder: Path, *, replace: bool = False) -> None:
    """Rename a finished folder into place; an older student there is moved away first, then removed."""
    check_target(folder, replace=replace)
    _sync(partial)
    older = folder.with_name(f".{folder.name}.old-{os.getpid()}")
    if folder.exists():
        os.rename(folder, older)
    try:
        os.rename(partial, folder)
    except OSError:
        if older.exists():
            os.rename(older, folder)
        raise
    _sync(folder.parent)
    shutil.rmtree(older, ignore_errors=True)


def check_target(folder: Path, *, replace: bool) -> None:
    """Refuse to overwrite anything but an older student, and that only when `replace` is set."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not replace:
        raise InvalidInput(f"{folder}: exists already; a student version is never overwritten, name a new folder")
    if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
        raise InvalidInput(f"{folder}: exists and does not hold a student; name another folder")


def read_manifest(folder: Path) -> Manifest:
    """Read `config.json` without touching the weights.

    Raises:
        ModelUnavailable: the folder or file is missing, or isn't a student's.
    """
    path = folder / CONFIG
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] != FORMAT:
            raise ModelUnavailable(f"{path}: format {values['format']!r} is not {FORMAT}; train the student again")
        return Manifest(
            version_id=str(values["version_id"]),
            weights_sha256=str(values["weights_sha256"]),
            config=StudentConfig.from_json(values["student"]),
            calibration=Calibration.from_json(values["calibration"]) if "calibration" in values else Calibration(),
        )
    except OSError:
        raise ModelUnavailable(
            f"{path}: not found; a student folder has {WEIGHTS} and {CONFIG}. Train one with `python -m scoring train`"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, InvalidInput) as error:
        raise ModelUnavailable(f"{path}: not a student's configuration ({error}); restore the folder") from error


def load(folder: Path, encoder: EncoderFiles) -> tuple[Student, Manifest]:
    """Build a student from a version folder, in fp32 and evaluation mode.

    Raises:
        ModelUnavailable: a file is missing or damaged, or the student was trained on another encoder.
    """
    manifest = read_manifest(folder)
    config = manifest.config
    if encoder.sha256 != config.encoder_sha256:
        raise ModelUnavailable(
            f"{folder}: this student was trained on encoder {config.encoder!r} (SHA-256 {config.encoder_sha256}), "
            f"not on {encoder.name!r} ({encoder.sha256}); set EVENHAND_ENCODER to the encoder it was trained on"
        )
    state = _read_weights(folder / WEIGHTS, manifest.weights_sha256)
    student = Student(config, load_encoder(encoder), spelling_of(encoder) if config.reads_wording else None)
    expected = student.own_state()
    # Example heads of before there was a choice; wording heads were never without it.
    old = {name for name in expected if name.startswith("heads.") and name.endswith(".power")} - set(state)
    state |= {name: torch.ones(1) for name in old}
    wrong = sorted(set(expected) ^ set(state)) or sorted(n for n in state if state[n].shape != expected[n].shape)
    if wrong:
        raise ModelUnavailable(f"{folder / WEIGHTS}: tensor {wrong[0]!r} does not fit {CONFIG}; restore the folder")
    student.load_state_dict({name: tensor.float() for name, tensor in state.items()}, strict=False)
    return student.eval(), manifest


def _read_weights(path: Path, sha256: str) -> dict[str, Tensor]:
    try:
        content = path.read_bytes()
    except OSError:
        raise ModelUnavailable(f"{path}: not found; restore the student's folder") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelUnavailable(
            f"{path}: damaged or exchanged: its SHA-256 is {found}, {CONFIG} says {sha256}; restore the folder"
        )
    try:
        return load_tensors(content)
    except SafetensorError as error:
        raise ModelUnavailable(f"{path}: not a safetensors file ({error}); restore the folder") from error


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    """Make a folder's entries durable; Windows has no handle for this and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
