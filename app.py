"""The ASGI entry: `streamlit run app.py`. Serves the pages, `/session` and health; keeps one worker alive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import streamlit as st
from starlette.middleware import Middleware

from scoring.services.house import prepare, shared_services
from scoring.settings import read_settings
from scoring.web.cookies import Cookies
from scoring.web.gate import SecurityHeaders, SignInFirst
from scoring.web.health_routes import health_routes
from scoring.web.session_routes import session_routes
from scoring.web.supervisor import Supervisor

settings = read_settings()
services = shared_services()
cookies = Cookies(settings)


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Make the data folder ready, then serve with a worker beside."""
    await anyio.to_thread.run_sync(prepare, settings)
    greet()
    supervisor = Supervisor(settings)
    if settings.worker == "supervised":
        supervisor.start()
    try:
        yield
    finally:
        await supervisor.stop()
        services.close()


def greet() -> None:
    """Tell whoever started the program where it is, and the set-up code while nobody has an account."""
    address = st.get_option("server.address") or "127.0.0.1"
    print(f"\n  Evenhand: http://{address}:{st.get_option('server.port')}", flush=True)
    code = services.accounts.new_setup_code()
    if code:
        print(f"  Set-up code for the first visitor: {code}", flush=True)
    print(flush=True)


app = st.App(
    "pages/main.py",
    routes=[*session_routes(services, cookies), *health_routes(services)],
    middleware=[
        Middleware(SecurityHeaders, https=settings.https),
        Middleware(SignInFirst, services=services, cookies=cookies),
    ],
    lifespan=lifespan,
)
