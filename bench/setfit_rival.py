"""SetFit on one draw of labels: the package as it comes, run in an environment of its own.

    python bench/setfit_rival.py ASKED.json SAID.json

ASKED: `encoder` (a folder), `texts`, `levels`, `val` (texts), `seed`, `iterations`, `steps`, `batch`.
SAID: `levels` of the val texts by the package's own head, and how many `steps` of contrastive training
were made. The head weighs levels evenly, since otherwise it hardly gives the rare ones.

Nothing of the project is imported, since its packages are not there; see `setfit-requirements.txt`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from setfit import SetFitModel, Trainer, TrainingArguments
from sklearn.linear_model import LogisticRegression

MAX_TOKENS = 256


def main(asked_at: Path, said_at: Path) -> None:
    """Train, score, write."""
    asked = json.loads(asked_at.read_text(encoding="utf-8"))
    body = SentenceTransformer(asked["encoder"], device="cpu")
    body.max_seq_length = MAX_TOKENS
    model = SetFitModel(model_body=body, model_head=LogisticRegression(max_iter=2000, class_weight="balanced"))
    pairs = 2 * asked["iterations"] * len(asked["texts"])
    steps = min(asked["steps"], -(-pairs // asked["batch"]))
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, batch_size=asked["batch"], num_iterations=asked["iterations"], max_steps=steps,
            num_epochs=1, seed=asked["seed"], report_to="none", save_strategy="no", logging_strategy="no",
            show_progress_bar=False,
        )  # fmt: skip
        rows = Dataset.from_dict({"text": asked["texts"], "label": asked["levels"]})
        trainer = Trainer(model=model, args=arguments, train_dataset=rows)
        # bfloat16 where the student's own training uses it too: twice as many pairs in the same time.
        with torch.autocast("cpu", dtype=torch.bfloat16):
            trainer.train()
    said = {"levels": np.asarray(model.predict(asked["val"], as_numpy=True)).tolist(), "steps": steps}
    said_at.write_text(json.dumps(said), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
