"""Payments with DineroMail: what the customer sees, what is credited, and what never is.

DineroMail is tests/standins.py, in a process of its own; its notices reach the portal over HTTP.
"""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import cac
import pytest
import time_machine
from bs4 import BeautifulSoup
from conftest import CAST, free_port, running, serving, text_of, wait_for
from standins import CANCELLED, CREDITED, PENDING, SPELLINGS
from test_seed import CASES
from werkzeug import Response
from werkzeug.serving import make_server

ACCOUNT, KEY = "11925320", "demo-ipn-key"
OWED, PAID = (125040, []), (0, [-125040])       # Ana's ledger before and after: balance, receipts
NOTICE = "<notificacion><operaciones><operacion><id>{}</id></operacion></operaciones></notificacion>"


# --- The stage ------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Service:
    """The stand-in: where it answers, and the port of ours where it tells its notices."""

    address: str
    port: int

    def control(self, deed, **wish):
        """What the stand-in answers to a wish of the test."""
        question = Request(f"{self.address}/control/{deed}", json.dumps(wish).encode(),
                           {"Content-Type": "application/json"})
        with urlopen(question, timeout=60) as answer:
            return json.load(answer)

    def says(self, reference, state, amount="1250.40", **more):
        """From now on it answers this about the reference."""
        self.control("operations", service="dineromail", reference=reference, state=state,
                     amount=amount, **more)

    def notify(self, *references, **how):
        """It sends a notice of these references; what we answered, each time."""
        return self.control("notify", service="dineromail", references=references, **how)

    def fails(self, mode, seconds=0):
        """From now on it fails like this."""
        self.control("faults", mode=mode, seconds=seconds)


@pytest.fixture(scope="module")
def standin():
    """DineroMail, for the whole file."""
    port = free_port()
    with running("tests/standins.py", "--with-parent", "--account", ACCOUNT, "--key", KEY,
                 "--notify", f"http://127.0.0.1:{port}") as process:
        yield Service(process.stdout.readline().strip(), port)


@pytest.fixture
def dineromail(standin):
    """DineroMail, in good order at first."""
    standin.fails("ok")
    return standin


@pytest.fixture
def app(app, dineromail):
    """The application, which asks the stand-in."""
    app.config["DINEROMAIL_URL"] = dineromail.address
    return app


@contextmanager
def http(app, port=0):
    """A WSGI application over HTTP; its address."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def site(app, dineromail):
    """The portal where DineroMail tells its notices; no chore runs by itself."""
    with http(app, dineromail.port) as address:
        yield address


@pytest.fixture
def served(database, dineromail):
    """The portal as in production, on the same database: two workers and their chores."""
    with serving(database, dineromail.port, dineromail_url=dineromail.address,
                 dineromail_account=ACCOUNT, dineromail_password=KEY) as address:
        yield address


@pytest.fixture
def attempt(visit):
    """attempt("Ana"): the reference of a payment that she has just begun."""
    def begun(who, **fields):
        fields = {"concepto": "saldo", "medio": "dineromail"} | fields
        answer = visit(who).send("/pago", **fields)
        assert answer.status_code == 303
        return answer.location.rsplit("/", 1)[1]
    return begun


@pytest.fixture
def ledger(db):
    """ledger("Ana"): (balance, amounts of the receipts that the portal wrote)."""
    def read(who):
        lines = db.execute("SELECT * FROM movement WHERE customer = ?", (CAST[who],)).fetchall()
        return (sum(line.amount for line in lines),
                [line.amount for line in lines if line.origin == "portal"])
    return read


@pytest.fixture
def do_chores(app):
    """Do what the running service does by itself, until no notice waits."""
    def done():
        with app.app_context():
            cac.settle_due_payments()
            cac.settle_due_notices()
            return not cac.many("SELECT 1 FROM notice WHERE outcome IS NULL")
    return lambda: wait_for(done)


@pytest.fixture
def notify(dineromail, site, do_chores):
    """Send a notice and let it be settled, at once or by the chores; what was answered to it."""
    def sent(*references, **how):
        answers = dineromail.notify(*references, **how)
        do_chores()
        return answers
    return sent


@pytest.fixture
def shown(visit):
    """shown("Ana", reference): the heading of the payment's page, and the page."""
    def read(who, reference, query=""):
        page = visit(who).page(f"/pago/{reference}{query}")
        return page.h1.get_text(), page
    return read


@pytest.fixture
def reviewed(db):
    """reviewed(): the references that wait for a person, each with the reason."""
    return lambda: [(row.reference, row.reason) for row in db.execute("SELECT * FROM review")]


@pytest.fixture(autouse=True)
def sound_books(run):
    """After each test, whatever happened in it, `check` finds no fault in the receipts."""
    yield
    found = run("check").output.splitlines()
    assert "ok    receipts that differ from their payment: 0" in found
    assert "ok    receipts of the portal without a payment: 0" in found


def payments(db):
    """All attempts."""
    return db.execute("SELECT * FROM payment").fetchall()


def eight_at_once(deed, *arguments):
    """Do it with each argument, eight at a time."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(deed, *arguments))


# --- Beginning a payment --------------------------------------------------------------------------

def test_the_form_has_the_fields_of_the_first_generation(dineromail, attempt, shown):
    reference = attempt("Ana")
    form = shown("Ana", reference)[1].find("form", action=re.compile("Shop_Ingreso"))
    fields = {field["name"]: field["value"] for field in form.find_all("input")}
    back = {"DireccionExito": fields["DireccionExito"],
            "DireccionFracaso": fields["DireccionFracaso"], "NombreItem": fields["NombreItem"]}
    assert form["action"] == f"{dineromail.address}/Shop/Shop_Ingreso.asp"
    assert form["method"] == "post"
    assert fields == back | {
        "TipoMoneda": "1", "PrecioItem": "1250.40", "E_Comercio": "1192532", "NroItem": "CC-1001",
        "trx_id": reference, "image_url": "http://", "DireccionEnvio": "0", "Mensaje": "0",
        "MediosPago": ""}


def test_the_way_back_has_the_public_address(attempt, shown):
    reference = attempt("Ana")
    for name in ("DireccionExito", "DireccionFracaso"):
        address = shown("Ana", reference)[1].find(attrs={"name": name})["value"]
        assert address.startswith(f"http://cac.example.com/clientes/pago/{reference}")


def test_dineromail_takes_the_form(attempt, shown):
    form = shown("Ana", attempt("Ana"))[1].find("form", action=re.compile("Shop_Ingreso"))
    fields = {field["name"]: field["value"] for field in form.find_all("input")}
    with urlopen(form["action"], urlencode(fields).encode()) as page:
        assert "1.250,40" in page.read().decode()


def test_the_page_is_allowed_to_lead_to_dineromail(dineromail, visit):
    policy = visit("Ana").get("/pago").headers["Content-Security-Policy"]
    assert re.search(rf"form-action 'self'[^;]* {dineromail.address}(;| )", policy)


def test_a_reference_has_at_most_20_letters_and_digits(attempt):
    references = {attempt("Beto", concepto="adelanto", importe=f"{pesos},00").upper()
                  for pesos in range(1, 11)}
    assert len(references) == 10
    assert all(re.fullmatch("[A-Z0-9]{1,20}", reference) for reference in references)


@pytest.mark.parametrize(("who", "concept"), [
    (who, concept) for who, _, dineromail, advance in [*CASES, ("Gloria", 0, False, True)]
    for concept, is_shown in (("saldo", dineromail), ("adelanto", advance)) if not is_shown])
def test_a_button_that_is_not_shown_cannot_be_forced(visit, db, ledger, who, concept):
    db.execute("UPDATE customer SET password = (SELECT password FROM customer WHERE number = 1001)"
               " WHERE number = 1007")  # Gloria has not chosen hers
    before = ledger(who)
    answer = visit(who).send("/pago", concepto=concept, medio="dineromail", importe="100,00")
    assert (answer.status_code, payments(db), ledger(who)) == (403, [], before)


def test_who_is_not_signed_in_begins_nothing(browser, db):
    answer = browser.send("/pago", "/ingresar", concepto="saldo", medio="dineromail")
    assert "/ingresar" in answer.location
    assert payments(db) == []


def test_without_an_account_dineromail_is_not_offered(app, visit, db):
    app.config["DINEROMAIL_ACCOUNT"] = ""
    ana = visit("Ana")
    assert "El pago en línea no está habilitado." in ana.page("/pago").get_text()
    answer = ana.send("/pago", concepto="saldo", medio="dineromail")
    assert (answer.status_code, payments(db)) == (403, [])


@pytest.mark.parametrize(("typed", "centavos"), [
    ("1,00", 100), ("5.000,00", 500000), ("1234.56", 123456), ("$ 1500", 150000)])
def test_an_advance_payment_is_of_the_amount_that_was_typed(attempt, shown, db, typed, centavos):
    reference = attempt("Beto", concepto="adelanto", importe=typed)
    assert cac.money(centavos) in shown("Beto", reference)[1].get_text()
    assert [payment.amount for payment in payments(db)] == [centavos]


@pytest.mark.parametrize("typed", [
    "0,99", "5.000,01", "1.234", "mil pesos", "-5", "0", "", "1,234.56", "12,345", "１００"])
def test_an_impossible_advance_payment_is_asked_again(visit, db, typed):
    answer = visit("Beto").send("/pago", concepto="adelanto", medio="dineromail", importe=typed)
    field = BeautifulSoup(answer.data, "html.parser").find(id="importe")
    assert (answer.status_code, field["value"], payments(db)) == (422, typed, [])
    assert field["aria-invalid"] == "true"


def test_the_amount_of_the_balance_is_ours_whatever_is_sent(attempt, db):
    attempt("Ana", importe="1,00")
    assert [payment.amount for payment in payments(db)] == [125040]


def test_a_double_click_begins_one_payment(visit, db):
    ana, fields = visit("Ana"), {"concepto": "saldo", "medio": "dineromail"}
    first, second = ana.send("/pago", **fields), ana.send("/pago", **fields)
    assert first.location == second.location
    assert len(payments(db)) == 1


def test_eight_tabs_at_once_begin_one_payment(visit, db):
    tabs = [visit("Ana") for _ in range(8)]
    answers = eight_at_once(lambda tab: tab.send("/pago", concepto="saldo", medio="dineromail"),
                            tabs)
    assert len({answer.location for answer in answers}) == 1
    assert len(payments(db)) == 1


def test_somebody_elses_payment_is_not_found(visit, attempt):
    reference = attempt("Ana")
    assert visit("Inés").get(f"/pago/{reference}").status_code == 404
    assert visit("Inés").get("/pago/CACNOSUCHPAYMENT").status_code == 404


def test_a_payment_cannot_go_on_once_the_balance_changed(attempt, shown, db):
    reference = attempt("Ana")
    db.execute("INSERT INTO movement (customer, date, type, point_of_sale, number, amount)"
               " VALUES (1001, '2026-11-20', 9, 1, 99999, -100)")
    page = shown("Ana", reference)[1]
    assert "Su saldo cambió" in page.get_text()
    assert not page.find("form", action=re.compile("Shop_Ingreso"))


# --- The way back ---------------------------------------------------------------------------------

@pytest.mark.parametrize("query", [
    "?vuelta=1", "?vuelta=1&ESTADO=2&MONTO=1250.40&estado=credited",
    "?vuelta=1&collection_status=approved&status=approved&payment_id=1", "?vuelta=%00%FF<script>"])
def test_to_come_back_credits_nothing(attempt, shown, ledger, query):
    reference = attempt("Ana")
    heading, page = shown("Ana", reference, query)
    assert heading == "Confirme su pago"
    assert "todavía no nos informó" in page.get_text()
    assert ledger("Ana") == OWED


def test_who_comes_back_before_the_notice_sees_what_dineromail_says(
        dineromail, attempt, shown, ledger):
    reference = attempt("Ana")
    dineromail.says(reference, CREDITED)
    assert shown("Ana", reference, "?vuelta=1")[0] == "Recibimos su pago"
    assert ledger("Ana") == PAID


def test_who_comes_back_after_the_notice_sees_that_it_is_paid(
        dineromail, attempt, notify, shown, ledger):
    reference = attempt("Ana")
    dineromail.says(reference, CREDITED)
    notify(reference)
    assert shown("Ana", reference, "?vuelta=1")[0] == "Recibimos su pago"
    assert ledger("Ana") == PAID


# --- Credited once --------------------------------------------------------------------------------

def test_a_notice_credits_the_payment(dineromail, attempt, notify, ledger):
    reference = attempt("Ana")
    dineromail.says(reference, CREDITED)
    assert notify(reference) == [200]
    assert ledger("Ana") == PAID


def test_the_statement_shows_the_receipt(dineromail, attempt, notify, visit):
    reference = attempt("Ana")
    dineromail.says(reference, CREDITED, number=67777)
    notify(reference)
    *_, receipt, closing = visit("Ana").page("/cuenta").find_all("tr")
    assert re.search("Recibo de pago en línea.*67777", receipt.get_text(" ", strip=True), re.S)
    assert receipt.find(class_="credit").get_text() == "1.250,40"
    assert closing.td.get_text() == "0,00"


def test_the_payments_page_gives_the_receipt(dineromail, attempt, notify, shown, visit):
    reference = attempt("Ana")
    dineromail.says(reference, CREDITED)
    notify(reference)
    link = shown("Ana", reference)[1].find("a", href=re.compile("comprobantes"))["href"]
    assert visit("Ana").get(link).data.startswith(b"%PDF-")
    assert visit("Inés").get(link).status_code == 404


def test_one_mail_says_that_it_was_credited(dineromail, attempt, notify, mails):
    reference = attempt("Ana")
    dineromail.says(reference, CREDITED)
    notify(reference, times=3)
    [mail] = mails()
    assert mail["To"] == "ana@example.com"
    assert "1.250,40" in mail.get_content()


def test_dineromail_is_asked_about_the_reference_alone(dineromail, attempt, notify):
    reference = attempt("Ana")
    notify(reference)
    with urlopen(f"{dineromail.address}/control/log") as answer:
        assert json.load(answer)[-1]["ids"] == [reference]


def test_ten_more_notices_eight_at_once_change_nothing(dineromail, attempt, notify, ledger):
    reference = attempt("Ana")
    dineromail.says(reference, CREDITED)
    notify(reference)
    answers = eight_at_once(dineromail.notify, [reference] * 10)
    assert answers == [[200]] * 10
    notify(reference)
    assert ledger("Ana") == PAID


def test_eight_first_notices_at_once_credit_once(
        dineromail, attempt, site, do_chores, ledger, reviewed):
    reference = attempt("Ana")
    dineromail.says(reference, CREDITED)
    eight_at_once(dineromail.notify, [reference] * 8)
    do_chores()
    assert (ledger("Ana"), reviewed()) == (PAID, [])


def test_two_workers_credit_each_of_twenty_payments_once(
        dineromail, served, attempt, ledger, db, reviewed):
    paid = [attempt("Beto", concepto="adelanto", importe=f"{n},00") for n in range(1, 21)]
    for pesos, reference in enumerate(paid, 1):
        dineromail.says(reference, CREDITED, f"{pesos}.00")
    answers = eight_at_once(dineromail.notify, [one for one in paid for _ in range(10)])
    assert answers == [[200]] * 200
    wait_for(lambda: not db.execute("SELECT 1 FROM notice WHERE outcome IS NULL").fetchone(), 60)
    balance, receipts = ledger("Beto")
    assert (balance, sorted(receipts)) == (-21000, [-100 * n for n in range(20, 0, -1)])
    assert reviewed() == []


def test_a_notice_that_was_stored_by_a_dead_worker_is_settled_by_the_next(
        app, database, dineromail, attempt, ledger):
    reference = attempt("Ana")
    dineromail.says(reference, CREDITED)
    with app.test_request_context():
        cac.store_notice("dineromail", "", b"Notificacion=" + NOTICE.format(reference).encode())
    with serving(database, dineromail_url=dineromail.address, dineromail_account=ACCOUNT,
                 dineromail_password=KEY):
        wait_for(lambda: ledger("Ana") == PAID)


def test_one_notice_of_two_payments_settles_both(dineromail, attempt, notify, ledger):
    hers, his = attempt("Ana"), attempt("Beto", concepto="adelanto", importe="10,00")
    dineromail.says(hers, CREDITED)
    dineromail.says(his, CREDITED, "10.00")
    assert notify(hers, his) == [200]
    assert (ledger("Ana"), ledger("Beto")) == (PAID, (-1000, [-1000]))


def test_the_limit_counts_when_the_payment_begins_not_when_it_ends(
        dineromail, attempt, notify, ledger, run):
    reference = attempt("Ana")
    run("set", "dm_limit", "100,00")
    dineromail.says(reference, CREDITED)
    notify(reference)
    assert ledger("Ana") == PAID


# --- Not credited ---------------------------------------------------------------------------------

@pytest.mark.parametrize("wrong", [
    {"amount": "1250.39"}, {"amount": "1250.41"}, {"amount": "125040"}, {"currency": "USD"}])
def test_what_does_not_match_is_left_to_a_person(
        dineromail, attempt, notify, shown, ledger, reviewed, wrong):
    reference = attempt("Ana")
    dineromail.says(reference, CREDITED, **wrong)
    assert notify(reference) == [200]
    assert [reference for reference, _ in reviewed()] == [reference]
    assert (ledger("Ana"), shown("Ana", reference)[0]) == (OWED, "Su pago está en revisión")


def test_the_same_mismatch_told_ten_times_is_reviewed_once(
        dineromail, attempt, notify, ledger, reviewed):
    reference = attempt("Ana")
    dineromail.says(reference, CREDITED, "1250.39")
    notify(reference, times=10)
    assert (len(reviewed()), ledger("Ana")) == (1, OWED)


def test_money_for_a_reference_that_is_not_ours_is_left_to_a_person(
        dineromail, notify, db, reviewed):
    before = db.execute("SELECT count(*) AS n FROM movement").fetchone()
    dineromail.says("XA5547", CREDITED)
    assert notify("XA5547") == [200]
    assert [reference for reference, _ in reviewed()] == ["XA5547"]
    assert db.execute("SELECT count(*) AS n FROM movement").fetchone() == before


def test_a_reference_that_nobody_knows_is_nothing(notify, reviewed, db):
    assert notify("CACNOBODYKNOWSIT") == [200]
    assert (reviewed(), payments(db)) == ([], [])


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
            return visit(who).get(f"/pago/{reference}?vuelta=1")
    return settled


def test_the_manuals_odd_dates_and_names_do_no_harm(attempt, settle, ledger):
    assert "Recibimos su pago" in text_of(settle(attempt("Ana"), {}))
    assert ledger("Ana") == PAID


@pytest.mark.parametrize("odd", [
    {"id": "CACSOMEBODYELSE"}, {"amount": "mucho"}, {"amount": ""}, {"amount": "NaN"},
    {"amount": "1250.404"}, {"currency": ""}, {"currency": "<MONEDA>2</MONEDA>"},
    {"currency": "<MONEDA>1</MONEDA><MONEDA>2</MONEDA>"}, {"number": ""}, {"amount": "-1250.40"}])
def test_an_answer_that_is_not_exact_is_left_to_a_person(
        attempt, settle, ledger, reviewed, odd):
    answer = settle(attempt("Ana"), odd)
    assert answer.status_code == 200
    assert (len(reviewed()), ledger("Ana")) == (1, OWED)


def test_somebody_elses_operation_is_credited_to_nobody(
        dineromail, attempt, settle, ledger, reviewed):
    hers, his = attempt("Ana"), attempt("Beto", concepto="adelanto", importe="1250,40")
    settle(hers, {"id": his})
    assert len(reviewed()) == 1
    assert (ledger("Ana"), ledger("Beto")) == (OWED, (0, []))


def test_one_number_of_dineromail_is_credited_once(attempt, settle, ledger, reviewed):
    settle(attempt("Ana"), {})
    settle(attempt("Beto", concepto="adelanto", importe="1250,40"), {}, who="Beto")
    assert (ledger("Ana"), ledger("Beto"), len(reviewed())) == (PAID, (0, []), 1)


def test_paid_twice_is_credited_once_and_left_to_a_person(attempt, settle, ledger, reviewed):
    settle(attempt("Ana"), {"number": "1"}, {"number": "2"})
    assert (len(reviewed()), ledger("Ana")) == (1, PAID)


# --- How a payment goes on ------------------------------------------------------------------------

def test_pending_then_credited_then_cancelled_stays_credited(
        dineromail, attempt, notify, shown, ledger, reviewed):
    reference = attempt("Ana")
    headings = []
    for state in (PENDING, CREDITED, CANCELLED):
        dineromail.says(reference, state)
        notify(reference)
        headings.append(shown("Ana", reference)[0])
    assert headings == ["Su pago está en proceso", "Recibimos su pago", "Recibimos su pago"]
    assert (len(reviewed()), ledger("Ana")) == (1, PAID)


def test_pending_then_cancelled_credits_nothing(
        dineromail, attempt, notify, shown, ledger, reviewed):
    reference = attempt("Ana")
    for state in (PENDING, CANCELLED):
        dineromail.says(reference, state)
        notify(reference)
    assert shown("Ana", reference)[0] == "El pago no se completó"
    assert (ledger("Ana"), reviewed()) == (OWED, [])


def test_credited_then_pending_stays_credited(
        dineromail, attempt, notify, shown, ledger, reviewed):
    reference = attempt("Ana")
    for state in (CREDITED, PENDING):
        dineromail.says(reference, state)
        notify(reference)
    assert shown("Ana", reference)[0] == "Recibimos su pago"
    assert (len(reviewed()), ledger("Ana")) == (1, PAID)


def test_while_it_is_pending_the_payment_page_says_so(dineromail, attempt, notify, visit):
    reference = attempt("Ana")
    dineromail.says(reference, PENDING)
    notify(reference)
    page = visit("Ana").page("/pago")
    assert "Tiene un pago de $\N{NO-BREAK SPACE}1.250,40 en proceso" in page.get_text()
    assert page.find("a", href=re.compile(reference))


def test_the_page_looks_again_by_itself_while_the_payment_waits(
        dineromail, attempt, notify, visit):
    reference = attempt("Ana")
    seen = []
    for state in (PENDING, CREDITED):
        dineromail.says(reference, state)
        notify(reference)
        seen.append("Refresh" in visit("Ana").get(f"/pago/{reference}").headers)
    assert seen == [True, False]


def test_without_any_notice_the_chores_settle_it(dineromail, attempt, do_chores, ledger):
    reference = attempt("Ana")
    dineromail.says(reference, CREDITED)
    do_chores()
    assert ledger("Ana") == OWED  # too early to ask
    with time_machine.travel(time.time() + 240):
        do_chores()
    assert ledger("Ana") == PAID


def test_after_30_days_without_news_it_has_expired(attempt, do_chores, shown, ledger):
    reference = attempt("Ana")
    with time_machine.travel(time.time() + 31 * 86400):
        do_chores()
        assert shown("Ana", reference)[0] == "El pago venció"
    assert ledger("Ana") == OWED


# --- A service in trouble -------------------------------------------------------------------------

TROUBLE = ["report:2", "report:7", "http500", "http404", "html", "hang"]


@pytest.mark.parametrize("trouble", TROUBLE)
def test_a_service_in_trouble_loses_no_notice(
        dineromail, attempt, site, do_chores, ledger, trouble):
    reference = attempt("Ana")
    dineromail.says(reference, CREDITED)
    dineromail.fails(trouble, seconds=6)
    began = time.monotonic()
    assert dineromail.notify(reference) == [200]
    assert time.monotonic() - began < 2
    do_chores()
    assert ledger("Ana") == OWED
    dineromail.fails("ok")
    with time_machine.travel(time.time() + 60):
        do_chores()
    assert ledger("Ana") == PAID


@pytest.mark.parametrize("trouble", TROUBLE)
def test_a_service_in_trouble_breaks_no_page(dineromail, attempt, shown, ledger, trouble):
    reference = attempt("Ana")
    dineromail.fails(trouble, seconds=6)
    began = time.monotonic()
    assert shown("Ana", reference, "?vuelta=1")[0] == "Confirme su pago"
    assert time.monotonic() - began < 6
    assert ledger("Ana") == OWED


def test_where_nobody_answers_all_but_paying_goes_on(app, attempt, shown, visit, ledger):
    app.config["DINEROMAIL_URL"] = f"http://127.0.0.1:{free_port()}"
    assert shown("Ana", attempt("Ana"), "?vuelta=1")[0] == "Confirme su pago"
    assert visit("Ana").get("/cuenta").status_code == 200
    assert ledger("Ana") == OWED


def test_an_answer_without_end_is_not_awaited(app, attempt, visit, ledger):
    reference = attempt("Ana")
    endless = Response(iter(lambda: b"<!-- -->" * 8192, b""), mimetype="text/xml")
    with http(endless) as app.config["DINEROMAIL_URL"]:
        began = time.monotonic()
        assert visit("Ana").get(f"/pago/{reference}?vuelta=1").status_code == 200
        assert time.monotonic() - began < 6
    assert ledger("Ana") == OWED


def test_an_answer_about_some_of_the_payments_is_used_for_those(
        dineromail, attempt, notify, ledger):
    hers, his = attempt("Ana"), attempt("Beto", concepto="adelanto", importe="10,00")
    dineromail.says(hers, CREDITED)
    dineromail.fails("partial")
    assert notify(hers, his) == [200]
    assert (ledger("Ana"), ledger("Beto")) == (PAID, (0, []))


def test_an_answer_in_latin_1_with_a_bare_ampersand_is_read(dineromail, attempt, notify, ledger):
    reference = attempt("Ana")
    dineromail.says(reference, CREDITED)
    dineromail.fails("latin1")
    notify(reference)
    assert ledger("Ana") == PAID


# --- Notices as they come -------------------------------------------------------------------------

@pytest.mark.parametrize("case", ["lower", "upper"])
@pytest.mark.parametrize("spelling", range(len(SPELLINGS)))
def test_a_damaged_declaration_is_read(dineromail, attempt, notify, ledger, spelling, case):
    reference = attempt("Ana")
    dineromail.says(reference, CREDITED)
    assert notify(reference, spelling=spelling, case=case) == [200]
    assert ledger("Ana") == PAID


@pytest.mark.parametrize(("damage", "name"), [
    ("\n{}", "Notificacion"), ("\N{BYTE ORDER MARK}{}", "notificacion"), ("{}", "NOTIFICACION"),
    ("<?xml version='1.0'?>\r\n{}\n", "nOtIfIcAcIoN")])
def test_a_damaged_notice_is_read(
        browser, dineromail, attempt, do_chores, ledger, damage, name):
    reference = attempt("Ana")
    dineromail.says(reference, CREDITED)
    body = {name: damage.format(NOTICE.format(reference))}
    assert browser.post("/aviso/dineromail", data=body).status_code == 200
    do_chores()
    assert ledger("Ana") == PAID


BOMB = """<!DOCTYPE n [<!ENTITY a "ja"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<notificacion><operaciones><operacion><id>&b;</id></operacion></operaciones></notificacion>"""
REFUSED = {
    "nothing": b"", "no field": b"Notificacion=", "another field": b"otro=1",
    "no XML": b"Notificacion=hola", "truncated": b"Notificacion=" + NOTICE.encode()[:40],
    "no operation": b"Notificacion=<notificacion/>", "zeros": b"\0" * 1000,
    "entities": urlencode({"Notificacion": BOMB}).encode(),
    "a DTD": b"Notificacion=<!DOCTYPE n SYSTEM 'file:///etc/passwd'>" + NOTICE.encode(),
    "an empty id": b"Notificacion=" + NOTICE.format("").encode(),
    "a long id": b"Notificacion=" + NOTICE.format("A" * 65).encode(),
    "deep": b"Notificacion=" + b"<a>" * 9000 + b"</a>" * 9000,
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_a_broken_notice_is_stored_and_refused(browser, db, body):
    answer = browser.post("/aviso/dineromail", data=body)
    [kept] = db.execute("SELECT * FROM notice").fetchall()
    assert (answer.status_code, kept.body, kept.query_at) == (400, body, None)
    assert b"Traceback" not in answer.data


@pytest.mark.parametrize("size", [65_537, 1_000_000, 10_000_000])
def test_more_than_64_kilobytes_are_refused(browser, db, size):
    answer = browser.post("/aviso/dineromail", data=b"A" * size)
    [kept] = db.execute("SELECT * FROM notice").fetchall()
    assert (answer.status_code, kept.query_at) == (400, None)
    assert 65_536 <= len(kept.body) < 100_000


@pytest.mark.parametrize("body", [b"hola", b"A" * 65_537])
def test_a_broken_notice_that_a_dead_worker_left_stops_nobody(
        app, dineromail, attempt, do_chores, ledger, body):
    reference = attempt("Ana")
    dineromail.says(reference, CREDITED)
    with app.test_request_context():
        cac.store_notice("dineromail", "", body)
        cac.store_notice("dineromail", "", b"Notificacion=" + NOTICE.format(reference).encode())
    do_chores()
    assert ledger("Ana") == PAID


def test_a_notice_is_sent_by_post(browser, db):
    answer = browser.get("/aviso/dineromail?Notificacion=<notificacion/>")
    assert answer.status_code == 405
    assert db.execute("SELECT count(*) AS n FROM notice").fetchone().n == 0


def test_what_came_is_kept_to_the_byte(browser, db):
    body = "Notificacion=<notificacion>ñ&á</notificacion>".encode("latin-1")
    browser.post("/aviso/dineromail?de=lejos", data=body)
    [kept] = db.execute("SELECT * FROM notice").fetchall()
    assert (kept.body, kept.query, kept.service) == (body, "de=lejos", "dineromail")
