"""`python -m scoring score`: a file of answers to one task in, a file of scores out. No web, no database."""

from __future__ import annotations

import argparse
import csv
import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scoring.errors import InvalidFile, InvalidInput
from scoring.settings import read_settings

if TYPE_CHECKING:
    from scoring.inference.engine import Engine

COLUMNS = ("response_id", "text")


@dataclass(frozen=True)
class Answer:
    """One row of the input file."""

    response_id: str
    text: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--task", required=True, metavar="ID", help="task the answers belong to")
    parser.add_argument(
        "--in", dest="source", type=Path, required=True, metavar="FILE.csv", help="response_id,text in UTF-8"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.csv", help="where the scores go")
    parser.add_argument("--student", type=Path, metavar="PATH", help="version folder; default EVENHAND_STUDENT")
    parser.add_argument("--encoder", help="minilm, a local folder or a hub name; default EVENHAND_ENCODER")
    parser.add_argument("--device", help="auto, cpu or cuda; default EVENHAND_DEVICE")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"), help="of the encoder")


def run(args: argparse.Namespace) -> int:
    """Score every answer that isn't blank; the output has the input's ids in the input's order."""
    settings = read_settings()
    answers = read_answers(args.source)
    from scoring.inference.engine import Engine

    engine = Engine.load(
        args.student or settings.student, encoder=args.encoder or settings.encoder,
        device=args.device or settings.device, precision=args.precision,
    )  # fmt: skip
    if args.task not in engine.tasks:
        raise InvalidInput(f"task {args.task!r} is unknown to this student; it knows {', '.join(engine.tasks)}")
    rows, notes = _score(engine, args.task, answers)
    columns = ["response_id"]
    for criterion_id in engine.tasks[args.task]:
        columns += [f"{criterion_id}_level", f"{criterion_id}_expected", f"{criterion_id}_probability"]
    write_table(args.out, columns, rows)
    for note in notes:
        print(note, file=sys.stderr)
    print(f"{args.out}: {len(rows)} responses, student {engine.version_id}", file=sys.stderr)
    return 0


def _score(engine: Engine, task_id: str, answers: list[Answer]) -> tuple[list[list[str]], list[str]]:
    from tqdm import tqdm

    from scoring.student.text import clean_text

    written = [answer for answer in answers if clean_text(answer.text)]
    with tqdm(total=len(written), desc="score", unit="response", file=sys.stderr) as bar:
        scores = engine.score(
            task_id, [answer.text for answer in written], on_progress=lambda done, _: bar.update(done - bar.n)
        )
    scored = {id(answer): score for answer, score in zip(written, scores, strict=True)}
    shape = engine.tasks[task_id]
    rows = []
    for answer in answers:
        cells = [answer.response_id]
        score = scored.get(id(answer))
        for index, values in enumerate(shape.values()):
            if score is None:
                cells += ["", "", ""]
                continue
            c = score.criteria[index]
            cells += [str(c.level), f"{c.expected:.4f}", f"{c.probabilities[c.level - values[0]]:.4f}"]
        rows.append(cells)
    notes = []
    if len(written) < len(answers):
        notes.append(f"{len(answers) - len(written)} blank responses were left without a score")
    cut = sum(score.truncated for score in scores)
    if cut:
        notes.append(f"{cut} responses are longer than the student reads; their ends were ignored")
    return rows, notes


def read_answers(path: Path) -> list[Answer]:
    """Read `response_id,text`; further columns are ignored.

    Raises:
        InvalidFile: the file can't be read or decoded, a column is missing, a row is cut short, or an id is
            empty or appears twice; the message gives the line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidFile(f"{path}: can't be read ({error.strerror})") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InvalidFile(f"{path}, line {line}: not UTF-8; save it as CSV UTF-8 and try again") from None
    if "\0" in text:
        raise InvalidFile(f"{path}: holds zero bytes, so it is not a UTF-8 CSV file; save it as CSV UTF-8")
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    answers: list[Answer] = []
    lines: dict[str, int] = {}
    try:
        header = [name.strip() for name in next(reader, [])]
        missing = [column for column in COLUMNS if header.count(column) != 1]
        if missing:
            raise InvalidFile(
                f"{path}: column {missing[0]!r} is needed exactly once; found {', '.join(header) or 'an empty file'}"
            )
        at_id, at_text = (header.index(column) for column in COLUMNS)
        line = reader.line_num + 1
        for cells in reader:
            start, line = line, reader.line_num + 1
            if not cells:
                continue
            if len(cells) != len(header):
                raise InvalidFile(f"{path}, line {start}: {len(cells)} cells, but the header has {len(header)}")
            response_id = cells[at_id]
            if not response_id.strip():
                raise InvalidFile(f"{path}, line {start}: response_id is empty")
            if response_id in lines:
                raise InvalidFile(
                    f"{path}: response_id {response_id!r} appears twice, on lines {lines[response_id]} and {start}"
                )
            lines[response_id] = start
            answers.append(Answer(response_id, cells[at_text]))
    except csv.Error as error:
        raise InvalidFile(f"{path}, line {reader.line_num}: not valid CSV ({error})") from None
    return answers


def write_table(path: Path, columns: list[str], rows: list[list[str]]) -> None:
    """Write a CSV file whole or not at all.

    Raises:
        InvalidInput: the folder is missing or can't be written to.
    """
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with partial.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise InvalidInput(f"{path}: can't be written ({error.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)
