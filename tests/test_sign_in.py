"""Ingrese a su Cuenta, too many tries, the session that follows, and Salir."""

import itertools

import cac
import pytest
from conftest import CAST, PASSWORD, SECRET_KEY, everything, text_of

REFUSED = "El usuario o la clave no coinciden."


def sign_in(browser, usuario, clave=PASSWORD, address="/ingresar"):
    """What is answered to these."""
    return browser.send(address, usuario=usuario, clave=clave)


def sessions(db, number=1001):
    """How many of the customer's sessions are open."""
    rows = db.execute("SELECT * FROM session WHERE customer = ?", (number,))
    return len(rows.fetchall())


@pytest.mark.parametrize("who", sorted(CAST.keys() - {"Gloria", "Luis"}))
def test_each_of_the_cast_gets_in_and_is_welcomed_by_name(visit, db, who):
    name = db.execute("SELECT name FROM customer WHERE number = ?", (CAST[who],)).fetchone().name
    assert visit(who).page("/").h1.text == f"Bienvenido/a, {name}"


@pytest.mark.parametrize(("usuario", "clave"), [
    ("1001", "demo-2011"),                              # wrong password
    ("1001", "DEMO-2010"),                              # passwords have a case
    ("1001", "demo-2010 "),                             # and spaces
    ("4004", PASSWORD),                                 # nobody
    ("ana", PASSWORD),                                  # not even a number
    ("1007", PASSWORD),                                 # Gloria has chosen no password yet
    ("1007", "None"),                                   # which is nothing that can be typed
    ("1012", PASSWORD),                                 # Luis is blocked
    ("1001' OR '1'='1", "' OR '1'='1"),                 # this does not help
    ("99999999999999999999", PASSWORD)])                # a number that fits nowhere
def test_all_who_are_refused_read_the_same(browser, db, usuario, clave):
    answer = sign_in(browser, usuario, clave)
    assert answer.status_code == 401 and REFUSED in text_of(answer)
    assert sessions(db, 1001) == sessions(db, 1007) == sessions(db, 1012) == 0
    assert browser.get("/").location.startswith("/ingresar")


@pytest.mark.parametrize("usuario", ["1001", "4004", "1007", "1012", "ana"])
def test_all_who_are_refused_cost_three_hashes(browser, monkeypatch, usuario):
    costs, verify = [], cac.HASHER.verify
    spy = type("Hasher", (), {"verify": lambda _, *args: costs.append(1) or verify(*args)})
    monkeypatch.setattr(cac, "HASHER", spy())
    assert sign_in(browser, usuario, "not this").status_code == 401
    assert costs == [1] * 3


@pytest.mark.parametrize(("fields", "said"), [
    ({"usuario": "   ", "clave": PASSWORD}, "Escriba su usuario"),
    ({"usuario": "1001"}, "Escriba su clave"),
    ({"usuario": "1" * 255, "clave": PASSWORD}, "Escriba 254 caracteres o menos"),
    ({"usuario": "1001", "clave": "x" * 257}, "La clave tiene 256 caracteres o menos")])
def test_what_is_missing_or_endless_is_told(browser, fields, said):
    answer = browser.send("/ingresar", **fields)
    assert answer.status_code == 422 and said in text_of(answer)


def test_what_was_typed_is_kept_but_never_the_password(browser):
    answer = sign_in(browser, '"><b>1001', "sesame-sesame")
    assert b'value="&#34;&gt;&lt;b&gt;1001"' in answer.data
    assert b"sesame" not in answer.data


def test_the_password_of_two_keyboards_is_the_same(browser, db, app):
    with app.app_context():
        db.execute("UPDATE customer SET password = ? WHERE number = 1001",
                   (cac.hash_password("ñandúes"),))
    assert sign_in(browser, "1001", "n\u0303andu\u0301es").status_code == 303


# Where one goes afterwards

def test_who_was_on_the_way_to_a_page_gets_there(browser):
    asked = browser.get("/cuenta?pagina=1").location
    assert sign_in(browser, "1001", address=asked).location == "/cuenta?pagina=1"


@pytest.mark.parametrize("target", [
    "//evil.example", "https://evil.example", "/\\evil.example", "/%09/evil.example",
    "javascript:alert(1)", "https:evil.example", "", "/salir", "/aviso/dineromail", "/nada"])
def test_nobody_is_sent_to_another_site_or_to_what_is_no_page(browser, target):
    assert sign_in(browser, "1001", address=f"/ingresar?next={target}").location == "/"


def test_who_is_in_already_goes_home(visit):
    assert visit("Ana").get("/ingresar").location == "/"


def test_signing_in_as_somebody_else_ends_the_first_session(visit, db):
    browser = visit("Ana")
    token = browser.page("/").find(attrs={"name": "csrf_token"})["value"]
    fields = {"usuario": 1002, "clave": PASSWORD, "csrf_token": token}
    assert browser.post("/ingresar", data=fields).status_code == 303
    assert sessions(db, 1001) == 0 and "Beto" in browser.page("/").h1.text


# Too many tries

@pytest.fixture
def locked_out(browser):
    """A visitor who tried ten wrong passwords of Ana's."""
    for number in range(10):
        assert sign_in(browser, "1001", f"wrong {number}").status_code == 401
    return browser


def count(db, key, count):
    """Have so many tries counted."""
    db.execute("INSERT INTO throttle VALUES (?, ?, ?)", (key, cac.now(), count))


def test_after_ten_wrong_passwords_even_the_right_one_waits(locked_out, db):
    answer = sign_in(locked_out, "1001")
    assert (answer.status_code, sessions(db)) == (429, 0)
    assert 14 * 60 < int(answer.headers["Retry-After"]) <= 15 * 60
    assert "Espere 15 minutos y pruebe de nuevo, o use «¿Olvidó su Clave?»" in text_of(answer)


def test_after_a_quarter_of_an_hour_the_tries_are_forgotten(locked_out, wait):
    wait(minutes=14)
    assert sign_in(locked_out, "1001").status_code == 429
    wait(minutes=2)
    assert sign_in(locked_out, "1001", "wrong").status_code == 401
    assert sign_in(locked_out, "1001").status_code == 303


def test_the_right_password_forgives_the_wrong_ones(browser, visit):
    for _ in range(3):
        assert [sign_in(browser, "1001", "wrong").status_code for _ in range(9)] == [401] * 9
        visit("Ana")


def test_a_network_with_two_hundred_tries_waits_and_makes_no_account_wait(browser, db):
    count(db, "network:127.0.0.1", 200)
    assert [sign_in(browser, "1002").status_code for _ in range(12)] == [429] * 12
    db.execute("DELETE FROM throttle WHERE key = 'network:127.0.0.1'")
    assert sign_in(browser, "1002").status_code == 303


def test_the_addresses_of_one_ipv6_network_are_counted_together(app, db):
    for n in range(3):
        browser = app.test_client()
        browser.environ_base["REMOTE_ADDR"] = f"2001:db8:7::{n}"
        sign_in(browser, f"100{n}", "wrong")
    kept = db.execute("SELECT count FROM throttle WHERE key = 'network:2001:db8:7::/64'")
    assert kept.fetchone().count == 3


@pytest.mark.parametrize(("days", "status"), [(179, 401), (181, 429)])
def test_strangers_lock_nobody_out_of_a_network_of_the_last_180_days(visit, db, wait, days, status):
    browser = visit("Ana")
    browser.send("/salir", page="/")
    wait(days=days)
    count(db, "sign-in:1001", 10)
    assert sign_in(browser, "1001", "wrong").status_code == status


def test_the_operator_unlocks_a_customer_everywhere(app, locked_out, visit, run, db):
    count(db, "sign-in:1001@127.0.0.1", 10)
    count(db, "sign-in:10010", 10)
    assert run("unlock", "1001").exit_code == 0
    assert sign_in(locked_out, "1001").status_code == 303
    assert sign_in(app.test_client(), "1001").status_code == 303
    assert sign_in(app.test_client(), "10010").status_code == 429


def test_who_has_an_account_earns_no_tries_by_changing_the_password(visit, db):
    ana, words = visit("Ana"), (PASSWORD, "caballo verde", "perro azul")
    for now, new in itertools.pairwise(words):
        assert ana.send("/clave", clave_actual=now, clave_nueva=new).status_code == 303
    assert db.execute("SELECT min(count) FROM throttle").fetchone()[0] >= 0


# The session

def test_the_database_holds_no_token_that_opens_a_session(visit, db):
    with visit("Ana").session_transaction() as cookie:
        token = cookie["_user_id"]
    assert sessions(db) == 1
    assert token not in "".join(everything(db))


def test_the_cookie_is_kept_from_scripts_and_other_sites(browser):
    cookie = sign_in(browser, "1001").headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie


def test_over_https_the_cookie_never_travels_in_the_clear(database):
    app = cac.create_app(database=str(database), secret_key=SECRET_KEY, jobs="off",
                         base_url="https://cac.example.com")
    cookie = app.test_client().get("/ingresar").headers["Set-Cookie"]
    assert cookie.startswith("__Host-cac=") and "Secure" in cookie


@pytest.mark.parametrize(("minutes", "status"), [(29, 200), (31, 302)])
def test_a_session_ends_half_an_hour_after_the_last_page(visit, wait, minutes, status):
    browser = visit("Ana")
    wait(minutes=minutes)
    assert browser.get("/cuenta").status_code == status


def test_a_busy_session_ends_after_eight_hours(visit, wait):
    browser, statuses = visit("Ana"), []
    for _ in range(21):
        statuses.append(browser.get("/cuenta").status_code)
        wait(minutes=25)
    assert statuses == [200] * 20 + [302]               # 19 times 25 minutes are 7 h 55 min


# Salir

def test_salir_ends_the_session_for_every_copy_of_the_cookie_and_says_so(app, visit, db):
    browser, copy = visit("Ana"), app.test_client()
    copy.set_cookie("cac", browser.get_cookie("cac").value)
    assert copy.get("/").status_code == 200
    answer = browser.send("/salir", page="/")
    assert (answer.status_code, answer.location) == (303, "/ingresar")
    assert copy.get("/").status_code == 302 and sessions(db) == 0
    assert "Salió de su cuenta." in text_of(browser.get("/ingresar"))

