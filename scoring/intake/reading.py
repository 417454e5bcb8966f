"""A class's file, from bytes to named columns and numbered rows of text."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from openpyxl.utils import get_column_letter

from scoring.errors import InvalidFile
from scoring.intake.columns import is_known_header, plain_header
from scoring.intake.decoding import decode
from scoring.intake.delimited import DELIMITERS, is_spaced, records, sniff_delimiter, split_separator_line
from scoring.intake.kinds import identify, megabytes, refusal, refuse_marked_up_text
from scoring.intake.workbook import read_workbook

LIMIT_BYTES = 50 * 1024 * 1024
LIMIT_ROWS = 50_000
LIMIT_COLUMNS = 1_000

# A title, a date and a blank line may stand above the column names; more is no longer a table.
_HEADER_WITHIN_ROWS = 10
_LONG_HEADER = 200


@dataclass(frozen=True)
class FileRow:
    """One row below the header.

    `number` is the row number that the person's spreadsheet shows, the header normally being 1.
    `cells` has one text per header. `extra` counts the cells beyond the last column; their text is
    joined onto the last cell, so that nothing is lost, and `check_rows` refuses the row.
    """

    number: int
    cells: tuple[str, ...]
    extra: int = 0


@dataclass(frozen=True)
class ClassFile:
    """A file as read. `encoding` and `delimiter` are empty for XLSX, `sheets` and `sheet` for CSV.

    `delimiter` is empty for a CSV of one column, too.

    `headers` are distinct and never blank; `header_cells` are the same cells as they stand in the file.
    """

    name: str
    sha256: str
    format: Literal["csv", "xlsx"]
    encoding: str
    delimiter: str
    sheets: tuple[str, ...]
    sheet: str
    headers: tuple[str, ...]
    rows: tuple[FileRow, ...]
    notes: tuple[str, ...]
    header_cells: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Grid:
    """Rows as a spreadsheet numbers them, row 1 first, before any of them is taken as the header."""

    format: Literal["csv", "xlsx"]
    rows: Sequence[Sequence[str]]
    notes: tuple[str, ...]
    encoding: str = ""
    delimiter: str = ""
    sheets: tuple[str, ...] = ()
    sheet: str = ""


def read_class_file(
    name: str,
    data: bytes,
    *,
    sheet: str | None = None,
    limit_bytes: int = LIMIT_BYTES,
    limit_rows: int = LIMIT_ROWS,
) -> ClassFile:
    """Read a CSV, TSV or XLSX file of answers, whatever its name ends in.

    Args:
        name: the file's name, for messages only.
        data: the file's bytes.
        sheet: the sheet of a workbook to read; `None` takes the first visible one with rows.
        limit_bytes: the largest file taken.
        limit_rows: the most rows below the header taken, blank ones between them included.

    Raises:
        InvalidFile: the file is empty, too large, has no rows below its header, or is no table; the
            message says what was found and what to do.
    """
    if not data.strip(b" \t\r\n\0\xef\xbb\xbf\xff\xfe"):
        raise _empty(name)
    if len(data) > limit_bytes:
        raise InvalidFile(
            f"“{name}” has {megabytes(len(data))}; the limit is {megabytes(limit_bytes)}. "
            "Split it into smaller files, or leave out columns and pictures that are not answers."
        )
    row_cap = limit_rows + _HEADER_WITHIN_ROWS
    if identify(name, data) == "xlsx":
        book = read_workbook(name, data, sheet, row_cap)
        grid = _Grid("xlsx", book.rows, book.notes, sheets=book.sheets, sheet=book.sheet)
    else:
        grid = _read_text(name, data, row_cap)
    return _name_columns(name, hashlib.sha256(data).hexdigest(), grid, limit_rows)


def _read_text(name: str, data: bytes, row_cap: int) -> _Grid:
    decoded = decode(name, data)
    refuse_marked_up_text(name, decoded.text)
    stated, text = split_separator_line(decoded.text)
    if not text.strip(' \t\r\n"' + "".join(DELIMITERS)):
        raise _empty(name)
    delimiter = sniff_delimiter(text) if stated is None else stated
    rows: list[list[str]] = []
    malformed: list[int] = []
    blank: list[list[str]] = []
    for record in records(text, delimiter, spaced=is_spaced(text, delimiter)):
        if not _is_filled(record.cells):
            # Blank rows count only when a filled one follows, and not beyond what is too many.
            blank.extend([record.cells] if len(blank) <= row_cap else [])
            continue
        rows.extend(blank)
        blank.clear()
        rows.append(record.cells)
        if record.malformed:
            malformed.append(len(rows))
        if len(rows) > row_cap:
            break
    notes = list(decoded.notes)
    if malformed:
        notes.append(
            f'{_rows_named(malformed)}: quotation marks (") out of place. '
            "Look at the preview, or save the file as XLSX and upload that."
        )
    return _Grid("csv", rows, tuple(notes), decoded.encoding, delimiter)


def _name_columns(name: str, sha256: str, grid: _Grid, limit_rows: int) -> ClassFile:
    """Take the header off a grid and make every row as wide as it.

    Raises:
        InvalidFile: no filled cell, no filled row below the header, too many rows or columns.
    """
    top = _header_index(grid.rows)
    if top is None:
        raise _empty(name)
    header, body = grid.rows[top], grid.rows[top + 1 :]
    if not body:
        shown = ", ".join(cell.strip() for cell in header if cell.strip())[:120]
        raise InvalidFile(
            f"“{name}” has only a header row ({shown}) and no rows below it. "
            "Upload a file with a row of column names and one row for each answer."
        )
    if len(body) > limit_rows:
        raise InvalidFile(
            f"“{name}” has more than {limit_rows:,} rows, which is the limit. Split it into smaller files."
        )
    width = _width(header, body, stretch=grid.format == "xlsx")
    if width > LIMIT_COLUMNS:
        raise refusal(name, f"{width:,} columns wide")
    notes = list(grid.notes)
    if any(_is_filled(row) for row in grid.rows[:top]):
        notes.append(f"Row {top + 1} was read as the column names; what stands above it was left out.")
    if any(len(cell) > _LONG_HEADER for cell in header):
        notes.append(
            f"Row {top + 1} was read as the column names, and one of them is long. "
            "If that row is a student's answer, add a row of column names above it."
        )
    rows = tuple(_row(n, cells, width, grid.delimiter) for n, cells in enumerate(body, start=top + 2))
    long = [row.number for row in rows if row.extra]
    if long:
        notes.append(
            f"{_rows_named(long)}: more cells than the {width} columns. "
            "Put quotation marks around the answers there, or save the file as XLSX."
        )
    header_cells = tuple(header[:width]) + ("",) * (width - len(header))
    return ClassFile(
        name=name,
        sha256=sha256,
        format=grid.format,
        encoding=grid.encoding,
        delimiter=grid.delimiter,
        sheets=grid.sheets,
        sheet=grid.sheet,
        headers=distinct_headers(header_cells),
        rows=rows,
        notes=tuple(notes),
        header_cells=header_cells,
    )


def _empty(name: str) -> InvalidFile:
    return InvalidFile(f"“{name}” is empty: no cell is filled. Upload the file with the students' answers.")


def distinct_headers(cells: Sequence[str]) -> tuple[str, ...]:
    r"""One distinct, non-blank name per column.

    >>> distinct_headers(["Answer", "Answer", " ", "Full\nname"])
    ('Answer', 'Answer (2)', 'Column C', 'Full name')
    """
    names: list[str] = []
    taken = {plain_header(cell) for cell in cells}
    seen: set[str] = set()
    for index, cell in enumerate(cells, start=1):
        base = plain_header(cell) or f"Column {get_column_letter(index)}"
        candidate, number = base, 1
        while candidate in seen or (candidate != plain_header(cell) and candidate in taken):
            number += 1
            candidate = f"{base} ({number})"
        seen.add(candidate)
        names.append(candidate)
    return tuple(names)


def _header_index(rows: Sequence[Sequence[str]]) -> int | None:
    """The first filled row, unless it is a title in one cell above a row with a well-known name."""
    filled = [n for n, row in enumerate(rows[:_HEADER_WITHIN_ROWS]) if _is_filled(row)]
    if not filled:
        return next((n for n, row in enumerate(rows) if _is_filled(row)), None)
    first = filled[0]
    if _filled_cells(rows[first]) == 1 and not any(is_known_header(cell) for cell in rows[first]):
        for n in filled[1:]:
            if _filled_cells(rows[n]) > 1 and any(is_known_header(cell) for cell in rows[n]):
                return n
    return first


def _width(header: Sequence[str], body: Sequence[Sequence[str]], *, stretch: bool) -> int:
    """How many columns the table has; nameless ones count when filled in most rows (XLSX: in any)."""
    widths = Counter(_filled_width(row) for row in body)
    own = _filled_width(header)
    if stretch:
        return max(own, *widths)
    most, count = max(widths.items(), key=lambda item: item[1])
    return most if most > own and count * 2 > len(body) else own


def _row(number: int, cells: Sequence[str], width: int, delimiter: str) -> FileRow:
    filled = len(cells)
    if filled == width:
        return FileRow(number, tuple(cells))
    if filled < width:
        return FileRow(number, (*cells, *("",) * (width - filled)))
    filled = _filled_width(cells)
    if filled <= width:
        return FileRow(number, tuple(cells[:width]))
    return FileRow(number, (*cells[: width - 1], delimiter.join(cells[width - 1 : filled])), filled - width)


def _filled_width(cells: Sequence[str]) -> int:
    width = len(cells)
    while width and not cells[width - 1].strip():
        width -= 1
    return width


def _filled_cells(cells: Sequence[str]) -> int:
    return sum(1 for cell in cells if cell.strip())


def _is_filled(cells: Sequence[str]) -> bool:
    return any(cell and not cell.isspace() for cell in cells)


def _rows_named(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:5]))
    if len(numbers) == 1:
        return f"Row {shown}"
    return f"Rows {shown}" + (f" and {len(numbers) - 5:,} more" if len(numbers) > 5 else "")
