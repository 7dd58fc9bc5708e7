"""Payments with Mercado Pago: its preference, its signed notices, and what each status does.

Mercado Pago is tests/standins.py, in a process of its own; its notices reach the portal over HTTP.
"""

import hmac
import json
import re
import time
from functools import partial
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import cac
import pytest
import time_machine
from conftest import (
    OWED, PAID, SECRET, TOKEN, dripping, eight_at_once, free_port, http, text_of, wait_for,
)
from werkzeug import Request, Response

SERVICE = "mercadopago"
WAITS, IS_PAID, FAILED = "Su pago está en proceso", "Recibimos su pago", "El pago no se completó"
REVIEWED, BACK = "Su pago está en revisión", "Esperamos la confirmación de su pago"


# --- The stage ------------------------------------------------------------------------------------

@pytest.fixture
def app(app, shop):
    """The application, where customers pay with either service; both are the stand-in."""
    app.config.update(DINEROMAIL_URL=shop.address, MERCADOPAGO_URL=shop.address,
                      MERCADOPAGO_TOKEN=TOKEN, MERCADOPAGO_SECRET=SECRET)
    return app


@pytest.fixture
def a_minute_later(do_chores):
    """a_minute_later(): do the jobs then."""
    def done():
        with time_machine.travel(time.time() + 60):
            do_chores()
    return done


def answering(*answers):
    """A service that answers one after the other, then the last again and again; its questions."""
    questions, rest = [], list(answers)

    @Request.application
    def service(question):
        questions.append((question, question.get_data()))
        return rest.pop(0) if rest[1:] else rest[0]
    return service, questions


def as_json(told, status=200):
    """An answer of JSON."""
    return Response(json.dumps(told), status, mimetype="application/json")


# --- Beginning a payment --------------------------------------------------------------------------

@pytest.fixture
def preferences(app):
    """The preferences that are asked for, each as (question, body)."""
    service, questions = answering(as_json({"id": "1", "init_point": "https://mp.example/ir"}, 201))
    with http(service) as app.config["MERCADOPAGO_URL"]:
        yield questions


def test_the_preference_says_what_is_paid_and_where_to_tell_it(preferences, begin):
    reference = begin("Ana")
    [(question, body)] = preferences
    assert (question.method, question.path) == ("POST", "/checkout/preferences")
    assert question.headers["Authorization"] == f"Bearer {TOKEN}"
    assert question.headers["X-Idempotency-Key"] == reference
    back = f"http://cac.example.com/clientes/pago/{reference}?vuelta=1"
    wish = json.loads(body)
    assert "1001" in wish["items"][0].pop("title")
    assert wish == {
        "items": [{"id": "CC-1001", "currency_id": "ARS", "quantity": 1, "unit_price": 1250.4}],
        "external_reference": reference, "auto_return": "approved",
        "back_urls": {"success": back, "pending": back, "failure": back},
        "notification_url":
            "http://cac.example.com/clientes/aviso/mercadopago?source_news=webhooks"}


@pytest.mark.parametrize(("typed", "price"), [
    ("1,00", "1.0"), ("0001,10", "1.1"), ("4.999,99", "4999.99"), ("1234.56", "1234.56"),
    ("2.675,29", "2675.29"), ("5.000,00", "5000.0")])
def test_the_preferences_price_is_exact_to_the_centavo(preferences, begin, typed, price):
    begin("Beto", concepto="adelanto", importe=typed)
    assert f'"unit_price": {price}}}' in preferences[0][1].decode()


def way_on(page):
    """Where the link on a payment's page leads; None if there is none."""
    link = page.find("main").find("a", string=re.compile("Pagar .* en Mercado Pago"))
    return link and link["href"]


def test_a_plain_link_leads_where_the_preference_does(begin, shown, shop, books):
    page = shown("Ana", begin("Ana"))[1]
    assert page.find("main").form is None
    assert way_on(page).startswith(f"{shop.address}/simulador/mercadopago/")
    with urlopen(way_on(page)) as checkout:
        assert "1.250,40" in checkout.read().decode()
    assert (way_on(shown("Ana", begin("Ana"))[1]), books.attempts()) == (way_on(page), [125040])


# --- Out of order when a payment begins -----------------------------------------------------------

OUT_OF_ORDER = {
    "500": Response("Falla", 500), "401": as_json({"message": "Invalid access token"}, 401),
    "429": Response("", 429), "html": Response("<!doctype html>Mantenimiento"),
    "nothing": Response(""), "a list": as_json([]), "no address": as_json({"id": "1"}, 201),
    "null": as_json({"init_point": None}), "a script": as_json({"init_point": "javascript:1"}),
    "a blank": as_json({"init_point": "https://mp .ar/"}),
    "elsewhere": Response("", 302, {"Location": "https://evil.example.com/"}),
    "too long": Response("{" + " " * 300_000 + "}"),
}


@pytest.mark.parametrize("answer", OUT_OF_ORDER.values(), ids=OUT_OF_ORDER.keys())
def test_out_of_order_the_page_says_that_nothing_was_charged(app, visit, books, answer):
    with http(answering(answer)[0]) as app.config["MERCADOPAGO_URL"]:
        page = visit("Ana").send("/pago", concepto="saldo", medio="mercadopago")
    assert page.status_code == 503
    assert "El servicio de pago no responde" in text_of(page)
    assert "No se le cobró nada" in text_of(page) and "transfiera a las cuentas" in text_of(page)
    assert (books.attempts(), books.of("Ana")) == ([125040], OWED)


def test_where_nobody_answers_the_payment_is_kept_and_begun_again_later(app, shop, visit, db):
    ana, references = visit("Ana"), []
    for address, status in ((f"http://127.0.0.1:{free_port()}", 503), (shop.address, 303)):
        app.config["MERCADOPAGO_URL"] = address
        answer = ana.send("/pago", concepto="saldo", medio="mercadopago")
        assert answer.status_code == status
        references += [row.reference for row in db.execute("SELECT reference FROM payment")]
    assert len(references) == 2
    assert len(set(references)) == 1


@pytest.mark.parametrize(("beginning", "drop"), [
    (b"", b""), (b"", b"H"), (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
    (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b" "),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n")])
def test_a_service_that_drips_its_answer_is_not_awaited(app, visit, monkeypatch, beginning, drop):
    monkeypatch.setattr(cac, "SERVICE_SECONDS", 1)
    ana, began = visit("Ana"), time.monotonic()
    with dripping(beginning, drop) as port:
        app.config["MERCADOPAGO_URL"] = f"http://127.0.0.1:{port}"
        assert ana.send("/pago", concepto="saldo", medio="mercadopago").status_code == 503
        assert time.monotonic() - began < 6


# --- Which service --------------------------------------------------------------------------------

BUTTONS = {"dineromail": "Pagar $\N{NO-BREAK SPACE}1.250,40 con DineroMail",
           "mercadopago": "Pagar $\N{NO-BREAK SPACE}1.250,40 con Mercado Pago"}


def buttons(page):
    """The buttons with which a service is chosen: name and label."""
    return {button["value"]: button.get_text()
            for button in page.find_all("button", attrs={"name": "medio"})}


def test_of_two_services_the_customer_chooses(visit, books):
    ana = visit("Ana")
    assert buttons(ana.page("/pago")) == BUTTONS
    for service in BUTTONS:
        assert ana.send("/pago", concepto="saldo", medio=service).status_code == 303
    assert books.attempts() == [125040, 125040]


@pytest.mark.parametrize(("setting", "kept", "other"), [
    ("DINEROMAIL_ACCOUNT", "mercadopago", "dineromail"),
    ("MERCADOPAGO_TOKEN", "dineromail", "mercadopago")])
def test_a_service_that_is_not_configured_is_neither_shown_nor_taken(
        app, visit, books, setting, kept, other):
    app.config[setting] = ""
    ana, beto = visit("Ana"), visit("Beto")
    assert buttons(ana.page("/pago")) == {kept: BUTTONS[kept]}
    answers = [ana.send("/pago", concepto="saldo", medio=other),
               beto.send("/pago", concepto="adelanto", medio=other, importe="10,00")]
    assert all(answer.status_code in (403, 422) for answer in answers)
    assert books.attempts() == []
    assert ana.send("/pago", concepto="saldo", medio=kept).status_code == 303


# --- The signature --------------------------------------------------------------------------------

VECTOR = {"subject": "123456", "request_id": "abc-req-1", "timestamp": "1704908010",
          "v1": "8aef4cd0166093d5ed2af2abe48eeec68ee76b4a9a142c285b40c1a58f40b1f2"}


def sign(subject="", request_id="", timestamp="", secret=SECRET):
    """The v1 of a notice: what is missing is left out."""
    named = (("id", subject), ("request-id", request_id), ("ts", timestamp))
    manifest = "".join(f"{name}:{value};" for name, value in named if value)
    return hmac.new(secret.encode(), manifest.encode(), "sha256").hexdigest()


@pytest.fixture
def hook(browser):
    """hook(subject, request_id, timestamp, v1): what a webhook with this signature is answered."""
    def told(subject, request_id, timestamp, v1, query="data.id={}&type=payment"):
        headers = {"X-Signature": f"ts={timestamp},v1={v1}" if timestamp else f"v1={v1}"}
        headers |= {"X-Request-Id": request_id} if request_id else {}
        return browser.post(f"/aviso/mercadopago?{query.format(subject)}", headers=headers,
                            json={"type": "payment", "data": {"id": subject}}).status_code
    return told


def test_the_published_signature_is_right(hook):
    assert sign("123456", "abc-req-1", "1704908010") == VECTOR["v1"]
    assert hook(**VECTOR) == 200


@pytest.mark.parametrize("part", VECTOR)
def test_with_any_byte_changed_it_is_refused(hook, shop, books, part):
    before, right = shop.questions(), VECTOR[part]
    changed = [right[:at] + chr(ord(right[at]) ^ 1) + right[at + 1:] for at in range(len(right))]
    assert {hook(**VECTOR | {part: wrong}) for wrong in changed} == {401}
    assert {notice.query_at for notice in books.notices()} == {None}
    assert shop.questions() == before


def test_without_a_secret_everything_is_refused(app, hook):
    app.config["MERCADOPAGO_SECRET"] = ""
    vector = VECTOR | {"v1": sign("123456", "abc-req-1", "1704908010", secret="")}
    assert [hook(**VECTOR), hook(**vector)] == [401, 401]


@pytest.mark.parametrize("header", [
    None, "", "ts={timestamp}", "v1=", "{v1}", "ts={timestamp},v2={v1}",
    "ts={timestamp};v1={v1}", "ts={timestamp},v1={v1}0", "ts={timestamp},v1={v1},v1=",
    "ts=,v1=", "=,=", "v1=ñandú", "," * 5000])
def test_an_incomplete_signature_is_refused(browser, header):
    headers = {"X-Signature": header.format(**VECTOR)} if header is not None else {}
    headers["X-Request-Id"] = "abc-req-1"
    answer = browser.post("/aviso/mercadopago?data.id=123456&type=payment", headers=headers)
    assert (answer.status_code, b"Traceback" in answer.data) == (401, False)


@pytest.mark.parametrize("header", [
    "v1={v1},ts={timestamp}", " ts = {timestamp} , v1 = {v1} ",
    "ts={timestamp},v2=otro,v1={v1}"])
def test_the_parts_of_a_signature_may_be_in_another_dress(browser, header):
    answer = browser.post("/aviso/mercadopago?data.id=123456&type=payment", headers={
        "X-Request-Id": "abc-req-1", "X-Signature": header.format(**VECTOR)})
    assert answer.status_code == 200


@pytest.mark.parametrize(("request_id", "timestamp"), [
    ("abc-req-1", "1742505638"), ("abc-req-1", "1742505638683"), ("", "1742505638"),
    ("abc-req-1", ""), ("", "")])
def test_seconds_or_milliseconds_and_parts_left_out_are_signed_as_they_come(
        hook, request_id, timestamp):
    assert hook("123456", request_id, timestamp, sign("123456", request_id, timestamp)) == 200


def test_a_part_that_was_signed_cannot_be_left_out(hook):
    assert hook("123456", "", "1704908010", VECTOR["v1"]) == 401
    assert hook("123456", "abc-req-1", "", VECTOR["v1"]) == 401
    assert hook("123456", **{name: VECTOR[name] for name in ("request_id", "timestamp", "v1")},
                query="type=payment") == 401


def test_a_notice_without_an_id_in_its_address_is_signed_without_it(hook, books):
    v1 = sign("", "abc-req-1", "1704908010")
    assert hook("123456", "abc-req-1", "1704908010", v1, query="type=payment") == 200
    assert books.notices()[0].query_at


@pytest.mark.parametrize("signed", ["pay01abc", "PAY01ABC"])
def test_an_id_with_letters_is_signed_as_it_came_or_in_lower_case(hook, signed):
    v1 = sign(signed, "abc-req-1", "1704908010")
    query = "data.id=PAY01ABC&type=payment"
    assert hook("", "abc-req-1", "1704908010", v1, query=query) == 200


# --- Notices as they come -------------------------------------------------------------------------

@pytest.fixture
def notice(site):
    """notice(query, body): a signed notice reaches the site over HTTP; its status."""
    def sent(query, body=b"", subject="", **headers):
        timestamp = str(int(time.time() * 1000))
        headers |= {"X-Request-Id": "r-1", "Content-Type": "application/json",
                    "X-Signature": f"ts={timestamp},v1={sign(subject, 'r-1', timestamp)}"}
        question = HttpRequest(f"{site}/aviso/mercadopago?{query}", body, headers, method="POST")
        with urlopen(question) as answer:
            return answer.status
    return sent


FORMS = {
    "new": ("data.id={0}&type=payment", '{{"type": "payment", "data": {{"id": "{0}"}}}}'),
    "new, with our parameter": ("source_news=webhooks&data.id={0}&type=payment", "{{}}"),
    "old": ("id={0}&topic=payment", '{{"resource": "{0}", "topic": "payment"}}'),
    "only id and type": ("id={0}&type=payment", ""),
    "only data.id and type": ("data.id={0}&type=payment", ""),
    "a number in the body": ("", '{{"type": "payment", "data": {{"id": {0}}}, "id": 1}}'),
}


@pytest.mark.parametrize(("query", "body"), FORMS.values(), ids=FORMS.keys())
def test_each_form_of_notice_is_read(
        shop, begin, notice, do_chores, books, query, body):
    number = shop.says(begin("Ana"))
    subject = str(number) if query else ""
    for _ in range(2):
        assert notice(query.format(number), body.format(number).encode(), subject) == 200
    do_chores()
    assert (books.of("Ana"), books.reviews()) == (PAID, [])


def test_the_old_form_may_be_signed_without_its_id(shop, begin, notice, do_chores, books):
    number = shop.says(begin("Ana"))
    assert notice(f"id={number}&topic=payment") == 200
    do_chores()
    assert books.of("Ana") == PAID


@pytest.mark.parametrize(("query", "body"), [
    ("id={}&topic=merchant_order", b'{"resource": "https://mp.example/merchant_orders/1"}'),
    ("data.id={}&type=merchant_order", b""), ("data.id={}&type=plan", b"{}"), ("id={}", b"")])
def test_what_is_not_of_a_payment_is_ignored(
        shop, begin, notice, do_chores, books, query, body):
    number, before = str(shop.says(begin("Ana"))), shop.questions()
    assert notice(query.format(number), body, number) == 200
    do_chores()
    assert (books.of("Ana"), books.reviews(), shop.questions()) == (OWED, [], before)


REFUSED = {
    "no id": ("type=payment", "", b"{}"), "no JSON": ("type=payment", "", b"hola"),
    "a list": ("type=payment", "", b"[1]"), "truncated": ("type=payment", "", b'{"data": {"id"'),
    "zeros": ("type=payment", "", b"\0" * 9),
    "another address": ("data.id=../search&type=payment", "../search", b""),
    "a long id": (f"data.id={'1' * 31}&type=payment", "1" * 31, b""),
    "other digits": ("data.id=%D9%A1%D9%A2&type=payment", "\u0661\u0662", b""),
    "a huge number": ("type=payment", "", b'{"data": {"id": ' + b"1" * 5000 + b"}}"),
}


@pytest.mark.parametrize(("query", "subject", "body"), REFUSED.values(), ids=REFUSED.keys())
def test_a_broken_notice_is_kept_and_refused(browser, books, query, subject, body):
    headers = {"X-Signature": f"ts=1,v1={sign(subject, '', '1')}"}
    answer = browser.post(f"/aviso/mercadopago?{query}", data=body, headers=headers)
    [kept] = books.notices()
    assert (answer.status_code, kept.body, kept.query_at) == (400, body[:1000], None)
    assert b"Traceback" not in answer.data


# --- Credited once --------------------------------------------------------------------------------

def test_the_whole_way_from_the_button_to_the_receipt(
        app, site, begin, shown, do_chores, books):
    app.config["BASE_URL"] = site
    reference = begin("Ana")
    with urlopen(way_on(shown("Ana", reference)[1]), b"accion=aprobar") as back:
        assert "/ingresar?next=/pago/CAC" in back.url.replace("%2F", "/")
    wait_for(books.notices)     # the stand-in sends it by itself
    do_chores()
    assert shown("Ana", reference, "?vuelta=1")[0] == IS_PAID
    assert books.notices()[0].query.startswith("source_news=webhooks&data.id=")


def test_the_same_notice_hours_later_changes_nothing(begin, tell, mails, books):
    reference = begin("Ana")
    tell(reference, number=101)
    for hours in (2, 30):
        with time_machine.travel(time.time() + hours * 3600):
            assert tell(reference, number=101) == [200]
    assert (books.of("Ana"), books.reviews(), len(mails())) == (PAID, [], 1)


@pytest.mark.usefixtures("site")
def test_notice_and_customer_at_once_credit_once(
        shop, begin, visit, do_chores, mails, books):
    reference = begin("Ana")
    shop.says(reference)
    deeds = [deed for _ in range(4) for deed in (
        partial(shop.notify, reference), partial(visit("Ana").get, f"/pago/{reference}?vuelta=1"))]
    eight_at_once(lambda deed: deed(), [*deeds, do_chores, do_chores])
    do_chores()
    assert (books.of("Ana"), books.reviews(), len(mails())) == (PAID, [], 1)


def test_refused_once_and_approved_then_is_credited_once(begin, tell, shown, books):
    reference = begin("Ana")
    tell(reference, "rejected", number=111)
    assert (shown("Ana", reference)[0], books.of("Ana")) == (FAILED, OWED)
    tell(reference, "approved", number=112)
    assert (shown("Ana", reference)[0], books.of("Ana"), books.reviews()) == (IS_PAID, PAID, [])


def test_a_refusal_told_after_the_approval_changes_nothing(begin, tell, shown, books):
    reference = begin("Ana")
    tell(reference, "approved", number=131)
    tell(reference, "rejected", number=132)
    assert (shown("Ana", reference)[0], books.of("Ana"), books.reviews()) == (IS_PAID, PAID, [])


def test_approved_twice_is_credited_once_and_left_to_a_person(begin, tell, books):
    reference = begin("Ana")
    tell(reference, number=141)
    tell(reference, number=142, times=3)
    [review] = books.db.execute("SELECT * FROM review")
    assert (review.service_payment, review.reason) == ("142", "paid a second time")
    assert books.of("Ana") == PAID


# --- What each status does ------------------------------------------------------------------------

ODD = ["refunded", "charged_back", "in_mediation", "partially_refunded", "expired_by_mp", "null"]


@pytest.mark.parametrize(("status", "heading", "after", "reviews"), [
    ("approved", IS_PAID, PAID, 0),
    *((status, WAITS, OWED, 0) for status in ("pending", "in_process", "authorized")),
    *((status, FAILED, OWED, 0) for status in ("rejected", "cancelled")),
    *((status, REVIEWED, OWED, 1) for status in ODD)])
def test_each_status_before_the_credit(
        begin, tell, shown, books, status, heading, after, reviews):
    reference = begin("Ana")
    tell(reference, status, times=2)
    assert shown("Ana", reference)[0] == heading
    assert (books.of("Ana"), len(books.reviews())) == (after, reviews)


@pytest.mark.parametrize("status", [
    "pending", "in_process", "authorized", "rejected", "cancelled", *ODD])
def test_any_other_status_after_the_credit_is_left_to_a_person(begin, tell, shown, books, status):
    reference = begin("Ana")
    tell(reference, number=151)
    tell(reference, status, number=151, times=2)
    assert shown("Ana", reference)[0] == IS_PAID
    assert (books.of("Ana"), books.reviews()) == (PAID, [reference])


@pytest.mark.parametrize("status", ["pending", "in_process", "authorized", "cancelled"])
def test_what_waited_or_failed_and_is_approved_then_is_credited(begin, tell, books, status):
    reference = begin("Ana")
    for now in (status, "approved"):
        tell(reference, now, number=165)
    assert (books.of("Ana"), books.reviews()) == (PAID, [])


def test_what_was_in_review_and_is_approved_then_is_credited(begin, tell, books):
    reference = begin("Ana")
    tell(reference, "in_mediation", number=161)
    tell(reference, "approved", number=161)
    assert (books.of("Ana"), books.reviews()) == (PAID, [reference])


@pytest.mark.parametrize("state", ["approved", "pending", "refunded", "charged_back", "odd"])
@pytest.mark.parametrize("theirs", ["XA5547", "null", "CACNOBODYKNOWSIT"])
def test_what_else_the_shop_sells_is_no_business_of_ours(begin, tell, books, theirs, state):
    begin("Ana")
    tell(theirs, state, number=171)
    assert (books.of("Ana"), books.reviews()) == (OWED, [])
    assert [notice.outcome for notice in books.notices()] == ["settled"]


def test_a_payment_begun_with_dineromail_is_not_credited_by_mercado_pago(begin, tell, books):
    reference = begin("Ana", medio="dineromail")
    tell(reference)
    assert (books.of("Ana"), books.reviews()) == (OWED, [reference])


@pytest.mark.parametrize("query", [
    "?vuelta=1&collection_status=approved&status=approved&payment_id=1&collection_id=1",
    "?vuelta=1&status=approved&external_reference={}&merchant_order_id=null",
    "?vuelta=1&vuelta=2&status=approved%00", "?status=approved&external_reference=null"])
def test_a_doctored_way_back_credits_nothing(begin, tell, shown, books, query):
    another = begin("Inés")
    tell(another, amount="2189.00", number=1)
    heading, page = shown("Ana", begin("Ana"), query.format(another))
    assert heading == (BACK if "vuelta" in query else "Confirme su pago")
    assert IS_PAID not in page.get_text()
    assert books.of("Ana") == OWED


# --- Odd answers ----------------------------------------------------------------------------------

GOOD = {"id": 777, "status": "approved", "status_detail": "accredited", "currency_id": "ARS",
        "transaction_amount": 1250.4, "date_created": "2026-11-20T10:00:00.000-03:00"}


@pytest.fixture
def answered(app, come_back):
    """answered(reference, answer): Mercado Pago answers so, and the customer comes back."""
    def settled(reference, answer, who="Ana"):
        with http(answering(answer)[0]) as app.config["MERCADOPAGO_URL"]:
            return come_back(who, reference)
    return settled


@pytest.fixture
def found(answered):
    """found(reference, {…}, …): it finds such payments, and the customer comes back."""
    def settled(reference, *payments, **who):
        results = [GOOD | {"external_reference": reference} | one for one in payments]
        return answered(reference, as_json({"results": results}), **who)
    return settled


@pytest.mark.parametrize("odd", [
    {"transaction_amount": amount} for amount in (
        None, True, "mucho", "", -1250.4, 1250.404, "1.250,40", [1250.4], {}, 1e300, 125040)] + [
    {"currency_id": None}, {"currency_id": "ars "}, {"status": None}, {"status": ["approved"]},
    {"status_detail": "partially_refunded"}], ids=str)
def test_an_answer_that_is_not_exact_is_left_to_a_person(begin, found, books, odd):
    reference = begin("Ana")
    assert REVIEWED in found(reference, odd)
    assert (books.of("Ana"), books.reviews()) == (OWED, [reference])


def test_two_payments_in_one_answer_are_credited_once(begin, found, books):
    assert IS_PAID in found(begin("Ana"), {"id": 2}, {"id": 1})
    [review] = books.db.execute("SELECT * FROM review")
    assert (books.of("Ana"), review.service_payment) == (PAID, "1")


def test_somebody_elses_operation_is_credited_to_nobody(begin, found, books):
    his = begin("Beto", concepto="adelanto", importe="1250,40")
    assert BACK in found(begin("Ana"), {"external_reference": his})
    assert (books.of("Ana"), books.of("Beto")) == (OWED, (0, []))


def test_one_payment_of_mercado_pago_is_credited_once(begin, found, books):
    first, second = begin("Ana"), begin("Beto", concepto="adelanto", importe="1250,40")
    assert IS_PAID in found(first, {})
    assert REVIEWED in found(second, {}, who="Beto")
    assert (books.of("Ana"), books.of("Beto"), books.reviews()) == (PAID, (0, []), [second])


NO_ANSWER = {
    "no results": {}, "null": {"results": None}, "an object": {"results": {"id": 1}},
    "a number": {"results": 7}, "numbers": {"results": [1, None, "x"]},
    "no reference": {"results": [GOOD]},
}


@pytest.mark.parametrize("answer", NO_ANSWER.values(), ids=NO_ANSWER.keys())
def test_an_answer_in_another_shape_is_none(begin, answered, books, answer):
    reference = begin("Ana")
    assert BACK in answered(reference, as_json(answer))
    assert (books.of("Ana"), books.reviews()) == (OWED, [])


def test_an_answer_about_another_payment_is_none(app, begin, notice, a_minute_later, books):
    reference = begin("Ana")
    answer = as_json(GOOD | {"external_reference": reference})
    with http(answering(answer)[0]) as app.config["MERCADOPAGO_URL"]:
        assert notice("data.id=778&type=payment", subject="778") == 200
        a_minute_later()
    assert (books.of("Ana"), books.reviews()) == (OWED, [])


def test_a_payment_that_is_not_known_yet_is_asked_about_again(
        shop, begin, notice, do_chores, a_minute_later, books):
    reference = begin("Ana")
    assert notice("data.id=8800&type=payment", subject="8800") == 200
    do_chores()
    assert books.notices()[0].query_at
    shop.says(reference, number=8800)
    a_minute_later()
    assert books.of("Ana") == PAID


# --- What the operator reads ----------------------------------------------------------------------

def test_the_operator_reads_what_became_of_payments_and_what_is_odd(begin, tell, run, db):
    reference = begin("Ana")
    tell(reference, number=191)
    tell(reference, "charged_back", number=191)
    [line] = db.execute("SELECT * FROM list_payments").fetchall()
    assert line[1:8] == (reference, 1001, "mercadopago", "balance", "1.250,40", "credited", "191")
    listed = run("list", "payments").output
    assert re.search(f"{reference} +1001 .* 1.250,40 +credited +191", listed)
    [odd] = db.execute("SELECT * FROM list_review").fetchall()
    assert odd[3:] == (reference, 1001, "1.250,40", "credited", "191",
                       "charged_back after the credit")


def test_settle_asks_about_one_payment(shop, begin, run, books):
    reference = begin("Ana")
    assert run("settle", reference).output == f"{reference}: new\n"
    shop.says(reference)
    settled = run("settle", reference.lower())
    assert (settled.exit_code, settled.output) == (0, f"{reference}: credited\n")
    assert books.of("Ana") == PAID


def test_settle_asks_about_all_that_wait(shop, begin, run, books):
    hers, his = begin("Ana"), begin("Beto", concepto="adelanto", importe="10,00")
    shop.says(hers, "pending")
    shop.says(his, amount="10.00")
    settled = run("settle", "--pending")
    assert (settled.exit_code, settled.output) == (0, f"{hers}: pending\n{his}: credited\n")
    assert (books.of("Ana"), books.of("Beto")) == (OWED, (-1000, [-1000]))
    assert run("settle", "--pending").output == f"{hers}: pending\n"


def test_settle_says_whom_it_could_not_ask_and_goes_on(app, shop, begin, run, books):
    his = begin("Beto", concepto="adelanto", importe="10,00", medio="dineromail")
    hers = begin("Ana")
    shop.says(hers)
    app.config["DINEROMAIL_URL"] = "http://127.0.0.1:9"
    settled = run("settle", "--pending")
    assert (settled.exit_code, settled.stdout) == (0, f"{hers}: credited\n")
    assert his in settled.stderr
    shop.fails("http503")
    settled = run("settle", hers)
    assert settled.exit_code == 1 and f"{hers}: HTTP 503" in settled.stderr


def test_settle_refuses_what_makes_no_sense(begin, run, books):
    reference = begin("Ana")
    unknown = run("settle", "CACNOSUCHPAYMENT")
    assert (unknown.exit_code, "Nothing was changed" in unknown.stderr) == (1, True)
    assert [run("settle").exit_code, run("settle", reference, "--pending").exit_code] == [2, 2]


def test_nothing_shows_what_opens_mercado_pago(begin, shown, run, tell):
    reference = begin("Ana")
    tell(reference)
    shows = [str(shown("Ana", reference)[1]), run("list", "settings").output, run("check").output]
    assert not any(TOKEN in text or SECRET in text for text in shows)
