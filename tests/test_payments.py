"""Payments with DineroMail: what the customer sees, what is credited, and what never is.

DineroMail is tests/standins.py, in a process of its own; its notices reach the portal over HTTP.
"""

import re
import time
from urllib.parse import urlencode
from urllib.request import urlopen

import cac
import pytest
import time_machine
from bs4 import BeautifulSoup
from conftest import (
    ACCOUNT, KEY, OWED, PAID, eight_at_once, free_port, http, mail_text, serving, text_of, wait_for,
)
from standins import CANCELLED, CREDITED, PENDING, SPELLINGS
from test_seed import CASES
from werkzeug import Response

SERVICE = "dineromail"
UNKNOWN = "Esperamos la confirmación de su pago"
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
    """The portal as in production, on the same database: two workers and their chores."""
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


def test_dineromail_takes_the_form(begin, shown):
    form, fields = form_to_dineromail(shown("Ana", begin("Ana"))[1])
    with urlopen(form["action"], urlencode(fields).encode()) as page:
        assert "1.250,40" in page.read().decode()


def test_the_page_is_allowed_to_lead_to_dineromail(shop, visit):
    policy = visit("Ana").get("/pago").headers["Content-Security-Policy"]
    assert re.search(rf"form-action 'self'[^;]* {shop.address}[ ;]", policy)


def test_a_reference_has_at_most_20_letters_and_digits(begin):
    references = {begin("Beto", concepto="adelanto", importe=f"{pesos},00").upper()
                  for pesos in range(1, 11)}
    assert len(references) == 10
    assert all(re.fullmatch("[A-Z0-9]{1,20}", reference) for reference in references)


@pytest.mark.parametrize(("who", "concept"), [
    (who, concept) for who, _, dineromail, advance in [*CASES, ("Gloria", 0, False, True)]
    for concept, is_shown in (("saldo", dineromail), ("adelanto", advance)) if not is_shown])
def test_a_button_that_is_not_shown_cannot_be_forced(visit, db, books, who, concept):
    db.execute("UPDATE customer SET password = (SELECT password FROM customer WHERE number = 1001)"
               " WHERE number = 1007")  # Gloria has not chosen hers
    before = books.of(who)
    answer = visit(who).send("/pago", concepto=concept, medio="dineromail", importe="100,00")
    assert (answer.status_code, books.attempts(), books.of(who)) == (403, [], before)


def test_who_is_not_signed_in_begins_nothing(browser, books):
    answer = browser.send("/pago", "/ingresar", concepto="saldo", medio="dineromail")
    assert "/ingresar" in answer.location
    assert books.attempts() == []


def test_without_an_account_dineromail_is_not_offered(app, visit, books):
    app.config["DINEROMAIL_ACCOUNT"] = ""
    ana = visit("Ana")
    assert "El pago en línea no está habilitado." in ana.page("/pago").get_text()
    answer = ana.send("/pago", concepto="saldo", medio="dineromail")
    assert (answer.status_code, books.attempts()) == (403, [])


@pytest.mark.parametrize(("typed", "centavos"), [
    ("1,00", 100), ("5.000,00", 500000), ("1234.56", 123456), ("$ 1500", 150000)])
def test_an_advance_payment_is_of_the_amount_that_was_typed(begin, shown, books, typed, centavos):
    reference = begin("Beto", concepto="adelanto", importe=typed)
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


@pytest.mark.parametrize("wrong", [{"medio": "paypal"}, {"medio": ""}, {"concepto": "todo"}])
def test_what_no_button_sends_begins_nothing(visit, books, wrong):
    fields = {"concepto": "saldo", "medio": "dineromail"} | wrong
    assert visit("Ana").send("/pago", **fields).status_code in (403, 422)
    assert books.attempts() == []


def test_a_double_click_begins_one_payment(visit, books):
    ana, fields = visit("Ana"), {"concepto": "saldo", "medio": "dineromail"}
    first, second = ana.send("/pago", **fields), ana.send("/pago", **fields)
    assert (first.location, books.attempts()) == (second.location, [125040])


def test_eight_tabs_at_once_begin_one_payment(visit, books):
    def press(tab):
        return tab.send("/pago", concepto="saldo", medio="dineromail").location
    assert len(set(eight_at_once(press, [visit("Ana") for _ in range(8)]))) == 1
    assert books.attempts() == [125040]


def test_somebody_elses_payment_is_not_found(visit, begin):
    reference = begin("Ana")
    assert visit("Inés").get(f"/pago/{reference}").status_code == 404
    assert visit("Inés").get("/pago/CACNOSUCHPAYMENT").status_code == 404


def test_a_payment_cannot_go_on_once_the_balance_changed(begin, shown, db):
    reference = begin("Ana")
    db.execute("INSERT INTO movement (customer, date, type, point_of_sale, number, amount)"
               " VALUES (1001, '2026-11-20', 9, 1, 99999, -100)")
    page = shown("Ana", reference)[1]
    assert "Su saldo cambió" in page.get_text()
    assert form_to_dineromail(page) == (None, {})


# --- The way back ---------------------------------------------------------------------------------

@pytest.mark.parametrize("query", [
    "?vuelta=1", "?vuelta=1&ESTADO=2&MONTO=1250.40&estado=credited",
    "?vuelta=1&collection_status=approved&status=approved&payment_id=1", "?vuelta=%00%FF<script>"])
def test_to_come_back_credits_nothing(begin, shown, books, query):
    heading, page = shown("Ana", begin("Ana"), query)
    assert heading == UNKNOWN and form_to_dineromail(page) == (None, {})
    assert "todavía no nos informó" in page.get_text()
    assert books.of("Ana") == OWED


def test_who_comes_back_before_the_notice_sees_what_dineromail_says(shop, begin, shown, books):
    reference = begin("Ana")
    shop.says(reference)
    assert shown("Ana", reference, "?vuelta=1")[0] == "Recibimos su pago"
    assert books.of("Ana") == PAID


def test_who_comes_back_after_the_notice_sees_that_it_is_paid(begin, tell, shown, books):
    reference = begin("Ana")
    tell(reference)
    assert shown("Ana", reference, "?vuelta=1")[0] == "Recibimos su pago"
    assert books.of("Ana") == PAID


# --- Credited once --------------------------------------------------------------------------------

def test_a_notice_credits_the_payment(begin, tell, books):
    assert tell(begin("Ana")) == [200]
    assert books.of("Ana") == PAID


def test_the_statement_shows_the_receipt(begin, tell, visit):
    tell(begin("Ana"), number=67777)
    *_, receipt, closing = visit("Ana").page("/cuenta").find_all("tr")
    assert "Recibo de pago en línea" in receipt.get_text()
    assert "67777" in receipt.find(class_="detail").get_text()
    assert receipt.find(class_="credit").get_text() == "1.250,40"
    assert closing.td.get_text() == "0,00"


def test_the_payments_page_gives_the_receipt_to_its_customer(begin, tell, shown, visit):
    reference = begin("Ana")
    tell(reference)
    link = shown("Ana", reference)[1].find("a", href=re.compile("comprobantes"))["href"]
    assert visit("Ana").get(link).data.startswith(b"%PDF-")
    assert visit("Inés").get(link).status_code == 404


def test_one_mail_says_that_it_was_credited(begin, tell, mails):
    tell(begin("Ana"), times=3)
    [mail] = mails()
    assert mail["To"] == "ana@example.com"
    assert "1.250,40" in mail_text(mail)


def test_ten_more_notices_eight_at_once_change_nothing(shop, begin, tell, books):
    reference = begin("Ana")
    tell(reference)
    assert eight_at_once(shop.notify, [reference] * 10) == [[200]] * 10
    tell(reference)
    assert (books.of("Ana"), books.reviews()) == (PAID, [])


def test_eight_first_notices_at_once_credit_once(shop, begin, site, do_chores, books):
    reference = begin("Ana")
    shop.says(reference)
    eight_at_once(shop.notify, [reference] * 8)
    do_chores()
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


def test_a_notice_stored_by_a_worker_that_died_is_settled_by_the_next(
        app, shop, begin, books, request):
    reference = begin("Ana")
    shop.says(reference)
    with app.test_request_context():
        cac.store_notice("dineromail", "", NOTICE.format(reference).encode())
    request.getfixturevalue("served")
    wait_for(lambda: books.of("Ana") == PAID)


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


# --- Not credited ---------------------------------------------------------------------------------

@pytest.mark.parametrize("wrong", [
    {"amount": "1250.39"}, {"amount": "1250.41"}, {"amount": "125040"}, {"currency": "USD"}])
def test_what_does_not_match_is_left_to_a_person(begin, tell, shown, books, wrong):
    reference = begin("Ana")
    assert tell(reference, **wrong) == [200]
    assert shown("Ana", reference)[0] == "Su pago está en revisión"
    assert (books.of("Ana"), books.reviews()) == (OWED, [reference])


def test_the_same_mismatch_told_ten_times_is_reviewed_once(begin, tell, books):
    reference = begin("Ana")
    tell(reference, amount="1250.39", times=10)
    assert (books.of("Ana"), books.reviews()) == (OWED, [reference])


def test_a_payment_that_is_taken_up_again_is_asked_about_as_soon_as_a_new_one(begin, db, wait):
    reference = begin("Ana")
    wait(days=29, hours=23)
    assert begin("Ana") == reference
    payment = db.execute("SELECT * FROM payment").fetchone()
    assert cac.age_of(payment.created_at) < 60 and payment.query_at <= cac.now(180)


def test_forgers_cannot_keep_a_payment_of_ours_from_the_review(app, begin, books, db):
    db.executemany("INSERT INTO review (at, service, reference, service_payment, reason) VALUES"
                   " ('2026-11-20T00:00:00Z', 'dineromail', ?, '', 'unknown reference')",
                   [(f"X{n}",) for n in range(1000)])
    reference = begin("Ana")
    with app.app_context():
        cac.act_on_all("dineromail", [cac.Operation(reference, "", "credited", 125040, "ARS")])
    assert books.reviews()[1000:] == [reference]


def test_a_receipt_whose_number_is_taken_gets_the_next(begin, tell, books, db):
    db.execute("INSERT INTO movement (customer, date, type, point_of_sale, number, amount)"
               " VALUES (1001, '2026-11-01', 900, 0, 1, 0)")
    tell(begin("Ana"))
    assert books.of("Ana") == (0, [-125040])


def test_once_a_person_has_looked_at_it_nobody_waits(begin, tell, shown, run, visit):
    reference = begin("Ana")
    tell(reference, amount="1250.39")
    assert reference in str(visit("Ana").page("/pago"))
    assert run("payments", "--close", 1).output == "1 is closed. The ledger is as it was.\n"
    assert run("payments", "--review").output == "Nothing to review.\n"
    assert shown("Ana", reference)[0] == "Revisamos su pago"
    assert reference not in str(visit("Ana").page("/pago"))
    assert run("payments", "--close", 1).exit_code == 1


def test_money_for_a_reference_that_is_not_ours_is_left_to_a_person(begin, tell, books):
    begin("Ana")
    assert tell("XA5547") == [200]
    assert (books.of("Ana"), books.reviews()) == (OWED, ["XA5547"])


def test_a_reference_that_nobody_knows_concerns_nobody(
        shop, begin, site, do_chores, books):
    begin("Ana")
    assert shop.notify(*(f"CACNOBODYKNOWS{n}" for n in range(100))) == [200]
    do_chores()
    assert (books.of("Ana"), books.reviews()) == (OWED, [])
    assert {notice.outcome for notice in books.notices()} == {"settled"}


@pytest.mark.parametrize("state", [1, 3])
def test_a_reference_that_is_not_ours_concerns_nobody_before_there_is_money(tell, books, state):
    assert tell("XA5547", state) == [200]
    assert books.reviews() == []


def test_of_money_for_references_that_are_not_ours_a_thousand_lines_wait_at_most(app, books):
    with app.app_context():
        cac.act_on_all("dineromail", [cac.Operation(f"X{n}", str(n), "credited", 100, "ARS")
                                      for n in range(1001)])
    assert len(books.reviews()) == 1000


def test_what_was_refused_is_kept_in_part_for_a_day_and_not_without_end(
        app, browser, books, wait, monkeypatch):
    monkeypatch.setattr(cac, "KEEP_REFUSED", (86400, 3))
    for size in (1, 2, 3, 1001, 64_000):
        browser.post(f"/aviso/dineromail?{'q' * size}", data=b"A" * size)
    assert [len(kept.body + kept.query.encode()) for kept in books.notices()][3:] == [2000, 2000]
    with app.app_context():
        cac.tidy()
        assert [len(kept.body) for kept in books.notices()] == [3, 1000, 1000]
        wait(hours=25)
        cac.tidy()
    assert len(books.notices()) == 1    # the last: its id is not given again


def test_what_was_settled_is_forgotten_after_thirty_days_and_what_waits_is_not(
        app, tell, db, books, wait):
    tell("XA5547")
    tell("XA5548")
    db.execute("UPDATE notice SET query_at = received_at, outcome = NULL WHERE id = 2")
    wait(days=31)
    with app.app_context():
        cac.tidy()
    assert [notice.id for notice in books.notices()] == [2]


def test_when_very_many_notices_wait_no_more_are_taken(app, browser, books, monkeypatch):
    app.config["DINEROMAIL_URL"] = "http://127.0.0.1:9"     # nobody answers there
    monkeypatch.setattr(cac, "NOTICES_WAITING", 2)
    statuses = [browser.post("/aviso/dineromail", data=NOTICE.format(f"X{n}")).status_code
                for n in range(3)]
    assert (statuses, len(books.notices())) == ([200, 200, 503], 2)


REPORT = """<?xml version="1.0" encoding="ISO-8859-1"?><REPORTE><ESTADOREPORTE>1</ESTADOREPORTE>
<DETALLE><OPERACIONES>{}</OPERACIONES></DETALLE></REPORTE>"""
OPERATION = """<OPERACION><ID>{id}</ID><FECHA>28/01/2011 12:02:01 PM</FECHA><ESTADO>2</ESTADO>
<NUMTRANSACCION>{number}</NUMTRANSACCION><MONTO>{amount}</MONTO><MONTONETO>1188.00</MONTONETO>
<METODOPAGO>TARJETA DE CREDITO</METODOPAGO><ITEMS><ITEM>{currency}</ITEM></ITEMS></OPERACION>"""
GOOD = {"number": "67777", "amount": "1250.40", "currency": "<MONEDA>1</MONEDA>"}


@pytest.fixture
def settle(app, visit):
    """settle(reference, {"id": …}, …): DineroMail answers so, and the customer comes back."""
    def settled(reference, *operations, who="Ana"):
        found = [OPERATION.format(**{"id": reference} | GOOD | one) for one in operations]
        report = Response(REPORT.format("".join(found)), mimetype="text/xml")
        with http(report) as app.config["DINEROMAIL_URL"]:
            return text_of(visit(who).get(f"/pago/{reference}?vuelta=1"))
    return settled


def test_odd_dates_and_names_of_the_service_do_no_harm(begin, settle, books):
    assert "Recibimos su pago" in settle(begin("Ana"), {})
    assert books.of("Ana") == PAID


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


def test_one_number_of_dineromail_is_credited_once(begin, settle, books):
    settle(begin("Ana"), {})
    second = begin("Beto", concepto="adelanto", importe="1250,40")
    settle(second, {}, who="Beto")
    assert (books.of("Ana"), books.of("Beto")) == (PAID, (0, []))
    assert books.reviews() == [second]


def test_paid_twice_is_credited_once_and_left_to_a_person(begin, settle, books):
    settle(begin("Ana"), {"number": "1"}, {"number": "2"})
    assert (books.of("Ana"), len(books.reviews())) == (PAID, 1)


# --- How a payment goes on ------------------------------------------------------------------------

WAITS, IS_PAID, FAILED = "Su pago está en proceso", "Recibimos su pago", "El pago no se completó"


@pytest.mark.parametrize(("states", "headings", "after", "reviews"), [
    ([PENDING, CREDITED, CANCELLED], [WAITS, IS_PAID, IS_PAID], PAID, 1),
    ([CREDITED, PENDING], [IS_PAID, IS_PAID], PAID, 1),
    ([PENDING, CANCELLED], [WAITS, FAILED], OWED, 0),
    ([CANCELLED, CANCELLED], [FAILED, FAILED], OWED, 0)])
def test_what_is_credited_stays_credited(  # noqa: PLR0913, PLR0917 - a table of cases
        begin, tell, shown, books, states, headings, after, reviews):
    reference, seen = begin("Ana"), []
    for state in states:
        tell(reference, state)
        seen.append(shown("Ana", reference)[0])
    assert (seen, books.of("Ana"), len(books.reviews())) == (headings, after, reviews)


def test_while_it_waits_the_payment_page_says_so(begin, tell, visit):
    reference = begin("Ana")
    tell(reference, PENDING)
    page = visit("Ana").page("/pago")
    assert "Tiene un pago de $\N{NO-BREAK SPACE}1.250,40 en proceso" in page.get_text()
    assert page.find("a", href=re.compile(reference))


def test_the_page_looks_again_by_itself_only_while_the_payment_waits(begin, tell, visit):
    reference, seen = begin("Ana"), []
    for state in (PENDING, CREDITED):
        tell(reference, state)
        seen.append("Refresh" in visit("Ana").get(f"/pago/{reference}").headers)
    assert seen == [True, False]


def test_without_any_notice_the_chores_settle_it(shop, begin, do_chores, books):
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

TROUBLE = ["report:2", "report:7", "http500", "http404", "html", "hang"]


@pytest.fixture(params=TROUBLE)
def trouble(request, shop, monkeypatch):
    """DineroMail, which fails in this way until the test says otherwise."""
    monkeypatch.setattr(cac, "CHORE_SECONDS", 2)    # the patience of the chores, less than 6
    shop.fails(request.param, seconds=6)
    return shop


def test_in_trouble_no_notice_is_lost(trouble, begin, tell, do_chores, books):
    reference = begin("Ana")
    assert tell(reference) == [200]
    assert books.of("Ana") == OWED
    trouble.fails("ok")
    with time_machine.travel(time.time() + 60):
        do_chores()
    assert books.of("Ana") == PAID


def test_in_trouble_a_notice_is_answered_at_once(trouble, begin, site, books):
    began = time.monotonic()
    assert trouble.notify(begin("Ana")) == [200]
    assert time.monotonic() - began < 2
    wait_for(lambda: books.notices()[0].outcome)
    assert books.of("Ana") == OWED


def test_in_trouble_the_page_says_that_it_is_not_paid_yet(trouble, begin, shown, books):
    began = time.monotonic()
    assert shown("Ana", begin("Ana"), "?vuelta=1")[0] == UNKNOWN
    assert time.monotonic() - began < 6
    assert books.of("Ana") == OWED


def test_where_nobody_answers_all_but_paying_goes_on(app, begin, shown, visit, books):
    app.config["DINEROMAIL_URL"] = f"http://127.0.0.1:{free_port()}"
    assert shown("Ana", begin("Ana"), "?vuelta=1")[0] == UNKNOWN
    assert visit("Ana").get("/cuenta").status_code == 200
    assert books.of("Ana") == OWED


def test_an_answer_without_end_is_not_awaited(app, begin, shown, books):
    reference, began = begin("Ana"), time.monotonic()
    endless = Response(iter(lambda: b"<!-- -->" * 8192, b""), mimetype="text/xml")
    with http(endless) as app.config["DINEROMAIL_URL"]:
        assert shown("Ana", reference, "?vuelta=1")[0] == UNKNOWN
    assert time.monotonic() - began < 6
    assert books.of("Ana") == OWED


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

@pytest.mark.parametrize("how", [
    {"spelling": spelling, "case": case}
    for spelling in range(len(SPELLINGS)) for case in ("lower", "upper")], ids=str)
def test_a_damaged_declaration_is_read(shop, begin, site, books, how):
    reference = begin("Ana")
    shop.says(reference)
    assert shop.notify(reference, **how) == [200]
    wait_for(lambda: books.of("Ana") == PAID)


@pytest.mark.parametrize("body", [
    "Notificacion=%0A<?xml version='1.0'?>{}", "notificacion=%EF%BB%BF{}", "NOTIFICACION={}",
    "otro=1%262&nOtIfIcAcIoN=<?xml version='1.0' encoding='utf-8' ?>%0D%0A{}%0A"])
def test_a_notice_in_another_dress_is_read(browser, shop, begin, books, body):
    reference = begin("Ana")
    shop.says(reference)
    body = body.format(NOTICE.format(reference).removeprefix("Notificacion="))
    assert browser.post("/aviso/dineromail", data=body).status_code == 200
    wait_for(lambda: books.of("Ana") == PAID)


BOMB = """<!DOCTYPE n [<!ENTITY a "ja"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<notificacion><operaciones><operacion><id>&b;</id></operacion></operaciones></notificacion>"""
REFUSED = {
    "nothing": b"", "no value": b"Notificacion=", "another field": b"otro=1",
    "no XML": b"Notificacion=hola", "truncated": NOTICE.encode()[:50],
    "no operation": b"Notificacion=<notificacion/>", "zeros": b"\0" * 1000,
    "entities": urlencode({"Notificacion": BOMB}).encode(),
    "a DTD": b"Notificacion=<!DOCTYPE n SYSTEM 'file:///etc/passwd'><notificacion/>",
    "an empty id": NOTICE.format("").encode(), "a long id": NOTICE.format("A" * 65).encode(),
    "deep": b"Notificacion=" + b"<a>" * 9000 + b"</a>" * 9000,
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_a_broken_notice_is_kept_and_refused(browser, books, body):
    answer = browser.post("/aviso/dineromail", data=body)
    [kept] = books.notices()
    assert (answer.status_code, kept.body, kept.query_at) == (400, body[:1000], None)
    assert b"Traceback" not in answer.data


@pytest.mark.parametrize("size", [65_537, 1_000_000, 10_000_000])
def test_more_than_64_kilobytes_are_refused_and_kept_in_part(browser, books, size):
    answer = browser.post("/aviso/dineromail", data=b"A" * size)
    assert answer.status_code == 400
    [kept] = books.notices()
    assert kept.body == b"A" * 1000


@pytest.mark.parametrize("body", [b"hola", b"A" * 65_537])
def test_a_broken_notice_left_by_a_worker_that_died_stops_nobody(app, begin, tell, books, body):
    with app.test_request_context():
        cac.store_notice("dineromail", "", body)
    tell(begin("Ana"))
    assert books.of("Ana") == PAID


def test_a_notice_is_sent_by_post(browser, books):
    answer = browser.get("/aviso/dineromail?Notificacion=<notificacion/>")
    assert (answer.status_code, books.notices()) == (405, [])
    assert b"Traceback" not in answer.data


def test_what_came_is_kept_to_the_byte(browser, books):
    body = "Notificacion=<notificacion>ñ&á</notificacion>".encode("latin-1")
    browser.post("/aviso/dineromail?de=lejos", data=body)
    [kept] = books.notices()
    assert (kept.body, kept.query, kept.service) == (body, "de=lejos", "dineromail")


# --- What is not offered --------------------------------------------------------------------------

def test_a_service_that_is_not_configured_cannot_be_forced(app, visit, books):
    app.config["MERCADOPAGO_TOKEN"] = ""
    assert visit("Ana").send("/pago", concepto="saldo", medio="mercadopago").status_code == 403
    assert books.attempts() == []


def test_a_notice_of_more_than_a_hundred_operations_is_refused(browser, books):
    ids = "".join(f"<operacion><id>X{n}</id></operacion>" for n in range(101))
    xml = f"<notificacion><operaciones>{ids}</operaciones></notificacion>"
    assert browser.post("/aviso/dineromail", data={"Notificacion": xml}).status_code == 400
    assert "too many" in books.notices()[0].outcome


# --- Slow, and changed afterwards -----------------------------------------------------------------

def test_a_slow_service_is_awaited_by_the_chores(shop, begin, tell, books):
    reference = begin("Ana")
    shop.fails("hang", seconds=5)                   # longer than a page waits
    assert tell(reference) == [200]
    wait_for(lambda: books.of("Ana") == PAID)


def test_another_amount_after_the_credit_is_left_to_a_person(begin, tell, books):
    reference = begin("Ana")
    tell(reference)
    tell(reference, amount="999.00")
    assert (books.of("Ana"), books.reviews()) == (PAID, [reference])
