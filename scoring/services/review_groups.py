"""Answers of an upload that say the same: to decide at once, and to find where people scored them differently."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.engine import Database
from db.queries import hidden_ids, machine_scores
from db.tables import Response, SectionMember, Upload
from scoring.services.actors import Actor, require
from scoring.services.review_state import standing_levels
from scoring.services.review_views import visible_response
from scoring.services.uploads import require_upload


@dataclass(frozen=True)
class GroupMember:
    """An answer of a group. `machine` is empty without scores and while they are hidden."""

    id: int
    learner: str
    text: str
    revision: int
    reviewed: bool
    machine: Mapping[str, int]  # criterion id -> level
    levels: Mapping[str, int]  # criterion id -> the level that a person gave and that stands
    machine_hidden: bool


@dataclass(frozen=True)
class Inconsistency:
    """Two answers that say the same and have different levels from people; `usual` has what most of the group have."""

    group: str
    usual: GroupMember
    other: GroupMember
    criteria: tuple[str, ...]  # ids of those where they differ


class Groups:
    """Groups of alike answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def group(self, actor: Actor, response_id: int) -> list[GroupMember]:
        """The answers that say the same as this one, itself first, the others in file order."""
        with self._database.read() as session:
            user = require(session, actor)
            response = visible_response(session, user, response_id)
            ids = [response_id]
            if response.alike_group is not None:
                alike = select(Response.id).where(
                    Response.upload_id == response.upload_id, Response.alike_group == response.alike_group
                )
                ids += [i for i in session.scalars(alike.order_by(Response.id)) if i != response_id]
            return _members(session, ids)

    def inconsistencies(self, actor: Actor, upload_id: str, limit: int = 200) -> list[Inconsistency]:
        """Alike answers with different human levels, in file order; each beside one with its group's usual levels."""
        with self._database.read() as session:
            require_upload(session, require(session, actor), upload_id)
            rows = session.execute(
                select(Response.id, Response.alike_group)
                .where(Response.upload_id == upload_id, Response.alike_group.is_not(None), Response.revision > 0)
                .order_by(Response.id)
            ).all()
            standing = standing_levels(session, [i for i, _ in rows])
            groups: dict[str, list[int]] = defaultdict(list)
            for i, group in rows:
                if i in standing and group is not None:
                    groups[group].append(i)
            pairs = [
                (group, usual, other, criteria)
                for group, ids in groups.items()
                for usual, other, criteria in _differing(ids, standing)
            ][:limit]
            members = {m.id: m for m in _members(session, sorted({i for _, a, b, _ in pairs for i in (a, b)}))}
        return [Inconsistency(group, members[a], members[b], criteria) for group, a, b, criteria in pairs]


def _differing(ids: list[int], standing: Mapping[int, Mapping[str, int]]) -> list[tuple[int, int, tuple[str, ...]]]:
    """Of one group: an answer with the usual levels, each that differs from it, and where."""
    patterns = Counter(tuple(sorted(standing[i].items())) for i in ids)
    most = max(patterns.values())
    usual = next(i for i in ids if patterns[tuple(sorted(standing[i].items()))] == most)
    found = []
    for i in ids:
        both = standing[i].keys() & standing[usual].keys()
        criteria = tuple(sorted(key for key in both if standing[i][key] != standing[usual][key]))
        if criteria:
            found.append((usual, i, criteria))
    return found


def _members(session: Session, ids: list[int]) -> list[GroupMember]:
    """Responses of one upload as members, in the order given."""
    rows = {
        row.id: row
        for row in session.execute(
            select(
                Response.id, Response.row_number, Response.text, Response.revision, Response.reviewed,
                SectionMember.identifier,
            )
            .join(Upload, Upload.id == Response.upload_id)
            .outerjoin(
                SectionMember,
                (SectionMember.learner_id == Response.learner_id) & (SectionMember.section_id == Upload.section_id),
            )
            .where(Response.id.in_(ids))
        )
    }  # fmt: skip
    machine: dict[int, dict[str, int]] = defaultdict(dict)
    for (i, key), score in machine_scores(session, ids).items():
        machine[i][key] = score.level
    standing, unseen = standing_levels(session, ids), hidden_ids(session, ids)
    return [
        GroupMember(
            id=i,
            learner=rows[i].identifier or f"Row {rows[i].row_number}",
            text=rows[i].text,
            revision=rows[i].revision,
            reviewed=rows[i].reviewed,
            machine=machine.get(i, {}),
            levels=standing.get(i, {}),
            machine_hidden=i in unseen,
        )
        for i in ids
    ]
