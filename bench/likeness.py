"""Train the linear model of `scoring.checks.likeness`: `python -m bench.likeness`.

Signs are the sentences of the half "tune" of tests/unit/checks/urgent_signs.json. No signs are its harmless sentences
of that half, the training fold of the sample classroom piece by piece, and the stock sentences of the perturbations.
Only material of this project goes in, so that the weights can be made anew from a fresh clone.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression

from scoring.checks.likeness import UrgentLikeness, pieces
from scoring.checks.phrases import OFF_TOPIC, OTHER_LANGUAGES
from scoring.checks.urgent import UrgentKind
from scoring.inference.sentences import SentenceEncoder
from scoring.itembank import read_item_bank
from scoring.settings import ROOT
from scoring.student.encoder import locate_encoder

SENTENCES = ROOT / "tests" / "unit" / "checks" / "urgent_signs.json"
FLAGGED = ROOT / "bench" / "flagged.json"
STRENGTH = 10.0  # inverse of the regularisation
THRESHOLD = 0.5


def train(threshold: float = THRESHOLD) -> UrgentLikeness:
    """Fit the weights; the same material gives the same weights."""
    files = locate_encoder()
    written = json.loads(SENTENCES.read_text(encoding="utf-8"))
    urgent = set(json.loads(FLAGGED.read_text(encoding="utf-8"))["sample classroom"]["urgent"])
    signs = [sign for sign in written["signs"] if sign["half"] == "tune"]
    answers = [
        response.text
        for response in read_item_bank(ROOT / "samples" / "classroom").responses
        if response.fold == "train" and f"{response.task_id}/{response.response_id}" not in urgent
    ]
    harmless = [sentence["text"] for sentence in written["harmless"] if sentence["half"] == "tune"]
    harmless += [piece for answer in answers for piece in pieces(answer)]
    harmless += [*OFF_TOPIC, *(phrase for phrases in OTHER_LANGUAGES.values() for phrase in phrases)]
    kinds = list(UrgentKind)
    labels = [1 + kinds.index(UrgentKind(sign["kind"])) for sign in signs] + [0] * len(harmless)
    embeddings = SentenceEncoder(files).embed([*(sign["text"] for sign in signs), *harmless])
    # Signs are few here and far fewer in a class; each counts as much as it would among as many of both.
    weight = np.where(np.array(labels) > 0, len(harmless) / len(signs), 1.0)
    fitted = LogisticRegression(C=STRENGTH, max_iter=5_000).fit(embeddings, labels, sample_weight=weight)
    return UrgentLikeness(files.sha256, threshold, fitted.coef_, fitted.intercept_)


if __name__ == "__main__":
    train().save()
    sys.exit(0)
