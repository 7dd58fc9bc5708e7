"""What an attacker must not achieve, asked of the application."""

import logging
import random
import re
import statistics
import time
from io import BytesIO
from itertools import cycle, islice, product
from urllib.parse import quote

import pytest
from conftest import CAST, HERE, PASSWORD, SECRET_KEY, cac, everything, link_in, mail_text, text_of
from test_pages import PAGES

NEW_PASSWORD = "caballo verde"  # noqa: S105 - made up
CSRF = re.compile(rb'(name="csrf_token" (type="hidden" )?value=")[^"]*')


@pytest.fixture
def ana(visit):
    """Ana's browser."""
    return visit("Ana")


def without_token(page: bytes) -> bytes:
    """A page but for what is new each time: its CSRF tokens."""
    return CSRF.sub(rb"\1", page)


def private_pages(app, addresses):
    """(endpoint, address) of each page that only a customer sees."""
    return [(rule.endpoint, addresses.get(rule.endpoint, rule.rule))
            for rule in app.url_map.iter_rules()
            if PAGES.get(rule.endpoint) == (302, 200) and "GET" in rule.methods]


# --- Sessions -------------------------------------------------------------------------------------

@pytest.mark.parametrize("value", ["x", "", "eyJfdXNlcl9pZCI6IngifQ.x.x", "x" * 3000, "ñ\x7f=;"])
def test_a_cookie_that_was_made_up_opens_nothing_and_is_never_taken_over(browser, value):
    browser.set_cookie("cac", quote(value))
    assert browser.get("/cuenta").status_code == 302
    assert browser.sign_in("Ana").status_code == 303
    assert browser.get_cookie("cac").value != quote(value)


def test_every_private_page_offers_to_sign_out(app, ana, addresses):
    for endpoint, address in private_pages(app, addresses):
        page = ana.get(address, buffered=True)
        assert "html" not in page.mimetype or b'action="/salir"' in page.data, endpoint


def test_signing_out_has_the_browser_forget_what_it_keeps(ana):
    assert ana.send("/salir", page="/").headers["Clear-Site-Data"] == '"cache", "storage"'


def test_sessions_that_ended_and_tries_of_yesterday_are_forgotten(app, ana, db, wait):
    ana.send("/ingresar", usuario="x", clave="x")
    wait(days=2)
    with app.app_context():
        cac.tidy()
    assert db.execute("SELECT count(*) FROM session").fetchone()[0] == 0
    assert db.execute("SELECT count(*) FROM throttle").fetchone()[0] == 0


# --- Passwords and throttling ---------------------------------------------------------------------

REFUSED = {"wrong password": "1001", "nobody": "4004", "blocked": "1012", "no password yet": "1007"}


def test_refused_sign_ins_differ_in_nothing(app):
    answers = []
    for usuario in REFUSED.values():
        answer = app.test_client().send("/ingresar", usuario=usuario, clave="not this")
        same = answer.data.replace(f'value="{usuario}"'.encode(), b"")
        headers = [(name, value) for name, value in answer.headers if name != "Set-Cookie"]
        answers.append((answer.status_code, without_token(same), headers))
    assert all(answer == answers[0] for answer in answers)


def medians(deeds: dict, rounds: int) -> dict:
    """How much computing each deed takes, in turn, so many times: its median in seconds."""
    taken = {name: [] for name in deeds}
    for name, deed in islice(cycle(deeds.items()), rounds * len(deeds)):
        start = time.process_time()
        deed()
        taken[name].append(time.process_time() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


def test_whoever_has_to_wait_costs_no_hash(browser, db, monkeypatch):
    db.execute("INSERT INTO throttle VALUES ('sign-in:1001', ?, 10)", (cac.now(),))
    monkeypatch.setattr(cac, "HASHER", None)
    assert browser.sign_in("Ana").status_code == 429


@pytest.fixture
def strangers(app):
    """Fifty strangers, each of a place of its own, have tried ten passwords of Ana's."""
    for place in range(50):
        stranger = app.test_client()
        stranger.environ_base["REMOTE_ADDR"] = f"203.0.113.{place}"
        stranger.sign_in("Ana", "wrong")
    return stranger


def test_a_customer_kept_out_by_strangers_may_ask_for_a_link_and_go_on(app, ana, strangers, mails):
    assert ana.get("/cuenta").status_code == 200
    assert strangers.send("/olvido", usuario="1001").status_code == 200
    assert strangers.send(link_in(mails()[-1]), clave_nueva=NEW_PASSWORD).status_code == 303
    assert strangers.sign_in("Ana", NEW_PASSWORD).status_code == 303


def test_a_password_counts_to_its_last_byte(app, browser, db):
    with app.app_context():
        hashed = cac.hash_password("ñ" * 128 + "a")
    db.execute("UPDATE customer SET password = ? WHERE number = 1001", (hashed,))
    assert browser.sign_in("Ana", "ñ" * 128 + "b").status_code == 401
    assert browser.sign_in("Ana", "ñ" * 128 + "a").status_code == 303


def test_an_endless_password_is_refused_before_any_is_hashed(browser, monkeypatch):
    monkeypatch.setattr(cac, "HASHER", None)
    assert browser.sign_in("Ana", "x" * 2**20).status_code == 413
    assert browser.sign_in("Ana", "x" * 2**18).status_code == 422
    assert browser.sign_in("Ana", "demo-2010\0").status_code == 400


@pytest.mark.parametrize(("address", "kinds"), [
    ("/ingresar", ["current-password"]), ("/clave", ["current-password", "new-password"])])
def test_password_managers_know_the_fields(browser, ana, address, kinds):
    page = (browser if address == "/ingresar" else ana).page(address)
    fields = page.find_all("input", type="password")
    assert sorted(field["autocomplete"] for field in fields) == kinds


def test_a_new_database_lets_nobody_in(tmp_path):
    cac.make_database(tmp_path / "new.db", "schema.sql")
    with cac.connect(tmp_path / "new.db") as db:
        assert db.execute("SELECT count(*) FROM customer").fetchone()[0] == 0


def test_the_cast_is_not_loaded_where_there_are_customers(db):
    with pytest.raises(cac.sqlite3.IntegrityError, match="it_is_for_an_empty_database"):
        db.executescript((cac.HERE / "seed_data.sql").read_text(encoding="utf-8"))


def test_a_weaker_hash_is_replaced_by_the_next_sign_in(app, browser, db):
    weak = cac.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    db.execute("UPDATE customer SET password = ? WHERE number = 1001", (weak,))
    assert browser.sign_in("Ana").status_code == 303
    kept = db.execute("SELECT password FROM customer WHERE number = 1001").fetchone().password
    assert not cac.HASHER.check_needs_rehash(kept)
    assert app.test_client().sign_in("Ana").status_code == 303


@pytest.mark.parametrize("hashed", ["", "fe01ce2a7fbac8fafaed7c982a04e229", "$argon2id$broken"])
def test_a_hash_of_another_program_lets_nobody_in(browser, db, hashed):
    db.execute("UPDATE customer SET password = ? WHERE number = 1001", (hashed,))
    assert browser.sign_in("Ana").status_code == 401


# --- ¿Olvidó su Clave? ----------------------------------------------------------------------------

ASKED = {"number": {"usuario": "1001"}, "mail": {"email": "ana@example.com"},
         "nobody": {"usuario": "4004"}, "blocked": {"usuario": "1012"},
         "no mail": {"usuario": "1011"}}


def test_asking_for_a_link_takes_as_long_for_nobody(browser, db):
    token = browser.page("/olvido").find(attrs={"name": "csrf_token"})["value"]
    def asking(fields):
        db.execute("DELETE FROM forgotten")
        answer = browser.post("/olvido", data={**fields, "csrf_token": token})
        assert answer.status_code == 200
    deeds = {who: lambda fields=fields: asking(fields) for who, fields in ASKED.items()}
    found = medians(deeds, 40)
    assert max(found.values()) < 1.25 * min(found.values()), found


def test_by_number_or_by_mail_an_account_gets_three_mails_an_hour(app, mails, wait):
    for fields in [*ASKED.values()] * 3:
        app.test_client().send("/olvido", **fields)
    assert len(mails()) == 3
    wait(minutes=61)
    app.test_client().send("/olvido", usuario="1001")
    assert len(mails()) == 4


# --- Forms, methods, headers ----------------------------------------------------------------------

@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example",
                                    "http://localhost:81", "http://cac.example.com.evil.example",
                                    "http://[", "//[", "["])
def test_a_form_sent_from_another_origin_is_refused_even_with_its_token(ana, db, origin):
    token = ana.page("/").find(attrs={"name": "csrf_token"})["value"]
    before = everything(db)
    answer = ana.post("/salir", data={"csrf_token": token}, headers={"Origin": origin})
    assert answer.status_code == 400 and everything(db) == before


@pytest.mark.parametrize("origin", ["http://localhost", "http://cac.example.com"])
def test_a_form_of_this_site_is_taken_by_either_of_its_names(ana, origin):
    token = ana.page("/").find(attrs={"name": "csrf_token"})["value"]
    answer = ana.post("/salir", data={"csrf_token": token}, headers={"Origin": origin})
    assert answer.status_code == 303


MARKS = re.compile(r'INSERT INTO "(session|throttle|event)"')  # last seen, limits, the access log


def test_looking_at_any_page_changes_nothing(app, ana, db, addresses):
    before = [line for line in everything(db) if not MARKS.match(line)]
    for rule in app.url_map.iter_rules():
        if "GET" in rule.methods:
            address = addresses.get(rule.endpoint, rule.rule)
            assert ana.get(address, buffered=True).status_code < 500
            assert ana.head(address, buffered=True).data == b""
    assert [line for line in everything(db) if not MARKS.match(line)] == before


@pytest.mark.parametrize("method", ["TRACE", "PUT", "DELETE", "PATCH", "CONNECT", "PROPFIND"])
@pytest.mark.parametrize("address", ["/", "/ingresar", "/comprobantes/100108.pdf"])
def test_other_methods_are_refused_everywhere(ana, method, address):
    assert ana.open(address, method=method).status_code == 405


@pytest.mark.parametrize("address", ["/cuenta", "/cuenta.csv", "/comprobantes/100108.pdf", "/nada"])
def test_head_answers_the_headers_of_get(ana, address):
    head, get = (ana.open(address, method=method) for method in ("HEAD", "GET"))
    assert head.status_code == get.status_code
    assert {name for name, _ in head.headers} >= {name for name, _ in get.headers} - {"Set-Cookie"}


@pytest.mark.parametrize("fields", [
    "concepto=adelanto&importe=1,00&importe=9,00", "concepto=saldo&concepto=adelanto&importe=1,00"])
def test_a_field_sent_twice_is_refused(visit, db, fields):
    browser = visit("Beto")
    token = browser.page("/pago").find(attrs={"name": "csrf_token"})["value"]
    body = f"{fields}&medio=dineromail&csrf_token={token}"
    answer = browser.post("/pago", data=body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 400
    assert db.execute("SELECT count(*) FROM payment").fetchone()[0] == 0


def test_of_a_parameter_twice_in_an_address_the_first_counts(visit):
    hugo = visit("Hugo")
    second, both = (hugo.get(f"/cuenta?pagina=2{more}").data for more in ("", "&pagina=3"))
    assert without_token(both) == without_token(second)


@pytest.mark.parametrize("kind", ["application/json", "application/x+json", "text/plain"])
@pytest.mark.parametrize("body", ["5", "null", "[1]", '{"usuario": 5}',
                                  '{"domicilio": "a\\u0000b"}'])
def test_json_is_no_form(ana, db, kind, body):
    token = ana.page("/").find(attrs={"name": "csrf_token"})["value"]
    before = everything(db)
    for address in ("/ingresar", "/datos", "/pago", "/clave", "/olvido", "/salir"):
        answer = ana.post(address, data=body, content_type=kind, headers={"X-CSRFToken": token})
        assert answer.status_code == 400, address
    assert everything(db) == before


@pytest.mark.parametrize("name", ["emails-²", "emails-٣", f"emails-{'9' * 5000}", "ñ"])
def test_a_field_that_no_page_has_is_refused(ana, db, name):
    before = everything(db)
    assert ana.send("/datos", **{name: "ana@example.com"}).status_code == 400
    assert everything(db) == before


@pytest.mark.parametrize("name", ["usuario", "emails-0", "domicilio", "csrf_token-"])
def test_a_file_in_a_form_is_refused(ana, name):
    for address in ("/ingresar", "/datos"):
        assert ana.send(address, **{name: (BytesIO(b"x"), "x.txt")}).status_code == 400


def test_an_address_with_two_slashes_in_front_is_none(app, ana, addresses, db):
    before = everything(db)
    for rule in app.url_map.iter_rules():
        path = "/" + addresses.get(rule.endpoint, rule.rule).partition("?")[0]
        for method in ("GET", "POST"):
            answer = ana.open("/", method=method, environ_overrides={"PATH_INFO": path})
            assert (answer.status_code, answer.location) == (404, None), path
    assert everything(db) == before


def test_too_many_fields_are_too_much(browser):
    assert browser.send("/ingresar", **{f"x{n}": "" for n in range(1001)}).status_code == 413
    query = "&".join(f"x{n}={n}" for n in range(10_000))
    assert browser.get(f"/ingresar?{query}").status_code == 200


@pytest.mark.parametrize("path", [
    "/.git/config", "/cac.db", "/cac.db-wal", "/cac.py", "/schema.sql", "/../cac.py",
    "/%2e%2e/cac.py", "/static/../cac.py", "/static/%2e%2e/cac.py", "/static/..%2fcac.py",
    "/static/..%5ccac.py",
    "/static/%00", "/comprobantes/%00.pdf", "/comprobantes/../cac.db", "/comprobantes/1001.pdf%00",
    "/pago/%00", "/cuenta/x.css", "/cuenta.css", "/comprobantes/100108.pdf/x.css", "/%ff%fe",
    "/comprobantes/٣.pdf", "/comprobantes/-1.pdf", "/comprobantes/99999999999999999999.pdf"])
def test_no_address_leads_to_what_is_not_published(ana, path):
    assert ana.get(path).status_code == 404


def test_whatever_host_is_named_no_page_repeats_it(app, ana, addresses):
    for _, address in private_pages(app, addresses):
        forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
        answer = ana.get(address, headers=forged, buffered=True)
        assert b"evil.example" not in answer.data and "evil" not in str(answer.headers)


def test_every_answer_says_its_kind_and_its_letters(app, ana, addresses):
    kinds = r"text/(html|csv); charset=utf-8|application/(pdf|zip|json)"
    for _, address in [*private_pages(app, addresses), ("", "/nada"), ("", "/salud")]:
        answer = ana.get(address, buffered=True)
        assert re.fullmatch(kinds, answer.headers["Content-Type"]), address


def test_too_many_tries_and_faults_carry_all_headers(ana, browser, db, monkeypatch):
    usual = {name for name, _ in ana.get("/").headers} - {"Set-Cookie", "Vary"}
    db.execute("INSERT INTO throttle VALUES ('sign-in:1002', ?, 10)", (cac.now(),))
    monkeypatch.setattr(cac, "statement", None)
    answers = browser.sign_in("Beto"), ana.get("/cuenta")
    assert [answer.status_code for answer in answers] == [429, 500]
    assert all(usual <= {name for name, _ in answer.headers} for answer in answers)


# --- Whose it is ----------------------------------------------------------------------------------

PRIVATE = [endpoint for endpoint, answers in PAGES.items() if answers == (302, 200)]
OWN = {"cac.voucher", "cac.payment"}       # pages of which each shows what is one customer's


@pytest.mark.parametrize("endpoint", PRIVATE)
def test_a_private_page_is_for_its_customer_alone(app, visit, db, addresses, endpoint):
    address = addresses.get(endpoint, next(app.url_map.iter_rules(endpoint)).rule)
    blocked = visit("Dante")
    db.execute("UPDATE customer SET active = 0 WHERE number = ?", (CAST["Dante"],))
    visitors = app.test_client(), visit("Ana"), visit("Beto"), blocked
    expected = [302, 200, 404 if endpoint in OWN else 200, 302]
    assert [visitor.get(address, buffered=True).status_code for visitor in visitors] == expected


@pytest.mark.parametrize(("hers", "nobodys"), [
    ("/comprobantes/100108.pdf", "/comprobantes/999999.pdf"), ("/pago/CAC1", "/pago/CAC2")])
def test_what_is_anothers_looks_as_if_it_did_not_exist(visit, addresses, hers, nobodys):
    beto = visit("Beto")
    answers = [without_token(beto.get(address).data) for address in (hers, nobodys)]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("query", ["cliente=1008", "usuario=1008", "customer=1008", "number=1008"])
def test_no_parameter_shows_another_account(ana, query):
    for address in ("/", "/cuenta", "/cuenta.csv", "/pago", "/datos", "/servicios"):
        with_it, without = (ana.get(f"{address}{more}").data for more in (f"?{query}", ""))
        assert without_token(with_it) == without_token(without)


def test_a_profile_takes_only_what_it_shows(ana, db):
    more = {"number": "1002", "customer": "1002", "balance": "0", "active": "0", "password": "x",
            "brand": "netegia", "name": "Eva", "cuit": "1", "link_serial": "9"}
    before = db.execute("SELECT * FROM customer ORDER BY number").fetchall()
    assert ana.send("/datos", contacto="Eva", **more).status_code == 303
    after = db.execute("SELECT * FROM customer ORDER BY number").fetchall()
    typed = dict.fromkeys(("contact", "address", "city", "province", "postal_code"), "")
    assert after[0].contact == "Eva" and after[0]._replace(**typed) == before[0]._replace(**typed)
    assert after[1:] == before[1:]


def test_a_voucher_given_to_another_customer_is_the_others_at_once(visit, db):
    ana, beto = visit("Ana"), visit("Beto")
    db.execute("UPDATE movement SET customer = 1002 WHERE id = 100108")
    found = [one.get("/comprobantes/100108.pdf").status_code for one in (ana, beto)]
    assert found == [404, 200]


# --- What is typed --------------------------------------------------------------------------------

NASTY = ["' OR '1'='1", '"; DROP TABLE customer; --', "%' --", "1001%", "_" * 40, "\\", "${7*7}",
         "{{7*7}}{% raw %}", "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>',
         "</title><svg onload=alert(1)>", "javascript:alert(1)", "a\r\nBcc: eva@evil.example",
         "\u202eabc", "a\u200bb", "\U0001f600", "\ufeff", "\x1b[31m", "\x85", "=1+1", "../../x"]
RAW = ["%ED%A0%80", "%ff%fe", "%00", "%C0%AE", "+" * 70_000, "%", "%u0041", "%F0%9F%98"]
TYPED = [("/ingresar", "usuario"), ("/ingresar", "clave"), ("/olvido", "usuario"),
         ("/olvido", "email")]
OF_THE_ACCOUNT = [("/datos", name) for name in (
    "emails-0", "emails-1", "telefonos-0", "contacto", "domicilio", "localidad", "provincia",
    "codigo_postal", "clave_actual")] + [
    ("/clave", "clave_nueva"), ("/pago", "importe"), ("/pago", "concepto"), ("/pago", "medio")]


@pytest.mark.parametrize(("address", "field"), TYPED + OF_THE_ACCOUNT)
def test_whatever_is_typed_is_refused_or_shown_as_it_is(browser, ana, db, address, field):
    if (address, field) in OF_THE_ACCOUNT:
        browser = ana
    for typed in NASTY:
        db.execute("DELETE FROM throttle")
        answer = browser.send(address, **{field: typed})
        assert answer.status_code in (200, 303, 400, 401, 403, 422), typed
        assert not re.search(rb"<script>alert|<img src=x|<svg onload|[^*{]49[^0-9]", answer.data)
        shown = browser.get(address).data
        assert not re.search(rb"<script>alert|<img src=x|<svg onload", shown)


@pytest.mark.parametrize(("address", "field"), TYPED + OF_THE_ACCOUNT)
def test_no_byte_is_a_fault(browser, ana, db, address, field):
    if (address, field) in OF_THE_ACCOUNT:
        browser = ana
    token = browser.page(address).find(attrs={"name": "csrf_token"})["value"]
    for raw in RAW:
        db.execute("DELETE FROM throttle")
        sent = browser.post(address, data=f"csrf_token={token}&{field}={raw}",
                            content_type="application/x-www-form-urlencoded")
        asked = browser.get(f"{address}?{field}={raw}")
        assert sent.status_code < 500 and asked.status_code < 500


ODD = ["[", "//[", "http://[", "http://x:y", "²", "9" * 5000, "bytes=0-²", "a..b", "%00", "/%5B",
       "ts=²,v1=²", "x:99999999", "[::1]:9"]


ODD_HEADERS = ["HTTP_HOST", "HTTP_ORIGIN", "HTTP_REFERER", "HTTP_COOKIE", "HTTP_RANGE",
               "HTTP_X_FORWARDED_FOR", "HTTP_X_CSRFTOKEN", "HTTP_X_SIGNATURE", "CONTENT_TYPE",
               "HTTP_IF_MODIFIED_SINCE", "HTTP_AUTHORIZATION"]


@pytest.mark.parametrize("who", ["browser", "ana"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nothing_odd_is_a_fault_at_any_address(app, request, addresses, who, method):
    visitor, chance = request.getfixturevalue(who), random.Random(who)  # noqa: S311 - repeatable
    for rule, header in product(app.url_map.iter_rules(), ODD_HEADERS):
        address = addresses.get(rule.endpoint, re.sub("<.*?>", "²", rule.rule)).partition("?")[0]
        query = {name: chance.choice(ODD) for name in ("next", "pagina", "id", "vuelta", "v")}
        environ = {header: chance.choice(ODD)}
        answer = visitor.open(address, method=method, environ_overrides=environ, query_string=query,
                              data=chance.choice(ODD), buffered=True)
        assert answer.status_code < 500 or answer.status_code == 503, (address, environ, query)


def test_endless_input_takes_no_endless_time(ana, db):
    def typing(length):
        db.execute("DELETE FROM throttle")
        for text in ("1", " ", "a@", "(", "-1.", "á"):
            fields = ("emails-0", "telefonos-0", "domicilio", "codigo_postal")
            ana.send("/datos", **dict.fromkeys(fields, text * length))
    found = medians({"short": lambda: typing(10), "long": lambda: typing(50_000)}, 3)
    assert found["long"] < 20 * found["short"]


# --- Notices, downloads ---------------------------------------------------------------------------

def test_a_place_sends_six_thousand_notices_an_hour(browser, db):
    db.execute("INSERT INTO throttle VALUES ('notice:127.0.0.1', ?, ?)",
               (cac.now(-600), cac.LIMITS["notice"][0]))
    answer = browser.post("/aviso/dineromail", data={"Notificacion": "<x/>"})
    assert answer.status_code == 429 and 2990 < int(answer.headers["Retry-After"]) <= 3001
    assert db.execute("SELECT count(*) FROM notice").fetchone()[0] == 0


@pytest.mark.parametrize("address", ["/cuenta.pdf", "/comprobantes/100108.pdf"])
def test_a_customer_downloads_so_many_papers_an_hour(ana, visit, db, wait, address):
    db.execute("INSERT INTO throttle VALUES ('download:1001', ?, ?)",
               (cac.now(), cac.LIMITS["download"][0]))
    answer = ana.get(address)
    assert answer.status_code == 429 and 0 < int(answer.headers["Retry-After"]) <= 3600
    assert "Descargó demasiados archivos" in text_of(answer)
    assert visit("Beto").get("/cuenta.pdf").status_code == ana.get("/cuenta").status_code == 200
    wait(minutes=61)
    assert visit("Ana").get(address).status_code == 200


def test_a_customer_begins_so_many_payments_an_hour(visit, db, wait):
    beto = visit("Beto")
    sent = [beto.send("/pago", concepto="adelanto", medio="dineromail", importe=f"{n},00")
            for n in range(100, 101 + cac.LIMITS["payment"][0])]
    assert [answer.status_code for answer in sent] == [303] * cac.LIMITS["payment"][0] + [429]
    assert "Empezó demasiados pagos" in text_of(sent[-1])
    assert db.execute("SELECT count(*) FROM payment").fetchone()[0] == cac.LIMITS["payment"][0]
    wait(minutes=61)
    later = visit("Beto").send("/pago", concepto="adelanto", medio="dineromail", importe="9,00")
    assert later.status_code == 303


def test_a_customer_has_no_mail_sent_to_ever_other_addresses(visit, db):
    ana, told = visit("Ana"), []
    for n in range(1 + cac.LIMITS["emails"][0]):
        told.append(ana.send("/datos", provincia="Buenos Aires", clave_actual=PASSWORD,
                             **{"emails-0": "ana@example.com", "emails-1": f"x{n}@example.org"}))
    assert [answer.status_code for answer in told] == [303] * cac.LIMITS["emails"][0] + [429]
    assert "Cambió sus correos demasiadas veces" in text_of(told[-1])
    addresses = [row.address for row in db.execute("SELECT address FROM email ORDER BY id")]
    assert f"x{cac.LIMITS['emails'][0]}@example.org" not in addresses


def test_the_proxy_of_the_readme_lets_nobody_say_whence():
    lines = (HERE.parent / "README.md").read_text().splitlines()    # WSGI takes _ for -
    for names in ("X_*", "X-Forwarded_*"):
        assert lines.count(f"\trequest_header -{names}") == 1


# --- Keys and logs --------------------------------------------------------------------------------

def test_a_new_key_keeps_what_an_earlier_one_signed_as_long_as_that_is_kept(
        app, database, browser):
    browser.sign_in("Ana")
    with app.app_context():
        link = cac.password_link(1001, 0).partition("/clientes")[2]
    found = []
    for fallbacks in (SECRET_KEY, ""):
        later = cac.create_app(database=str(database), secret_key=SECRET_KEY[::-1], jobs="off",
                               secret_key_fallbacks=fallbacks, base_url="http://cac.example.com")
        client = later.test_client()
        client.set_cookie("cac", browser.get_cookie("cac").value)
        found.append((client.get("/cuenta").status_code, later.test_client().get(link).status_code))
    assert found == [(200, 200), (302, 410)]


@pytest.fixture
def lines():
    """lines(): what was logged since the test began, as `serve` writes it."""
    written = []
    handler = logging.Handler()
    handler.setFormatter(cac.OneLine())
    handler.emit = lambda record: written.append(handler.format(record))
    logging.getLogger().addHandler(handler)
    logging.getLogger("cac").setLevel("INFO")
    yield lambda: written
    logging.getLogger().removeHandler(handler)
    logging.getLogger("cac").setLevel("NOTSET")


def test_each_event_is_one_line_of_utc_with_the_requests_id(browser, lines):
    browser.sign_in("Ana", "wrong")
    browser.sign_in("Ana")
    head = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|WARNING) request=[0-9a-f]{8} event=[a-z-]+ "
    assert [line for line in lines() if not re.match(head, line)] == []
    assert [re.search(r"event=(\S+)", line)[1] for line in lines()] == [
        "sign-in-refused", "refused", "sign-in"]
    assert all("customer=1001" in line and "address=127.0.0.1" in line for line in lines())


EVENTS = [  # what is done, and the event that is logged
    (lambda ana, _: ana.send("/salir", page="/"), "sign-out"),
    (lambda ana, _: ana.send("/clave", clave_actual=PASSWORD, clave_nueva=NEW_PASSWORD),
     "password"),
    (lambda ana, _: ana.send("/datos", contacto="Eva"), "data"),
    (lambda ana, _: ana.send("/olvido", usuario="1001"), "link-asked"),
    (lambda ana, _: ana.get("/comprobantes/100201.pdf"), "denied status=404"),
    (lambda ana, _: ana.post("/salir"), "denied status=400"),
    (lambda ana, _: ana.post("/aviso/dineromail", data="x"), "notice-refused"),
    (lambda ana, _: ana.get("/cuenta.csv"), "download"),
    (lambda _, run: run("block", 1001), "block"),
    (lambda _, run: run("sign-out", "--all"), "sessions-ended"),
    (lambda _, run: run("unlock", 1001), "unlock"),
]


@pytest.mark.parametrize(("deed", "event"), EVENTS, ids=[event for _, event in EVENTS])
def test_what_matters_is_logged(ana, run, lines, deed, event):
    deed(ana, run)
    assert any(f" event={event} " in line for line in lines())


def test_no_line_can_be_forged(browser, ana, lines, monkeypatch):
    forged = "x\r\n2026-01-01T00:00:00Z INFO request=0\x1b[31m\u2028\x85y"
    browser.sign_in(forged, forged)
    browser.get("/ingresar", headers={"User-Agent": "x"}, environ_overrides={"HTTP_HOST": forged})
    ana.get(f"/{quote(forged)}")
    monkeypatch.setattr(cac, "statement", lambda *_: {}[forged])
    ana.get("/cuenta")
    assert len(lines()) >= 3
    assert not any(re.search(r"[\r\n\x1b\u2028\x85]", line) for line in lines())


def test_the_page_of_a_fault_tells_where_to_look_in_the_log(ana, lines, monkeypatch):
    monkeypatch.setattr(cac, "statement", None)
    code = re.search(r"mencione el código ([0-9a-f]{8})", text_of(ana.get("/cuenta")))[1]
    [line] = [line for line in lines() if "event=fault" in line]
    assert f"request={code} " in line and "Traceback" in line


def test_the_log_of_an_account_can_only_grow(ana, db):
    for sql in ("UPDATE event SET kind = 'x'", "DELETE FROM event"):
        with pytest.raises(cac.sqlite3.IntegrityError, match="append-only"):
            db.execute(sql)


SECRETS = {"password": "Sésamo-ábrete-77", "new": "Mandrágora-verde-88", "wrong": "Equivocada-99"}


def test_no_secret_is_in_a_log_the_database_a_mail_or_a_page(
        app, browser, db, mails, run, lines, monkeypatch):
    with app.app_context():
        db.execute("UPDATE customer SET password = ? WHERE number = 1001",
                   (cac.hash_password(SECRETS["password"]),))
    browser.sign_in("Ana", SECRETS["wrong"])
    pages = [browser.sign_in("Ana", SECRETS["password"])]
    pages += [browser.send("/clave", clave_actual=SECRETS["wrong"], clave_nueva=SECRETS["new"]),
              browser.send("/clave", clave_actual=SECRETS["password"],
                           clave_nueva=SECRETS["new"]),
              browser.send("/datos", **{"emails-0": "ana@example.com", "emails-1": "e@example.com",
                                        "clave_actual": SECRETS["new"]})]
    browser.send("/olvido", usuario="1001")
    link = link_in([mail for mail in mails() if "/clave/" in mail_text(mail)][-1])
    token, cookie = link.rpartition("/")[2], browser.get_cookie("cac").value
    pages += [browser.get(link), browser.get(link + "x"), browser.get(f"/nada{link}")]
    monkeypatch.setattr(cac, "signed_values", None)
    pages += [browser.get(link), browser.get("/accesos")]
    told = [run(*words).output for words in (["list", "settings"], ["check"])]
    kept = "\n".join([*lines(), *everything(db), *told, *(text_of(page) for page in pages)])
    hidden = [*SECRETS.values(), token, cookie, SECRET_KEY, "demo-ipn-key"]
    assert [secret for secret in hidden if secret in kept] == []
    assert not any(secret in mail.as_string() for mail in mails() for secret in SECRETS.values())

