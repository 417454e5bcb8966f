"""House rules: the choices of this school that the program follows. What was never chosen has its default here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.engine import Database
from db.queries import user_names
from db.tables import HouseRule, User, utc_now
from scoring.domain import Role
from scoring.errors import InvalidInput, NotFound
from scoring.services.actors import Actor, require
from scoring.services.audit import record

BLIND, OVERRIDE_REASONS, ALERTS = "blind", "override_reasons", "alerts"
NEVER, ALLOWED, REQUIRED = "never", "allowed", "required"
LONGEST_REASON_KIND = 60  # as the column of the decisions holds it
MOST_REASONS = 12
DEFAULTS: dict[str, dict[str, Any]] = {
    # The share of an upload's answers, 0 to 1, that people score before they see the model's score.
    BLIND: {"share": 0.1},
    # What a person may give as the reason for another level than the model's. `free_text` says whether words
    # of one's own are never taken, may stand beside or instead of an entry, or are needed each time.
    OVERRIDE_REASONS: {
        "reasons": [
            "Says it in other words",
            "Idea is there only in part",
            "Names it without explaining it",
            "Explanation does not fit the evidence",
            "Does not answer the question",
        ],
        "free_text": ALLOWED,
    },
    # Ids of the people who are told of every urgent sign, besides the educators of the section.
    ALERTS: {"people": []},
}


@dataclass(frozen=True)
class RuleState:
    """A rule as it stands; `changed_at` is `None` while the default holds."""

    value: dict[str, Any]
    changed_by: str
    changed_at: datetime | None


def rule(session: Session, name: str) -> dict[str, Any]:
    """The house's choice for one of the names above, or its default. Raises `NotFound` for another name."""
    if name not in DEFAULTS:
        raise NotFound(f"There is no house rule {name!r}; there are {', '.join(DEFAULTS)}.")
    row = session.get(HouseRule, name)
    # What a later release added to a rule has its default until it is chosen.
    return {**DEFAULTS[name], **(row.value if row else {})}


def check_reason(session: Session, reason_kind: str, reason: str) -> None:
    """Refuse an override's reason that the house does not take.

    Args:
        session: Any session.
        reason_kind: An entry of the short list, or empty.
        reason: Words of the person's own, or empty.

    Raises:
        InvalidInput: the entry is not on the list, or what is needed is missing.
    """
    house = rule(session, OVERRIDE_REASONS)
    if reason_kind and reason_kind not in house["reasons"]:
        raise InvalidInput(f"“{reason_kind}” is not among the reasons to choose from. Choose another one.")
    if house["free_text"] == REQUIRED and not reason.strip():
        raise InvalidInput("Say in your own words why you choose another level than the model.")
    if house["free_text"] == NEVER and reason.strip():
        raise InvalidInput("Choose a reason from the list; words of your own are switched off here.")
    if not reason_kind and not reason.strip():
        raise InvalidInput("Say why you choose another level than the model.")


class Rules:
    """Reading and changing the house rules; administrators only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get_all(self, actor: Actor) -> dict[str, RuleState]:
        """Every rule by name, with who changed it last."""
        with self._database.read() as session:
            require(session, actor, Role.ADMINISTRATOR)
            rows = {row.name: row for row in session.scalars(select(HouseRule))}
            names = user_names(session, (row.changed_by for row in rows.values() if row.changed_by is not None))
            return {
                name: RuleState(
                    rule(session, name),
                    names.get(rows[name].changed_by or 0, "") if name in rows else "",
                    rows[name].changed_at if name in rows else None,
                )
                for name in DEFAULTS
            }

    def change(self, actor: Actor, name: str, value: dict[str, Any]) -> dict[str, Any]:
        """Set a rule from now on; what was drawn, decided or raised before stays as it is.

        Returns:
            The rule as it was saved, tidied.

        Raises:
            InvalidInput: a field is missing, unknown or out of its range; nothing was saved.
            NotFound: there is no such rule.
        """
        with self._database.write() as session:
            user = require(session, actor, Role.ADMINISTRATOR)
            before = rule(session, name)
            unknown, missing = set(value) - set(before), set(before) - set(value)
            if unknown or missing:
                raise InvalidInput(f"{name}: expected {sorted(before)}, found {sorted(value)}.")
            checked = _CHECKS[name](session, value)
            if checked == before and session.get(HouseRule, name) is not None:
                return checked
            session.merge(HouseRule(name=name, value=checked, changed_by=user.id, changed_at=utc_now()))
            record(session, user.id, "rule.change", "house_rule", name, **_for_the_log(checked))
            return checked


def _for_the_log(value: dict[str, Any]) -> dict[str, Any]:
    """A rule without its wordings: the log holds ids, counts and kinds."""
    return {key: len(entry) if key == "reasons" else entry for key, entry in value.items()}


def _blind(_session: Session, value: dict[str, Any]) -> dict[str, Any]:
    share = value["share"]
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise InvalidInput(f"share: found {share!r}; a share lies between 0 (none) and 1 (all).")
    return {"share": round(float(share), 4)}


def _override_reasons(_session: Session, value: dict[str, Any]) -> dict[str, Any]:
    if value["free_text"] not in (NEVER, ALLOWED, REQUIRED):
        raise InvalidInput(f"free_text: found {value['free_text']!r}; allowed are {NEVER}, {ALLOWED} and {REQUIRED}.")
    reasons = _tidied(value["reasons"])
    if len(reasons) > MOST_REASONS:
        raise InvalidInput(f"reasons: found {len(reasons)}; a short list has at most {MOST_REASONS}.")
    for reason in reasons:
        if len(reason) > LONGEST_REASON_KIND:
            raise InvalidInput(
                f"reasons: “{reason}” has {len(reason)} characters; at most {LONGEST_REASON_KIND} fit. Shorten it."
            )
    if not reasons and value["free_text"] == NEVER:
        raise InvalidInput("reasons: without a list, people need words of their own. Add a reason, or allow those.")
    return {"reasons": reasons, "free_text": value["free_text"]}


def _tidied(reasons: object) -> list[str]:
    """Without blanks around them, empty ones and repetitions, in the order given."""
    if not isinstance(reasons, Iterable) or isinstance(reasons, str):
        raise InvalidInput(f"reasons: found {reasons!r}; a list of texts is expected.")
    found: dict[str, str] = {}
    for reason in reasons:
        text = " ".join(str(reason).split())
        if text:
            found.setdefault(text.casefold(), text)
    return list(found.values())


def _alerts(session: Session, value: dict[str, Any]) -> dict[str, Any]:
    people = value["people"]
    if not isinstance(people, list) or not all(isinstance(entry, int) for entry in people):
        raise InvalidInput(f"people: found {people!r}; a list of account numbers is expected.")
    active = set(session.scalars(select(User.id).where(User.active.is_(True))))
    absent = [entry for entry in people if entry not in active]
    if absent:
        raise InvalidInput(
            f"people: account {absent[0]} does not exist or is deactivated. Choose somebody who can sign in."
        )
    return {"people": sorted(set(people))}


_CHECKS: dict[str, Callable[[Session, dict[str, Any]], dict[str, Any]]] = {
    BLIND: _blind,
    OVERRIDE_REASONS: _override_reasons,
    ALERTS: _alerts,
}
