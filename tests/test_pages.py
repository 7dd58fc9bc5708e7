"""What holds of every page: who may see it, its headers, its escaping, its errors; and the rest."""

import logging
import re

import pytest
from bs4 import BeautifulSoup
from conftest import PASSWORD, SECRET_KEY, Browser, cac, everything, mail_text, text_of

NOTICE = "/aviso/dineromail"


@pytest.fixture
def ana(visit):
    """Ana's browser."""
    return visit("Ana")


# Who may see what

PAGES = {  # endpoint: what GET answers to nobody and to Ana; None = it takes no GET
    "cac.home": (302, 200),
    "cac.sign_in": (200, 302),                          # she is in already
    "cac.sign_out": None,
    "cac.choose_account": (302, 302),                   # whose password opens several
    "cac.resend_confirmation": None,
    "cac.forgot": (200, 200),
    "cac.new_password": (200, 200),                     # who has the link
    "cac.confirm_email": (200, 200),                    # who has the link
    "cac.unsubscribe": (200, 200),                      # who has the link
    "cac.password": (302, 200),
    "cac.profile": (302, 200),
    "cac.accesses": (302, 200),
    "cac.close_sessions": None,
    "cac.account": (302, 200),
    "cac.balance": (302, 200),
    "cac.account_year": (302, 200),
    "cac.account_csv": (302, 200),
    "cac.account_pdf": (302, 200),
    "cac.voucher": (302, 200),
    "cac.pay": (302, 200),
    "cac.report_transfer": (302, 200),
    "cac.payment": (302, 200),
    "cac.receive_notice": None,
    "cac.news": (302, 200),
    "cac.services": (302, 200),
    "cac.questions": (200, 200),
    "cac.contact": (200, 200),
    "cac.style_sheet": (200, 200),
    "cac.health": (200, 200),
    "cac.demo_mail": (404, 404),                        # of the demo alone
    "static": (200, 200),
}
FORMS = {"cac.sign_in", "cac.choose_account", "cac.resend_confirmation", "cac.sign_out",
         "cac.forgot", "cac.new_password", "cac.confirm_email", "cac.password", "cac.profile",
         "cac.close_sessions", "cac.pay", "cac.payment", "cac.report_transfer",
         "cac.receive_notice", "cac.unsubscribe"}


def test_every_page_is_on_these_lists(app):
    rules = list(app.url_map.iter_rules())
    assert {rule.endpoint for rule in rules} == PAGES.keys()
    assert {rule.endpoint for rule in rules if "POST" in rule.methods} == FORMS
    assert {rule.endpoint for rule in rules if "GET" not in rule.methods} == {
        endpoint for endpoint, answers in PAGES.items() if not answers}


@pytest.mark.parametrize("endpoint", [name for name, answers in PAGES.items() if answers])
def test_every_page_is_shown_to_whom_it_is_for(app, browser, ana, addresses, endpoint):
    rule = next(app.url_map.iter_rules(endpoint))
    address = addresses.get(endpoint, rule.rule)
    answers = [visitor.get(address, buffered=True) for visitor in (browser, ana)]
    assert tuple(answer.status_code for answer in answers) == PAGES[endpoint]
    if answers[0].status_code == 302:
        assert answers[0].location.startswith("/ingresar")


@pytest.mark.parametrize("address", ["/pago/CAC1", "/comprobantes/100108.pdf"])
def test_what_is_anas_does_not_exist_for_beto(visit, addresses, address):
    assert visit("Beto").get(address).status_code == 404


@pytest.mark.parametrize("endpoint", sorted(FORMS - {"cac.receive_notice", "cac.unsubscribe"}))
def test_every_form_without_its_token_is_refused_and_writes_nothing(
        app, ana, db, addresses, endpoint):
    address = addresses.get(endpoint, next(app.url_map.iter_rules(endpoint)).rule)
    before = everything(db)
    answer = ana.post(address, data={
        "usuario": "1001", "clave": PASSWORD, "clave_actual": PASSWORD,
        "clave_nueva": "caballo verde", "emails-0": "otra@example.com", "concepto": "saldo",
        "medio": "dineromail"})
    assert answer.status_code == 400 and "El formulario venció" in text_of(answer)
    assert everything(db) == before


def test_a_token_of_somebody_elses_page_is_refused(visit, db):
    browser = visit("Ana")
    token = visit("Beto").page("/").find(attrs={"name": "csrf_token"})["value"]
    before = everything(db)
    answer = browser.post("/salir", data={"csrf_token": token})
    assert answer.status_code == 400 and everything(db) == before


def test_a_form_of_another_site_is_refused_even_with_the_token(ana, db):
    token = ana.page("/").find(attrs={"name": "csrf_token"})["value"]
    before = everything(db)
    answer = ana.post("/salir", data={"csrf_token": token},
                      headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 400 and everything(db) == before


def test_the_notice_needs_no_token(browser, db):
    assert browser.post(NOTICE, data={"Notificacion": "<x/>"}).status_code == 400
    assert db.execute("SELECT count(*) AS n FROM notice").fetchone().n == 1


# Headers

ANSWERS = [  # method, address, status: each kind of answer
    ("GET", "/cuenta", 200), ("GET", "/cuenta.csv", 200), ("GET", "/cuenta.pdf", 200),
    ("GET", "/comprobantes/100108.pdf", 200), ("GET", "/ingresar", 302), ("GET", "/salud", 200),
    ("GET", "/cuenta?pagina=7", 302), ("HEAD", "/", 200), ("OPTIONS", "/", 200),
    ("POST", "/salir", 400), ("GET", "/nada", 404), ("DELETE", "/", 405), ("GET", "/clave/x", 410),
    ("GET", "/static/nada.css", 404),
]


@pytest.mark.parametrize(("method", "address", "status"), ANSWERS)
def test_every_answer_is_kept_by_nobody_and_framed_nowhere(ana, method, address, status):
    answer = ana.open(address, method=method)
    assert answer.status_code == status
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "*" not in policy and "data:" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("address", "sent", "status"), [
    ("/ingresar", {"usuario": "1001", "clave": "wrong"}, 401),
    ("/ingresar", {"usuario": "", "clave": ""}, 422),
    ("/ingresar", {"usuario": "1001", "clave": PASSWORD}, 303),
    ("/olvido", {"usuario": "1001"}, 200)])
def test_answers_to_forms_are_kept_by_nobody_either(browser, address, sent, status):
    answer = browser.send(address, **sent)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (status, "no-store")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("address", ["/cuenta.csv", "/cuenta.pdf", "/comprobantes/100108.pdf"])
def test_no_header_says_that_a_download_may_be_kept(ana, address):
    assert "Expires" not in ana.get(address).headers


def test_what_every_page_needs_is_kept_for_a_year(ana):
    sheet = ana.page("/").find("link", rel="stylesheet")["href"]
    answer = ana.get(sheet, buffered=True)
    assert "max-age=31536000" in answer.headers["Cache-Control"]
    assert re.search(r"\?v=[0-9a-f]{10}$", sheet)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("address", [
    "/", "/cuenta", "/pago", "/datos", "/clave", "/noticias", "/servicios", "/preguntas",
    "/contacto", "/olvido", "/nada"])
def test_no_page_has_what_the_policy_forbids(ana, address):
    page = BeautifulSoup(ana.get(address).data, "html.parser")
    names = {name for tag in page.find_all(True) for name in tag.attrs}
    assert not {name for name in names if name == "style" or name.startswith("on")}
    assert not page.find("style") and all(tag.get("src") for tag in page.find_all("script"))


@pytest.mark.parametrize("address", [
    "/", "/cuenta", "/pago", "/datos", "/clave", "/noticias", "/servicios", "/preguntas",
    "/contacto", "/olvido", "/nada"])
def test_every_page_has_a_language_one_heading_and_a_title_that_repeats_it(ana, address):
    page = BeautifulSoup(ana.get(address).data, "html.parser")
    [heading] = page.find_all("h1")
    assert page.html["lang"] == "es-AR"
    title, _, site = page.title.text.partition(" – CAC ")
    assert heading.text.startswith(title) and site     # home greets by name: tabs need not


@pytest.mark.parametrize("address", ["/", "/cuenta", "/pago", "/datos", "/contacto", "/preguntas"])
def test_every_link_of_a_page_leads_somewhere(ana, address):
    page = ana.page(address)
    links = {tag.get("href") or tag.get("src") for tag in page.select("[href], [src]")}
    ours = {link for link in links if link.startswith("/")}
    assert {ana.get(link, buffered=True).status_code for link in ours} == {200}
    assert all(page.find(id=link[1:]) for link in links if link.startswith("#"))


# Escaping

@pytest.mark.parametrize("address", [
    "/", "/cuenta", "/pago", "/datos", "/clave", "/servicios", "/noticias", "/nada"])
def test_nandu_is_escaped_everywhere(visit, address):
    answer = visit("Ñandú").get(address)
    page = BeautifulSoup(answer.data, "html.parser")
    assert 'Ñandú "D\'Ángelo" <b>& Cía.' in page.text
    assert not page.find(["b", "tienda"]) and b"<1234>" not in answer.data


def test_nandus_movements_services_and_address_read_as_they_are(visit):
    browser = visit("Ñandú")
    assert 'Diseño "a medida" <tienda> & logo de D\'Ángelo' in text_of(browser.get("/cuenta"))
    assert 'Hasta 500 productos & "catálogo"' in text_of(browser.get("/servicios"))
    field = browser.page("/datos").find(id="domicilio")
    assert field["value"] == 'Calle "9 de Julio" <1234> & 5ª'


def test_nandus_name_is_as_it_is_in_a_mail(app, mails):
    app.test_client().send("/olvido", usuario="1013")
    assert 'Ñandú "D\'Ángelo" <b>& Cía.' in mail_text(mails()[0])


def test_nandu_sees_the_colours_of_tornadostore(visit):
    page = visit("Ñandú").page("/")
    assert page.select_one(".brands .own").text == "TornadoStore"
    sheet = visit("Ñandú").get(page.find("link", rel="stylesheet")["href"]).text
    assert sheet.rstrip().endswith(":root { --brand: #b04a00; }")


# Home

def test_home_has_the_brands_the_menu_and_the_links_of_the_manual(ana):
    page = ana.page("/")
    assert [item.text for item in page.select(".brands a")] == [
        "NetOne", "eMarketing PRO", "Netegia", "TornadoStore", "NetOne Soluciones en Consultoría"]
    assert {"Servicios", "Cta Cte Clientes", "Noticias"} <= {a.text for a in page.select(".menu a")}
    assert {"La empresa", "Contáctenos", "HOME"} <= {link.text for link in page.select(".foot a")}


def test_home_has_the_two_groups_of_the_manual(ana):
    page = ana.page("/")
    groups = {section.h2.text: [link.text for link in section.select("a")]
              for section in page.select("section[aria-labelledby^=grupo]")}
    assert groups == {"Facturas y Pagos": ["Mi cuenta corriente", "PAGO ONLINE"],
                      "Administre su Cuenta": ["Cambiar Clave", "Modificar Datos",
                                               "Accesos a su cuenta"]}


def test_home_tells_the_balance_and_where_the_invoices_are(ana):
    text = text_of(ana.get("/"))
    assert "Bienvenido/a, Ana Sosa" in text and "Saldo a pagar" in text
    assert "$ 1.250,40" in text and "Descargue desde aquí sus facturas electrónicas" in text


@pytest.mark.parametrize(("on", "said"), [
    ("2026-11-09T12:00Z", "Vence el 10/11/2026 $ 625,20 Otros"),    # tomorrow
    ("2026-11-10T12:00Z", "Vence el 10/11/2026 $ 625,20 Otros"),    # the day itself
    ("2026-11-11T02:59Z", "Vence el 10/11/2026 $ 625,20 Otros"),    # still that day in Argentina
    ("2026-11-11T03:00Z", "Vencido $ 625,20 Vence el 10/12/2026 $ 625,20")])     # the next
def test_home_tells_when_the_oldest_unpaid_invoice_is_due(visit, time_machine, on, said):
    time_machine.move_to(on)
    assert said in text_of(visit("Ana").get("/"))


@pytest.mark.parametrize("who", ["Beto", "Caro", "Karina"])
def test_home_has_no_due_date_where_nothing_is_owed(visit, who):
    text = text_of(visit(who).get("/"))
    assert "vencimiento" not in text and "Venció" not in text


def test_home_has_the_last_five_movements_oldest_first(ana):
    found = [row.select_one(".date").text for row in ana.page("/").select(".movements tr")
             if row.select_one(".date")]
    assert found == ["24/08/2026", "08/09/2026", "21/09/2026", "08/10/2026", "09/11/2026"]


def test_home_has_the_last_three_news_newest_first(ana):
    links = ana.page("/").select("a[href^='/noticias#']")
    assert [link.text for link in links] == [
        "Atención durante el feriado", "Mantenimiento programado", "Pago online con DineroMail"]


# News, services, questions, contact, health

def test_the_news_are_all_there_newest_first(ana):
    days = [day["datetime"] for day in ana.page("/noticias").select("article time")]
    assert days == ["2026-11-12", "2026-10-28", "2026-10-05", "2026-03-02"]


def test_the_news_of_home_lead_to_their_own_place(ana):
    links = ana.page("/").select("a[href^='/noticias#']")
    page = ana.page("/noticias")
    assert [page.find(id=link["href"].partition("#")[2]).h2.text for link in links] == [
        link.text for link in links]


def test_without_news_the_page_says_so(ana, db):
    db.execute("DELETE FROM news")
    assert "No hay noticias." in text_of(ana.get("/noticias"))
    assert "No hay noticias." in text_of(ana.get("/"))


def test_services_are_the_customers_own(ana):
    text = text_of(ana.get("/servicios"))
    assert "Internet 50 Mbps" in text and "$ 625,20 por mes" in text
    assert "Contratado desde el 02/05/2024" in text and "Servidor dedicado" not in text


def test_whoever_has_no_services_reads_that(visit):
    assert "No tiene servicios registrados en este sitio." in text_of(
        visit("Karina").get("/servicios"))


def test_the_questions_are_the_manuals_five_and_more_with_this_portals_numbers(browser, run):
    run("set", "dm_limit", "7500,50")
    run("set", "statement_window", "60")
    page = browser.page("/preguntas")
    assert len(page.select("details summary")) == 8
    assert page.main.text.count("$\xa07.500,50") == 2 and "los últimos 60" in page.main.text


def test_contact_tells_whom_to_ask_for_what(browser):
    text = text_of(browser.get("/contacto"))
    assert "4460-1500 int. 101 Correo administracion@netone.com.ar" in text
    assert "4460-1500 int. 110 Correo soporte@netone.com.ar" in text


def test_health_is_ok_and_tells_nothing_else(browser):
    assert browser.get("/salud").get_json() == {"status": "ok"}


def test_health_without_a_database_is_503(tmp_path):
    app = cac.create_app(database=str(tmp_path / "none.db"), secret_key=SECRET_KEY, jobs="off")
    answer = app.test_client().get("/salud")
    assert (answer.status_code, answer.get_json()) == (503, {"status": "unavailable"})


def test_forms_lead_to_this_site_and_to_dineromail(app, browser):
    policy = browser.get("/ingresar").headers["Content-Security-Policy"]
    assert "form-action 'self' http://127.0.0.1:9;" in policy
    app.config["DINEROMAIL_ACCOUNT"] = ""
    assert "form-action 'self';" in browser.get("/ingresar").headers["Content-Security-Policy"]


# Errors

def is_plain(answer) -> bool:
    """Whether a page is ours, in Spanish, and tells nothing of the inside."""
    page = BeautifulSoup(answer.data, "html.parser")
    inside = ("Traceback", "File \"", "sqlite3", "werkzeug", "requested", "Error", "secret detail")
    return page.html["lang"] == "es-AR" and not [word for word in inside if word in page.text]


@pytest.mark.parametrize(("method", "address", "status", "title"), [
    ("GET", "/nada", 404, "No encontramos esa página"),
    ("GET", "/static/../cac.py", 404, "No encontramos esa página"),
    ("GET", "/comprobantes/x.pdf", 404, "No encontramos esa página"),
    ("GET", "/pago/x", 404, "No encontramos esa página"),
    ("GET", "/aviso/otro", 404, "No encontramos esa página"),
    ("POST", "/cuenta", 405, "No entendimos el pedido"),
    ("GET", "/aviso/dineromail", 405, "No entendimos el pedido"),
    ("PUT", "/ingresar", 405, "No entendimos el pedido"),
    ("GET", "/clave/x", 410, "El enlace ya no sirve"),
    ("GET", "/confirmar/x", 410, "El enlace ya no sirve")])
def test_what_cannot_be_shown_is_a_page_in_spanish(ana, method, address, status, title):
    answer = ana.open(address, method=method)
    assert answer.status_code == status and is_plain(answer)
    assert text_of(answer).startswith(title)


def test_a_wrong_method_is_told_the_right_ones(browser):
    assert set(browser.get("/salir").headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


@pytest.mark.parametrize("address", ["/ingresar", "/olvido"])
def test_too_much_is_413_and_writes_nothing(browser, db, address):
    before = everything(db)
    answer = browser.post(address, data={"usuario": "x" * 2**20})
    assert answer.status_code == 413 and is_plain(answer)
    assert text_of(answer).startswith("El envío es demasiado grande")
    assert everything(db) == before


def test_a_fault_is_a_page_and_its_trace_is_for_the_log(ana, monkeypatch, caplog):
    monkeypatch.setattr(cac, "statement", lambda *_, **__: 1 / 0)
    answer = ana.get("/cuenta")
    assert answer.status_code == 500 and is_plain(answer)
    assert text_of(answer).startswith("Hay un problema con el sitio")
    assert "ZeroDivisionError" in caplog.text and "event=fault page=cac.account" in caplog.text


def test_a_database_that_is_busy_is_503_and_reading_goes_on(app, ana, db, caplog):
    with app.app_context():
        cac.get_db().execute("PRAGMA busy_timeout = 0")
    db.execute("BEGIN IMMEDIATE")
    answer = ana.send("/salir", page="/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60") and is_plain(answer)
    assert "event=database-error page=cac.sign_out" in caplog.text
    assert ana.get("/cuenta").status_code == 200


def test_sql_of_ours_that_is_wrong_is_a_fault_with_its_trace(ana, monkeypatch, caplog):
    monkeypatch.setattr(cac, "TOTAL", "SELECT 1, 2 FROM nowhere WHERE customer = ?")
    answer = ana.get("/cuenta")
    assert answer.status_code == 500 and is_plain(answer)
    assert "event=fault page=cac.account" in caplog.text
    assert "OperationalError: no such table: nowhere" in caplog.text and "line " in caplog.text


@pytest.mark.parametrize(("pragma", "error"), [
    ("query_only = 1", "attempt to write a readonly database"),
    ("max_page_count = 1", "database or disk is full")])
def test_what_the_machine_cannot_write_is_503(app, browser, caplog, pragma, error):
    with app.app_context():
        cac.get_db().execute(f"PRAGMA {pragma}")
    # More numbers than the last pages of the file still take.
    ids = "".join(f"<operacion><id>{n:030}</id></operacion>" for n in range(100))
    xml = f"<notificacion><operaciones>{ids}</operaciones></notificacion>"
    answer = browser.post(NOTICE, data={"Notificacion": xml})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60") and is_plain(answer)
    assert f"event=database-error page=cac.receive_notice error={error}" in caplog.text


@pytest.mark.parametrize("content", [None, b"this is no database" * 99])
@pytest.mark.parametrize("address", ["/ingresar", "/preguntas", "/nada"])
def test_without_a_good_database_there_is_still_a_page(tmp_path, content, address):
    path = tmp_path / "bad.db"
    if content:
        path.write_bytes(content)
    app = cac.create_app(database=str(path), secret_key=SECRET_KEY, jobs="off")
    answer = app.test_client().get(address)
    assert answer.status_code >= 400 and is_plain(answer)


def test_no_log_of_a_fault_holds_a_password(browser, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(cac, "open_session", lambda _: 1 / 0)
    assert browser.sign_in("Ana").status_code == 500
    assert PASSWORD not in caplog.text


# Behind a proxy, under a prefix

@pytest.fixture
def proxied(database):
    """proxied(1): a browser behind that many trusted proxies, which mount the portal there."""
    def browse(proxies, prefix="/clientes"):
        app = cac.create_app(database=str(database), secret_key=SECRET_KEY, jobs="off",
                             proxies=str(proxies))
        app.test_client_class = Browser
        browser = app.test_client()
        browser.environ_base |= {"HTTP_X_FORWARDED_PREFIX": prefix, "REMOTE_ADDR": "127.0.0.1",
                                 "HTTP_X_FORWARDED_FOR": "198.51.100.7, 203.0.113.9"}
        return browser
    return browse


def own_links(page) -> set[str]:
    """The links of a page to this site."""
    found = {tag.get("href") or tag.get("src") or tag.get("action")
             for tag in page.select("[href], [src], [action]")}
    return {link for link in found if link.startswith("/")}


@pytest.mark.parametrize("prefix", ["/clientes", "/clientes/"])
@pytest.mark.parametrize("address", ["/", "/cuenta", "/pago", "/datos", "/nada"])
def test_under_a_prefix_every_link_begins_with_it(proxied, prefix, address):
    browser = proxied(1, prefix)
    assert browser.sign_in("Ana").location == "/clientes/"
    links = own_links(BeautifulSoup(browser.get(address).data, "html.parser"))
    assert len(links) > 5
    assert all(re.match(r"/clientes/(?!/|clientes)", f"{link} ") for link in links)


def test_under_a_prefix_whoever_was_on_the_way_gets_there(proxied):
    browser = proxied(1)
    asked = browser.get("/cuenta?pagina=1").location
    assert asked.startswith("/clientes/ingresar?next=/clientes/cuenta")
    answer = browser.send(asked.removeprefix("/clientes"), usuario="1001", clave=PASSWORD)
    assert answer.location == "/clientes/cuenta?pagina=1"


def test_without_trusted_proxies_the_prefix_is_ignored(proxied):
    browser = proxied(0)
    assert browser.sign_in("Ana").location == "/"
    assert not [link for link in own_links(browser.page("/cuenta")) if "clientes" in link]


@pytest.mark.parametrize(("proxies", "address"), [
    (0, "127.0.0.1"),                                   # nothing that the visitor says is believed
    (1, "203.0.113.9"),                                 # the last proxy's word
    (2, "198.51.100.7")])                               # the word of the one before it
def test_only_trusted_proxies_say_where_a_visitor_is(proxied, db, proxies, address):
    proxied(proxies).sign_in("Ana")
    assert db.execute("SELECT address FROM session").fetchone().address == address


@pytest.mark.parametrize("prefix", ["//evil.example", "javascript:alert(1)", "/a b", "/\\evil"])
def test_an_odd_prefix_is_refused_and_leads_nowhere(proxied, prefix):
    answer = proxied(1, prefix).get("/ingresar")
    assert answer.status_code == 400
    assert answer.text.startswith("No entendimos el pedido") and "evil" not in answer.text
    assert not BeautifulSoup(answer.data, "html.parser").find_all(True)
