"""A database from before review had its own columns comes through whole, with the queue filled in."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from math import log
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import select

from db.engine import Database
from db.schema import alembic_config, migrate
from db.tables import HumanScoreRow, Response
from scoring.services.review_state import refresh

AT = "2026-01-01 00:00:0"
ROWS: dict[str, list[dict[str, Any]]] = {
    "users": [{"id": 1, "email": "a@b.example", "name": "A", "role": "educator", "password_hash": "x", "active": 1,
               "must_change_password": 0, "created_at": AT + "0"}],
    "sections": [{"id": 1, "name": "S", "created_by": 1, "created_at": AT + "0"}],
    "learners": [{"id": n, "name": f"L{n}"} for n in range(1, 5)],
    "tasks": [{"id": 1, "key": "t", "created_at": AT + "0"}],
    "task_versions": [{"id": 1, "task_id": 1, "number": 1, "title": "T", "content": "{}", "figure": "",
                       "content_hash": "h", "created_at": AT + "0"}],
    "criteria": [{"id": n, "task_version_id": 1, "position": n, "key": key, "name": key, "description": ""}
                 for n, key in ((1, "heat"), (2, "claim"))],
    "uploads": [{"id": "u", "section_id": 1, "task_version_id": 1, "uploaded_by": 1, "file_name": "f", "mapping": "{}",
                 "file_sha256": "s", "problems": "[]", "submit_token": "k", "job_id": "u", "status": "done", "total": 4,
                 "scored": 4, "response_count": 4, "headers_sha256": "h", "error": "", "created_at": AT + "0"}],
    "student_versions": [{"id": n, "version_key": f"v{n}", "folder": "f", "state": "retired", "shapes": "{}",
                          "card": "{}", "created_at": AT + "0"} for n in (1, 2)],
    "responses": [{"id": n, "upload_id": "u", "learner_id": n, "row_number": n, "attempt": 1, "text": f"Text {n}.",
                   "revision": 0} for n in range(1, 5)],
    "response_flags": [{"id": 1, "response_id": 4, "kind": "blank", "detail": ""}],
    "machine_scores": [
        {"id": number, "response_id": response, "criterion_id": criterion, "student_version_id": version,
         "level": level, "expected": float(level), "probabilities": json.dumps(shares), "job_id": "u",
         "created_at": AT + second}
        for number, (response, criterion, version, level, shares, second) in enumerate(
            [(1, 1, 1, 2, [0.2, 0.3, 0.5], "9"),  # version 1 spoke last, into its old row
             (1, 2, 1, 1, [0.5, 0.5], "9"),
             (1, 1, 2, 0, [1.0, 0.0, 0.0], "5"),
             (1, 2, 2, 0, [1.0, 0.0], "5"),
             (2, 1, 1, 1, [0.0, 1.0, 0.0], "1"),
             (2, 2, 1, 1, [0.0, 1.0], "1"),
             (3, 1, 1, 1, [0.1, 0.9, 0.0], "1")], start=1)
    ],
    "human_scores": [
        {"id": number, "response_id": response, "criterion_id": criterion, "kind": kind, "level": level, "rater_id": 1,
         "reason": "", "nonce": f"n{number}", "retracts_id": retracts, "created_at": AT + "9"}
        for number, (response, criterion, kind, level, retracts) in enumerate(
            [(1, 1, "confirm", 2, None), (1, 2, "override", 0, None),  # whole
             (2, 1, "confirm", 1, None), (2, 2, "confirm", 1, None), (2, 2, "retract", None, 4),  # half
             (4, 1, "second", 1, None), (4, 2, "confirm", 1, None)], start=1)  # a second rating never counts
    ],
}  # fmt: skip


@pytest.fixture
def migrated(tmp_path: Path) -> Iterator[Database]:
    """The rows above in the first schema, brought to the newest."""
    database = Database(f"sqlite:///{tmp_path / 'evenhand.db'}")
    config = alembic_config()
    with database.engine.connect().execution_options(writes=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    with sqlite3.connect(tmp_path / "evenhand.db") as connection:
        for table, rows in ROWS.items():
            for row in rows:
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))
    assert migrate(database, tmp_path / "backups") is not None
    yield database
    database.close()


def test_no_row_is_lost_when_tables_are_rebuilt(migrated: Database) -> None:
    with migrated.read() as session:
        for table, rows in ROWS.items():
            count = session.connection().exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
            assert count == len(rows), table
        assert session.connection().exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
        for row in session.connection().exec_driver_sql("SELECT id, text FROM responses"):
            assert row[1] == f"Text {row[0]}."


def test_the_rebuilt_tables_are_those_of_a_new_database(migrated: Database, migrated_file: Path) -> None:
    def schema(path: Path) -> list[str]:
        with sqlite3.connect(path) as connection:
            found = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
            # Constraints come in no fixed order.
            return sorted("\n".join(sorted(line.strip(" ,\t") for line in sql.splitlines())) for (sql,) in found)

    assert migrated.engine.url.database is not None
    ours = schema(Path(migrated.engine.url.database))
    assert ours == schema(migrated_file)
    for table in ("responses", "human_scores"):
        (sql,) = [s for s in ours if f'CREATE TABLE "{table}"' in s]
        assert "AUTOINCREMENT" in sql
        assert "ON DELETE CASCADE" in sql
    assert sum("level_given" in sql and "retraction_named" in sql for sql in ours) == 1


def test_reviewed_and_the_order_are_filled_in_as_the_services_would(migrated: Database) -> None:
    def state() -> dict[int, tuple[bool, float | None, int | None]]:
        with migrated.read() as session:
            return {r.id: (r.reviewed, r.uncertainty, r.machine_total) for r in session.scalars(select(Response))}

    entropy = -(0.2 * log(0.2) + 0.3 * log(0.3) + 0.5 * log(0.5)) / log(3)
    one = -(0.1 * log(0.1) + 0.9 * log(0.9)) / log(3)
    found = state()
    assert found == {
        1: (True, pytest.approx((entropy + 1) / 2), 3),  # of version 1, which spoke last
        2: (False, 0.0, 2),
        3: (False, pytest.approx(one), None),
        4: (False, None, None),
    }
    with migrated.write() as session:
        refresh(session, found)
    assert state() == found


def test_an_erased_id_never_comes_back(migrated: Database) -> None:
    with migrated.write() as session:
        session.delete(session.get_one(Response, 4))
    with migrated.write() as session:
        row = Response(upload_id="u", learner_id=4, row_number=9, text="Another.")
        session.add(row)
        session.flush()
        assert row.id == 5
        score = HumanScoreRow(response_id=5, criterion_id=1, kind="confirm", level=1, rater_id=1, nonce="n")
        session.add(score)
        session.flush()
        assert score.id == 8, "those of the erased answer went with it"
