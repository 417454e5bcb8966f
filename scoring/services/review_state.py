"""What the review queue knows of a response, brought in line with the scores and decisions that it follows from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from db.queries import human_scores, machine_scores
from db.tables import CriterionRow, Response, ResponseGates, Upload
from scoring.domain import CriterionScore, final_score
from scoring.uncertainty import uncertainty

SLICE = 2_000  # responses in one go, well under the variables that a statement may have

_Row = Row[*tuple[Any, ...]]
Levels = dict[str, int]  # by criterion key
Standing = dict[int, Levels]  # response -> what people gave and what stands


def refresh(session: Session, response_ids: Iterable[int], *, alike: bool = True) -> None:
    """Set `reviewed`, `uncertainty` and `machine_total` of responses as their scores and decisions have it now.

    Belongs into the transaction that changes any of these; running it again changes nothing.

    Args:
        session: A write session, flushed.
        response_ids: The responses, of any uploads.
        alike: Also of the answers that say the same, as after a decision: it tells something of them too.
    """
    ids = sorted(set(response_ids))
    for start in range(0, len(ids), SLICE):
        own = _rows(session, ids[start : start + SLICE])
        likes = _likes(session, own)
        _refresh(session, list((likes if alike else own).values()), list(likes.values()))


def _refresh(session: Session, rows: Sequence[_Row], likes: Sequence[_Row]) -> None:
    """Refresh `rows`; `likes` are these and all that say the same."""
    standing = standing_levels(session, [row.id for row in likes])
    criteria = _criteria(session, rows)
    reviewed = {row.id: criteria[row.upload_id] == set(standing.get(row.id, ())) for row in rows}
    # What is hidden depends on what is reviewed, so that comes first.
    _write(session, [{"id": r.id, "reviewed": reviewed[r.id]} for r in rows if r.reviewed != reviewed[r.id]])
    neighbours = _neighbours(likes, standing)
    for start in range(0, len(rows), SLICE):
        part = rows[start : start + SLICE]
        machine, gates = _shown(session, part)
        values = []
        for row in part:
            scores = machine.get(row.id, {})
            others = [levels for i, levels in neighbours.get((row.upload_id, row.alike_group), ()) if i != row.id]
            human = [[levels[key] for levels in others if key in levels] for key in scores]
            value = uncertainty(list(scores.values()), gates.get(row.id), human) if scores else None
            whole = set(scores) == criteria[row.upload_id]
            total = sum(score.level for score in scores.values()) if whole else None
            if (value, total) != (row.uncertainty, row.machine_total):
                values.append({"id": row.id, "uncertainty": value, "machine_total": total})
        _write(session, values)


def _neighbours(rows: Sequence[_Row], standing: Standing) -> dict[tuple[str, str], list[tuple[int, Levels]]]:
    """Decided answers by what they say: upload and group -> response and its levels."""
    found: dict[tuple[str, str], list[tuple[int, Levels]]] = defaultdict(list)
    for row in rows:
        if row.alike_group is not None and row.id in standing:
            found[row.upload_id, row.alike_group].append((row.id, standing[row.id]))
    return found


def _shown(session: Session, rows: Sequence[_Row]) -> tuple[dict[int, dict[str, CriterionScore]], dict[int, Any]]:
    """Newest machine scores and gate weights of the rows whose order may follow from them.

    Answers drawn blind keep their place in the order when they are decided, so theirs never does.
    """
    ids = [row.id for row in rows if not row.blind]
    machine: dict[int, dict[str, CriterionScore]] = defaultdict(dict)
    for (response_id, key), score in machine_scores(session, ids).items():
        machine[response_id][key] = score
    gates = session.execute(
        select(ResponseGates.response_id, ResponseGates.weights)
        .where(ResponseGates.response_id.in_(list(machine)))
        .order_by(ResponseGates.created_at, ResponseGates.student_version_id)
    )
    return machine, dict(gates.all())


def standing_levels(session: Session, response_ids: Sequence[int]) -> Standing:
    """The levels that people gave and that stand; responses without any are left out."""
    found: Standing = defaultdict(dict)
    for start in range(0, len(response_ids), SLICE):
        for (response_id, key), scores in human_scores(session, response_ids[start : start + SLICE]).items():
            final = final_score(None, scores)
            if final.level is not None:
                found[response_id][key] = final.level
    return dict(found)


def _rows(session: Session, ids: Sequence[int]) -> dict[int, _Row]:
    return {row.id: row for row in session.execute(select(*_COLUMNS).where(Response.id.in_(ids)))}


def _likes(session: Session, rows: Mapping[int, _Row]) -> dict[int, _Row]:
    """The rows and all of their uploads that say the same."""
    found = dict(rows)
    for upload_id, group in {(row.upload_id, row.alike_group) for row in rows.values() if row.alike_group is not None}:
        alike = select(*_COLUMNS).where(Response.upload_id == upload_id, Response.alike_group == group)
        found |= {row.id: row for row in session.execute(alike)}
    return found


def _criteria(session: Session, rows: Iterable[_Row]) -> dict[str, set[str]]:
    """Criterion keys by upload."""
    found: dict[str, set[str]] = defaultdict(set)
    for upload_id, key in session.execute(
        select(Upload.id, CriterionRow.key)
        .join(CriterionRow, CriterionRow.task_version_id == Upload.task_version_id)
        .where(Upload.id.in_({row.upload_id for row in rows}))
    ):
        found[upload_id].add(key)
    return found


def _write(session: Session, values: list[dict[str, Any]]) -> None:
    if values:
        session.execute(update(Response), values)


_COLUMNS = (
    Response.id, Response.upload_id, Response.alike_group, Response.blind, Response.reviewed,
    Response.uncertainty, Response.machine_total,
)  # fmt: skip
