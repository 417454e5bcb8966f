"""Labelled answers that say the same: copies count once, contradictions not at all, near ones are pointed out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

from scoring.checks.alike import alike_groups
from scoring.intake.checking import Severity
from scoring.intake.labelled_results import CheckedExample, KnownExample
from scoring.intake.levels import contradict, plain


class Tell(Protocol):
    """How a problem of a row is put down."""

    def __call__(self, example: CheckedExample, message: str, severity: Severity) -> None:
        """Say it about the row that the example came from."""


def without_copies(
    examples: Sequence[CheckedExample], known: Sequence[KnownExample], tell: Tell
) -> list[CheckedExample]:
    """Keep one of answers with the very same words; where levels disagree about it, none."""
    groups: dict[str, list[CheckedExample]] = defaultdict(list)
    for example in examples:
        groups[plain(example.text)].append(example)
    had = {plain(example.text): example for example in known if example.levels}
    kept: list[CheckedExample] = []
    for text, copies in groups.items():
        labelled = [example for example in copies if example.levels]
        first = labelled[0] if labelled else copies[0]
        clash = next((other for other in labelled if contradict(first.levels, other.levels)), None)
        if clash is not None:
            for example in labelled:
                other = clash if example is first else first
                tell(
                    example,
                    f"the same words as row {other.row} with another level ({_told(example.levels)} here, "
                    f"{_told(other.levels)} there); decide on one level for both",
                    "error",
                )
            continue
        before = had.get(text)
        if before is not None and before.response_key != first.response_key:
            if contradict(first.levels, before.levels):
                tell(
                    first,
                    f"the task has these very words with another level ({_told(before.levels)}); "
                    "remove that one, or correct this one",
                    "error",
                )
            else:
                tell(first, "the task has this answer already", "note")
            continue
        for example in copies:
            if example is not first:
                tell(example, f"the same words as row {first.row}; one counts", "note")
        kept.append(first)
    return sorted(kept, key=lambda example: example.row)


def point_out_near(examples: Sequence[CheckedExample], known: Sequence[KnownExample], tell: Tell) -> int:
    """Point out answers that say nearly the same but have other levels; how many say the same as one before them."""
    ours = [example for example in examples if example.levels]
    mine = {example.response_key for example in ours}
    both: list[CheckedExample | KnownExample] = [
        *ours, *(example for example in known if example.levels and example.response_key not in mine)
    ]  # fmt: skip
    firsts: dict[str, CheckedExample | KnownExample] = {}
    near = 0
    for example, group in zip(both, alike_groups([one.text for one in both]), strict=True):
        first = example if group is None else firsts.setdefault(group, example)
        if first is example:
            continue
        near += 1
        if not contradict(first.levels, example.levels):
            continue
        told = "says nearly the same as {} and has another level; look at both again"
        if isinstance(example, CheckedExample) and isinstance(first, CheckedExample):
            tell(example, told.format(f"row {first.row}"), "warning")
        elif isinstance(first, CheckedExample):
            tell(first, told.format("an answer that the task has"), "warning")
    return near


def _told(levels: Mapping[str, int]) -> str:
    return ", ".join(map(str, levels.values()))
