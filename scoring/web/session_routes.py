"""`/session/*`: the first set-up, signing in and out. The only places that write the session cookie."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from scoring.errors import InvalidInput, NotAllowed, NotSignedIn, StorageFull
from scoring.services.house import Services
from scoring.web.cookies import CSRF_FIELD, Cookies
from scoring.web.forms import SET_UP, SIGN_IN, render

STALE_FORM = "This page was open for too long. Please send it again."


def session_routes(services: Services, cookies: Cookies) -> list[Route]:
    """The routes, over these services."""
    accounts = services.accounts

    def page(request: Request, form: dict[str, object], *, status: int = 200, **parts: object) -> Response:
        nonce = secrets.token_urlsafe(12)
        value, form_token = cookies.form_token(request)
        html = render(form, nonce=nonce, form_token=form_token, csrf_field=CSRF_FIELD, **parts)  # type: ignore[arg-type]
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; frame-ancestors 'none'; "
            "base-uri 'none'"
        )
        response = HTMLResponse(html, status, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})
        cookies.set_form_cookie(response, value)
        return response

    async def show_sign_in(request: Request) -> Response:
        if await run_in_threadpool(accounts.needs_setup):
            return RedirectResponse("/session/set-up", 303)
        notice = "You are signed out." if "signed-out" in request.query_params else ""
        return page(request, SIGN_IN, notice=notice)

    async def show_set_up(request: Request) -> Response:
        if not await run_in_threadpool(accounts.needs_setup):
            return RedirectResponse("/session/sign-in", 303)
        return page(request, SET_UP)

    async def submit(
        request: Request,
        form: dict[str, object],
        kept: tuple[str, ...],
        act: Callable[[dict[str, str], str], str],
    ) -> Response:
        posted = await request.form(max_fields=10, max_files=0)
        fields = {key: value for key, value in posted.items() if isinstance(value, str)}
        values = {key: fields.get(key, "")[:254] for key in kept}
        if not cookies.form_is_ours(request, fields.get(CSRF_FIELD, "")):
            return page(request, form, status=403, error=STALE_FORM, values=values)
        address = request.client.host if request.client else "unknown"
        try:
            # Hashing a password takes a moment on purpose; the event loop must not wait for it.
            token = await run_in_threadpool(act, fields, address)
        except (NotAllowed, InvalidInput) as error:
            return page(request, form, status=400, error=str(error), values=values)
        except StorageFull as error:
            return page(request, form, status=507, error=str(error), values=values)
        response = RedirectResponse("/", 303)
        cookies.set_token(response, token)
        return response

    async def sign_in(request: Request) -> Response:
        return await submit(
            request, SIGN_IN, ("email",),
            lambda f, address: accounts.sign_in(f.get("email", ""), f.get("password", ""), address),
        )  # fmt: skip

    async def set_up(request: Request) -> Response:
        return await submit(
            request, SET_UP, ("code", "name", "email"),
            lambda f, address: accounts.set_up(
                f.get("code", ""), f.get("name", ""), f.get("email", ""), f.get("password", ""), address
            ),
        )  # fmt: skip

    async def sign_out(request: Request) -> Response:
        """Revoke and forget. A link may lead here: the worst a forged one does is a sign-out."""
        token = cookies.token(request.cookies.get(cookies.name))

        def revoke() -> None:
            if token:
                accounts.sign_out(accounts.resume(token))

        with contextlib.suppress(NotSignedIn):
            await run_in_threadpool(revoke)
        response = RedirectResponse("/session/sign-in?signed-out=1", 303)
        cookies.drop_token(response)
        return response

    return [
        Route("/session/sign-in", show_sign_in, methods=["GET"]),
        Route("/session/sign-in", sign_in, methods=["POST"]),
        Route("/session/set-up", show_set_up, methods=["GET"]),
        Route("/session/set-up", set_up, methods=["POST"]),
        Route("/session/sign-out", sign_out, methods=["GET", "POST"]),
    ]
