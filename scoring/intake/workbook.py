"""From the bytes of an XLSX workbook to rows of plain text, much as a person sees them."""

from __future__ import annotations

import datetime as dt
import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter, range_boundaries
from openpyxl.utils.exceptions import InvalidFileException

from scoring.errors import InvalidFile

# What openpyxl and the ZIP reader raise, depending on where a file is damaged.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, ParseError, InvalidFileException, OSError, EOFError, KeyError, IndexError,
    ValueError, TypeError, AttributeError, NotImplementedError, RuntimeError, OverflowError,
)  # fmt: skip
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]{1,3}\d{1,7}:[A-Z]{1,3}\d{1,7})"')
_ESCAPED_RETURN = re.compile(r"_x000D_\n?", re.IGNORECASE)
_ESCAPED_CONTROL = re.compile(r"_x00[01][0-9A-F]_", re.IGNORECASE)
_ZERO_PADDED = re.compile(r"0{2,}")
_PERCENT = re.compile(r"0(?:\.(0+))?%")


@dataclass(frozen=True)
class SheetGrid:
    """One sheet as text, row 1 first, without its blank rows at the end."""

    sheets: tuple[str, ...]
    sheet: str
    rows: list[list[str]]
    notes: tuple[str, ...]


@dataclass
class _Collected:
    rows: list[list[str]] = field(default_factory=list)
    empty_results: set[tuple[int, int]] = field(default_factory=set)


def read_workbook(name: str, data: bytes, sheet: str | None, row_cap: int) -> SheetGrid:
    """Read one sheet: the named one, else the first visible one with rows below its header.

    Reading stops after `row_cap` rows; the caller judges whether that is too many. A formula gives its
    saved result; one saved without a result gives its own text, and a note says where.

    Raises:
        InvalidFile: the workbook is damaged, has no such sheet, or has nothing on a visible sheet.
    """
    try:
        with warnings.catch_warnings():
            # openpyxl warns about decorations it does not keep; none of them holds an answer.
            warnings.simplefilter("ignore")
            return _read(name, data, sheet, row_cap)
    except InvalidFile:
        raise
    except _DAMAGE as error:
        raise InvalidFile(
            f"“{name}” is damaged or not a complete XLSX file ({type(error).__name__}). Open it in Excel, "
            "save it again as XLSX or CSV, and upload that file."
        ) from error


def _read(name: str, data: bytes, wanted: str | None, row_cap: int) -> SheetGrid:
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    worksheets = list(book.worksheets)
    titles = tuple(str(worksheet.title) for worksheet in worksheets)
    listed = ", ".join(f"“{title}”" for title in titles) or "none"
    if wanted is not None and wanted not in titles:
        raise InvalidFile(f"“{name}” has no sheet “{wanted}”. Choose one of: {listed}.")
    hidden = [str(ws.title) for ws in worksheets if ws.sheet_state != "visible"]
    candidates = [ws for ws in worksheets if ws.title == wanted or (wanted is None and ws.title not in hidden)]
    chosen, collected = None, _Collected()
    for worksheet in candidates:
        found = _collect(worksheet, row_cap)
        filled = sum(1 for row in found.rows[:50] if any(cell.strip() for cell in row))
        if filled and (chosen is None or filled > 1):
            chosen, collected = worksheet, found
        if filled > 1:
            break
    if chosen is None:
        where = f"sheet “{wanted}”" if wanted is not None else "every visible sheet"
        also = f" (hidden: {', '.join(hidden)}; unhide it if the answers are there)" if hidden else ""
        raise InvalidFile(f"“{name}” is empty: {where} has no filled cell{also}. Upload the file with the answers.")
    notes: list[str] = []
    if len(titles) > 1:
        others = ", ".join(f"“{title}”" for title in titles if title != chosen.title)
        notes.append(f"Sheet “{chosen.title}” was read; the file also has {others}.")
    has_formula, merged = _scan_sheet(data, str(chosen._worksheet_path))
    if merged:
        notes.extend(_fill_merged(collected.rows, merged))
    if has_formula:
        notes.extend(_fill_formulas(data, str(chosen.title), collected, row_cap))
    return SheetGrid(titles, str(chosen.title), collected.rows, tuple(notes))


def _collect(worksheet: Any, row_cap: int) -> _Collected:
    # The size a workbook declares is often wrong; without it openpyxl reads what is there.
    worksheet.reset_dimensions()
    collected, blank = _Collected(), 0
    for number, row in enumerate(worksheet.rows, start=1):
        cells = [_cell_text(cell) for cell in row]
        if not any(cell and not cell.isspace() for cell in cells):
            blank += 1
            continue
        if len(collected.rows) + blank >= row_cap:
            # One row beyond the cap is enough for the caller to see that it is passed.
            collected.rows.extend([] for _ in range(row_cap - len(collected.rows)))
            collected.rows.append(cells)
            break
        collected.rows.extend([] for _ in range(blank))
        blank = 0
        collected.rows.append(cells)
        for column, cell in enumerate(row, start=1):
            if cell.value is None and cell.data_type == "str":
                collected.empty_results.add((number, column))
    return collected


def _cell_text(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        if "_x00" not in value:
            return value
        return _ESCAPED_CONTROL.sub("", _ESCAPED_RETURN.sub("\n", value))
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return number_text(value, str(cell.number_format))
    if isinstance(value, dt.datetime):
        return str(value.date()) if value.time() == dt.time() else value.isoformat(" ", "seconds")
    if isinstance(value, dt.time):
        return value.isoformat("seconds")
    return str(value)


def number_text(value: float, number_format: str) -> str:
    """A number as its cell shows it, near enough: whole numbers bare, leading zeros and percent kept.

    >>> [number_text(*pair) for pair in ((12.0, "General"), (123, "00000"), (0.5, "0%"), (0.1 + 0.2, ""))]
    ['12', '00123', '50%', '0.3']
    """
    if _ZERO_PADDED.fullmatch(number_format) and value == int(value):
        return f"{int(value):0{len(number_format)}d}"
    percent = _PERCENT.fullmatch(number_format)
    if percent:
        return f"{value:.{len(percent[1] or '')}%}"
    if isinstance(value, int):
        return str(value)
    if value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return f"{value:.15g}"


def _scan_sheet(data: bytes, path: str) -> tuple[bool, list[str]]:
    """Whether the sheet's XML holds formulas, and its merged ranges (read-only openpyxl skips both)."""
    has_formula, merged = False, []
    with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(path.lstrip("/")) as part:
        tail = b""
        while chunk := part.read(1 << 20):
            window = tail + chunk
            has_formula = has_formula or _FORMULA.search(window) is not None
            end = 0
            for match in _MERGED.finditer(window):
                merged.append(match[1].decode())
                end = match.end()
            tail = window[max(end, len(window) - 200) :]
    return has_formula, merged


def _fill_merged(rows: list[list[str]], merged: list[str]) -> Iterator[str]:
    """Give each row of a merged block its value: a name merged over three rows belongs to all three."""
    header = next((n for n, row in enumerate(rows, start=1) if any(row)), 1)
    filled = []
    for reference in merged:
        column, first, _, last = range_boundaries(reference)
        if first <= header or first == last or first > len(rows) or column > len(rows[first - 1]):
            continue
        value = rows[first - 1][column - 1]
        for row in rows[first : min(last, len(rows))]:
            row.extend([""] * (column - len(row)))
            row[column - 1] = row[column - 1] or value
        filled.append(reference)
    if filled:
        more = f" and {len(filled) - 3} more" if len(filled) > 3 else ""
        yield (
            f"Merged cells ({', '.join(filled[:3])}{more}): their value was used for each of their rows. "
            "Unmerge them if that is not meant."
        )


def _fill_formulas(data: bytes, sheet: str, collected: _Collected, row_cap: int) -> Iterator[str]:
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=False)
    worksheet = book[sheet]
    worksheet.reset_dimensions()
    places = []
    for number, (cells, row) in enumerate(zip(collected.rows, worksheet.rows, strict=False), start=1):
        for column, cell in enumerate(row, start=1):
            if cell.data_type != "f" or (column <= len(cells) and cells[column - 1]):
                continue
            if (number, column) in collected.empty_results:
                continue
            cells.extend([""] * (column - len(cells)))
            cells[column - 1] = str(getattr(cell.value, "text", cell.value))
            places.append(f"{get_column_letter(column)}{number}")
        if number >= row_cap:
            break
    if places:
        more = f" and {len(places) - 3:,} more" if len(places) > 3 else ""
        yield (
            f"Formulas without a saved result ({', '.join(places[:3])}{more}) are shown as they were typed. "
            "To get their results, open the file in Excel, save it and upload it again."
        )
