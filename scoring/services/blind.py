"""Blind first: a share of each upload is scored by people before they see the machine's view of it.

That the machine's view stays hidden until then is the work of `db.queries`, through which all of it comes.
"""

from __future__ import annotations

from random import SystemRandom

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.tables import Response, ResponseFlag
from scoring.services.rules import BLIND, rule


def draw(session: Session, upload_id: str) -> tuple[float, int]:
    """Draw the answers of a new upload that people score first, at random over all that are not blank.

    Returns:
        The share that the house rules ask for, and how many were drawn: at least one, unless it is 0.
    """
    share = float(rule(session, BLIND)["share"])
    blank = select(ResponseFlag.response_id).where(
        ResponseFlag.response_id == Response.id, ResponseFlag.kind == "blank"
    )
    ids = list(session.scalars(select(Response.id).where(Response.upload_id == upload_id, ~blank.exists())))
    count = min(len(ids), max(1, round(share * len(ids)))) if share > 0 else 0
    drawn = SystemRandom().sample(ids, count)
    session.execute(update(Response), [{"id": i, "blind": True} for i in drawn])
    return share, count
