"""`python -m scoring explain`: why one answer gets its scores. No web, no database."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from scoring.explain.explanation import Attribution, CriterionExplanation, Explanation
from scoring.settings import read_settings

SHOWN = 8
"""Words in each direction on the console."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--task", required=True, metavar="ID", help="task the answer belongs to")
    parser.add_argument("--text", required=True, help="the answer")
    parser.add_argument("--json", action="store_true", help="everything, as JSON on standard output")
    parser.add_argument("--student", type=Path, metavar="PATH", help="version folder; default EVENHAND_STUDENT")
    parser.add_argument("--encoder", help="minilm, a local folder or a hub name; default EVENHAND_ENCODER")
    parser.add_argument("--device", help="auto, cpu or cuda; default EVENHAND_DEVICE")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"), help="of the encoder")


def run(args: argparse.Namespace) -> int:
    """Explain the answer and print it."""
    from scoring.explain.explainer import explain
    from scoring.inference.engine import Engine

    settings = read_settings()
    engine = Engine.load(
        args.student or settings.student, encoder=args.encoder or settings.encoder,
        device=args.device or settings.device, precision=args.precision,
    )  # fmt: skip
    # A shell may hand over bytes that are no text; they come as lone surrogates, which JSON output can't hold.
    text = args.text.encode("utf-8", "replace").decode("utf-8")
    explanation = explain(engine, args.task, text)
    if args.json:
        print(json.dumps(report(explanation, text), ensure_ascii=False, indent=1))
    else:
        print(console_view(explanation, text))
    return 0


def report(explanation: Explanation, text: str) -> dict[str, Any]:
    """An explanation with its words written out; in each list `base_value` plus the words' values is `value`.

    `start` and `end` are character offsets into `text`, the end excluded.
    """
    return {
        "task": explanation.task_id,
        "student": explanation.version_id,
        "settings": explanation.settings_hash,
        "note": explanation.note,
        "truncated": explanation.truncated,
        "words_read": explanation.words_read,
        "criteria": [
            {
                "id": c.id,
                "level": c.level,
                "levels": list(c.levels),
                "probabilities": list(c.probabilities),
                **_attribution(c.attribution, explanation, text),
                "pairs": [
                    {"lower": p.lower, "upper": p.upper, **_attribution(p.attribution, explanation, text)}
                    for p in c.pairs
                ],
                "gradient": list(c.gradient),
                "agreement": c.agreement,
            }
            for c in explanation.criteria
        ],
        "gate_weights": [list(layer) for layer in explanation.gate_weights],
        "gate_entropy": list(explanation.gate_entropy),
    }


def console_view(explanation: Explanation, text: str) -> str:
    """An explanation to read: per criterion the level, how sure, and the words that passed their test."""
    lines = [explanation.note] if explanation.note else []
    for c in explanation.criteria:
        lines += ["", *_criterion_lines(c, explanation, text)]
    for number, layer in enumerate(explanation.gate_weights, 1):
        lines += [""] if number == 1 else []
        lines.append(f"gate of layer {number}: " + "  ".join(f"expert {e} {w:.0%}" for e, w in enumerate(layer, 1)))
    return "\n".join(lines).strip()


def _criterion_lines(c: CriterionExplanation, explanation: Explanation, text: str) -> list[str]:
    assert c.attribution is not None
    sure = ", ".join(f"{level}: {p:.0%}" for level, p in zip(c.levels, c.probabilities, strict=True))
    without = f"{c.attribution.base_value:.2f}"
    lines = [
        f"{c.id}: level {c.level} (expected {c.attribution.value:.2f}; without any word {without}). Levels {sure}."
    ]
    lines += _word_lines(c.attribution, explanation, text)
    for pair in c.pairs if len(c.levels) > 2 else ():  # with two levels the score is the pair
        lines.append(f"  {pair.upper} rather than {pair.lower}:")
        lines += ["  " + line for line in _word_lines(pair.attribution, explanation, text)]
    return lines


def _word_lines(attribution: Attribution, explanation: Explanation, text: str) -> list[str]:
    lines = []
    if attribution.trustworthy:
        words = sorted(zip(attribution.values, explanation.spans, strict=True))
        for title, chosen in (
            ("for", [w for w in reversed(words) if w[0] > 0]),
            ("against", [w for w in words if w[0] < 0]),
        ):
            told = ", ".join(f"{text[start:end]} {value:+.2f}" for value, (start, end) in chosen[:SHOWN])
            lines.append(f"  {title}: {told or 'nothing'}")
    return [*lines, f"  {attribution.sentence}"]


def _attribution(attribution: Attribution | None, explanation: Explanation, text: str) -> dict[str, Any]:
    assert attribution is not None
    return {
        "value": attribution.value,
        "base_value": attribution.base_value,
        "words": [
            {"text": text[start:end], "start": start, "end": end, "value": value}
            for (start, end), value in zip(explanation.spans, attribution.values, strict=True)
        ],
        "trustworthy": attribution.trustworthy,
        "sentence": attribution.sentence,
        "faithfulness": None if attribution.faithfulness is None else vars(attribution.faithfulness),
    }
