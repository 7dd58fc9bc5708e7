"""PAGO ONLINE as customers meet it: what they may do, what they left, receipts, services' refusals.

Both services are tests/standins.py; customers may pay with either.
"""

import time

import cac
import pytest
import time_machine
from conftest import (
    ACCOUNT, KEY, OWED, PAID, PASSWORD, SECRET, SECRET_KEY, TOKEN, http, text_of,
)
from werkzeug import Request, Response

SERVICE = "mercadopago"
BEGUN = "Empezó un pago de $ 1.250,40 con Mercado Pago"


@pytest.fixture
def app(app, shop):
    """The application, where customers pay with either service."""
    app.config.update(DINEROMAIL_URL=shop.address, MERCADOPAGO_URL=shop.address,
                      MERCADOPAGO_TOKEN=TOKEN, MERCADOPAGO_SECRET=SECRET)
    return app


def words(answer):
    """What is read, with plain spaces."""
    return text_of(answer).replace("\N{NO-BREAK SPACE}", " ")


# --- What may be done -----------------------------------------------------------------------------

@pytest.mark.parametrize("who", ["Ana", "Beto", "Dante", "Elena", "Fabián"])
def test_where_no_service_is_set_up_no_limit_is_the_reason(app, visit, who):
    app.config.update(DINEROMAIL_ACCOUNT="", MERCADOPAGO_TOKEN="")
    page = words(visit(who).get("/pago"))
    assert page.count("El pago en línea no está habilitado.") == 1
    assert "máximo" not in page and "Es para quien" not in page and "última factura" not in page


def test_who_owes_too_much_reads_how_to_pay_all_the_same(visit):
    page = words(visit("Elena").get("/pago"))
    assert "Puede pagar ahora hasta ese importe y transferir el resto." in page
    assert page.index("Ver los datos para transferir") < page.index("Su saldo supera el máximo")


def test_the_services_are_named_as_people_know_them_mercado_pago_first(visit):
    buttons = visit("Ana").page("/pago").find("main").find_all("button", attrs={"name": "medio"})
    assert [button.get_text().replace("\xa0", " ") for button in buttons] == [
        "Pagar $ 1.250,40 con Mercado Pago", "Pagar $ 1.250,40 con DineroMail"]


def test_all_for_a_transfer_can_be_copied_the_cbu_without_its_space(visit, db):
    page = visit("Ana").page("/pago").find(id="transferencia")
    account = db.execute("SELECT * FROM bank_account").fetchone()
    copied = [button["data-copy"] for button in page.find_all(class_="copy")]
    assert copied[:3] == ["", "1250,40", account.cbu]
    assert account.cbu not in " ".join(page.get_text(" ").split())      # in two groups


# --- What was left --------------------------------------------------------------------------------

def test_a_payment_that_was_left_can_be_taken_up(begin, visit):
    reference = begin("Ana")
    ana = visit("Ana")
    assert BEGUN in words(ana.get("/pago"))
    assert ana.page("/pago").find("a", string="seguir")["href"] == f"/pago/{reference}"
    assert BEGUN not in words(visit("Inés").get("/pago"))


def test_what_was_not_done_is_not_shown_until_it_is_begun_again(begin, visit):
    reference, ana = begin("Ana"), visit("Ana")
    assert ana.send(f"/pago/{reference}", "/pago").location == "/pago"
    assert BEGUN not in words(ana.get("/pago"))
    assert begin("Ana") == reference
    assert BEGUN in words(ana.get("/pago"))


def test_what_was_said_not_to_be_done_is_credited_if_it_was(begin, visit, tell, books):
    reference = begin("Ana")
    visit("Ana").send(f"/pago/{reference}", "/pago")
    assert tell(reference) == [200]
    assert books.of("Ana") == PAID


def test_nobody_takes_a_payment_of_another_away(begin, visit):
    reference = begin("Ana")
    assert visit("Inés").send(f"/pago/{reference}", "/pago").status_code == 404
    assert visit("Ana").post(f"/pago/{reference}").status_code == 400    # without its token
    assert BEGUN in words(visit("Ana").get("/pago"))


def test_a_payment_of_what_is_no_longer_owed_is_not_offered(begin, visit, db):
    begin("Ana")
    db.execute("INSERT INTO movement (customer, date, type, point_of_sale, number, amount)"
               " VALUES (1001, '2026-11-20', 9, 1, 99999, -100)")
    assert "Empezó un pago" not in words(visit("Ana").get("/pago"))


# --- The receipt ----------------------------------------------------------------------------------

def test_a_credited_payment_has_tick_date_number_new_balance_and_pdf(begin, tell, visit, db):
    reference = begin("Ana")
    tell(reference)
    page = visit("Ana").page(f"/pago/{reference}")
    receipt = db.execute("SELECT * FROM movement WHERE origin = 'portal'").fetchone()
    assert page.find(class_="tick")["class"] == ["tick", "ok"]
    shown = {row.dt.get_text(): row.dd.get_text().strip().replace("\xa0", " ")
             for row in page.select("dl > div")}
    assert shown["Fecha"] == cac.day(receipt.date)
    assert shown["Recibo"] == cac.voucher_number(receipt)
    assert shown["No tiene saldo pendiente"] == "$ 0,00"
    assert page.find("a", href=f"/comprobantes/{receipt.id}.pdf")


@pytest.mark.parametrize(("state", "tone"), [
    ("rejected", "error"), ("pending", "info"), ("expired", "attention"), ("review", "info")])
def test_what_is_not_credited_is_a_notice_in_the_tone_of_its_state(begin, shown, db, state, tone):
    reference = begin("Ana")
    db.execute("UPDATE payment SET state = ?", (state,))
    page = shown("Ana", reference)[1].find("main")
    assert page.find(class_="notice")["class"] == ["notice", tone]
    assert page.find(class_="tick") is None


# --- Mercado Pago as shops use it -----------------------------------------------------------------

@pytest.mark.parametrize(("status", "message"), [(400, "unit_price 100% invalid"),
                                                 (401, "invalid access token")])
def test_what_the_service_refuses_is_in_the_log_and_in_check(
        app, visit, run, caplog, status, message):
    assert "ok    no payment service refused anything" in run("check").output
    answer = Response(f'{{"message": "{message}"}}', status, mimetype="application/json")
    with http(Request.application(lambda _: answer)) as app.config["MERCADOPAGO_URL"]:
        page = visit("Ana").send("/pago", concepto="saldo", medio="mercadopago")
    assert (page.status_code, message in text_of(page)) == (503, False)
    assert message in caplog.text
    [line] = [line for line in run("check").output.splitlines() if message in line]
    assert line.startswith("WARN  a payment service refused")
    assert f"Mercado Pago: HTTP {status}" in line


def test_two_payments_that_add_up_are_left_to_a_person_who_reads_so(begin, shop, run, books, shown):
    reference = begin("Ana")
    shop.says(reference, amount="600.00", number=501)
    shop.says(reference, amount="650.40", number=502)
    assert run("settle", reference).output == f"{reference}: review\n"
    assert run("list", "review").output.count("two payments that add up to ARS 1.250,40") == 2
    assert books.of("Ana") == OWED
    assert shown("Ana", reference)[0] == "Su pago está en revisión"


def test_a_ticket_paid_after_thirty_days_is_credited_when_its_notice_comes(
        begin, tell, do_chores, db, books):
    reference = begin("Ana")
    with time_machine.travel(time.time() + 31 * 86400):
        do_chores()
    assert db.execute("SELECT state FROM payment").fetchone().state == "expired"
    assert tell(reference) == [200]
    assert books.of("Ana") == PAID


# --- Questions ------------------------------------------------------------------------------------

@pytest.mark.parametrize("question", [
    "¿Cómo puedo pagar?", "Ya pagué, ¿por qué no veo el pago?",
    "¿Cómo cambio el nombre que figura en mi factura?"])
def test_what_people_ask_about_paying_is_answered(browser, question):
    assert question in [item.get_text() for item in browser.page("/preguntas").find_all("summary")]


# --- In a browser ---------------------------------------------------------------------------------

@pytest.fixture
def elsewhere():
    """Another site, to which Mercado Pago's checkout leads."""
    with http(Request.application(lambda _: Response("Mercado Pago de verdad"))) as address:
        yield address.replace("127.0.0.1", "localhost")


@pytest.mark.browser
def test_the_checkout_may_redirect_wherever_it_likes(chromium, database, elsewhere):
    @Request.application
    def mercado_pago(question):
        if question.path == "/ir":
            return Response("", 302, {"Location": f"{elsewhere}/checkout"})
        return Response(f'{{"init_point": "{question.host_url}ir"}}', mimetype="application/json")
    app = cac.create_app(database=str(database), secret_key=SECRET_KEY, jobs="off",
                         base_url="http://127.0.0.1", dineromail_account=ACCOUNT,
                         dineromail_password=KEY, mercadopago_token=TOKEN)
    context = chromium.new_context()
    with http(mercado_pago) as app.config["MERCADOPAGO_URL"], http(app) as site:
        app.config["BASE_URL"] = site
        page = context.new_page()
        page.goto(site)
        page.get_by_label("Usuario").fill("1001")
        page.get_by_label("Clave", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Ingresar").click()
        page.goto(f"{site}/pago")
        page.get_by_role("button", name="con Mercado Pago").click()
        page.get_by_role("link", name="en Mercado Pago").click()
        page.wait_for_url(f"{elsewhere}/checkout")
        assert page.inner_text("body") == "Mercado Pago de verdad"
    context.close()
