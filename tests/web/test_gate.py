"""Sign-in before any page, and the security headers on everything."""

from __future__ import annotations

import ast
from collections.abc import Callable

import pytest
from starlette.routing import WebSocketRoute
from starlette.testclient import WebSocketDisconnect
from starlette.websockets import WebSocket

from scoring.web.gate import HEADERS
from tests.conftest import Clock, School
from tests.web.conftest import PAGE, Browser


@pytest.mark.parametrize("path", ["/", "/people", "/review?upload=1", "/anything/below", "/sessions"])
def test_a_page_request_without_a_session_is_sent_to_the_sign_in_form(browser: Browser, path: str) -> None:
    response = browser.get(path, headers=PAGE)
    assert (response.status_code, response.headers["location"]) == (303, "/session/sign-in")
    assert "screens" not in response.text


def test_a_revoked_session_is_sent_to_the_form_at_the_next_page(school: School, browser: Browser) -> None:
    browser.sign_in()
    school.services.accounts.set_active(school.administrator, school.educator.user_id, False)
    assert browser.get("/", headers=PAGE).status_code == 303


def test_an_idle_session_is_sent_to_the_form(browser: Browser, clock: Clock) -> None:
    browser.sign_in()
    clock.forward(minutes=61)
    response = browser.get("/", headers=PAGE)
    assert response.status_code == 303
    assert "evenhand" not in browser.cookies


@pytest.mark.parametrize("path", ["/session/sign-in", "/healthz", "/readyz", "/static/x.js", "/_stcore/health"])
def test_what_is_needed_before_sign_in_stays_open(browser: Browser, path: str) -> None:
    assert browser.get(path, headers=PAGE).status_code != 303


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"), ("GET", "/session/sign-in"), ("POST", "/session/sign-in"), ("GET", "/session/sign-out"),
        ("GET", "/session/set-up"), ("GET", "/session/nothing"), ("PUT", "/session/sign-in"), ("GET", "/healthz"),
        ("GET", "/readyz"), ("GET", "/static/x.js"), ("HEAD", "/"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("signed_in", [False, True])
def test_every_response_carries_the_security_headers(browser: Browser, method: str, path: str, signed_in: bool) -> None:
    if signed_in:
        browser.sign_in()
    response = browser.request(method, path, headers=PAGE)
    for name in HEADERS:
        assert name in response.headers, name
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]


def test_the_forms_have_a_policy_of_their_own_that_runs_no_script(browser: Browser) -> None:
    first, second = (browser.get("/session/sign-in") for _ in range(2))
    policy = first.headers["content-security-policy"]
    assert "script" not in policy
    assert "default-src 'none'" in policy
    assert policy != second.headers["content-security-policy"], "a new nonce each time"
    assert first.headers["cache-control"] == "no-store"
    assert len(first.headers.get_list("content-security-policy")) == 1


def test_the_policy_lets_nothing_in_from_other_hosts() -> None:
    assert "http" not in HEADERS["Content-Security-Policy"].replace("https:", "http")
    assert "*" not in HEADERS["Content-Security-Policy"]


def test_browsers_are_told_to_stay_on_https_only_when_it_is_served(school: School, browser: Browser) -> None:
    assert "strict-transport-security" not in browser.get("/healthz").headers
    assert "strict-transport-security" in Browser(school.services, https=True).get("/healthz").headers


def test_the_app_is_built_from_the_parts_that_are_tested_here(app_source: Callable[[], str]) -> None:
    calls = [node for node in ast.walk(ast.parse(app_source())) if isinstance(node, ast.Call)]
    names = {call.func.id for call in calls if isinstance(call.func, ast.Name)}
    assert {"session_routes", "health_routes", "Middleware"} <= names
    middleware = [ast.unparse(c.args[0]) for c in calls if ast.unparse(c.func) == "Middleware"]
    assert middleware == ["SecurityHeaders", "SignInFirst"], "headers outermost, so that refusals carry them too"


SOCKET = {"origin": "http://evenhand.example", "host": "evenhand.example"}


def _opens(browser: Browser, headers: dict[str, str]) -> bool:
    try:
        with browser.websocket_connect("ws://evenhand.example/_stcore/stream", headers=headers):
            return True
    except WebSocketDisconnect:
        return False


def test_a_socket_needs_a_session_and_a_page_of_ours(school: School) -> None:
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    browser = Browser(school.services)
    browser.app.router.routes.insert(0, WebSocketRoute("/_stcore/stream", echo))  # type: ignore[union-attr]
    assert not _opens(browser, SOCKET)
    browser.sign_in()
    assert _opens(browser, SOCKET)
    for origin in ("http://evil.example", "http://evenhand.example:9999", "null"):
        assert not _opens(browser, {**SOCKET, "origin": origin})


def test_files_are_taken_from_signed_in_people_only(browser: Browser) -> None:
    assert browser.put("/_stcore/upload_file/a/b", content=b"x" * 10).status_code == 403
    browser.sign_in()
    assert browser.put("/_stcore/upload_file/a/b", content=b"x" * 10).status_code != 403
