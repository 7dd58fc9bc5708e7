"""Ingrese a su Cuenta, the session that follows, and Salir."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from bs4 import BeautifulSoup
from conftest import CAST, PASSWORD, SECRET_KEY, cac, everything, text_of

REFUSED = "El usuario o la clave no coinciden."


def sign_in(browser, usuario, clave=PASSWORD, address="/ingresar"):
    """What is answered to these."""
    return browser.send(address, usuario=usuario, clave=clave)


def sessions(db, number=1001):
    """How many of the customer's sessions are open."""
    found = db.execute("SELECT * FROM session WHERE customer = ?", (number,))
    return len(found.fetchall())


@pytest.mark.parametrize("who", sorted(CAST.keys() - {"Gloria", "Luis"}))
def test_each_of_the_cast_gets_in_and_is_welcomed_by_name(visit, db, who):
    name = db.execute("SELECT name FROM customer WHERE number = ?", (CAST[who],)).fetchone().name
    assert visit(who).page("/").h1.text == f"Bienvenido/a, {name}"


@pytest.mark.parametrize("typed", ["001001", " 1.001 ", "1-001"])
def test_a_user_number_may_be_typed_as_people_do(browser, typed):
    assert sign_in(browser, typed).status_code == 303


@pytest.mark.parametrize(("usuario", "clave"), [
    ("1001", "demo-2011"),                              # wrong password
    ("1001", "DEMO-2010"),                              # passwords have a case
    ("1001", "demo-2010 "),                             # and spaces
    ("4004", PASSWORD),                                 # nobody
    ("ana", PASSWORD),                                  # not even a number
    ("ana@example.com", PASSWORD),                      # nor is this
    ("1007", PASSWORD),                                 # Gloria has chosen no password yet
    ("1007", "None"),                                   # which is nothing that can be typed
    ("1012", PASSWORD),                                 # Luis is blocked
    ("1012", "demo-2011"),                              # and would not know why
    ("1001' OR '1'='1", "' OR '1'='1"),                 # nor does this help
    ("99999999999999999999", PASSWORD)])                # a number that fits nowhere
def test_whoever_is_refused_reads_the_same(browser, db, usuario, clave):
    answer = sign_in(browser, usuario, clave)
    assert answer.status_code == 401 and REFUSED in text_of(answer)
    assert db.execute("SELECT count(*) AS n FROM session").fetchone().n == 0
    assert browser.get("/").location.startswith("/ingresar")


@pytest.mark.parametrize("usuario", ["1001", "4004", "1007", "1012", "ana"])
def test_whoever_is_refused_waits_as_long(browser, monkeypatch, usuario):
    costs, verify = [], cac.HASHER.verify
    spy = type("Hasher", (), {"verify": lambda _, *args: costs.append(1) or verify(*args)})
    monkeypatch.setattr(cac, "HASHER", spy())
    assert sign_in(browser, usuario, "not this").status_code == 401
    assert costs == [1]


@pytest.mark.parametrize(("fields", "said"), [
    ({"usuario": "", "clave": PASSWORD}, "Escriba su usuario"),
    ({"usuario": "   ", "clave": PASSWORD}, "Escriba su usuario"),
    ({"usuario": "1001", "clave": ""}, "Escriba su clave"),
    ({"usuario": "1001"}, "Escriba su clave"),
    ({"usuario": "1" * 61, "clave": PASSWORD}, "Escriba 60 caracteres o menos"),
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

def test_whoever_was_on_the_way_to_a_page_gets_there(browser):
    asked = browser.get("/cuenta?pagina=1").location
    assert sign_in(browser, "1001", address=asked).location == "/cuenta?pagina=1"


@pytest.mark.parametrize("target", [
    "//evil.example", "https://evil.example", "/\\evil.example", "%09//evil.example",
    "/%09/evil.example", "/%0a/evil.example", "javascript:alert(1)", "https:evil.example", ""])
def test_nobody_is_sent_to_another_site(browser, target):
    assert sign_in(browser, "1001", address=f"/ingresar?next={target}").location == "/"


@pytest.mark.parametrize("target", ["/salir", "/aviso/dineromail", "/nada", "/static/", "/cuenta/"])
def test_nobody_is_sent_to_what_is_no_page(browser, target):
    assert sign_in(browser, "1001", address=f"/ingresar?next={target}").location == "/"


def test_whoever_is_in_already_goes_home(visit):
    assert visit("Ana").get("/ingresar").location == "/"


def test_signing_in_as_somebody_else_ends_the_first_session(visit, db):
    browser = visit("Ana")
    token = browser.page("/").find(attrs={"name": "csrf_token"})["value"]
    fields = {"usuario": 1002, "clave": PASSWORD, "csrf_token": token}
    assert browser.post("/ingresar", data=fields).status_code == 303
    assert sessions(db, 1001) == 0 and "Beto" in browser.page("/").h1.text


@pytest.mark.parametrize("meanwhile", ["password = 'another'", "active = 0"])
def test_no_session_is_opened_once_the_password_that_was_shown_counts_no_more(
        browser, db, monkeypatch, meanwhile):
    def make_token(_):  # after the password was found right, before the session is there
        db.execute(f"UPDATE customer SET {meanwhile} WHERE number = 1001")
        return "x" * 43
    monkeypatch.setattr(cac.secrets, "token_urlsafe", make_token)
    answer = sign_in(browser, "1001")
    assert (answer.status_code, sessions(db)) == (401, 0) and REFUSED in text_of(answer)
    assert browser.get("/cuenta").status_code == 302


def test_of_two_who_renew_a_weak_hash_at_once_both_get_in(app, browser, db, monkeypatch):
    weak = cac.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    db.execute("UPDATE customer SET password = ? WHERE number = 1001", (weak,))
    hash_password, statuses = cac.hash_password, []
    def hash_while_another_signs_in(password):
        monkeypatch.setattr(cac, "hash_password", hash_password)
        with ThreadPoolExecutor(1) as pool:
            statuses.append(pool.submit(sign_in, app.test_client(), "1001").result().status_code)
        return hash_password(password)
    monkeypatch.setattr(cac, "hash_password", hash_while_another_signs_in)
    statuses.append(sign_in(browser, "1001").status_code)
    assert (statuses, sessions(db)) == ([303, 303], 2)


# Too many tries

@pytest.fixture
def locked_out(browser):
    """Ana's account, after ten wrong passwords."""
    for number in range(10):
        assert sign_in(browser, "1001", f"wrong {number}").status_code == 401
    return browser


def test_after_ten_wrong_passwords_even_the_right_one_waits(locked_out, db):
    before = sessions(db)
    answer = sign_in(locked_out, "1001")
    assert (answer.status_code, sessions(db)) == (429, before)
    assert 0 < int(answer.headers["Retry-After"]) <= 30
    assert "Espere un minuto y pruebe de nuevo, o use «¿Olvidó su Clave?»" in text_of(answer)


def test_a_blocked_wait_lets_other_customers_in(locked_out):
    assert sign_in(locked_out, "1002").status_code == 303


def button_of(answer):
    """Where the button of an error's page leads."""
    return BeautifulSoup(answer.data, "html.parser").select_one("main a.button")["href"]


def test_whoever_tried_too_often_is_led_to_a_link_but_home_who_is_in(locked_out, visit, db):
    beto = visit("Beto")
    token = beto.page("/").find(attrs={"name": "csrf_token"})["value"]
    fields = {"usuario": 1001, "clave": PASSWORD, "csrf_token": token}
    inside = beto.post("/ingresar", data=fields)
    for key in ("password:1002@127.0.0.1", "notice:127.0.0.1"):
        db.execute("INSERT INTO throttle VALUES (?, 9999, ?)", (key, cac.now()))
    refused = beto.send("/clave", clave_actual=PASSWORD, clave_nueva="caballo verde")
    notice = locked_out.post("/aviso/dineromail", data={"Notificacion": "<x/>"})
    answers = [sign_in(locked_out, "1001"), inside, refused, notice]
    assert {answer.status_code for answer in answers} == {429}
    assert [button_of(answer) for answer in answers] == ["/olvido", "/", "/", "/"]


def test_after_the_wait_the_right_password_is_enough(locked_out, wait):
    wait(seconds=31)
    assert sign_in(locked_out, "1001").status_code == 303


def test_after_the_wait_a_wrong_one_waits_twice_as_long(locked_out, wait):
    wait(seconds=31)
    assert sign_in(locked_out, "1001", "wrong").status_code == 401
    assert 30 < int(sign_in(locked_out, "1001").headers["Retry-After"]) <= 60


def test_the_right_password_forgives_the_wrong_ones(browser, visit):
    for _ in range(3):
        assert [sign_in(browser, "1001", "wrong").status_code for _ in range(9)] == [401] * 9
        visit("Ana")


def test_a_nobody_is_throttled_like_anybody(browser):
    answers = [sign_in(browser, "4004").status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]


def test_a_place_on_the_net_with_two_hundred_tries_waits(browser, db):
    db.execute("INSERT INTO throttle VALUES ('sign-in:127.0.0.1', 200, ?)", (cac.now(),))
    assert sign_in(browser, "1002").status_code == 429


def test_the_operator_unlocks_a_customer(locked_out, run):
    assert run("unlock", "1001").exit_code == 0
    assert sign_in(locked_out, "1001").status_code == 303


def test_a_forged_forwarded_address_changes_nothing(browser, db):
    browser.environ_base["HTTP_X_FORWARDED_FOR"] = "203.0.113.9"
    sign_in(browser, "1001", "wrong")
    keys = {row.key for row in db.execute("SELECT key FROM throttle")}
    assert keys == {"sign-in:1001", "sign-in:127.0.0.1", "refused:1001:127.0.0.1"}


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


def test_what_the_cookie_held_before_opens_nothing(app, browser, db):
    browser.get("/ingresar")
    before = browser.get_cookie("cac").value
    assert sign_in(browser, "1001").status_code == 303
    thief = app.test_client()
    thief.set_cookie("cac", before)
    assert thief.get("/cuenta").status_code == 302


@pytest.mark.parametrize(("time", "status"), [
    ({"minutes": 29}, 200),                             # reads something long
    ({"minutes": 31}, 302)])                            # went away
def test_a_session_ends_half_an_hour_after_the_last_page(visit, wait, time, status):
    browser = visit("Ana")
    wait(**time)
    assert browser.get("/cuenta").status_code == status


def test_a_busy_session_ends_after_eight_hours(visit, wait):
    browser, statuses = visit("Ana"), []
    for _ in range(21):
        statuses.append(browser.get("/cuenta").status_code)
        wait(minutes=25)
    assert statuses == [200] * 20 + [302]               # 19 times 25 minutes are 7 h 55 min


def test_whoever_comes_back_late_reads_why(visit, wait):
    browser = visit("Ana")
    wait(minutes=31)
    late = browser.get("/cuenta", follow_redirects=True)
    assert "Su sesión venció. Ingrese de nuevo." in text_of(late)


def test_a_customer_who_is_blocked_is_out_at_once(visit, db):
    browser = visit("Ana")
    db.execute("UPDATE customer SET active = 0 WHERE number = 1001")
    assert browser.get("/cuenta").status_code == 302


def test_signing_in_is_in_the_log_of_the_account(visit, db):
    visit("Ana")
    event = db.execute("SELECT * FROM event ORDER BY id DESC LIMIT 1").fetchone()
    assert (event.customer, event.kind, event.actor) == (1001, "sign-in", "customer")
    assert abs(datetime.fromisoformat(event.at) - datetime.now(UTC)).total_seconds() < 60


# Salir

def test_salir_ends_the_session_for_every_copy_of_the_cookie(app, visit, db):
    browser, copy = visit("Ana"), app.test_client()
    copy.set_cookie("cac", browser.get_cookie("cac").value)
    assert copy.get("/").status_code == 200
    answer = browser.send("/salir", page="/")
    assert (answer.status_code, answer.location) == (303, "/ingresar")
    assert copy.get("/").status_code == 302 and sessions(db) == 0


def test_salir_says_so(visit):
    browser = visit("Ana")
    browser.send("/salir", page="/")
    assert "Salió de su cuenta." in text_of(browser.get("/ingresar"))


def test_salir_leaves_other_browsers_alone(visit):
    here, there = visit("Ana"), visit("Ana")
    here.send("/salir", page="/")
    assert there.get("/").status_code == 200


def test_a_link_cannot_sign_anybody_out(visit):
    browser = visit("Ana")
    assert browser.get("/salir").status_code == 405
    assert browser.get("/").status_code == 200


def test_who_has_an_account_earns_no_tries_by_changing_the_password(visit, db):
    ana, words = visit("Ana"), (PASSWORD, "caballo verde", "perro azul")
    for now, new in itertools.pairwise(words):
        assert ana.send("/clave", clave_actual=now, clave_nueva=new).status_code == 303
    assert db.execute("SELECT min(tries) FROM throttle").fetchone()[0] >= 0
