"""Finding the decisions that a message is about: sent before, standing, or taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session, aliased

from db.tables import CriterionRow, HumanScoreRow, Response, User
from scoring.domain import COUNTING_KINDS, HumanScoreKind
from scoring.errors import Conflict, InvalidInput

LONGEST_NONCE = 64


def sent_before(session: Session, user: User, nonce: str) -> list[HumanScoreRow]:
    """What this nonce saved before, oldest first."""
    if not 1 <= len(nonce) <= LONGEST_NONCE:
        raise InvalidInput(f"A decision needs a nonce of 1 to {LONGEST_NONCE} characters. Reload the page.")
    rows = session.scalars(
        select(HumanScoreRow)
        .where(or_(HumanScoreRow.nonce == nonce, HumanScoreRow.batch == nonce))
        .order_by(HumanScoreRow.id)
    ).all()
    if any(row.rater_id != user.id for row in rows):
        raise Conflict("This decision belongs to another response. Reload the page, then decide again.")
    return list(rows)


def require_same_decision(
    session: Session, sent: Sequence[HumanScoreRow], ids: Sequence[int], levels: Mapping[str, int]
) -> None:
    """Taking another message with this nonce for saved would lose this one."""
    if {row.response_id for row in sent} != set(ids):
        raise Conflict("This decision belongs to another response. Reload the page, then decide again.")
    keys = dict(session.execute(select(CriterionRow.id, CriterionRow.key)).all())
    saved = {(row.response_id, keys[row.criterion_id], row.level) for row in sent}
    wanted = {(i, key, level) for i in ids for key, level in levels.items()}
    if saved != wanted or any(row.retracts_id is not None for row in sent):
        raise Conflict("Another decision was saved from this screen already. Reload the page, then decide again.")


def require_same_move(
    session: Session, sent: Sequence[HumanScoreRow], upload_id: str, *, back: bool, response_id: int | None = None
) -> None:
    """The same for taking back (`back`) and putting back."""
    response = session.get(Response, sent[0].response_id)
    moved = all(row.retracts_id is not None and (row.kind == HumanScoreKind.RETRACT) is back for row in sent)
    elsewhere = response_id is not None and response_id not in {row.response_id for row in sent}
    if not moved or elsewhere or response is None or response.upload_id != upload_id:
        raise Conflict("Another decision was saved from this screen already. Reload the page, then decide again.")


def standing_rows(session: Session, user: User, *conditions: ColumnElement[bool]) -> list[HumanScoreRow]:
    """The user's scores under the conditions that were not taken back, oldest first."""
    return list(session.scalars(_not_taken_back(user, *conditions).order_by(HumanScoreRow.id)))


def newest_standing(session: Session, user: User, *conditions: ColumnElement[bool]) -> HumanScoreRow | None:
    """The newest of them."""
    return session.scalars(_not_taken_back(user, *conditions).order_by(HumanScoreRow.id.desc()).limit(1)).first()


def _not_taken_back(user: User, *conditions: ColumnElement[bool]) -> Select[HumanScoreRow]:
    retraction = aliased(HumanScoreRow)
    taken_back = select(retraction.id).where(
        retraction.response_id == HumanScoreRow.response_id,
        retraction.retracts_id == HumanScoreRow.id,
        retraction.kind == HumanScoreKind.RETRACT,
    )
    return select(HumanScoreRow).where(
        HumanScoreRow.rater_id == user.id, HumanScoreRow.kind.in_(COUNTING_KINDS), ~taken_back.exists(), *conditions
    )


def same_message(row: HumanScoreRow) -> ColumnElement[bool]:
    """The rows that were saved together with this one."""
    return HumanScoreRow.batch == row.batch if row.batch else HumanScoreRow.nonce == row.nonce


def to_put_back(session: Session, user: User, upload_id: str, since: int) -> list[HumanScoreRow]:
    """The newest retraction of the user's, whole, that was not put back and that no new decision followed."""
    rows = session.scalars(
        select(HumanScoreRow)
        .join(Response, Response.id == HumanScoreRow.response_id)
        .where(HumanScoreRow.rater_id == user.id, HumanScoreRow.id > since, Response.upload_id == upload_id)
        .order_by(HumanScoreRow.id.desc())
        .execution_options(yield_per=50)
    )
    put_back = set()
    for row in rows:
        if row.kind == HumanScoreKind.RETRACT:
            if row.id not in put_back:
                whole = select(HumanScoreRow).where(same_message(row), HumanScoreRow.kind == HumanScoreKind.RETRACT)
                return list(session.scalars(whole.order_by(HumanScoreRow.id)))
        elif row.retracts_id is None:
            return []
        else:
            put_back.add(row.retracts_id)
    return []


def current_revisions(session: Session, rows: Sequence[HumanScoreRow]) -> dict[int, int]:
    """The revisions as they stand, of the responses that rows belong to."""
    ids = {row.response_id for row in rows}
    return dict(session.execute(select(Response.id, Response.revision).where(Response.id.in_(ids))).all())
