"""What a causal language model reads before it scores: question, rubric, answer, and then "Score:"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from scoring.domain import Criterion, Task
from scoring.errors import InvalidInput
from scoring.student.text import clean_text
from scoring.student.tokens import Tokens

QUESTION = "Question:\n{question}\n\n"
RUBRIC = "Rubric, {name}:\n{rubric}\n"
ANSWER = "\nAnswer:\n"
SCORE = "\n\nScore:"


@dataclass(frozen=True)
class Verbalizer:
    """How a criterion's levels are said: their words, and the one token by which each is told apart."""

    labels: tuple[str, ...]
    shared: tuple[int, ...]  # tokens that all labels begin with, which the prompt ends with
    tokens: tuple[int, ...]  # (L,) the next token of each


class Prompter:
    """Prompts of one tokenizer, at most `max_tokens` long."""

    def __init__(self, tokenizer: Any, max_tokens: int) -> None:
        self._tokenizer, self._max_tokens = tokenizer, max_tokens
        bos = tokenizer.bos_token_id
        # Some models start every text with a token; whether this one does, an empty text shows.
        self._start = [bos] if bos is not None and tokenizer("")["input_ids"][:1] == [bos] else []
        self._answer, self._score = self._encode(ANSWER), self._encode(SCORE)
        self._heads: dict[tuple[str, str], tuple[list[int], list[int]]] = {}

    def verbalizer(self, criterion: Criterion) -> Verbalizer:
        """The score points themselves; letters where the tokenizer doesn't tell the points apart by one token.

        Raises:
            InvalidInput: neither are told apart.
        """
        points = [str(value) for value in criterion.values]
        for labels in (points, list(ascii_uppercase[: len(points)])):
            found = self._told_apart(labels)
            if found and len(labels) == len(points):
                return found
        raise InvalidInput(
            f"criterion {criterion.id!r}: this model's tokenizer tells neither {points} nor letters apart by one "
            "token; use another model"
        )

    def __call__(self, task: Task, criterion: Criterion, text: str) -> Tokens:
        """One prompt as tokens.

        Where it would be too long, the answer keeps at least half the room; then the question's end is
        cut, and the rubric's end (where reference answers are) after it.
        """
        question, rubric = self._head(task, criterion)
        answer = self._encode(clean_text(text))
        tail = [*self._score, *self.verbalizer(criterion).shared]
        room = self._max_tokens - len(self._start) - len(self._answer) - len(tail)
        if room < 2:
            raise InvalidInput(f"max_tokens: {self._max_tokens} leaves no room for an answer")
        kept = answer[: max(room // 2, room - len(question) - len(rubric))]
        rubric = rubric[: room - len(kept)]
        question = question[: room - len(kept) - len(rubric)]
        ids = [*self._start, *question, *rubric, *self._answer, *kept, *tail]
        return Tokens(tuple(ids), truncated=len(kept) < len(answer))

    def _head(self, task: Task, criterion: Criterion) -> tuple[list[int], list[int]]:
        key = (task.id, criterion.id)
        if key not in self._heads:
            question = "\n\n".join(part for part in (task.stimulus, task.prompt) if part)
            labels = self.verbalizer(criterion).labels
            lines = [criterion.description] if criterion.description else []
            lines += [f"{label}: {level.descriptor}" for label, level in zip(labels, criterion.levels, strict=True)]
            if task.rubric_text and not all(level.descriptor for level in criterion.levels):
                lines.append(task.rubric_text)
            lines += [f"Reference answer: {reference}" for reference in task.reference_answers]
            rubric = RUBRIC.format(name=criterion.name, rubric="\n".join(lines))
            self._heads[key] = self._encode(QUESTION.format(question=question)), self._encode(rubric)
        return self._heads[key]

    def _told_apart(self, labels: Sequence[str]) -> Verbalizer | None:
        rows = [self._encode(f" {label}") for label in labels]
        shared = 0
        while all(len(row) > shared + 1 for row in rows) and len({row[shared] for row in rows}) == 1:
            shared += 1
        if not all(len(row) > shared for row in rows):
            return None
        tokens = tuple(row[shared] for row in rows)
        if len(set(tokens)) < len(tokens) or self._tokenizer.unk_token_id in tokens:
            return None
        return Verbalizer(tuple(labels), tuple(rows[0][:shared]), tokens)

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids
