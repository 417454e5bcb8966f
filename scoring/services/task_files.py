"""Tasks in files: a `tasks.json`, a zipped item bank folder, or a table with a row per level."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import PurePosixPath
from typing import Any

from scoring.errors import InvalidFile, InvalidInput
from scoring.intake.columns import first_of
from scoring.intake.reading import read_class_file
from scoring.services.task_entries import read_entry, slug

MOST_TASKS = 200
MOST_UNPACKED = 200 * 1024 * 1024
_TABLE = {
    "title": ("title", "task", "task title"),
    "prompt": ("prompt", "question", "item"),
    "criterion": ("criterion", "criteria", "dimension"),
    "level": ("level", "points", "score", "value"),
    "descriptor": ("descriptor", "description", "level descriptor"),
    "label": ("label", "level name"),
    "standard": ("standard",),
    "stimulus": ("stimulus", "passage"),
    "reference_answers": ("reference answer", "reference answers", "model answer"),
    "subject": ("subject",),
    "grade": ("grade", "grade level"),
}
_NEEDED = ("title", "prompt", "level")


def task_entries(name: str, data: bytes, max_bytes: int) -> list[dict[str, Any]]:
    """The tasks of a file, each checked. Raises `InvalidFile` naming the entry or row."""
    if len(data) > max_bytes:
        raise InvalidFile(f"{name}: larger than {max_bytes // 1024 // 1024} MB. Take the tasks out that you need.")
    if not data.strip():
        raise InvalidFile(f"{name}: the file is empty.")
    is_json = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{")
    bank = None if is_json else _bank(name, data)
    entries = _json_entries(name, data if bank is None else bank["tasks.json"]) if is_json or bank else None
    if entries is None:
        entries = _table_entries(name, data, max_bytes)
    if not entries:
        raise InvalidFile(f"{name}: there is no task in this file.")
    if len(entries) > MOST_TASKS:
        raise InvalidFile(f"{name}: {len(entries)} tasks; at most {MOST_TASKS} are read at once.")
    checked = []
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            raise InvalidFile(f"{name}, entry {number}: a task is expected, not {entry!r:.40}.")
        try:
            read_entry(entry, task_id="checked")
        except InvalidInput as error:
            raise InvalidFile(f"{name}, entry {number} ({entry.get('title') or entry.get('id')!r}): {error}") from error
        made = slug(str(entry.get("id") or entry.get("title")), f"task-{number}")
        checked.append({**entry, "id": str(entry.get("id") or made), "stimulus_figure": ""})
    return checked


def example_file(name: str, data: bytes, entry_id: str, max_bytes: int) -> tuple[str, bytes] | None:
    """The rows of one task in a zipped item bank, as a CSV of their own; `None` where there are none."""
    bank = _bank(name, data)
    if bank is None or "responses.csv" not in bank:
        return None
    try:
        rows = list(csv.DictReader(io.StringIO(bank["responses.csv"].decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidFile(f"{name}, responses.csv: not a UTF-8 CSV file ({error})") from error
    own = [row for row in rows if row.get("task_id") == entry_id]
    if not own:
        return None
    headers = [header for header in own[0] if header is not None and header not in ("task_id", "fold")]
    headers = [header for header in headers if any(row.get(header) for row in own)]
    # Not for a spreadsheet: what looks like a formula must come through as it is.
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(headers)
    writer.writerows([row.get(header) or "" for header in headers] for row in own)
    return f"{slug(entry_id, 'task')}-examples.csv", stream.getvalue().encode("utf-8", "replace")


def _bank(name: str, data: bytes) -> dict[str, bytes] | None:
    """The files of a zipped item bank by name; `None` when it is no archive, or a workbook."""
    if not data.startswith(b"PK"):
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inside = {PurePosixPath(i.filename).name: i for i in archive.infolist() if not i.is_dir()}
            if "[Content_Types].xml" in inside:
                return None
            if "tasks.json" not in inside:
                raise InvalidFile(f"{name}: there is no tasks.json in this archive. Zip an item bank folder.")
            found: dict[str, bytes] = {}
            for wanted in ("tasks.json", "responses.csv"):
                if wanted in inside:
                    if inside[wanted].file_size > MOST_UNPACKED:
                        raise InvalidFile(f"{name}: {wanted} is too large unpacked.")
                    with archive.open(inside[wanted]) as stream:
                        found[wanted] = stream.read(MOST_UNPACKED)
            return found
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise InvalidFile(f"{name}: the archive can't be opened ({error}). Zip the folder again.") from error


def _json_entries(name: str, data: bytes) -> list[Any]:
    try:
        entries = json.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InvalidFile(f"{name}: not valid UTF-8 JSON ({error}).") from error
    return entries if isinstance(entries, list) else [entries]


def _table_entries(name: str, data: bytes, max_bytes: int) -> list[dict[str, Any]]:
    """A row per level; what stands above it need not be repeated."""
    file = read_class_file(name, data, limit_bytes=max_bytes)
    columns = {key: first_of(file.headers, names) for key, names in _TABLE.items()}
    missing = [key for key in _NEEDED if columns[key] is None]
    if missing:
        raise InvalidFile(
            f"{name}: this table has no column {' and no column '.join(f'“{key}”' for key in missing)}. "
            "A table of a task has the columns title, prompt, criterion, level and descriptor, "
            "and a row for each level."
        )
    entries: list[dict[str, Any]] = []
    for row in file.rows:
        cells = {
            key: row.cells[file.headers.index(header)].strip() for key, header in columns.items() if header is not None
        }
        if not any(cells.values()):
            continue
        if not entries or (cells["title"] and cells["title"] != entries[-1]["title"]):
            entries.append({"title": cells["title"], "prompt": "", "criteria": [], "reference_answers": []})
        entry = entries[-1]
        for key in ("prompt", "standard", "stimulus", "subject", "grade"):
            entry[key] = entry.get(key) or cells.get(key, "")
        answer = cells.get("reference_answers", "")
        if answer and answer not in entry["reference_answers"]:
            entry["reference_answers"].append(answer)
        criteria = entry["criteria"]
        criterion = cells.get("criterion", "") or (criteria[-1]["name"] if criteria else "Score")
        if not criteria or criteria[-1]["name"] != criterion:
            criteria.append({"name": criterion, "levels": []})
        if cells["level"]:
            criteria[-1]["levels"].append(
                {"value": cells["level"], "descriptor": cells.get("descriptor", ""), "label": cells.get("label", "")}
            )
    return entries
