"""¿Olvidó su Clave?, and the link that it mails."""

import re
from concurrent.futures import ThreadPoolExecutor

import cac
import pytest
from conftest import PASSWORD, everything, link_in, mail_text, text_of

NEW_PASSWORD = "caballo verde"  # noqa: S105 - made up
GONE = "El enlace ya no sirve"


def links(message) -> dict[int, str]:
    """A mail's links, each by the user number over it."""
    text = mail_text(message)
    found = re.findall(r"Usuario (\d+), .*?https?://[^/]+/clientes(/clave/\S+)", text, re.DOTALL)
    return {int(number): link for number, link in found}


def choose(browser, link, password=NEW_PASSWORD):
    """Choose a password by a link."""
    return browser.send(link, clave_nueva=password)


@pytest.fixture
def ask(app, mails):
    """ask(usuario="1001"): the mails that this leads to."""
    def asked(**fields):
        already = len(mails())
        assert app.test_client().send("/olvido", **fields).status_code == 200
        return mails()[already:]
    return asked


@pytest.fixture
def link(ask):
    """A link that Ana asked for."""
    return link_in(ask(usuario="1001")[0])


# What is asked for

def test_by_number_the_mail_goes_to_the_address_on_file(ask):
    [mail] = ask(usuario="1001")
    assert mail["To"] == "ana@example.com"
    assert list(links(mail)) == [1001] and "Ana Sosa" in mail_text(mail)


@pytest.mark.parametrize("typed", ["ana@example.com", " Ana@EXAMPLE.com "])
def test_by_address_the_mail_goes_there(ask, typed):
    [mail] = ask(email=typed)
    assert mail["To"] == "ana@example.com" and list(links(mail)) == [1001]


def test_a_shared_address_gets_one_mail_with_a_link_for_each_number(ask, app):
    [mail] = ask(email="estudio@example.com")
    assert mail["To"] == "estudio@example.com" and list(links(mail)) == [1009, 1010]
    assert choose(app.test_client(), links(mail)[1010]).status_code == 303
    assert app.test_client().sign_in("Julián", NEW_PASSWORD).status_code == 303
    assert app.test_client().sign_in("Inés").status_code == 303


def test_a_look_alike_address_gets_no_link_of_anybody_else(ask, db):
    db.executemany("INSERT INTO email (customer, address, canonical, confirmed_at) VALUES"
                   " (?, ?, 'fin@example.com', '2026-01-05T12:00:00Z')",
                   [(1002, "ﬁn@example.com"), (1003, "fin@example.com")])
    mailed = {mail["To"]: list(links(mail)) for mail in ask(email="fin@example.com")}
    assert 1003 not in mailed.get("ﬁn@example.com", [])
    assert 1003 in mailed["fin@example.com"]


@pytest.mark.parametrize("fields", [
    {"usuario": "4004"},                                # nobody
    {"usuario": "ana"},                                 # no number
    {"usuario": "1011"},                                # Karina has no e-mail
    {"usuario": "1012"},                                # Luis is blocked
    {"email": "luis@example.com"},                      # by address, too
    {"email": "nadie@example.com"},                     # nobody's
    {"email": "beto@example.com"},                      # not confirmed yet, see below
    {"usuario": "1002"},                                # its owner, by number
    {"email": "no es un correo"},                       # no address
    {"email": "%@example.com"}])                        # no pattern, either
def test_nobody_learns_whether_there_was_anybody(app, db, ask, fields):
    db.execute("UPDATE email SET confirmed_at = NULL WHERE customer = 1002")
    known = app.test_client().send("/olvido", usuario="1001")
    unknown = app.test_client().send("/olvido", **fields)
    assert (unknown.status_code, unknown.data) == (known.status_code, known.data)
    assert ask(**fields) == []


def test_one_of_both_is_needed(browser, db):
    before = everything(db)
    answer = browser.send("/olvido", usuario=" ", email="")
    assert answer.status_code == 422
    assert "Escriba su usuario o uno de sus correos" in text_of(answer)
    assert everything(db) == before


def test_an_ask_that_cannot_be_looked_up_is_not_tried_for_ever(browser, mails, monkeypatch):
    for usuario in ("13", "1001"):
        browser.send("/olvido", usuario=usuario)
    with monkeypatch.context() as patch, pytest.raises(TypeError):
        patch.setattr(cac, "customer_number", None)
        mails()
    assert [mail["To"] for mail in mails()] == ["ana@example.com"]


def test_a_network_asks_twenty_times_an_hour_and_is_told_the_same(app, mails, wait):
    asks = [4004] * 19 + [1001, 1002]
    assert len({app.test_client().send("/olvido", usuario=number).data for number in asks}) == 1
    assert [mail["To"] for mail in mails()] == ["ana@example.com"]
    wait(minutes=61)
    app.test_client().send("/olvido", usuario="1002")
    assert len(mails()) == 2


def test_the_link_never_leads_where_the_request_said(app, mails):
    browser = app.test_client()
    browser.environ_base["HTTP_HOST"] = "evil.example"
    browser.send("/olvido", usuario="1001")
    assert "http://cac.example.com/clientes/clave/" in mail_text(mails()[0])
    assert "evil" not in mails()[0].as_string()


def test_the_database_holds_no_link(link, db):
    token = link.rsplit("/", 1)[1]
    assert token not in "".join(everything(db))


# The link

@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_at_a_link_ten_times_changes_nothing(browser, link, db, method):
    before = everything(db)
    assert {browser.open(link, method=method).status_code for _ in range(10)} == {200}
    assert everything(db) == before
    assert choose(browser, link).status_code == 303


def test_a_new_password_replaces_the_old_one(app, browser, link):
    answer = browser.send(link, clave_nueva=NEW_PASSWORD)
    assert (answer.status_code, answer.location) == (303, "/ingresar")
    assert "Cambió su clave. Ya puede ingresar." in text_of(browser.get("/ingresar"))
    assert app.test_client().sign_in("Ana", PASSWORD).status_code == 401
    assert app.test_client().sign_in("Ana", NEW_PASSWORD).status_code == 303


def test_a_new_password_opens_an_account_with_too_many_tries(browser, link):
    for _ in range(11):
        locked = browser.sign_in("Ana", "wrong")
    choose(browser, link)
    assert (locked.status_code, browser.sign_in("Ana", NEW_PASSWORD).status_code) == (429, 303)


@pytest.mark.parametrize(("typed", "said"), [
    ("", "Escriba una clave nueva"),
    ("corta", "La clave nueva debe tener 8 caracteres o más"),
    ("00001001", "Elija una clave menos común"),
    ("x1" * 129, "La clave tiene 256 caracteres o menos")])
def test_a_refused_password_says_why_and_leaves_the_link_good(browser, link, db, typed, said):
    before = everything(db)
    answer = choose(browser, link, typed)
    assert answer.status_code == 422 and said in text_of(answer)
    assert everything(db) == before
    assert choose(browser, link).status_code == 303


def is_dead(browser, link, db) -> bool:
    """Whether a link neither shows a form nor changes anything."""
    before, token = everything(db), browser.page("/olvido").find(attrs={"name": "csrf_token"})
    sent = browser.post(link, data={"clave_nueva": NEW_PASSWORD, "csrf_token": token["value"]})
    answers = {browser.get(link).status_code, sent.status_code}
    return answers == {410} and everything(db) == before


def test_a_link_serves_once(browser, link, db):
    assert not is_dead(browser, link, db)
    assert is_dead(browser, link, db)


def test_a_newer_link_replaces_it(browser, link, ask, db):
    newer = link_in(ask(usuario="1001")[0])
    assert is_dead(browser, link, db) and not is_dead(browser, newer, db)


@pytest.mark.parametrize(("time", "status"), [
    ({"minutes": 59, "seconds": 50}, 303), ({"minutes": 60, "seconds": 2}, 410)])
def test_a_link_is_good_for_sixty_minutes(app, link, wait, time, status):
    wait(**time)
    browser = app.test_client()
    token = browser.page("/olvido").find(attrs={"name": "csrf_token"})["value"]
    fields = {"clave_nueva": NEW_PASSWORD, "csrf_token": token}
    assert browser.post(link, data=fields).status_code == status


def test_a_link_dies_when_the_password_is_changed_otherwise(visit, browser, link, db):
    sent = {"clave_actual": PASSWORD, "clave_nueva": "otra clave más"}
    assert visit("Ana").send("/clave", **sent).status_code == 303
    assert is_dead(browser, link, db)


@pytest.mark.parametrize("change", [
    lambda token: token[:-9] + token[-9:].swapcase(),   # another signature
    lambda token: token[1:],                            # another content
    lambda token: token.split(".")[0],                  # no signature
    lambda _: "x",                                      # nothing of it
    lambda _: "ñ%00%ff"])                               # nor of any alphabet
def test_a_forged_link_is_a_dead_one(browser, link, db, change):
    assert is_dead(browser, f"/clave/{change(link.rsplit('/', 1)[1])}", db)


def test_a_link_of_another_kind_is_a_dead_one(app, browser, db):
    with app.app_context():
        links = cac.confirmation_link(1001, 0), cac.unsubscribe_link(1001)
    tokens = [link.rpartition("/")[2] for link in links]
    assert all(is_dead(browser, f"/clave/{token}", db) for token in tokens)


def test_a_dead_link_offers_another(browser):
    answer = browser.get("/clave/x")
    assert GONE in text_of(answer) and "Pedir otro enlace" in text_of(answer)
    assert b'href="/olvido"' in answer.data


def post_at_once(app, link, passwords) -> list[int]:
    """What is answered to each password, each from a browser of its own, all at the same time."""
    def ready(password):
        browser = app.test_client()
        token = browser.page(link).find(attrs={"name": "csrf_token"})["value"]
        return browser, {"clave_nueva": password, "csrf_token": token}
    def post(browser_and_fields):
        return browser_and_fields[0].post(link, data=browser_and_fields[1]).status_code
    with ThreadPoolExecutor(len(passwords)) as pool:
        return list(pool.map(post, [ready(password) for password in passwords]))


def test_of_twenty_at_once_with_one_link_one_succeeds(app, link, db):
    passwords = [f"{NEW_PASSWORD} {number}" for number in range(20)]
    answers = post_at_once(app, link, passwords)
    assert sorted(answers) == [303] + [410] * 19
    winner = passwords[answers.index(303)]
    assert app.test_client().sign_in("Ana", winner).status_code == 303
    assert db.execute("SELECT count(*) AS n FROM event WHERE kind = 'password'").fetchone().n == 1

