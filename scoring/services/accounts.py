"""People: set-up, sign-in, passwords, roles, deactivation."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from db.engine import Database
from db.tables import SetupCode, SignInAttempt, SignInSession, User, utc_now
from scoring.domain import Role
from scoring.errors import Conflict, InvalidInput, NotAllowed, NotFound, NotSignedIn, StorageFull
from scoring.services.actors import LONGEST_SESSION, Actor, require
from scoring.services.audit import record

ATTEMPT_WINDOW = timedelta(minutes=15)
ATTEMPTS_PER_ACCOUNT = 5
ATTEMPTS_PER_ADDRESS = 50
HASHES_AT_ONCE = 4
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 200
EASY_TO_SAY = "abcdefghjkmnpqrstuvwxyz23456789"
TOUCH_INTERVAL = timedelta(seconds=60)


@dataclass(frozen=True)
class Person:
    """An account as the people screen shows it."""

    id: int
    name: str
    email: str
    role: Role
    active: bool
    must_change_password: bool
    last_sign_in_at: datetime | None


class Accounts:
    """Accounts and sign-in sessions."""

    def __init__(self, database: Database, idle_timeout: timedelta) -> None:
        self._database = database
        self._idle_timeout = idle_timeout
        self._hasher = PasswordHasher()
        # Argon2 takes 64 MiB a piece; a flood of attempts must wait its turn.
        self._hashing = threading.BoundedSemaphore(HASHES_AT_ONCE)
        # Compared with when the account does not exist, so that timing tells nothing.
        self._no_account = self._hasher.hash(secrets.token_urlsafe())

    # Set-up ---------------------------------------------------------------------------------------

    def needs_setup(self) -> bool:
        """Whether nobody has an account yet."""
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(User)) == 0

    def new_setup_code(self) -> str | None:
        """Make the one-time set-up code, replacing any earlier one; `None` once somebody has an account."""
        if not self.needs_setup():
            return None
        code = "-".join(secrets.token_hex(2) for _ in range(4))
        with self._database.write() as session:
            session.execute(delete(SetupCode))
            session.add(SetupCode(code_hash=_digest(code)))
        return code

    def set_up(self, code: str, name: str, email: str, password: str, address: str) -> str:
        """Create the first administrator and sign them in.

        Returns:
            The token of the new session.

        Raises:
            NotAllowed: wrong code, too many attempts, or somebody was faster.
            InvalidInput: name, e-mail address or password can't be used.
        """
        email = _checked_email(email)
        name = _checked_name(name)
        _check_password(password, email)
        attempts = self._count_attempt((f"setup:{address}", ATTEMPTS_PER_ACCOUNT))
        with self._hashing:
            password_hash = self._hasher.hash(password)
        with self._database.write() as session:
            stored = session.scalar(select(SetupCode))
            taken = session.scalar(select(func.count()).select_from(User))
            right = stored is not None and hmac.compare_digest(stored.code_hash, _digest(code.strip().lower()))
            if not taken and right:
                session.execute(delete(SetupCode))
                session.execute(delete(SignInAttempt).where(SignInAttempt.id.in_(attempts)))
                user = User(name=name, email=email, role=Role.ADMINISTRATOR, password_hash=password_hash)
                session.add(user)
                session.flush()
                record(session, user.id, "user.set_up", "user", user.id)
                return self._open_session(session, user)
        if taken:
            raise NotAllowed("Evenhand is set up already. Sign in instead.")
        raise NotAllowed("That set-up code is not right. It stands in the console that started Evenhand.")

    # Sign-in --------------------------------------------------------------------------------------

    def sign_in(self, email: str, password: str, address: str) -> str:
        """Check a password and open a session.

        Returns:
            The session's token, to be kept in a signed cookie; only its hash is stored.

        Raises:
            NotAllowed: wrong, deactivated, or too many attempts; the message does not tell which account exists.
        """
        email = email.strip().lower()
        account = f"account:{email[:254]}"
        attempts = self._count_attempt((account, ATTEMPTS_PER_ACCOUNT), (f"address:{address}", ATTEMPTS_PER_ADDRESS))
        with self._database.read() as session:
            user = session.scalar(select(User).where(User.email == email))
            stored, active = (user.password_hash, user.active) if user else (self._no_account, False)
        right = self._matches(stored, password) and active
        if not right:
            raise NotAllowed("E-mail address and password do not match an active account.")
        with self._database.write() as session:
            user = session.scalar(select(User).where(User.email == email))
            if user is None or not user.active or user.password_hash != stored:
                raise NotAllowed("E-mail address and password do not match an active account.")
            if self._hasher.check_needs_rehash(stored):
                user.password_hash = self._hasher.hash(password)
            session.execute(
                delete(SignInAttempt).where(
                    (SignInAttempt.key == account)
                    | SignInAttempt.id.in_(attempts)
                    | (SignInAttempt.at < utc_now() - ATTEMPT_WINDOW)
                )
            )
            record(session, user.id, "session.sign_in", "user", user.id)
            return self._open_session(session, user)

    def resume(self, token: str) -> Actor:
        """The person behind a session token, marking the session as used.

        Raises:
            NotSignedIn: unknown, revoked, timed out, or the account was deactivated.
        """
        token_hash = _digest(token)
        with self._database.read() as session:
            row = session.get(SignInSession, token_hash)
            user = session.get(User, row.user_id) if row else None
            if row is None or user is None:
                raise NotSignedIn("You are signed out. Sign in again to go on.")
            actor = self._actor(user, token_hash)
            require(session, actor, fresh_password=False)
            now = utc_now()
            stale = now - row.last_seen_at > min(TOUCH_INTERVAL, self._idle_timeout / 10)
        if stale:
            # On a full disk one can still look at what is there.
            with contextlib.suppress(StorageFull), self._database.write() as session:
                session.execute(
                    update(SignInSession)
                    .where(SignInSession.token_hash == token_hash, SignInSession.revoked_at.is_(None))
                    .values(last_seen_at=now)
                )
        return actor

    def sign_out(self, actor: Actor) -> None:
        """Revoke this session; every tab that uses it is signed out at its next click."""
        with self._database.write() as session:
            row = session.get(SignInSession, actor.token_hash)
            if row is not None and row.revoked_at is None:
                row.revoked_at = utc_now()
                record(session, actor.user_id, "session.sign_out", "user", actor.user_id)

    def change_password(self, actor: Actor, current: str, new: str) -> None:
        """Replace the actor's own password and sign out their other browsers.

        Raises:
            InvalidInput: the current password is wrong, or the new one can't be used.
        """
        with self._database.read() as session:
            user = require(session, actor, fresh_password=False)
            stored, email = user.password_hash, user.email
        key = f"change:{actor.user_id}"
        _check_password(new, email)
        if hmac.compare_digest(current.encode(), new.encode()):
            raise InvalidInput("The new password is the same as the current one. Choose another.")
        self._count_attempt((key, ATTEMPTS_PER_ACCOUNT))
        if not self._matches(stored, current):
            raise InvalidInput("The current password is not right.")
        password_hash = self._hasher.hash(new)
        with self._database.write() as session:
            user = require(session, actor, fresh_password=False)
            user.password_hash, user.must_change_password = password_hash, False
            session.execute(delete(SignInAttempt).where(SignInAttempt.key == key))
            _revoke_sessions(session, user.id, keep=actor.token_hash)
            record(session, user.id, "user.change_password", "user", user.id)

    # People ---------------------------------------------------------------------------------------

    def people(self, actor: Actor) -> list[Person]:
        """Every account, by name. Administrators only."""
        with self._database.read() as session:
            require(session, actor, Role.ADMINISTRATOR)
            rows = session.scalars(select(User).order_by(User.active.desc(), func.lower(User.name), User.id))
            return [_person(user) for user in rows]

    def add_person(self, actor: Actor, name: str, email: str, role: Role) -> tuple[Person, str]:
        """Create an account with a first password that must be changed at the first sign-in.

        Returns:
            The person and the first password, which is shown once and never stored.

        Raises:
            Conflict: the e-mail address has an account already.
        """
        email, name = _checked_email(email), _checked_name(name)
        password = _first_password()
        password_hash = self._hasher.hash(password)
        with self._database.write() as session:
            require(session, actor, Role.ADMINISTRATOR)
            if session.scalar(select(User.id).where(User.email == email)) is not None:
                raise Conflict(f"{email} has an account already.")
            user = User(
                name=name,
                email=email,
                role=Role(role),
                password_hash=password_hash,
                must_change_password=True,
            )
            session.add(user)
            session.flush()
            record(session, actor.user_id, "user.add", "user", user.id, role=str(role))
            return _person(user), password

    def reset_password(self, actor: Actor, user_id: int) -> str:
        """Give somebody a new first password and sign them out everywhere; returns it once."""
        password = _first_password()
        password_hash = self._hasher.hash(password)
        with self._database.write() as session:
            require(session, actor, Role.ADMINISTRATOR)
            user = _existing(session, user_id)
            user.password_hash, user.must_change_password = password_hash, True
            _revoke_sessions(session, user.id)
            session.execute(delete(SignInAttempt).where(SignInAttempt.key == f"account:{user.email}"))
            record(session, actor.user_id, "user.reset_password", "user", user.id)
        return password

    def set_active(self, actor: Actor, user_id: int, active: bool) -> None:
        """Deactivate or reactivate an account; a deactivated person is signed out at once.

        Raises:
            Conflict: it is the last active administrator.
        """
        with self._database.write() as session:
            require(session, actor, Role.ADMINISTRATOR)
            user = _existing(session, user_id)
            if not active:
                _keep_an_administrator(session, user)
                _revoke_sessions(session, user.id)
            user.active = active
            record(session, actor.user_id, "user.activate" if active else "user.deactivate", "user", user.id)

    def set_role(self, actor: Actor, user_id: int, role: Role) -> None:
        """Change somebody's role. Raises `Conflict` for the last active administrator."""
        with self._database.write() as session:
            require(session, actor, Role.ADMINISTRATOR)
            user = _existing(session, user_id)
            if role is not Role.ADMINISTRATOR:
                _keep_an_administrator(session, user)
            user.role = Role(role)
            record(session, actor.user_id, "user.set_role", "user", user.id, role=str(role))

    # Inside ---------------------------------------------------------------------------------------

    def _open_session(self, session: Session, user: User) -> str:
        token = secrets.token_urlsafe(32)
        user.last_sign_in_at = utc_now()
        session.execute(delete(SignInSession).where(SignInSession.created_at < utc_now() - 2 * LONGEST_SESSION))
        session.add(SignInSession(token_hash=_digest(token), user_id=user.id))
        return token

    def _actor(self, user: User, token_hash: str) -> Actor:
        return Actor(
            user_id=user.id,
            token_hash=token_hash,
            name=user.name,
            email=user.email,
            role=Role(user.role),
            must_change_password=user.must_change_password,
            idle_timeout=self._idle_timeout,
        )

    def _matches(self, stored: str, password: str) -> bool:
        if len(password) > LONGEST_PASSWORD:
            return False
        try:
            with self._hashing:
                return self._hasher.verify(stored, password)
        except (VerifyMismatchError, InvalidHashError):
            return False

    def _count_attempt(self, *limits: tuple[str, int]) -> list[int]:
        """Count an attempt before it is made, so that many at once can't slip through together.

        Args:
            limits: keys with how many attempts each allows within `ATTEMPT_WINDOW`.

        Returns:
            The ids of the counted attempts; a success takes them back.

        Raises:
            NotAllowed: a key has no attempt left; the message says how long to wait.
        """
        with self._database.write() as session:
            now = utc_now()
            for key, allowed in limits:
                recent = list(
                    session.scalars(
                        select(SignInAttempt.at)
                        .where(SignInAttempt.key == key, SignInAttempt.at > now - ATTEMPT_WINDOW)
                        .order_by(SignInAttempt.at)
                    )
                )
                if len(recent) >= allowed:
                    minutes = max(1, round((recent[-allowed] + ATTEMPT_WINDOW - now).total_seconds() / 60))
                    raise NotAllowed(f"Too many attempts. Wait {minutes} minutes, then try again.")
            attempts = [SignInAttempt(key=key) for key, _ in limits]
            session.add_all(attempts)
            session.flush()
            return [attempt.id for attempt in attempts]


def _first_password() -> str:
    """12 letters and digits in groups, without those that are taken for one another over the phone."""
    return "-".join("".join(secrets.choice(EASY_TO_SAY) for _ in range(4)) for _ in range(3))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _checked_email(email: str) -> str:
    email = email.strip().lower()
    if len(email) > 254 or not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise InvalidInput(f"{email[:60]!r} is not an e-mail address.")
    return email


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= 200:
        raise InvalidInput("A name of 1 to 200 characters is needed.")
    return name


def _check_password(password: str, email: str) -> None:
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInput(f"The password needs at least {SHORTEST_PASSWORD} characters. A short sentence works well.")
    if len(password) > LONGEST_PASSWORD:
        raise InvalidInput(f"The password may have at most {LONGEST_PASSWORD} characters.")
    if len(set(password)) < 4 or password.lower() in {email, email.split("@")[0]}:
        raise InvalidInput("That password is too easy to guess. Choose another.")


def _existing(session: Session, user_id: int) -> User:
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("There is no such account.")
    return user


def _keep_an_administrator(session: Session, user: User) -> None:
    others = session.scalar(
        select(func.count())
        .select_from(User)
        .where(User.role == Role.ADMINISTRATOR, User.active.is_(True), User.id != user.id)
    )
    if user.role == Role.ADMINISTRATOR and not others:
        raise Conflict("This is the last active administrator. Make somebody else an administrator first.")


def _revoke_sessions(session: Session, user_id: int, keep: str = "") -> None:
    session.execute(
        update(SignInSession)
        .where(
            SignInSession.user_id == user_id,
            SignInSession.revoked_at.is_(None),
            SignInSession.token_hash != keep,
        )
        .values(revoked_at=utc_now())
    )


def _person(user: User) -> Person:
    return Person(
        user.id,
        user.name,
        user.email,
        Role(user.role),
        user.active,
        user.must_change_password,
        user.last_sign_in_at,
    )
