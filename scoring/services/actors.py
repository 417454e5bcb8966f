"""Who is asking. Every service call comes through `require`, whatever the screen showed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.tables import Section, SectionEducator, SignInSession, User, utc_now
from scoring.domain import Role
from scoring.errors import NotAllowed, NotFound, NotSignedIn

LONGEST_SESSION = timedelta(hours=12)


@dataclass(frozen=True)
class Actor:
    """A signed-in person as a screen holds them: only references, so that revoking works at once."""

    user_id: int
    token_hash: str
    name: str
    email: str
    role: Role
    must_change_password: bool = False
    idle_timeout: timedelta = timedelta(minutes=60)

    @property
    def is_administrator(self) -> bool:
        """Whether administrator screens are shown; services read the role again."""
        return self.role is Role.ADMINISTRATOR


def require(session: Session, actor: Actor, role: Role = Role.EDUCATOR, *, fresh_password: bool = True) -> User:
    """The actor's user row, after checking session, account and role as they are now.

    Raises:
        NotSignedIn: the session was revoked, timed out, or the account was deactivated.
        NotAllowed: the role is not enough, or the first password was not changed yet.
    """
    row = session.get(SignInSession, actor.token_hash)
    if row is None or row.user_id != actor.user_id or row.revoked_at is not None:
        raise NotSignedIn("You are signed out. Sign in again to go on.")
    now = utc_now()
    if now - row.created_at > LONGEST_SESSION:
        raise NotSignedIn("You were signed in for half a day. Sign in again to go on.")
    if now - row.last_seen_at > actor.idle_timeout:
        raise NotSignedIn("You were signed out after a long pause. Sign in again to go on.")
    user = session.get(User, actor.user_id)
    if user is None or not user.active:
        raise NotSignedIn("This account is deactivated. Ask an administrator.")
    if role is Role.ADMINISTRATOR and user.role != Role.ADMINISTRATOR:
        raise NotAllowed("Only an administrator may do this.")
    if fresh_password and user.must_change_password:
        raise NotAllowed("Choose a password of your own first.")
    return user


def require_section(session: Session, user: User, section_id: int) -> Section:
    """A section that the user may work in: their own, or any for an administrator.

    Raises:
        NotFound: there is none, or it is somebody else's; the two look alike on purpose.
    """
    section = session.get(Section, section_id)
    if section is None or (
        user.role != Role.ADMINISTRATOR and session.get(SectionEducator, (section_id, user.id)) is None
    ):
        raise NotFound("There is no such section among yours.")
    return section


def visible_section_ids(session: Session, user: User) -> list[int]:
    """The ids of all sections the user may see."""
    if user.role == Role.ADMINISTRATOR:
        return list(session.scalars(select(Section.id)))
    return list(session.scalars(select(SectionEducator.section_id).where(SectionEducator.user_id == user.id)))
