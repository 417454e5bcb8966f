"""Middleware around the whole app: security headers, and sign-in before any page."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scoring.errors import NotSignedIn
from scoring.services.house import Services
from scoring.web.cookies import Cookies

# Streamlit's own bundle needs inline styles, evaluated expressions and workers from blobs; nothing needs another host.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
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
UPLOADS = "/_stcore/upload_file"
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
    """Lets nobody past without a valid session: pages lead to the sign-in form, sockets and uploads are refused.

    The pages themselves check again, at every run.
    """

    def __init__(self, app: ASGIApp, services: Services, cookies: Cookies) -> None:
        self._app = app
        self._services = services
        self._cookies = cookies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "websocket":
            # Judged here, because Streamlit asks an outside host for its own address to judge a foreign origin.
            if not (_same_origin(scope) and await run_in_threadpool(self._signed_in, scope)):
                await send({"type": "websocket.close", "code": 1008})
                return
        elif scope["type"] == "http":
            refusal = await self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Response | None:
        """What a request gets instead of what it asked for; `None` lets it through."""
        headers = Headers(scope=scope)
        uploads = scope["path"].startswith(UPLOADS) and scope["method"] not in {"GET", "HEAD", "OPTIONS"}
        page = (
            scope["method"] == "GET"
            and not scope["path"].startswith(OPEN_PATHS)
            and "text/html" in headers.get("accept", "")
        )
        if not (uploads or page) or await run_in_threadpool(self._signed_in, scope):
            return None
        if uploads:
            return PlainTextResponse("Sign in first.", 403)
        response = RedirectResponse("/session/sign-in", 303)
        if self._cookies.name in HTTPConnection(scope).cookies:
            self._cookies.drop_token(response)
        return response

    def _signed_in(self, scope: Scope) -> bool:
        token = self._cookies.token(HTTPConnection(scope).cookies.get(self._cookies.name))
        if token is None:
            return False
        try:
            self._services.accounts.resume(token)
        except NotSignedIn:
            return False
        return True


def _same_origin(scope: Scope) -> bool:
    """Whether a socket was opened by a page of this very address; programs that send no origin are no browsers."""
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    return origin is None or origin.split("://", 1)[-1] == headers.get("host")
