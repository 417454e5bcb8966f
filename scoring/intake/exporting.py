"""Back to a CSV file that opens right in a spreadsheet and runs nothing there."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

_PLAIN_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d+)*|[.,]\d+)(?:[eE][+-]?\d+)?%?", re.ASCII)
_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# What a spreadsheet skips or drops before it looks for a formula.
_LEADING = re.compile("[\\s\x00-\x1f\x7f-\x9f\u00ad\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


def neutralise(value: str) -> str:
    """Put a single quote before a text that a spreadsheet would run as a formula.

    Leading blanks and full-width signs do not hide a formula; plain numbers stay numbers.

    >>> neutralise("=1+1"), neutralise(" @x"), neutralise("-1.5"), neutralise("water")
    ("'=1+1", "' @x", '-1.5', 'water')
    """
    if _PLAIN_NUMBER.fullmatch(value):
        return value
    bare = _LEADING.sub("", value, count=1)
    return f"'{value}" if value.startswith(_STARTS) or bare.startswith(_STARTS) else value


def write_csv(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file with every text neutralised; UTF-8 with a mark so that Excel shows accents.

    Args:
        headers: the column names.
        rows: one sequence per row; `None` gives an empty cell, other objects their `str`.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([neutralise(header) for header in headers])
    for row in rows:
        writer.writerow(["" if cell is None else neutralise(str(cell)) for cell in row])
    # Half a surrogate pair can't be written; a mark in its place must not lose the other rows.
    return stream.getvalue().encode("utf-8-sig", "replace")
