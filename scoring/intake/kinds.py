"""What kind of file the bytes are, judged by the bytes and never by the name's ending."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Literal

from scoring.errors import InvalidFile

REMEDY = "Open it in Excel, Numbers or Google Sheets and save it as CSV or XLSX, then upload that file."

UNPACKED_LIMIT_BYTES = 300 * 1024 * 1024
# Repetitive spreadsheets pack up to about a hundredfold; beyond this only made-up files do.
RATIO_LIMIT = 200
RATIO_MATTERS_FROM_BYTES = 20 * 1024 * 1024

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"{\\rtf", "a rich text (RTF) document"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"\x1f\x8b", "a compressed file (gzip)"),
    (b"7z\xbc\xaf\x27\x1c", "a compressed folder (7-Zip)"),
    (b"Rar!", "a compressed folder (RAR)"),
    (b"SQLite format 3\x00", "a database (SQLite)"),
    (b"PAR1", "a Parquet file"),
)
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def identify(name: str, data: bytes) -> Literal["xlsx", "text"]:
    """Tell a workbook from text, and refuse every other kind by its own name.

    Raises:
        InvalidFile: the bytes are a kind that holds no readable table (old Excel, PDF, Word, a picture,
            a compressed folder, …), a password-protected workbook, or a workbook that unpacks to more
            than `UNPACKED_LIMIT_BYTES`; the message names what was found and what to save instead.
    """
    if data.startswith(_OLE2):
        raise InvalidFile(_describe_ole2(name, data))
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        _check_zip(name, data)
        return "xlsx"
    # Some programs write a few bytes before a PDF's signature; readers accept it within the first kilobyte.
    if b"%PDF-" in data[:1024]:
        raise refusal(name, "a PDF document")
    for signature, found in _SIGNATURES:
        if data.startswith(signature):
            raise refusal(name, found)
    return "text"


def refuse_marked_up_text(name: str, text: str) -> None:
    """Refuse a web page, XML or JSON, which are text but not a table.

    Raises:
        InvalidFile: the text is one of them; a platform's ".xls" download is often a web page.
    """
    start = text[:500].lstrip().casefold()
    if start.startswith(("<!doctype html", "<html", "<table", "<head", "<body")):
        raise refusal(name, "a web page (HTML)")
    if start.startswith("<?xml"):
        raise refusal(name, "an XML file")
    if start.startswith(('{"', "[{", "{\n", "{\r\n")):
        try:
            json.loads(text)
        except ValueError:
            return
        raise refusal(name, "a JSON file")


def refusal(name: str, found: str) -> InvalidFile:
    """The error for a file that is not a table at all."""
    return InvalidFile(f"“{name}” is {found}, not a table of answers. {REMEDY}")


def _describe_ole2(name: str, data: bytes) -> str:
    def holds(stream: str) -> bool:
        return stream.encode("utf-16-le") in data

    if holds("EncryptedPackage"):
        return (
            f"“{name}” is protected with a password, so its rows can't be read. "
            "Open it in Excel, remove the password (File, Info, Protect Workbook), save and upload it again."
        )
    if holds("WordDocument"):
        return f"“{name}” is an old Word document (.doc), not a table of answers. {REMEDY}"
    if holds("PowerPoint Document"):
        return f"“{name}” is an old PowerPoint file (.ppt), not a table of answers. {REMEDY}"
    return f"“{name}” is an old Excel file (.xls), which can't be read here. {REMEDY}"


def _check_zip(name: str, data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            mimetype = archive.read("mimetype")[:100] if _has_small_mimetype(entries) else b""
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        raise InvalidFile(
            f"“{name}” is damaged: it starts like an XLSX file but can't be opened. "
            "Download or save it again, then upload the new file."
        ) from None
    names = {entry.filename.lstrip("/") for entry in entries}
    found = _describe_zip(names, mimetype.decode("latin-1"))
    if found:
        raise refusal(name, found)
    if any(entry.flag_bits & 1 for entry in entries):
        raise InvalidFile(f"“{name}” is protected with a password. Remove the password, save it and upload it again.")
    unpacked = sum(entry.file_size for entry in entries)
    ratio = unpacked / max(1, len(data))
    if unpacked > UNPACKED_LIMIT_BYTES or (unpacked > RATIO_MATTERS_FROM_BYTES and ratio > RATIO_LIMIT):
        raise InvalidFile(
            f"“{name}” unpacks from {megabytes(len(data))} to {megabytes(unpacked)}, far more than a class's "
            f"answers need (the limit is {megabytes(UNPACKED_LIMIT_BYTES)}). "
            "Copy only the answers into a new sheet and save that as CSV or XLSX."
        )


def _has_small_mimetype(entries: list[zipfile.ZipInfo]) -> bool:
    return any(entry.filename == "mimetype" and entry.file_size < 1000 for entry in entries)


def _describe_zip(names: set[str], mimetype: str) -> str | None:
    """What an archive is when it is no XLSX workbook; `None` when it is one."""
    if "opendocument.spreadsheet" in mimetype:
        return "an OpenDocument spreadsheet (.ods)"
    if "opendocument" in mimetype:
        return "an OpenDocument text or presentation"
    if "xl/workbook.bin" in names:
        return "a binary Excel file (.xlsb)"
    if any(entry.startswith("xl/") for entry in names) and "[Content_Types].xml" in names:
        return None
    if any(entry.startswith("word/") for entry in names):
        return "a Word document (.docx)"
    if any(entry.startswith("ppt/") for entry in names):
        return "a PowerPoint file (.pptx)"
    if any(entry.endswith(".iwa") or entry == "Index.zip" for entry in names):
        return "an Apple Numbers or Pages file"
    inside = sorted(entry for entry in names if entry.lower().endswith((".csv", ".xlsx", ".tsv", ".txt")))
    if inside:
        return f"a compressed folder (ZIP) with “{inside[0]}” in it (unpack it and upload the file inside)"
    return "a compressed folder (ZIP)"


def megabytes(size: int) -> str:
    """A size for people, in binary megabytes.

    >>> megabytes(60 * 1024 * 1024), megabytes(1536)
    ('60 MB', '2 KB')
    """
    if size < 1024 * 1024:
        return f"{max(1, round(size / 1024))} KB"
    value = size / (1024 * 1024)
    return f"{value:,.0f} MB" if value >= 10 or value == int(value) else f"{value:.1f} MB"
