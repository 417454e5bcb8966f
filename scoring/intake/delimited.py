"""From text to records: which delimiter, and cells with quotation marks honoured."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from scoring.errors import InvalidFile

DELIMITERS = (",", ";", "\t", "|")

# A code point that Unicode reserves for never being a character.
_NO_DELIMITER = "\ufdd0"
_SAMPLE_CHARACTERS = 200_000
_SAMPLE_RECORDS = 100
_SEPARATOR_LINE = re.compile(r"\Asep=([,;\t|])(?:\r\n|\r|\n)", re.IGNORECASE)

# The standard limit of 131,072 characters a cell is below one answer with an embedded picture;
# the whole file is limited in bytes instead.
csv.field_size_limit(2**31 - 1)


@dataclass(frozen=True)
class Record:
    """One row of a delimited file. `malformed`: its quotation marks were not where they belong."""

    cells: list[str]
    malformed: bool = False


class _Lines:
    """Iterates over a text's physical lines and remembers how far it came."""

    def __init__(self, text: str) -> None:
        self._source = io.StringIO(text, newline="")
        self.taken = 0
        self.latest = ""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        self.latest = next(self._source)
        self.taken += 1
        return self.latest


def split_separator_line(text: str) -> tuple[str | None, str]:
    r"""Take off the `sep=;` line that some programs write for Excel, which does not show it as a row.

    >>> split_separator_line("sep=;\nStudent;Answer\n")
    (';', 'Student;Answer\n')
    """
    match = _SEPARATOR_LINE.match(text)
    return (match[1], text[match.end() :]) if match else (None, text)


def records(text: str, delimiter: str, *, spaced: bool = False) -> Iterator[Record]:
    """The records of a delimited text, blank ones as empty lists, in a spreadsheet's row order.

    Without a delimiter the text is one column, whose cells may still be quoted. `spaced` takes the
    blanks after a delimiter for layout, so that a quotation mark behind them still opens a cell.
    A line whose quotation marks are out of place is read as well as it can be and marked.

    Raises:
        InvalidFile: a quotation mark opens and swallows the following lines; the message names the row.
    """
    delimiter = delimiter or _NO_DELIMITER
    lines = _Lines(text)
    row = 0
    while True:
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=spaced, strict=True)
        before = lines.taken
        try:
            for cells in reader:
                before = lines.taken
                row += 1
                yield Record(cells)
            return
        except csv.Error:
            row += 1
            if lines.taken - before != 1:
                raise InvalidFile(
                    f'Row {row}: a quotation mark (") opens a cell and is not closed where the cell ends, '
                    "so the rows below it can't be told apart. "
                    "Correct that row, or save the file as XLSX and upload that."
                ) from None
            lenient = csv.reader([lines.latest], delimiter=delimiter, skipinitialspace=spaced)
            yield Record(next(lenient, []), malformed=True)


def is_spaced(text: str, delimiter: str) -> bool:
    r"""Whether the header has a space after every delimiter, as files typed by hand do.

    >>> is_spaced("Student, Answer\ns1, salt", ","), is_spaced("Student,Answer", ",")
    (True, False)
    """
    header = next(io.StringIO(text, newline=""), "")
    return bool(delimiter) and 0 < header.count(delimiter) == header.count(delimiter + " ")


def sniff_delimiter(text: str) -> str:
    """The delimiter whose cells line up best over the first records; empty when there is one column.

    The header decides which delimiters are possible at all, so commas inside answers or decimal
    commas can't win in a file whose header has none.
    """
    sample = text[:_SAMPLE_CHARACTERS]
    if len(text) > _SAMPLE_CHARACTERS:
        sample = sample[: max(sample.rfind("\n"), sample.rfind("\r")) + 1] or sample
    scores = {delimiter: _fit(sample, delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: scores[delimiter])
    return best if scores[best] > 0 else ""


def _fit(sample: str, delimiter: str) -> float:
    """How well the delimiter fits, about 0 to 1; 0 when it makes only one column."""
    widths: list[int] = []
    malformed = 0
    try:
        for record in islice(records(sample, delimiter), _SAMPLE_RECORDS):
            if any(cell.strip() for cell in record.cells):
                widths.append(len(record.cells))
                malformed += record.malformed
    except InvalidFile:
        # The sample's last cell may just be cut; a real fault is reported when the whole is read.
        malformed += 1
    # A delimiter is rarely followed by a space, punctuation in prose nearly always is.
    spaced = 0.0 if delimiter == "\t" else sample.count(delimiter + " ") / max(1, sample.count(delimiter))
    width = _expected_width(widths, spaced)
    if width < 2:
        return 0.0
    even = sum(1.0 if w == width else 0.5 if w > 1 else 0.0 for w in widths) / len(widths)
    return even - 0.3 * spaced - 0.5 * min(1.0, malformed / len(widths)) + 0.01 * min(width, 10)


def _expected_width(widths: list[int], spaced: float) -> int:
    """The header's width; that of nearly all rows below when the first row is a title in one cell."""
    if not widths or widths[0] > 1:
        return widths[0] if widths else 0
    below = Counter(widths[1:]).most_common(1)
    if below and len(widths) > 3 and below[0][1] >= 0.9 * (len(widths) - 1) and spaced < 0.5:
        return below[0][0]
    return 0
