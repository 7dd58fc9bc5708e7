"""Ingrese a su Cuenta by number, e-mail or CUIT; several accounts; the way back to a page."""

import statistics
import time
from itertools import cycle, islice

import cac
import pytest
from conftest import PASSWORD, everything, link_in, text_of

SHARED = "estudio@example.com"      # of Inés and Julián
CUIT = "27-99001001-9"              # Ana's
REFUSED = "El usuario o la clave no coinciden."


def sign_in(browser, usuario, clave=PASSWORD):
    """What is answered to these."""
    return browser.send("/ingresar", usuario=usuario, clave=clave)


def who_is_in(browser) -> str:
    """Whose page is shown."""
    return browser.page("/").select_one(".who .code").text


def choose(browser, number):
    """What is answered to this choice."""
    return browser.send("/ingresar/cuenta", usuario=number)


@pytest.fixture
def give_password(app, db):
    """give_password(1010, "another one"): so it is from now on."""
    def given(number, password):
        with app.app_context():
            db.execute("UPDATE customer SET password = ? WHERE number = ?",
                       (cac.hash_password(password), number))
    return given


@pytest.fixture
def both(browser):
    """A visitor whose password has opened the accounts of Inés and Julián."""
    assert sign_in(browser, SHARED).location == "/ingresar/cuenta"
    return browser


# Who is meant

@pytest.mark.parametrize("typed", [
    "1001", "ana@example.com", " Ana@Example.COM ", CUIT, "27990010019", "27 99001001 9"])
def test_number_email_and_cuit_open_the_account(browser, typed):
    answer = sign_in(browser, typed)
    assert (answer.status_code, answer.location, who_is_in(browser)) == (303, "/", "1001")


def test_an_address_that_is_not_confirmed_opens_nothing(browser, db):
    db.execute("UPDATE email SET confirmed_at = NULL WHERE customer = 1001")
    assert sign_in(browser, "ana@example.com").status_code == 401


def test_digits_that_are_a_number_and_the_dni_of_another_are_told_apart_by_the_password(
        browser, db, give_password):
    db.execute("UPDATE customer SET cuit = '20111222' WHERE number = 1001")
    assert sign_in(browser, "20.111.222").status_code == 303 and who_is_in(browser) == "1001"
    db.execute("INSERT INTO customer (number, name) VALUES (20111222, 'Zoë')")
    give_password(20111222, "another one")
    browser.send("/salir", page="/")
    assert sign_in(browser, "20111222", "another one").status_code == 303
    assert who_is_in(browser) == "20111222"


# Refused tries

TRIES = ["1001", "ana@example.com", CUIT, SHARED, "1007", "1012", "4004", "nadie@example.com",
         "20-11111111-2", "x"]


def test_the_time_of_a_refused_try_tells_nothing(browser, db):
    token = browser.page("/ingresar").find(attrs={"name": "csrf_token"})["value"]
    taken = {usuario: [] for usuario in TRIES}
    for usuario in islice(cycle(TRIES), 200):
        db.execute("DELETE FROM throttle")
        fields = {"usuario": usuario, "clave": "wrong", "csrf_token": token}
        start = time.process_time()
        assert browser.post("/ingresar", data=fields).status_code == 401
        taken[usuario].append(time.process_time() - start)
    medians = {usuario: statistics.median(times) for usuario, times in taken.items()}
        # A quiet machine shows 1.03; the bound is for one that is not.
    assert max(medians.values()) < 1.25 * min(medians.values()), medians


def test_tries_of_an_account_are_counted_together_whatever_its_name(browser):
    names = ["1001", "ana@example.com", CUIT]
    answers = [sign_in(browser, names[n % 3], "wrong").status_code for n in range(10)]
    assert answers == [401] * 10
    assert [sign_in(browser, name).status_code for name in names] == [429] * 3


@pytest.mark.parametrize("usuario", ["nadie@example.com", "20-11111111-2"])
def test_a_name_of_nobody_has_to_wait_as_well(browser, usuario):
    answers = [sign_in(browser, usuario, "wrong").status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]
    assert sign_in(browser, "1001").status_code == 303


def test_a_refused_try_by_address_is_told_to_each_account_of_it(browser, db):
    sign_in(browser, SHARED, "wrong")
    told = db.execute("SELECT customer FROM event WHERE kind = 'refused' ORDER BY 1").fetchall()
    assert [row.customer for row in told] == [1009, 1010]


def test_whom_his_own_password_opened_gets_no_tries_at_the_others_by_it(
        browser, db, give_password):
    give_password(1010, "another one")
    for _ in range(3):
        assert sign_in(browser.application.test_client(), SHARED).location == "/"
    kept = {row.key: row.count for row in db.execute("SELECT * FROM throttle")}
    assert kept["sign-in:1010"] == 3 and "sign-in:1009" not in kept


# Several accounts

@pytest.mark.parametrize(("clave", "number"), [(PASSWORD, "1009"), ("another one", "1010")])
def test_the_password_decides_which_account_of_an_address_it_is(
        browser, give_password, clave, number):
    give_password(1010, "another one")
    assert sign_in(browser, SHARED, clave).location == "/" and who_is_in(browser) == number


def test_an_account_that_waits_leaves_the_others_of_its_address_open(browser, db):
    db.execute("INSERT INTO throttle VALUES ('sign-in:1010', ?, 10)", (cac.now(),))
    assert sign_in(browser, SHARED).location == "/" and who_is_in(browser) == "1009"


def test_a_password_that_opens_several_leads_to_a_choice_without_it(both):
    answer = both.get("/ingresar/cuenta")
    assert "Inés Benítez" in text_of(answer) and "Julián Ibarra" in text_of(answer)
    assert PASSWORD.encode() not in answer.data and both.get("/").status_code == 302
    assert choose(both, "1010").location == "/" and who_is_in(both) == "1010"


def test_the_choice_leads_where_one_was_going(browser):
    browser.send("/ingresar?next=/accesos", usuario=SHARED, clave=PASSWORD)
    assert choose(browser, "1009").location == "/accesos"


@pytest.mark.parametrize("number", ["1001", "1012", "", "x", "1009'"])
def test_nothing_else_can_be_chosen(both, db, number):
    before = everything(db)
    assert choose(both, number).status_code == 400 and everything(db) == before


def test_a_choice_is_over_after_five_minutes(both, wait):
    wait(minutes=6)
    assert both.get("/ingresar/cuenta").location == "/ingresar"
    both.send("/ingresar/cuenta", page="/ingresar", usuario="1009")
    assert both.get("/").status_code == 302


@pytest.mark.parametrize("deed", ["block", "sign-out", "password"])
def test_an_account_that_is_blocked_or_is_given_a_link_by_now_is_out(both, run, deed):
    run(deed, 1010)
    assert choose(both, "1010").status_code == 400
    assert choose(both, "1009").status_code == 303


def test_of_more_than_three_all_that_the_password_opens_can_be_chosen(browser, db, give_password):
    db.execute("UPDATE customer SET cuit = '30990010095' WHERE number IN (1001, 1002, 1003, 1005)")
    give_password(1005, "another one")
    assert sign_in(browser, "30-99001009-5").location == "/ingresar/cuenta"
    shown = browser.page("/ingresar/cuenta").select("button[name=usuario]")
    assert [button["value"] for button in shown] == ["1001", "1002", "1003", "1009"]


# Another account without signing out

def test_who_has_several_accounts_changes_between_them(both, db):
    choose(both, "1009")
    link = both.page("/").find("a", string="Cambiar de cuenta")
    assert link["href"] == "/ingresar/cuenta"
    shown = both.page(link["href"]).select("button[name=usuario]")
    assert [button["value"] for button in shown] == ["1010"]
    assert choose(both, "1010").location == "/" and who_is_in(both) == "1010"
    assert [row.customer for row in db.execute("SELECT customer FROM session")] == [1010]


def test_who_signed_in_by_number_sees_one_account_only(visit, db):
    ines = visit("Inés")
    before = everything(db)
    assert not ines.page("/").find("a", string="Cambiar de cuenta")
    assert ines.send("/ingresar/cuenta", page="/", usuario="1010").location == "/ingresar"
    assert everything(db) == before and who_is_in(ines) == "1009"


@pytest.mark.parametrize("deed", ["password", "block", "sign-out", "close"])
def test_who_ends_the_sessions_of_an_account_ends_the_way_there_from_others(
        both, visit, run, deed):
    choose(both, "1009")
    {"password": lambda: visit("Julián").send("/clave", clave_actual=PASSWORD,
                                              clave_nueva="caballo verde"),
     "close": lambda: visit("Julián").send("/accesos", sesion="otras"),
     }.get(deed, lambda: run(deed, "1010"))()
    assert choose(both, "1010").status_code in (302, 400) and who_is_in(both) == "1009"


# After a link, and after a session

def test_who_chose_a_password_by_a_link_has_the_number_filled_in(browser, mails):
    browser.send("/olvido", usuario="1001")
    answer = browser.send(link_in(mails()[0]), clave_nueva="caballo verde 47")
    assert (answer.status_code, answer.location) == (303, "/ingresar")
    assert browser.page("/ingresar").find(id="usuario")["value"] == "1001"


@pytest.mark.parametrize(("address", "page", "back"), [
    ("/datos", "/datos", "/datos"), ("/clave", "/clave", "/clave"), ("/pago", "/pago", "/pago"),
    ("/accesos", "/accesos", "/accesos"), ("/datos/reenviar", "/cuenta?pagina=1",
                                           "/cuenta?pagina=1")])
def test_a_form_of_a_session_that_expired_leads_back_to_its_page(visit, wait, address, page, back):
    ana = visit("Ana")
    token = ana.page("/datos").find(attrs={"name": "csrf_token"})["value"]
    wait(minutes=31)
    answer = ana.post(address, data={"csrf_token": token, "contacto": "Zoë"},
                      headers={"Referer": f"http://localhost{page}"})
    notice = ana.page(answer.location).select_one(".notice")
    assert answer.status_code == 303 and "attention" in notice["class"]
    assert "Su sesión venció: lo que escribió no se guardó." in notice.text
    fields = {"usuario": "1001", "clave": PASSWORD}
    assert ana.send(answer.location, **fields).location == back


@pytest.mark.parametrize("referer", ["http://[", "https://evil.example/x", "//evil.example",
                                     "http://localhost/salir", "javascript:1"])
def test_the_way_back_never_leads_elsewhere(visit, wait, referer):
    ana = visit("Ana")
    token = ana.page("/datos").find(attrs={"name": "csrf_token"})["value"]
    wait(minutes=31)
    answer = ana.post("/datos/reenviar", data={"csrf_token": token}, headers={"Referer": referer})
    assert answer.location == "/ingresar"

