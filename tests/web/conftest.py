"""The routes and middleware of `app.py` around a page that stands for Streamlit's."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from scoring.services.house import Services
from scoring.settings import ROOT
from scoring.web.cookies import Cookies
from scoring.web.gate import SecurityHeaders, SignInFirst
from scoring.web.health_routes import health_routes
from scoring.web.session_routes import session_routes
from tests.conftest import School

PAGE = {"accept": "text/html"}


async def _screen(_request: Request) -> Response:
    return HTMLResponse("<p>the screens</p>")


def build(services: Services, *, https: bool = False) -> Starlette:
    """An app with the same routes and middleware as `app.py`."""
    cookies = Cookies(replace(services.settings, https=https))
    return Starlette(
        routes=[*session_routes(services, cookies), *health_routes(services), Route("/{path:path}", _screen)],
        middleware=[
            Middleware(SecurityHeaders, https=https),
            Middleware(SignInFirst, services=services, cookies=cookies),
        ],
    )


class Browser(TestClient):
    """A browser: keeps cookies, does not follow redirects, and can fill the forms in."""

    def __init__(self, services: Services, *, https: bool = False) -> None:
        super().__init__(
            build(services, https=https),
            base_url="https://evenhand.example" if https else "http://evenhand.example",
            follow_redirects=False,
            raise_server_exceptions=False,
        )

    def form_token(self, path: str = "/session/sign-in") -> str:
        """The hidden token of a form, after opening it."""
        found = re.search(r'name="form_token" value="([^"]+)"', self.get(path).text)
        assert found is not None
        return found[1]

    def fill_in(self, path: str, token: str | None = None, headers: dict[str, str] | None = None, **fields: str) -> Any:
        """Post a form as this browser does, with its own token unless another is given."""
        token = self.form_token(path) if token is None else token
        return self.post(path, data={**fields, "form_token": token}, headers=headers)

    def sign_in(self, email: str = "edna@school.example", password: str = "a long enough sentence", **more: Any) -> Any:
        """Fill in the sign-in form."""
        return self.fill_in("/session/sign-in", email=email, password=password, **more)


@pytest.fixture
def browser(school: School) -> Browser:
    """A browser at the school's address."""
    return Browser(school.services)


@pytest.fixture
def first_browser(empty_house: Services) -> Browser:
    """A browser at an address where nobody has an account yet."""
    return Browser(empty_house)


@pytest.fixture
def app_source() -> Callable[[], str]:
    """The text of `app.py`."""
    return Path(ROOT / "app.py").read_text
