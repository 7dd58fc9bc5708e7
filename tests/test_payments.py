"""Payments with DineroMail: what the customer sees, what is credited, and what never is.

DineroMail is tests/standins.py, in a process of its own; its notices reach the portal over HTTP.
"""

import re
import time
from urllib.parse import urlencode

import cac
import pytest
import time_machine
from bs4 import BeautifulSoup
from conftest import (
    ACCOUNT, KEY, OWED, PAID, eight_at_once, http, mail_text, serving, text_of, wait_for,
)
from standins import CANCELLED, CREDITED, PENDING, SPELLINGS
from test_seed import CASES
from werkzeug import Response

SERVICE = "dineromail"
UNKNOWN, WAITS, IS_PAID, FAILED = ("Esperamos la confirmación de su pago",
    "Su pago está en proceso", "Recibimos su pago", "El pago no se completó")
NOTICE = ("Notificacion=<notificacion><operaciones><operacion><id>{}</id></operacion></operaciones>"
          "</notificacion>")


# --- The stage ------------------------------------------------------------------------------------

@pytest.fixture
def app(app, shop):
    """The application, which asks the stand-in."""
    app.config["DINEROMAIL_URL"] = shop.address
    return app


@pytest.fixture
def served(database, shop):
    """The portal as in production, on the same database: two workers and their jobs."""
    with serving(database, shop.port, dineromail_url=shop.address,
                 dineromail_account=ACCOUNT, dineromail_password=KEY) as address:
        yield address


def form_to_dineromail(page):
    """(form, its fields) that leads there; (None, {}) if there is none."""
    form = page.find("form", action=re.compile("Shop_Ingreso"))
    return form, {field["name"]: field["value"] for field in form.find_all("input")} if form else {}


# --- Beginning a payment --------------------------------------------------------------------------

def test_the_form_has_the_fields_of_the_first_generation(shop, begin, shown):
    reference = begin("Ana")
    form, fields = form_to_dineromail(shown("Ana", reference)[1])
    assert form["action"] == f"{shop.address}/Shop/Shop_Ingreso.asp"
    assert form["method"] == "post"
    ways_back = [fields.pop("DireccionExito"), fields.pop("DireccionFracaso")]
    assert all(way.startswith(f"http://cac.example.com/clientes/pago/{reference}")
               for way in ways_back)
    assert "1001" in fields.pop("NombreItem")
    assert fields == {
        "TipoMoneda": "1", "PrecioItem": "1250.40", "E_Comercio": "1192532", "NroItem": "CC-1001",
        "trx_id": reference, "image_url": "http://", "DireccionEnvio": "0", "Mensaje": "0",
        "MediosPago": ""}


def test_the_page_may_lead_a_form_to_dineromail_alone(shop, app, visit):
    app.config["MERCADOPAGO_TOKEN"] = "TEST-1"  # noqa: S105 - opens nothing
    policy = visit("Ana").get("/pago").headers["Content-Security-Policy"]
    assert f"form-action 'self' {shop.address};" in policy


@pytest.mark.parametrize(("who", "concept"), [
    (who, concept) for who, _, dineromail, advance in [*CASES, ("Gloria", 0, False, True)]
    for concept, is_shown in (("saldo", dineromail), ("adelanto", advance)) if not is_shown])
def test_a_button_that_is_not_shown_cannot_be_forced(visit, db, books, who, concept):
    db.execute("UPDATE customer SET password = (SELECT password FROM customer WHERE number = 1001)"
               " WHERE number = 1007")  # Gloria has not chosen hers
    before = books.of(who)
    answer = visit(who).send("/pago", concepto=concept, medio="dineromail", importe="100,00")
    assert (answer.status_code, books.attempts(), books.of(who)) == (403, [], before)


@pytest.mark.parametrize(("who", "why_no_balance", "why_no_advance"), [
    ("Ana", "", "Es para quien no tiene saldo pendiente o debe más de $ 5.000,00."),
    ("Beto", "No tiene saldo pendiente", ""), ("Caro", "Saldo a favor", ""),
    ("Dante", "Su saldo es igual al máximo para pagar en línea, $ 5.000,00", "Es para quien"),
    ("Elena", "Su saldo supera el máximo para pagar en línea, $ 5.000,00.", ""),
    ("Fabián", "El tipo de comprobante de su última factura no se paga en línea.", "Es para")])
def test_for_each_button_that_is_missing_the_page_says_why(
        visit, who, why_no_balance, why_no_advance):
    page = text_of(visit(who).get("/pago")).replace("\N{NO-BREAK SPACE}", " ")
    assert why_no_balance in page and why_no_advance in page
    assert ("Es para quien" in page) is bool(why_no_advance)


def test_who_is_not_signed_in_begins_nothing(browser, books):
    answer = browser.send("/pago", "/ingresar", concepto="saldo", medio="dineromail")
    assert "/ingresar" in answer.location
    assert books.attempts() == []


@pytest.mark.parametrize(("typed", "centavos"), [
    ("1,00", 100), ("5.000,00", 500000), ("1234.56", 123456), ("$ 1500", 150000)])
def test_an_advance_payment_is_of_the_amount_that_was_typed(begin, shown, books, typed, centavos):
    reference = begin("Beto", concepto="adelanto", importe=typed)
    assert re.fullmatch("[A-Z0-9]{1,20}", reference)
    assert cac.money(centavos) in shown("Beto", reference)[1].get_text()
    assert books.attempts() == [centavos]


@pytest.mark.parametrize("typed", [
    "0,99", "5.000,01", "1.234", "mil pesos", "-5", "0", "", "1,234.56", "12,345", "１００"])
def test_an_impossible_advance_payment_is_asked_again(visit, books, typed):
    answer = visit("Beto").send("/pago", concepto="adelanto", medio="dineromail", importe=typed)
    assert (answer.status_code, books.attempts()) == (422, [])
    field = BeautifulSoup(answer.data, "html.parser").find(id="importe")
    assert (field["value"], field["aria-invalid"]) == (typed, "true")


def test_the_balance_is_paid_whole_whatever_amount_is_sent(begin, books):
    begin("Ana", importe="1,00")
    assert books.attempts() == [125040]


@pytest.mark.parametrize("wrong", [
    {"medio": "paypal"}, {"medio": ""}, {"concepto": "todo"}, {"medio": "mercadopago"}])
def test_what_no_button_sends_begins_nothing(visit, books, wrong):
    fields = {"concepto": "saldo", "medio": "dineromail"} | wrong
    assert visit("Ana").send("/pago", **fields).status_code in (403, 422)
    assert books.attempts() == []


def test_a_double_click_or_eight_tabs_at_once_begin_one_payment(visit, books):
    def press(tab):
        return tab.send("/pago", concepto="saldo", medio="dineromail").location
    tabs = [visit("Ana") for _ in range(8)]
    assert len({*eight_at_once(press, tabs), press(tabs[0]), press(tabs[0])}) == 1
    assert books.attempts() == [125040]


def test_somebody_elses_payment_is_not_found(visit, begin, db):
    reference = begin("Ana")
    before = db.execute("SELECT * FROM payment").fetchall()
    assert visit("Inés").get(f"/pago/{reference}?vuelta=1").status_code == 404
    assert visit("Inés").get("/pago/CACNOSUCHPAYMENT").status_code == 404
    assert db.execute("SELECT * FROM payment").fetchall() == before


def test_a_payment_cannot_go_on_once_the_balance_changed(begin, shown, db):
    reference = begin("Ana")
    db.execute("INSERT INTO movement (customer, date, type, point_of_sale, number, amount)"
               " VALUES (1001, '2026-11-20', 9, 1, 99999, -100)")
    page = shown("Ana", reference)[1]
    assert "Su saldo cambió" in page.get_text()
    assert form_to_dineromail(page) == (None, {})


def test_a_payment_that_is_taken_up_again_is_asked_about_as_soon_as_a_new_one(begin, db, wait):
    reference = begin("Ana")
    wait(days=29, hours=23)
    assert begin("Ana") == reference
    payment = db.execute("SELECT * FROM payment").fetchone()
    assert cac.age_of(payment.created_at) < 60 and payment.query_at <= cac.now(180)


# --- The way back ---------------------------------------------------------------------------------

@pytest.mark.parametrize("query", [
    "?vuelta=1", "?vuelta=1&ESTADO=2&MONTO=1250.40&estado=credited", "?vuelta=%00%FF<script>",
    "?vuelta=1&collection_status=approved&status=approved&payment_id=1"])
def test_to_come_back_credits_nothing_and_asks_nobody_meanwhile(shop, begin, shown, books, query):
    reference, before = begin("Ana"), shop.questions()
    heading, page = shown("Ana", reference, query)
    assert heading == UNKNOWN and form_to_dineromail(page) == (None, {})
    assert "todavía no nos informó" in page.get_text()
    assert (books.of("Ana"), shop.questions()) == (OWED, before)


def test_who_comes_back_before_the_notice_sees_in_a_moment_what_dineromail_says(
        shop, begin, come_back, books):
    reference = begin("Ana")
    shop.says(reference)
    assert IS_PAID in come_back("Ana", reference)
    assert books.of("Ana") == PAID


def test_who_waits_has_it_asked_about_every_few_seconds_only(shop, begin, come_back, wait):
    reference, before = begin("Ana"), len(shop.questions())
    for _ in range(3):
        come_back("Ana", reference)
    assert len(shop.questions()) == before + 1
    wait(seconds=10)
    come_back("Ana", reference)
    assert len(shop.questions()) == before + 2


def test_the_page_looks_again_by_itself_while_the_payment_waits_and_some_minutes(
        begin, tell, visit):
    reference, ana, pauses = begin("Ana"), visit("Ana"), []
    assert "Refresh" not in ana.get(f"/pago/{reference}").headers
    address = f"/pago/{reference}?vuelta=1"
    while refresh := ana.get(address).headers.get("Refresh"):
        pause, address = re.fullmatch("([0-9]+); url=(/pago/.*)", refresh).groups()
        pauses.append(int(pause))
    assert pauses[0] <= 5 and 120 <= sum(pauses) <= 600
    for state, looks_again in ((PENDING, True), (CREDITED, False)):
        tell(reference, state)
        answers = [ana.get(f"/pago/{reference}"), ana.get(f"/pago/{reference}?vuelta=1")]
        assert {"Refresh" in answer.headers for answer in answers} == {looks_again}


def test_while_the_database_cannot_be_written_who_comes_back_sees_the_page(begin, visit, db):
    reference, ana = begin("Ana"), visit("Ana")
    db.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    assert UNKNOWN in text_of(ana.get(f"/pago/{reference}?vuelta=1"))
    db.execute("ROLLBACK")
    assert time.monotonic() - began < 4


# --- Credited once --------------------------------------------------------------------------------

def test_a_notice_is_answered_before_anybody_is_asked(shop, begin, site, do_chores, books):
    reference, before = begin("Ana"), shop.questions()
    shop.says(reference)
    assert shop.notify(reference) == [200]
    assert (books.of("Ana"), shop.questions()) == (OWED, before)
    do_chores()
    assert books.of("Ana") == PAID


def test_one_mail_says_that_it_was_credited(begin, tell, mails):
    tell(begin("Ana"), times=3)
    [mail] = mails()
    assert mail["To"] == "ana@example.com"
    assert "1.250,40" in mail_text(mail)


def test_eight_first_notices_at_once_and_ten_more_credit_once(
        shop, begin, site, do_chores, tell, books):
    reference = begin("Ana")
    shop.says(reference)
    assert eight_at_once(shop.notify, [reference] * 8) == [[200]] * 8
    do_chores()
    tell(reference, times=10)
    assert (books.of("Ana"), books.reviews()) == (PAID, [])


def test_two_workers_credit_each_of_twenty_payments_once(shop, served, begin, books):
    paid = [begin("Beto", concepto="adelanto", importe=f"{pesos},00") for pesos in range(1, 21)]
    for pesos, reference in enumerate(paid, 1):
        shop.says(reference, amount=f"{pesos}.00")
    ten_of_each = [reference for reference in paid for _ in range(10)]
    assert eight_at_once(shop.notify, ten_of_each) == [[200]] * 200
    wait_for(lambda: all(notice.outcome == "settled" for notice in books.notices()), 60)
    assert sorted(books.of("Beto")[1]) == [-100 * pesos for pesos in range(20, 0, -1)]
    assert (books.of("Beto")[0], books.reviews()) == (-21000, [])


def test_the_running_service_settles_a_notice_within_seconds(shop, served, begin, books):
    hers, his = begin("Ana"), begin("Beto", concepto="adelanto", importe="10,00")
    shop.says(hers)
    shop.says(his, amount="10.00")
    assert shop.notify(hers) == [200]
    wait_for(lambda: books.of("Ana") == PAID, 10)
    assert books.of("Beto") == (0, [])


def test_one_notice_of_two_payments_settles_both(shop, begin, site, do_chores, books):
    hers, his = begin("Ana"), begin("Beto", concepto="adelanto", importe="10,00")
    shop.says(his, amount="10.00")
    shop.says(hers)
    assert shop.notify(hers, his) == [200]
    do_chores()
    assert (books.of("Ana"), books.of("Beto")) == (PAID, (-1000, [-1000]))


def test_the_rules_count_when_a_payment_begins_not_when_it_ends(begin, tell, books, run):
    reference = begin("Ana")
    run("set", "dm_limit", "100,00")
    tell(reference)
    assert books.of("Ana") == PAID


def test_a_receipt_whose_number_is_taken_gets_the_next(begin, tell, books, db):
    db.execute("INSERT INTO movement (customer, date, type, point_of_sale, number, amount)"
               " VALUES (1001, '2026-11-01', 900, 0, 1, 0)")
    tell(begin("Ana"))
    assert books.of("Ana") == (0, [-125040])


# --- Not credited ---------------------------------------------------------------------------------

@pytest.mark.parametrize("wrong", [
    {"amount": "1250.39"}, {"amount": "1250.41"}, {"amount": "125040"}, {"currency": "USD"}])
def test_what_does_not_match_is_left_to_a_person_once(begin, tell, shown, books, wrong):
    reference = begin("Ana")
    assert tell(reference, times=5, **wrong) == [200] * 5
    assert shown("Ana", reference)[0] == "Su pago está en revisión"
    assert (books.of("Ana"), books.reviews()) == (OWED, [reference])


def test_once_a_person_has_looked_at_it_nobody_waits(begin, tell, shown, run, visit, db):
    reference = begin("Ana")
    tell(reference, amount="1250.39")
    assert reference in str(visit("Ana").page("/pago"))
    assert run("resolve", 1).output == "1 is closed. The ledger is as it was.\n"
    assert db.execute("SELECT * FROM list_review").fetchall() == []
    assert shown("Ana", reference)[0] == "Revisamos su pago"
    assert reference not in str(visit("Ana").page("/pago"))
    again = run("resolve", 1)
    assert (again.exit_code, "Nothing was changed" in again.stderr) == (1, True)


def test_money_for_a_reference_that_is_not_ours_is_left_to_a_person(begin, tell, books):
    begin("Ana")
    assert tell("XA5547") == [200]
    assert (books.of("Ana"), books.reviews()) == (OWED, ["XA5547"])


def test_a_reference_that_is_not_ours_concerns_nobody_before_there_is_money(
        shop, tell, do_chores, books):
    for state in (PENDING, CANCELLED):
        assert tell("XA5547", state) == [200]
    assert shop.notify(*(f"CACNOBODYKNOWS{n}" for n in range(100))) == [200]
    do_chores()
    assert books.reviews() == []
    assert {notice.outcome for notice in books.notices()} == {"settled"}


def test_of_money_for_references_that_are_not_ours_a_thousand_lines_wait_at_most(
        app, begin, books):
    reference = begin("Ana")
    theirs = [cac.Operation(f"X{n}", str(n), "credited", 100, "ARS") for n in range(1001)]
    ours = cac.Operation(reference, "", "credited", 125040, "ARS")
    with app.app_context(), cac.transaction() as db:
        cac.act_on(db, "dineromail", [*theirs, ours])
    assert books.reviews()[1000:] == [reference]


REPORT = """<?xml version="1.0" encoding="ISO-8859-1"?><REPORTE><ESTADOREPORTE>1</ESTADOREPORTE>
<DETALLE><OPERACIONES>{}</OPERACIONES></DETALLE></REPORTE>"""
OPERATION = """<OPERACION><ID>{id}</ID><FECHA>28/01/2011 12:02:01 PM</FECHA><ESTADO>2</ESTADO>
<NUMTRANSACCION>{number}</NUMTRANSACCION><MONTO>{amount}</MONTO><MONTONETO>1188.00</MONTONETO>
<METODOPAGO>TARJETA DE CREDITO</METODOPAGO><ITEMS><ITEM>{currency}</ITEM></ITEMS></OPERACION>"""
GOOD = {"number": "67777", "amount": "1250.40", "currency": "<MONEDA>1</MONEDA>"}


@pytest.fixture
def settle(app, come_back):
    """settle(reference, {"id": …}, …): DineroMail answers so, and the customer comes back."""
    def settled(reference, *operations, who="Ana"):
        rows = [OPERATION.format(**{"id": reference} | GOOD | one) for one in operations]
        with http(Response(REPORT.format("".join(rows)))) as app.config["DINEROMAIL_URL"]:
            return come_back(who, reference)
    return settled


@pytest.mark.parametrize("odd", [
    {"id": "CACSOMEBODYELSE"}, {"amount": "mucho"}, {"amount": ""}, {"amount": "NaN"},
    {"amount": "1250.404"}, {"amount": "-1250.40"}, {"amount": "1e999999999"}, {"currency": ""},
    {"currency": "<MONEDA>2</MONEDA>"}, {"currency": "<MONEDA>1</MONEDA><MONEDA>2</MONEDA>"},
    {"number": ""}])
def test_an_answer_that_is_not_exact_is_left_to_a_person(begin, settle, books, odd):
    assert "Su pago está en revisión" in settle(begin("Ana"), odd)
    assert (books.of("Ana"), len(books.reviews())) == (OWED, 1)


def test_somebody_elses_operation_is_credited_to_nobody(begin, settle, books):
    hers, his = begin("Ana"), begin("Beto", concepto="adelanto", importe="1250,40")
    settle(hers, {"id": his})
    assert (books.of("Ana"), books.of("Beto")) == (OWED, (0, []))
    assert len(books.reviews()) == 1


# --- How a payment goes on ------------------------------------------------------------------------

@pytest.mark.parametrize(("states", "headings", "after", "reviews"), [
    ([PENDING, CREDITED, CANCELLED], [WAITS, IS_PAID, IS_PAID], PAID, 1),
    ([CREDITED, PENDING], [IS_PAID, IS_PAID], PAID, 1),
    ([PENDING, CANCELLED], [WAITS, FAILED], OWED, 0),
    ([CANCELLED, CANCELLED], [FAILED, FAILED], OWED, 0)])
def test_what_is_credited_stays_credited(
        begin, tell, shown, books, states, headings, after, reviews):
    reference, seen = begin("Ana"), []
    for state in states:
        tell(reference, state)
        seen.append(shown("Ana", reference)[0])
    assert (seen, books.of("Ana"), len(books.reviews())) == (headings, after, reviews)


def test_another_amount_after_the_credit_is_left_to_a_person(begin, tell, books):
    reference = begin("Ana")
    tell(reference)
    tell(reference, amount="999.00")
    assert (books.of("Ana"), books.reviews()) == (PAID, [reference])


def test_without_any_notice_the_jobs_settle_it(shop, begin, do_chores, books):
    shop.says(begin("Ana"))
    do_chores()
    assert books.of("Ana") == OWED  # too early to ask
    with time_machine.travel(time.time() + 240):
        do_chores()
    assert books.of("Ana") == PAID


def test_after_30_days_without_news_it_has_expired(begin, do_chores, shown, books):
    reference = begin("Ana")
    with time_machine.travel(time.time() + 31 * 86400):
        do_chores()
        assert shown("Ana", reference)[0] == "El pago venció"
    assert books.of("Ana") == OWED


# --- A service in trouble -------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["report:7", "http500", "html", "hang"])
def test_in_trouble_a_notice_is_answered_at_once_and_none_is_lost(
        shop, begin, tell, do_chores, come_back, books, monkeypatch, how):
    monkeypatch.setattr(cac, "SERVICE_SECONDS", 0.5)
    shop.fails(how, seconds=2)
    reference = begin("Ana")
    assert tell(reference) == [200]
    assert UNKNOWN in come_back("Ana", reference)
    assert (books.of("Ana"), [bool(one.query_at) for one in books.notices()]) == (OWED, [True])
    shop.fails("ok")
    monkeypatch.setattr(cac, "SERVICE_SECONDS", 4)
    with time_machine.travel(time.time() + 60):
        do_chores()
    assert books.of("Ana") == PAID


def test_an_answer_without_end_is_not_awaited(app, begin, come_back, books):
    reference, began = begin("Ana"), time.monotonic()
    endless = Response(iter(lambda: b"<!-- -->" * 8192, b""), mimetype="text/xml")
    with http(endless) as app.config["DINEROMAIL_URL"]:
        assert UNKNOWN in come_back("Ana", reference)
    assert time.monotonic() - began < 6
    assert books.of("Ana") == OWED


def test_a_service_that_stalls_is_asked_once_a_round_and_keeps_no_other_waiting(
        shop, app, db, monkeypatch):
    monkeypatch.setattr(cac, "SERVICE_SECONDS", 1.2)
    monkeypatch.setattr(cac.MercadoPago, "query", lambda *_: asked.append("mercadopago") or [])
    db.executemany("INSERT INTO payment (reference, customer, service, purpose, amount, created_at,"
                   " query_at) VALUES (?, 1002, ?, 'advance', ?, ?, ?)",
                   [(f"CAC{n}", "mercadopago" if n > 4 else "dineromail", 100 + n, cac.now(),
                     cac.now(n - 10)) for n in range(8)])
    shop.fails("hang", seconds=3)
    asked, before, began = [], len(shop.questions()), time.monotonic()
    with app.app_context():
        cac.settle_due()
    assert (len(asked), len(shop.questions()) - before) == (3, 1)
    assert time.monotonic() - began < 5


def test_a_row_that_cannot_be_settled_stops_no_other(app, begin, tell, db, books):
    with app.test_request_context():
        db.execute("INSERT INTO notice (service, received_at, address, body, subjects, query_at)"
                   " VALUES ('dineromail', ?1, '', x'00', '{\"a\": 1}', ?1)", (cac.now(-9),))
        db.execute("INSERT INTO notice (service, received_at, address, body, subjects, query_at)"
                   " VALUES ('dineromail', ?1, '', x'00', '[7]', ?1)", (cac.now(-9),))
    tell(begin("Ana"))
    assert books.of("Ana") == PAID


def test_an_answer_about_some_of_the_payments_counts_for_those(shop, begin, tell, books):
    reference = begin("Ana")
    shop.fails("partial")
    shop.says(reference)
    assert shop.notify(reference, "CACNOBODYKNOWSIT") == [200]
    tell(reference)
    assert (books.of("Ana"), books.reviews()) == (PAID, [])


def test_an_answer_in_latin_1_with_a_bare_ampersand_is_read(shop, begin, tell, books):
    shop.fails("latin1")
    tell(begin("Ana"))
    assert books.of("Ana") == PAID


# --- Notices as they come -------------------------------------------------------------------------

@pytest.mark.parametrize("spelling", range(len(SPELLINGS)))
def test_a_damaged_declaration_is_read(shop, begin, site, do_chores, books, spelling):
    reference = begin("Ana")
    shop.says(reference)
    assert shop.notify(reference, spelling=spelling, case=["lower", "upper"][spelling % 2]) == [200]
    do_chores()
    assert books.of("Ana") == PAID


@pytest.mark.parametrize("body", [
    "Notificacion=%0A<?xml version='1.0'?>{}", "notificacion=%EF%BB%BF{}", "NOTIFICACION={}",
    "otro=1%262&nOtIfIcAcIoN=<?xml version='1.0' encoding='utf-8' ?>%0D%0A{}%0A"])
def test_a_notice_in_another_dress_is_read(browser, begin, shop, do_chores, books, body):
    reference = begin("Ana")
    shop.says(reference)
    body = body.format(NOTICE.format(reference).removeprefix("Notificacion="))
    assert browser.post("/aviso/dineromail", data=body).status_code == 200
    do_chores()
    assert books.of("Ana") == PAID


BOMB = """<!DOCTYPE n [<!ENTITY a "ja"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<notificacion><operaciones><operacion><id>&b;</id></operacion></operaciones></notificacion>"""
MANY = "".join(f"<operacion><id>X{n}</id></operacion>" for n in range(101))
REFUSED = {
    "nothing": b"", "no value": b"Notificacion=", "another field": b"otro=1",
    "no XML": b"Notificacion=hola", "truncated": NOTICE.encode()[:50],
    "no operation": b"Notificacion=<notificacion/>", "zeros": b"\0" * 1000,
    "entities": urlencode({"Notificacion": BOMB}).encode(),
    "entities of another encoding": urlencode({"Notificacion": BOMB}, encoding="utf-16").encode(),
    "a DTD": b"Notificacion=<!DOCTYPE n SYSTEM 'file:///etc/passwd'><notificacion/>",
    "an empty id": NOTICE.format("").encode(), "a long id": NOTICE.format("A" * 65).encode(),
    "deep": b"Notificacion=" + b"<a>" * 9000 + b"</a>" * 9000,
    "a hundred and one": NOTICE.replace("<operacion><id>{}</id></operacion>", MANY).encode(),
    "not encoded": b"\xff\xfe<" * 9,
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_a_broken_notice_is_kept_in_part_and_refused(browser, books, body):
    answer = browser.post(f"/aviso/dineromail?{'q' * 2000}", data=body)
    [kept] = books.notices()
    assert (answer.status_code, kept.body, kept.query_at) == (400, body[:1000], None)
    assert (len(kept.query), kept.outcome[:8]) == (1000, "refused:")
    assert b"Traceback" not in answer.data


def test_a_notice_that_is_too_long_is_not_even_kept(browser, books):
    answers = [browser.post("/aviso/dineromail", data=b"A" * size) for size in (65_537, 10**7)]
    assert ([answer.status_code for answer in answers], books.notices()) == ([413, 413], [])


def test_what_is_done_with_is_kept_for_a_month_and_not_without_end(
        app, browser, tell, books, monkeypatch):
    for number in range(4):
        tell(f"XA{number}")
    browser.post("/aviso/dineromail", data=NOTICE.format("XA5548"))
    for days, most, left in ((0, 9, 5), (0, 3, 3), (31, 3, 1)):
        monkeypatch.setattr(cac, "NOTICES_WAITING", most)
        with app.app_context(), time_machine.travel(time.time() + days * 86400):
            cac.tidy()
        assert len(books.notices()) == left
    assert "XA5548" in books.notices()[0].subjects  # it waits


def test_when_very_many_notices_wait_no_more_are_taken(browser, books, monkeypatch):
    monkeypatch.setattr(cac, "NOTICES_WAITING", 2)
    statuses = [browser.post("/aviso/dineromail", data=NOTICE.format(f"X{n}")).status_code
                for n in range(3)]
    assert (statuses, len(books.notices())) == ([200, 200, 503], 2)
