"""The signed session cookie, and tokens against forged forms."""

from __future__ import annotations

import hmac
import secrets

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.requests import Request
from starlette.responses import Response

from scoring.settings import Settings

CSRF_COOKIE = "evenhand_form"
CSRF_FIELD = "form_token"


class Cookies:
    """Reads and writes this app's cookies. HttpOnly and SameSite; Secure where served over HTTPS."""

    def __init__(self, settings: Settings) -> None:
        self._secure = settings.https
        secret = settings.cookie_secret()
        self._session = URLSafeSerializer(secret, salt="session")
        self._csrf = URLSafeSerializer(secret, salt="csrf")
        self.name = "__Host-evenhand" if settings.https else "evenhand"

    def token(self, value: str | None) -> str | None:
        """The session token in a cookie's value; `None` when absent or tampered with."""
        if not value:
            return None
        try:
            token = self._session.loads(value)
        except BadSignature:
            return None
        return token if isinstance(token, str) else None

    def set_token(self, response: Response, token: str) -> None:
        """Put a session token on the browser until it is closed."""
        response.set_cookie(
            self.name,
            self._session.dumps(token),
            httponly=True,
            samesite="lax",
            secure=self._secure,
            path="/",
        )

    def drop_token(self, response: Response) -> None:
        """Take the session token off the browser."""
        response.delete_cookie(self.name, httponly=True, samesite="lax", secure=self._secure, path="/")

    def form_token(self, request: Request) -> tuple[str, str]:
        """A cookie value and the form token that goes with it; a cookie the browser has is kept."""
        value = request.cookies.get(CSRF_COOKIE) or secrets.token_urlsafe(24)
        return value, str(self._csrf.dumps(value))

    def set_form_cookie(self, response: Response, value: str) -> None:
        """Remember the value that a form's token must match."""
        response.set_cookie(CSRF_COOKIE, value, httponly=True, samesite="strict", secure=self._secure, path="/session")

    def form_is_ours(self, request: Request, field: str) -> bool:
        """Whether a posted form was served by this app to this browser."""
        origin = request.headers.get("origin")
        if origin not in (None, "null") and origin.split("://", 1)[-1] != request.headers.get("host"):
            return False
        try:
            signed = self._csrf.loads(field)
        except BadSignature:
            return False
        # As bytes: a cookie may hold any letters, and only ASCII texts can be compared.
        return hmac.compare_digest(str(signed).encode(), request.cookies.get(CSRF_COOKIE, "").encode())
