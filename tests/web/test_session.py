"""Signing in, out and setting up: only from our own forms, with cookies that scripts can't read."""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from scoring.errors import NotSignedIn
from scoring.services.house import Services
from scoring.web.cookies import Cookies
from tests.conftest import PASSWORD, School, settings_of
from tests.web.conftest import PAGE, Browser


def _cookies_of(lines: list[str]) -> SimpleCookie:
    jar: SimpleCookie = SimpleCookie()
    for line in lines:
        jar.load(line)
    return jar


def _cookies(response: Any) -> SimpleCookie:
    return _cookies_of(response.headers.get_list("set-cookie"))


# Signing in -------------------------------------------------------------------------------------------


def test_signing_in_opens_the_screens(browser: Browser) -> None:
    assert browser.get("/", headers=PAGE).status_code == 303
    response = browser.sign_in()
    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert browser.get("/", headers=PAGE).text == "<p>the screens</p>"


def test_a_wrong_password_says_so_and_keeps_the_address_but_not_the_password(browser: Browser) -> None:
    response = browser.sign_in(email='"><script>alert(1)</script>@b', password="wrong secret words")
    assert response.status_code == 400
    assert "do not match" in response.text
    assert "<script>" not in response.text
    assert "&lt;script&gt;" in response.text
    assert "wrong secret words" not in response.text
    assert browser.get("/", headers=PAGE).status_code == 303


@pytest.mark.parametrize("token", ["", "nonsense", "é", "eyJ4.abc.def"])
def test_a_form_without_our_token_is_refused(browser: Browser, token: str) -> None:
    browser.form_token()
    response = browser.sign_in(token=token)
    assert response.status_code == 403
    assert "send it again" in response.text
    assert "evenhand" not in _cookies(response)


def test_a_form_of_another_browser_is_refused(school: School, browser: Browser) -> None:
    theirs = Browser(school.services).form_token()
    browser.form_token()
    assert browser.sign_in(token=theirs).status_code == 403


def test_a_form_without_its_cookie_is_refused(browser: Browser) -> None:
    token = browser.form_token()
    browser.cookies.clear()
    assert browser.sign_in(token=token).status_code == 403


def test_a_strange_form_cookie_is_refused_in_words(browser: Browser) -> None:
    token = browser.form_token()
    response = browser.post(
        "/session/sign-in",
        data={"form_token": token},
        headers={"cookie": "evenhand_form=\xe9\xff".encode("latin-1")},  # type: ignore[dict-item]
    )
    assert response.status_code == 403


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://evenhand.example.evil.example", "http://evenhand.example:81"]
)
def test_a_form_from_another_origin_is_refused(browser: Browser, origin: str) -> None:
    assert browser.sign_in(headers={"origin": origin}).status_code == 403
    assert browser.sign_in(headers={"origin": "http://evenhand.example"}).status_code == 303


def test_a_refused_form_can_be_sent_again_at_once(browser: Browser) -> None:
    refused = browser.sign_in(token="stale")
    assert refused.status_code == 403
    assert browser.sign_in().status_code == 303


@pytest.mark.parametrize("body", [b"", b"email=%ED%A0%80&password=%FF%FE", b"a=1&" * 40, b"\x00\xff" * 50])
def test_a_garbled_form_is_refused_without_an_accident(browser: Browser, body: bytes) -> None:
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json"):
        response = browser.post("/session/sign-in", content=body, headers={"content-type": kind})
        assert response.status_code in {400, 403}


@pytest.mark.parametrize("word", ["\ud800", "\x00", "é" * 500])
def test_strange_letters_in_a_valid_form_are_a_wrong_password(browser: Browser, word: str) -> None:
    token = browser.form_token()
    for field in ("email", "password"):
        fields = {"email": "edna@school.example", "password": PASSWORD, field: word}
        body = "&".join(
            f"{key}=" + "".join(f"%{byte:02X}" for byte in value.encode("utf-8", "surrogatepass"))
            for key, value in {**fields, "form_token": token}.items()
        )
        kind = {"content-type": "application/x-www-form-urlencoded"}
        assert browser.post("/session/sign-in", content=body, headers=kind).status_code == 400


def test_many_wrong_passwords_are_stopped_with_a_time_to_wait(browser: Browser) -> None:
    for _ in range(5):
        browser.sign_in(password="wrong secret words")
    response = browser.sign_in()
    assert response.status_code == 400
    assert "Wait 15 minutes" in response.text


def test_a_full_disk_is_told_on_the_form(
    school: School, browser: Browser, fill_disk: Callable[..., Callable[[], None]]
) -> None:
    with school.database.write() as session:
        session.connection().exec_driver_sql("CREATE TABLE filler (x)")
        session.connection().exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON sessions BEGIN INSERT INTO filler VALUES (zeroblob(50000)); END"
        )
    fill_disk(school.database)
    response = browser.sign_in()
    assert response.status_code == 507
    assert "disk is full" in response.text


# Cookies ----------------------------------------------------------------------------------------------


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: Browser) -> None:
    cookie = _cookies(browser.sign_in())["evenhand"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "lax", "/")
    assert not cookie["secure"]
    assert not cookie["max-age"]
    assert not cookie["expires"], "gone when the browser closes"


def test_over_https_the_cookie_is_secure_and_bound_to_the_host(school: School) -> None:
    browser = Browser(school.services, https=True)
    form = _cookies(browser.get("/session/sign-in"))["evenhand_form"]
    assert (form["secure"], form["httponly"], form["samesite"]) == (True, True, "strict")
    response = browser.sign_in()
    cookie = _cookies(response)["__Host-evenhand"]
    assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
    assert browser.get("/", headers=PAGE).status_code == 200
    dropped = _cookies(browser.get("/session/sign-out"))["__Host-evenhand"]
    assert dropped["secure"], "or the browser would keep it"


def test_the_cookie_holds_no_bare_token(school: School, browser: Browser) -> None:
    browser.sign_in()
    value = browser.cookies["evenhand"]
    with pytest.raises(NotSignedIn):
        school.services.accounts.resume(value)


@pytest.mark.parametrize(
    "spoil",
    [
        # Not the last letter: a few of its bits are padding, and may change without changing the signature.
        lambda value: value[:-5] + ("A" if value[-5] != "A" else "B") + value[-4:],
        lambda value: value.split(".")[0],
        lambda value: "IngiOg." + value.split(".", 1)[1],
        lambda _value: "x",
        lambda _value: "é",
    ],
)
def test_a_cookie_that_was_tampered_with_is_nobody(browser: Browser, spoil: Callable[[str], str]) -> None:
    browser.sign_in()
    value = spoil(browser.cookies["evenhand"])
    browser.cookies.clear()
    response = browser.get("/", headers={**PAGE, "cookie": f"evenhand={value}".encode()})  # type: ignore[dict-item]
    assert response.status_code == 303
    assert _cookies(response)["evenhand"]["max-age"] == "0"


def test_a_cookie_of_another_installation_is_nobody(school: School, tmp_path: Path) -> None:
    ours, other = Cookies(school.services.settings), Cookies(settings_of(tmp_path / "other"))
    token = school.services.accounts.sign_in("edna@school.example", PASSWORD, "a")
    value = {}
    for name, cookies in {"ours": ours, "other": other}.items():
        response = Response()
        cookies.set_token(response, token)
        value[name] = _cookies_of(response.headers.getlist("set-cookie"))["evenhand"].value
    assert ours.token(value["ours"]) == token
    assert ours.token(value["other"]) is None


def test_a_form_token_does_not_pass_for_a_session(browser: Browser) -> None:
    token = browser.form_token()
    response = browser.get("/", headers={**PAGE, "cookie": f"evenhand={token}"})
    assert response.status_code == 303


# Signing out ------------------------------------------------------------------------------------------


def test_signing_out_revokes_the_session_itself(school: School, browser: Browser) -> None:
    browser.sign_in()
    stolen = browser.cookies["evenhand"]
    response = browser.get("/session/sign-out")
    assert (response.status_code, response.headers["location"]) == (303, "/session/sign-in?signed-out=1")
    assert "evenhand" not in browser.cookies
    assert "You are signed out" in browser.get(response.headers["location"]).text
    thief = Browser(school.services)
    assert thief.get("/", headers={**PAGE, "cookie": f"evenhand={stolen}"}).status_code == 303


@pytest.mark.parametrize("cookie", ["", "evenhand=nonsense"])
def test_signing_out_without_a_session_is_no_accident(browser: Browser, cookie: str) -> None:
    assert browser.get("/session/sign-out", headers={"cookie": cookie}).status_code == 303


# Set-up -----------------------------------------------------------------------------------------------


def test_the_setup_page_is_there_only_while_nobody_has_an_account(
    first_browser: Browser, empty_house: Services
) -> None:
    assert first_browser.get("/session/sign-in").headers["location"] == "/session/set-up"
    code = empty_house.accounts.new_setup_code()
    assert code is not None
    fields = {"code": code, "name": "Ada", "email": "ada@school.example", "password": PASSWORD}
    token = first_browser.form_token("/session/set-up")
    assert first_browser.fill_in("/session/set-up", token, **fields).headers["location"] == "/"
    assert first_browser.get("/", headers=PAGE).status_code == 200
    assert first_browser.get("/session/set-up").headers["location"] == "/session/sign-in"
    again = first_browser.fill_in("/session/set-up", token, **{**fields, "email": "eve@school.example"})
    assert again.status_code == 400
    assert "set up already" in again.text


def test_a_wrong_setup_code_keeps_what_was_typed_but_the_password(
    first_browser: Browser, empty_house: Services
) -> None:
    empty_house.accounts.new_setup_code()
    response = first_browser.fill_in(
        "/session/set-up", code="wrong", name="Ada <b>", email="ada@school.example", password=PASSWORD
    )
    assert response.status_code == 400
    assert "code is not right" in response.text
    assert 'value="Ada &lt;b&gt;"' in response.text
    assert PASSWORD not in response.text
    assert empty_house.accounts.needs_setup()


def test_setup_needs_our_form_too(first_browser: Browser, empty_house: Services) -> None:
    code = empty_house.accounts.new_setup_code()
    assert code is not None
    response = first_browser.fill_in(
        "/session/set-up", "forged", code=code, name="Eve", email="eve@b.example", password=PASSWORD
    )
    assert response.status_code == 403
    assert empty_house.accounts.needs_setup()
