"""Cambiar Clave."""

import pytest
from conftest import PASSWORD, cac, everything, mail_text, text_of

NEW_PASSWORD = "caballo verde"  # noqa: S105 - made up


def change(browser, actual=PASSWORD, nueva=NEW_PASSWORD):
    """What is answered to these."""
    return browser.send("/clave", clave_actual=actual, clave_nueva=nueva)


def test_a_changed_password_is_the_one_to_sign_in_with(app, visit):
    answer = change(visit("Ana"))
    assert (answer.status_code, answer.location) == (303, "/")
    assert app.test_client().sign_in("Ana").status_code == 401
    assert app.test_client().sign_in("Ana", NEW_PASSWORD).status_code == 303


def test_this_session_goes_on_and_says_so(visit):
    browser = visit("Ana")
    change(browser)
    assert "Cambió su clave. Cerramos sus otras sesiones." in text_of(browser.get("/"))


def test_the_other_sessions_end_and_so_do_copies_of_this_one(app, visit):
    here, there, copy = visit("Ana"), visit("Ana"), app.test_client()
    copy.set_cookie("cac", here.get_cookie("cac").value)
    change(here)
    statuses = [browser.get("/cuenta").status_code for browser in (here, there, copy)]
    assert statuses == [200, 302, 302]


def test_other_customers_stay_in(visit):
    beto = visit("Beto")
    change(visit("Ana"))
    assert beto.get("/").status_code == 200


@pytest.mark.parametrize(("who", "addresses"), [
    ("Ana", ["ana@example.com"]),
    ("Inés", ["ines@example.com", "estudio@example.com"]),   # both of hers
    ("Karina", [])])                                         # she has none
def test_a_notice_goes_to_every_address_on_file(visit, mails, who, addresses):
    change(visit(who))
    assert [mail["To"] for mail in mails()] == addresses
    assert all("Si no fue usted" in mail_text(mail) for mail in mails())


def test_the_notice_tells_no_password(visit, mails):
    change(visit("Ana"))
    assert NEW_PASSWORD not in mails()[0].as_string()


def test_an_address_not_confirmed_yet_is_told_too(visit, db, mails):
    db.execute("UPDATE email SET confirmed_at = NULL WHERE address = 'estudio@example.com'")
    change(visit("Inés"))
    assert [mail["To"] for mail in mails()] == ["ines@example.com", "estudio@example.com"]


def test_the_change_is_in_the_log_of_the_account(visit, db):
    change(visit("Ana"))
    assert db.execute("SELECT actor FROM event WHERE customer = 1001 AND kind = 'password'"
                      ).fetchone().actor == "customer"


def test_the_password_is_nowhere_as_it_was_typed(visit, db):
    change(visit("Ana"))
    assert NEW_PASSWORD not in "".join(everything(db))
    kept = db.execute("SELECT password FROM customer WHERE number = 1001").fetchone().password
    assert kept.startswith("$argon2id$")


@pytest.mark.parametrize(("actual", "nueva", "said"), [
    ("", NEW_PASSWORD, "Escriba su clave actual"),
    (PASSWORD, "", "Escriba una clave nueva"),
    ("demo-2011", NEW_PASSWORD, "La clave actual no coincide"),
    (PASSWORD, PASSWORD, "La clave nueva debe ser distinta de la actual"),
    (PASSWORD, "corta", "La clave nueva debe tener 8 caracteres o más"),
    (PASSWORD, "0000 1001", "La clave nueva no puede ser su número de usuario"),
    (PASSWORD, "contraseña", "Elija una clave menos común"),
    (PASSWORD, "contrasen\u0303a", "Elija una clave menos común"),  # the same, of another keyboard
    (PASSWORD, "x1" * 129, "La clave tiene 256 caracteres o menos")])
def test_a_refused_change_says_why_and_changes_nothing(visit, db, actual, nueva, said):
    browser = visit("Ana")
    before = everything(db)
    answer = change(browser, actual, nueva)
    assert answer.status_code == 422 and said in text_of(answer)
    written = set(everything(db)) - set(before)
    assert all('INSERT INTO "throttle"' in line for line in written)  # the try is counted
    assert browser.get("/").status_code == 200


def test_no_password_is_shown_again(visit):
    answer = change(visit("Ana"), "sesame-sesame", "sesame")
    assert answer.status_code == 422 and b"sesame" not in answer.data


def test_the_least_length_is_the_operators_but_never_below_eight(visit, run):
    run("set", "password_min", "12")
    assert "12 caracteres o más" in text_of(change(visit("Ana"), nueva="once letras"))
    assert run("set", "password_min", "7").exit_code == 1
    assert "12 caracteres o más" in text_of(change(visit("Ana"), nueva="corta"))


def test_whoever_found_an_open_session_may_try_ten_passwords(visit):
    browser = visit("Ana")
    statuses = [change(browser, f"wrong {number}").status_code for number in range(10)]
    answer = change(browser)
    assert statuses == [422] * 10 and answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 30


def test_what_is_said_to_be_saved_is_saved(app, visit, db, monkeypatch):
    browser, hash_password = visit("Ana"), cac.hash_password
    def hash_while_a_link_is_asked_for(password):
        db.execute("UPDATE customer SET link_serial = link_serial + 1 WHERE number = 1001")
        return hash_password(password)
    monkeypatch.setattr(cac, "hash_password", hash_while_a_link_is_asked_for)
    is_said = change(browser).status_code == 303
    assert is_said == (app.test_client().sign_in("Ana", NEW_PASSWORD).status_code == 303)


def test_a_form_without_the_new_password_is_asked_for_it(visit):
    answer = visit("Ana").send("/clave", clave_actual=PASSWORD)
    assert (answer.status_code, "Escriba una clave nueva" in text_of(answer)) == (422, True)


def test_of_two_changes_the_earlier_leaves_no_session(visit, db, monkeypatch):
    browser = visit("Ana")
    def make_token(_):  # after the password was saved, before the new session is there
        db.execute("UPDATE customer SET password = 'another' WHERE number = 1001")
        return "x" * 43
    monkeypatch.setattr(cac.secrets, "token_urlsafe", make_token)
    assert change(browser).status_code == 303
    assert browser.get("/cuenta").status_code == 302
    assert db.execute("SELECT count(*) FROM session").fetchone()[0] == 0
