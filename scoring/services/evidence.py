"""The evidence in blind scores: how well the machine agrees with people, and whether seeing it moves them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.engine import Database
from db.queries import machine_scores
from db.tables import CriterionRow, HumanScoreRow, Response
from scoring.agreement import (
    bootstrap_kappas,
    draw_resamples,
    exact_agreement,
    percentile_interval,
    quadratic_weighted_kappa,
)
from scoring.anchoring import Share, Step, before_reveal, difference, share_of
from scoring.domain import Criterion, HumanScoreKind
from scoring.services.actors import Actor, require
from scoring.services.review_views import version_of
from scoring.services.tasks import task_of
from scoring.services.uploads import require_upload


@dataclass(frozen=True)
class Agreement:
    """How well the machine agrees with blind scores on one criterion; nan where nothing can be said."""

    criterion: Criterion
    n: int
    exact: float  # share of equal levels
    qwk: float
    low: float  # bootstrap, 95%
    high: float


@dataclass(frozen=True)
class BlindReport:
    """The evidence that an upload's review gives, and whether seeing the machine's level moves people to it.

    An answer counts as overridden when a person's level differs from the machine's on any criterion.
    """

    drawn: int
    decided: int
    blind: Share  # answers scored before the machine's view was shown
    revealed: Share  # answers scored with it on the screen; decisions on whole groups are left out
    anchoring: tuple[float, float, float]  # blind share minus revealed share, with its 95% interval
    agreement: tuple[Agreement, ...]


class Evidence:
    """What blind scores show."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def blind_report(self, actor: Actor, upload_id: str) -> BlindReport:
        """Agreement on answers scored blind, and anchoring; nothing of answers that nobody has decided yet."""
        with self._database.read() as session:
            require_upload(session, require(session, actor), upload_id)
            task = task_of(version_of(session, upload_id))
            drawn = session.scalar(
                select(func.count()).where(Response.upload_id == upload_id, Response.blind.is_(True))
            )
            machine = machine_scores(session, upload_id=upload_id)
            rows = _rows(session, upload_id)
        keys = [criterion.id for criterion in task.criteria]
        pairs: dict[str, list[tuple[int, int]]] = {key: [] for key in keys}
        decided = 0
        blind: list[bool] = []
        revealed: list[bool] = []
        for (response_id, is_drawn), steps in rows.items():
            if not is_drawn and any(kind not in _SEEN for _, kind in steps):
                continue
            first = before_reveal([step for step, _ in steps], keys)
            decided += is_drawn and bool(first)
            both = {}
            for key, step in first.items():
                now = machine.get((response_id, key))
                said = step.machine_level if step.machine_level is not None else now.level if now else None
                if said is not None and step.level is not None:
                    both[key] = (step.level, said)
            if len(both) < len(keys):
                continue
            (blind if is_drawn else revealed).append(any(human != said for human, said in both.values()))
            if is_drawn:
                for key, pair in both.items():
                    pairs[key].append(pair)
        blind_share, revealed_share = share_of(blind), share_of(revealed)
        return BlindReport(
            drawn=drawn or 0,
            decided=decided,
            blind=blind_share,
            revealed=revealed_share,
            anchoring=difference(blind_share, revealed_share),
            agreement=tuple(_agreement(criterion, pairs[criterion.id]) for criterion in task.criteria),
        )


_SEEN = (HumanScoreKind.CONFIRM, HumanScoreKind.OVERRIDE, HumanScoreKind.RETRACT)


def _rows(session: Session, upload_id: str) -> dict[tuple[int, bool], list[tuple[Step, HumanScoreKind]]]:
    """The steps and kinds of every decided response, oldest first, by response and whether it was drawn."""
    found: dict[tuple[int, bool], list[tuple[Step, HumanScoreKind]]] = defaultdict(list)
    for row, key, drawn in session.execute(
        select(HumanScoreRow, CriterionRow.key, Response.blind)
        .join(CriterionRow, CriterionRow.id == HumanScoreRow.criterion_id)
        .join(Response, Response.id == HumanScoreRow.response_id)
        .where(Response.upload_id == upload_id)
        .order_by(HumanScoreRow.id)
    ):
        taken_back = row.retracts_id if row.kind == HumanScoreKind.RETRACT else None
        step = Step(row.id, row.nonce, key, row.level, row.machine_level, taken_back)
        found[row.response_id, drawn].append((step, HumanScoreKind(row.kind)))
    return found


def _agreement(criterion: Criterion, pairs: Sequence[tuple[int, int]]) -> Agreement:
    human, machine = [h for h, _ in pairs], [m for _, m in pairs]
    interval = percentile_interval(bootstrap_kappas(human, machine, draw_resamples(len(pairs))))
    return Agreement(
        criterion, len(pairs), exact_agreement(human, machine), quadratic_weighted_kappa(human, machine),
        interval.low, interval.high,
    )  # fmt: skip
