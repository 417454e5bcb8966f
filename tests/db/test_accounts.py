"""Who gets in, for how long, and what stops at once when they may no longer."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from sqlalchemy import select

from db.engine import Database
from db.tables import SignInAttempt, SignInSession, StudentVersion, User
from scoring.domain import Role
from scoring.errors import Conflict, EvenhandError, InvalidInput, NotAllowed, NotFound, NotSignedIn
from scoring.services import accounts as accounts_module
from scoring.services.accounts import Accounts
from scoring.services.actors import Actor
from scoring.services.house import Services, open_services, prepare
from scoring.settings import Settings
from tests.conftest import PASSWORD, Clock, School

HOME = "127.0.0.1"


def _set_up(house: Services, code: str, *, email: str = "ada@school.example", password: str = PASSWORD) -> str:
    return house.accounts.set_up(code, "Ada", email, password, HOME)


def _sign_in(school: School, email: str = "edna@school.example", password: str = PASSWORD) -> Actor:
    accounts = school.services.accounts
    return accounts.resume(accounts.sign_in(email, password, HOME))


# Set-up -----------------------------------------------------------------------------------------------


def test_the_setup_code_makes_one_administrator_and_no_second(empty_house: Services) -> None:
    accounts = empty_house.accounts
    code = accounts.new_setup_code()
    assert code is not None
    actor = accounts.resume(_set_up(empty_house, f"  {code.upper()} "))
    assert actor.is_administrator
    assert not accounts.needs_setup()
    assert accounts.new_setup_code() is None
    with pytest.raises(NotAllowed, match="set up already"):
        _set_up(empty_house, code, email="eve@school.example")
    assert [person.email for person in accounts.people(actor)] == ["ada@school.example"]


def test_a_new_setup_code_replaces_the_one_before(empty_house: Services) -> None:
    old, new = empty_house.accounts.new_setup_code(), empty_house.accounts.new_setup_code()
    assert old is not None
    assert new is not None
    with pytest.raises(NotAllowed, match="code is not right"):
        _set_up(empty_house, old)
    assert _set_up(empty_house, new)


def test_setup_without_any_code_made_is_refused(empty_house: Services) -> None:
    with pytest.raises(NotAllowed, match="code is not right"):
        _set_up(empty_house, "")
    assert empty_house.accounts.needs_setup()


def test_guessing_setup_codes_is_limited_until_time_has_passed(empty_house: Services, clock: Clock) -> None:
    code = empty_house.accounts.new_setup_code()
    assert code is not None
    for _ in range(5):
        with pytest.raises(NotAllowed, match="code is not right"):
            _set_up(empty_house, "0000-0000-0000-0000")
    with pytest.raises(NotAllowed, match="Too many attempts"):
        _set_up(empty_house, code)
    clock.forward(minutes=16)
    assert _set_up(empty_house, code)


def test_only_one_of_two_who_set_up_at_once_becomes_administrator(empty_house: Services) -> None:
    code = empty_house.accounts.new_setup_code()
    assert code is not None

    def attempt(email: str) -> bool:
        try:
            return bool(_set_up(empty_house, code, email=email))
        except NotAllowed:
            return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, ["ada@school.example", "eve@school.example"])) == [False, True]
    with empty_house.database.read() as session:
        assert len(list(session.scalars(select(User)))) == 1


@pytest.mark.parametrize(
    ("name", "email", "password", "said"),
    [
        ("", "a@b", PASSWORD, "name"),
        ("x" * 201, "a@b", PASSWORD, "name"),
        ("Ada", "no address", PASSWORD, "e-mail"),
        ("Ada", "a@" + "b" * 254, PASSWORD, "e-mail"),
        ("Ada", "a@b", "short", "at least 10"),
        ("Ada", "a@b", "x" * 201, "at most 200"),
        ("Ada", "a@b", "aaaaaaaaaaaa", "easy to guess"),
        ("Ada", "ada.admin@b.example", "ADA.ADMIN@b.example", "easy to guess"),
    ],
)
def test_setup_refuses_what_cannot_be_used_and_keeps_the_code(
    empty_house: Services, name: str, email: str, password: str, said: str
) -> None:
    code = empty_house.accounts.new_setup_code()
    assert code is not None
    with pytest.raises(InvalidInput, match=said):
        empty_house.accounts.set_up(code, name, email, password, HOME)
    assert _set_up(empty_house, code)


# Sign-in ----------------------------------------------------------------------------------------------


def _said(act: Callable[[], object]) -> str:
    with pytest.raises(NotAllowed) as caught:
        act()
    return str(caught.value)


def test_a_refusal_does_not_tell_which_accounts_exist(school: School) -> None:
    services, admin = school.services, school.administrator
    services.accounts.set_active(admin, school.stranger.user_id, False)
    said = {
        _said(lambda: _sign_in(school, "nobody@school.example")),
        _said(lambda: _sign_in(school, password="wrong but long enough")),
        _said(lambda: _sign_in(school, password="x" * 10_000)),
        _said(lambda: _sign_in(school, "sam@school.example")),
        _said(lambda: _sign_in(school, "sam@school.example", "wrong but long enough")),
    }
    assert len(said) == 1


@pytest.mark.parametrize("email", ["edna@school.example", "nobody@school.example"])
def test_guessing_one_accounts_password_is_limited_whether_it_exists_or_not(
    school: School, clock: Clock, email: str
) -> None:
    for _ in range(5):
        assert "do not match" in _said(lambda: _sign_in(school, email, "wrong but long enough"))
    assert "Too many attempts" in _said(lambda: _sign_in(school, email.upper()))
    _sign_in(school, "sam@school.example")
    clock.forward(minutes=16)
    if email.startswith("edna"):
        assert _sign_in(school, email).name == "Edna Educator"


def test_one_address_that_tries_many_accounts_is_limited(school: School) -> None:
    accounts = school.services.accounts
    with school.database.write() as session:
        session.add_all(SignInAttempt(key="address:10.0.0.9") for _ in range(49))
    accounts.sign_in("edna@school.example", PASSWORD, "10.0.0.9")
    _said(lambda: accounts.sign_in("nobody@school.example", PASSWORD, "10.0.0.9"))
    assert "Too many" in _said(lambda: accounts.sign_in("edna@school.example", PASSWORD, "10.0.0.9"))
    assert accounts.sign_in("edna@school.example", PASSWORD, "10.0.0.10")


def test_signing_in_forgets_the_accounts_failures(school: School) -> None:
    for _ in range(3):
        for _ in range(4):
            _said(lambda: _sign_in(school, password="wrong but long enough"))
        _sign_in(school)


def test_an_address_is_read_without_regard_to_case_and_blanks(school: School) -> None:
    assert _sign_in(school, "  EDNA@School.Example ").user_id == school.educator.user_id


def test_the_database_holds_no_token_and_no_password(school: School) -> None:
    token = school.services.accounts.sign_in("edna@school.example", PASSWORD, HOME)
    content = b"".join(path.read_bytes() for path in school.services.settings.data_dir.glob("evenhand.db*"))
    assert token.encode() not in content
    assert PASSWORD.encode() not in content


def test_passwords_are_kept_as_hashes_that_are_slow_to_try(fresh_db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts_module, "PasswordHasher", PasswordHasher)
    accounts = Accounts(fresh_db, timedelta(hours=1))
    code = accounts.new_setup_code()
    assert code is not None
    accounts.set_up(code, "Ada", "ada@school.example", PASSWORD, HOME)
    with fresh_db.read() as session:
        stored = session.scalar(select(User.password_hash))
    assert stored is not None
    kind = extract_parameters(stored)
    assert kind.type is Type.ID
    assert kind.memory_cost * kind.time_cost >= 2 * 19_456  # OWASP's floor: 19 MiB, two passes


# Sessions ---------------------------------------------------------------------------------------------


def test_a_session_ends_after_an_idle_hour_even_for_a_tab_that_holds_it(school: School, clock: Clock) -> None:
    token = school.services.accounts.sign_in("edna@school.example", PASSWORD, HOME)
    actor = school.services.accounts.resume(token)
    clock.forward(minutes=59)
    assert school.services.sections.mine(actor)
    clock.forward(minutes=2)
    with pytest.raises(NotSignedIn, match="long pause"):
        school.services.sections.mine(actor)
    with pytest.raises(NotSignedIn, match="long pause"):
        school.services.accounts.resume(token)


def test_every_click_extends_a_session_up_to_half_a_day(school: School, clock: Clock) -> None:
    token = school.services.accounts.sign_in("edna@school.example", PASSWORD, HOME)
    for _ in range(14):
        clock.forward(minutes=50)
        actor = school.services.accounts.resume(token)
    clock.forward(minutes=25)
    with pytest.raises(NotSignedIn, match="half a day"):
        school.services.accounts.resume(token)
    with pytest.raises(NotSignedIn):
        school.services.sections.mine(actor)


@pytest.mark.parametrize("token", ["", "nonsense", "x" * 10_000])
def test_an_unknown_token_is_nobody(school: School, token: str) -> None:
    with pytest.raises(NotSignedIn):
        school.services.accounts.resume(token)


def test_signing_out_ends_every_tab_of_that_browser_and_no_other(school: School) -> None:
    first, second = _sign_in(school), _sign_in(school)
    school.services.accounts.sign_out(first)
    with pytest.raises(NotSignedIn):
        school.services.sections.mine(first)
    assert school.services.sections.mine(second)
    school.services.accounts.sign_out(first)


def test_a_session_serves_only_the_person_it_belongs_to(school: School) -> None:
    forged = replace(school.educator, user_id=school.administrator.user_id)
    with pytest.raises(NotSignedIn):
        school.services.accounts.people(forged)


def test_a_role_on_the_actor_alone_opens_nothing(school: School) -> None:
    with pytest.raises(NotAllowed, match="administrator"):
        school.services.accounts.people(replace(school.educator, role=Role.ADMINISTRATOR))


def test_a_full_disk_does_not_sign_anybody_out(
    school: School, clock: Clock, fill_disk: Callable[..., Callable[[], None]]
) -> None:
    token = school.services.accounts.sign_in("edna@school.example", PASSWORD, HOME)
    with school.database.write() as session:
        session.connection().exec_driver_sql("CREATE TABLE filler (x)")
        session.connection().exec_driver_sql(
            "CREATE TRIGGER full BEFORE UPDATE ON sessions BEGIN INSERT INTO filler VALUES (zeroblob(50000)); END"
        )
    fill_disk(school.database)
    clock.forward(minutes=5)
    actor = school.services.accounts.resume(token)
    assert school.services.sections.mine(actor)


# Passwords --------------------------------------------------------------------------------------------

NEW = "quite another sentence"


def test_changing_the_password_signs_out_the_other_browsers_only(school: School) -> None:
    here, there = _sign_in(school), _sign_in(school)
    school.services.accounts.change_password(here, PASSWORD, NEW)
    assert school.services.sections.mine(here)
    for actor in (there, school.educator):
        with pytest.raises(NotSignedIn):
            school.services.sections.mine(actor)
    _said(lambda: _sign_in(school))
    assert _sign_in(school, password=NEW)
    assert school.services.sections.mine(school.stranger)


@pytest.mark.parametrize(
    ("current", "new", "said"),
    [
        ("not the password", NEW, "current password"),
        (PASSWORD, "short", "at least 10"),
        (PASSWORD, PASSWORD, "the same"),
        (PASSWORD, "edna@school.example", "easy to guess"),
    ],
)
def test_a_refused_change_leaves_password_and_sessions(school: School, current: str, new: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        school.services.accounts.change_password(school.educator, current, new)
    assert _sign_in(school)
    assert school.services.sections.mine(school.educator)


def test_guessing_the_current_password_is_limited(school: School) -> None:
    for _ in range(5):
        with pytest.raises(InvalidInput):
            school.services.accounts.change_password(school.educator, "not the password", NEW)
    with pytest.raises(NotAllowed, match="Too many"):
        school.services.accounts.change_password(school.educator, PASSWORD, NEW)


def test_a_reset_password_signs_out_everywhere_and_must_be_changed(school: School) -> None:
    accounts = school.services.accounts
    first = accounts.reset_password(school.administrator, school.educator.user_id)
    with pytest.raises(NotSignedIn):
        school.services.sections.mine(school.educator)
    _said(lambda: _sign_in(school))
    actor = _sign_in(school, password=first)
    assert actor.must_change_password
    with pytest.raises(NotAllowed, match="password of your own"):
        school.services.sections.mine(actor)
    accounts.change_password(actor, first, NEW)
    assert school.services.sections.mine(actor), "the same tab goes on"


def test_a_first_password_of_an_administrator_opens_nothing_else(school: School) -> None:
    accounts = school.services.accounts
    _, first = accounts.add_person(school.administrator, "Bob", "bob@school.example", Role.ADMINISTRATOR)
    bob = _sign_in(school, "bob@school.example", first)
    for refused in (
        lambda: accounts.people(bob),
        lambda: accounts.set_active(bob, school.administrator.user_id, False),
        lambda: school.services.audit.events(bob),
        lambda: school.services.sections.create(bob, "Mine"),
    ):
        with pytest.raises(NotAllowed, match="password of your own"):
            refused()


# People -----------------------------------------------------------------------------------------------


def test_deactivating_somebody_stops_the_tab_they_have_open(school: School) -> None:
    accounts = school.services.accounts
    accounts.set_active(school.administrator, school.educator.user_id, False)
    with pytest.raises(NotSignedIn):
        school.services.sections.mine(school.educator)
    accounts.set_active(school.administrator, school.educator.user_id, True)
    with pytest.raises(NotSignedIn):
        school.services.sections.mine(school.educator)
    assert school.services.sections.mine(_sign_in(school))


def test_a_deactivated_row_alone_signs_out(school: School) -> None:
    with school.database.write() as session:
        user = session.get(User, school.educator.user_id)
        assert user is not None
        user.active = False
    with pytest.raises(NotSignedIn, match="deactivated"):
        school.services.sections.mine(school.educator)


def test_taking_the_role_away_works_at_once(school: School) -> None:
    accounts = school.services.accounts
    accounts.set_role(school.administrator, school.educator.user_id, Role.ADMINISTRATOR)
    assert accounts.people(school.educator)
    accounts.set_role(school.administrator, school.educator.user_id, Role.EDUCATOR)
    with pytest.raises(NotAllowed):
        accounts.people(school.educator)


def test_the_last_administrator_stays(school: School) -> None:
    accounts, admin = school.services.accounts, school.administrator
    for act in (
        lambda: accounts.set_active(admin, admin.user_id, False),
        lambda: accounts.set_role(admin, admin.user_id, Role.EDUCATOR),
    ):
        with pytest.raises(Conflict, match="last active administrator"):
            act()
    assert accounts.people(admin)


def test_a_deactivated_administrator_does_not_count_as_another(school: School) -> None:
    accounts, admin = school.services.accounts, school.administrator
    accounts.set_role(admin, school.educator.user_id, Role.ADMINISTRATOR)
    accounts.set_active(admin, school.educator.user_id, False)
    with pytest.raises(Conflict):
        accounts.set_role(admin, admin.user_id, Role.EDUCATOR)
    accounts.set_active(admin, school.educator.user_id, True)
    accounts.set_role(admin, admin.user_id, Role.EDUCATOR)


def test_two_administrators_cannot_demote_each_other_at_once(school: School) -> None:
    accounts, admin = school.services.accounts, school.administrator
    accounts.set_role(admin, school.educator.user_id, Role.ADMINISTRATOR)

    def demote(pair: tuple[Actor, Actor]) -> bool:
        try:
            accounts.set_role(pair[0], pair[1].user_id, Role.EDUCATOR)
        except EvenhandError:
            return False
        return True

    pairs = [(admin, school.educator), (school.educator, admin)]
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(demote, pairs)) == [False, True]


def test_an_address_has_one_account(school: School) -> None:
    with pytest.raises(Conflict, match="has an account"):
        school.services.accounts.add_person(school.administrator, "E", " EDNA@school.example", Role.EDUCATOR)


@pytest.mark.parametrize("act", ["reset_password", "set_active", "set_role"])
def test_an_unknown_account_is_told(school: School, act: str) -> None:
    more = {"reset_password": (), "set_active": (False,), "set_role": (Role.EDUCATOR,)}[act]
    with pytest.raises(NotFound):
        getattr(school.services.accounts, act)(school.administrator, 999, *more)


def test_sign_in_sessions_are_kept_as_hashes_with_their_times(school: School) -> None:
    with school.database.read() as session:
        row = session.get(SignInSession, school.educator.token_hash)
        assert row is not None
        assert row.revoked_at is None
        assert row.created_at <= row.last_seen_at


def test_many_guesses_at_once_are_limited_like_guesses_in_a_row(school: School) -> None:
    def guess(number: int) -> str:
        with pytest.raises(NotAllowed) as refused:
            school.services.accounts.sign_in("edna@school.example", f"wrong guess {number}", "10.0.0.9")
        return str(refused.value)

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(guess, range(24)))
    assert sum("do not match" in answer for answer in answers) == 5
    assert sum("Too many attempts" in answer for answer in answers) == 19


def test_the_data_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "var")
    open_services(settings).close()
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700


def test_a_moved_data_folder_finds_its_students_again(tmp_path: Path) -> None:
    first, second = Settings(data_dir=tmp_path / "one"), Settings(data_dir=tmp_path / "two")
    prepare(first)
    shutil.copytree(first.data_dir, second.data_dir)
    shutil.rmtree(first.data_dir)
    prepare(second)
    with Database(second.url).read() as session:
        folders = list(session.scalars(select(StudentVersion.folder)))
    assert folders
    assert all(Path(folder).is_relative_to(second.data_dir) for folder in folders)
    assert all((Path(folder) / "student.safetensors").exists() for folder in folders)
