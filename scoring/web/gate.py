"""Middleware around the whole app: security headers, and sign-in before any page."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scoring.errors import NotSignedIn
from scoring.services.house import Services
from scoring.web.cookies import Cookies

# Streamlit's own bundle needs inline styles, evaluated expressions and workers from blobs; nothing needs another host.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss: data: blob:; "
    "worker-src 'self' blob:; media-src 'self' data: blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
OPEN_PATHS = ("/session/", "/healthz", "/readyz", "/_stcore/", "/static/", "/component/", "/media/")


class SecurityHeaders:
    """Adds the headers to every response that does not bring its own."""

    def __init__(self, app: ASGIApp, https: bool) -> None:
        self._app = app
        self._headers = {**HEADERS, **({"Strict-Transport-Security": "max-age=31536000"} if https else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class SignInFirst:
    """Sends a browser that asks for a page without a valid session to the sign-in form.

    The pages themselves check again: a socket can be opened without ever asking for a page.
    """

    def __init__(self, app: ASGIApp, services: Services, cookies: Cookies) -> None:
        self._app = app
        self._services = services
        self._cookies = cookies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["path"].startswith(OPEN_PATHS):
            request = Request(scope)
            wants_page = "text/html" in request.headers.get("accept", "")
            if wants_page and not await run_in_threadpool(self._signed_in, request):
                response = RedirectResponse("/session/sign-in", 303)
                if request.cookies.get(self._cookies.name):
                    self._cookies.drop_token(response)
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _signed_in(self, request: Request) -> bool:
        token = self._cookies.token(request.cookies.get(self._cookies.name))
        if token is None:
            return False
        try:
            self._services.accounts.resume(token)
        except NotSignedIn:
            return False
        return True
