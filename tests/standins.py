"""Stand-ins of the two payment services, for the demo and the tests: no payment is real.

    python tests/standins.py --port 0 --notify http://127.0.0.1:8000

It listens on 127.0.0.1 only, prints its address as the only line of its standard output, and
serves until it is killed; with `--with-parent`, also until its standard input (a pipe) ends.

    DineroMail    /Shop/Shop_Ingreso.asp      the checkout of 2010: a form leads to it
                  /Vender/Consulta_IPN.asp    the query: what became of some operations
    Mercado Pago  /checkout/preferences       Checkout Pro: the preference leads to its page
                  /v1/payments/…              the queries: by number, and /search by reference
    For tests     /control/…                  faults, operations, notify, log

Contents: State · Notices · Pages · Queries · DineroMail · Mercado Pago · Control · Program

Glossary: a *sale* is what the merchant asks to be paid; a *payment* is a sale with a state. Its
*reference* is the merchant's name for it (trx_id, external_reference); its *number*, the service's
(NUMTRANSACCION, payment id). A *notice* (IPN, webhook) only says: go and look.
"""

import argparse
import hmac
import itertools
import json
import logging
import os
import re
import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import RLock, Thread
from typing import NamedTuple
from urllib.parse import unquote_plus, urlencode, urlsplit
from uuid import NAMESPACE_URL, uuid4, uuid5
from xml.etree import ElementTree

from flask import Blueprint, Flask, Response, abort, current_app, redirect, request, url_for
from jinja2 import Template
from werkzeug.local import LocalProxy
from werkzeug.serving import make_server

BUENOS_AIRES = timezone(timedelta(hours=-3))
PENDING, CREDITED, CANCELLED = 1, 2, 3               # DineroMail's ESTADO
CURRENCIES = {"1": "ARS", "2": "USD"}                # DineroMail's TipoMoneda and MONEDA
NET = Decimal("0.95")                                # what the services leave of an amount
POST_SECONDS = 5                                     # how long a notice waits for its answer
RETRY_PAUSES = (0, 1, 3, 10, 30)                     # seconds before each try of a notice


# === State ========================================================================================

def now():
    return datetime.now(BUENOS_AIRES)


@dataclass(frozen=True)
class Payment:
    """A sale and, once the customer has chosen, what the service knows of its payment."""
    reference: str
    item: str
    amount: Decimal
    currency: str                                    # ARS | USD
    returns: dict = field(default_factory=dict)      # addresses: success, pending, failure
    notice_url: str = ""                             # '' = the merchant's usual one
    state: int | str = 0                             # DineroMail's ESTADO, Mercado Pago's status
    number: int | None = None                        # None = DineroMail never credited it
    at: datetime = field(default_factory=now)


@dataclass
class Standins:
    """Both services, as one merchant sees them."""
    notify: str                                      # base address of the merchant's site
    account: str                                     # DineroMail's, with its check digit
    key: str                                         # DineroMail's IPN key
    secret: str                                      # signs Mercado Pago's webhooks
    token: str = ""                                  # '' = Mercado Pago takes any
    fault: str = "ok"
    hang_seconds: float = 0
    operations: dict = field(default_factory=dict)   # DineroMail's payments, by reference
    payments: dict = field(default_factory=dict)     # Mercado Pago's, by number, as text
    preferences: dict = field(default_factory=dict)  # sales, by preference id
    queries: list = field(default_factory=list)
    numbers: itertools.count = field(default_factory=lambda: itertools.count(60_000))
    lock: RLock = field(default_factory=RLock)

    @property
    def merchant(self):
        """The account without its check digit, as forms and queries write it."""
        return self.account[:-1]


here = LocalProxy(lambda: current_app.extensions["standins"])


def exact_amount(text):
    """'1250.40' as a Decimal; ValueError unless positive and with at most two decimals."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,2})?", str(text)) or not Decimal(str(text)):
        raise ValueError(f"not an amount: {text}")
    return Decimal(str(text))


def save_operation(sale, state, number=None):
    """Create or change a DineroMail operation; its number comes when it is first credited."""
    with here.lock:
        known = here.operations.get(sale.reference, sale)
        number = number or known.number
        if state == CREDITED and not number:
            number = next(here.numbers)
        paid = replace(sale, state=state, number=number, at=now(),
                       returns=sale.returns or known.returns)
        here.operations[sale.reference] = paid
    return paid


def save_payment(sale, state, number=None):
    """Change the payment of that number, else the reference's pending one, else create one."""
    with here.lock:
        pending = [one.number for one in payments_of(sale.reference) if one.state == "pending"]
        number = number or next(itertools.chain(pending, here.numbers))
        paid = here.payments[str(number)] = replace(sale, state=state, number=number, at=now())
    return paid


def payments_of(reference):
    """Mercado Pago's payments of a reference: there may be several."""
    with here.lock:
        return [one for one in here.payments.values() if one.reference == reference]


# === Notices ======================================================================================

# The XML declaration: as it should be, then damaged as merchants have received it.
SPELLINGS = (
    "<?xml version='1.0' encoding='ISO-8859-1'?>",
    "<?xmlversion='1.0' encoding='ISO-8859-1'?>",
    "<?xml version='1.0'encoding='ISO-8859-1'?>",
    r"<?xml version=\'1.0\' encoding=\'ISO-8859-1\'?>",
    "&lt;?xml version='1.0' encoding='ISO-8859-1'?&gt;",
)


class Notice(NamedTuple):
    url: str
    body: str
    headers: dict


def xml(tag, content=""):
    """An element; its content is a text, or a list of the same arguments for each child."""
    element = ElementTree.Element(tag)
    if isinstance(content, str):
        element.text = content
    else:
        element.extend(xml(*child) for child in content)
    return element


def ipn(references, spelling=0, case="lower"):
    """DineroMail's notice: unsigned, nothing but references. Its manual prints it in capitals."""
    root = xml("notificacion", [
        ("tiponotificacion", "1"),
        ("operaciones", [("operacion", [("tipo", "1"), ("id", one)]) for one in references]),
    ])
    for element in root.iter() if case == "upper" else ():
        element.tag = element.tag.upper()
    text = ElementTree.tostring(root, "ISO-8859-1").decode("latin-1")
    text = text.replace(SPELLINGS[0], SPELLINGS[spelling], 1)
    parameter = "NOTIFICACION" if case == "upper" else "Notificacion"
    body = urlencode({parameter: text}, encoding="latin-1")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Notice(f"{here.notify}/aviso/dineromail", body, headers)


def signature(secret, number, request_id, timestamp):
    """Mercado Pago's signature of a webhook.

    >>> signature("s3cr3t", "123456", "abc-req-1", 1704908010)
    '8aef4cd0166093d5ed2af2abe48eeec68ee76b4a9a142c285b40c1a58f40b1f2'
    """
    manifest = f"id:{number};request-id:{request_id};ts:{timestamp};"
    return hmac.new(secret.encode(), manifest.encode(), "sha256").hexdigest()


def webhook(number, url=""):
    """Mercado Pago's notice: signed, but it does not carry the payment's status."""
    request_id, timestamp = str(uuid4()), int(time.time())
    body = {
        "id": timestamp, "live_mode": False, "type": "payment", "date_created": now().isoformat(),
        "user_id": here.merchant, "api_version": "v1", "action": "payment.updated",
        "data": {"id": number},
    }
    signed = signature(here.secret, number, request_id, timestamp)
    headers = {"Content-Type": "application/json", "X-Request-Id": request_id,
               "X-Signature": f"ts={timestamp},v1={signed}"}
    url = url or f"{here.notify}/aviso/mercadopago"
    url = with_query(url, {"data.id": number, "type": "payment"})
    return Notice(url, json.dumps(body), headers)


def with_query(url, fields):
    return f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}"


def post(notice):
    """The HTTP status that a notice got, 0 if none. A redirect is not followed: it is no answer."""
    to = urlsplit(notice.url)
    connect = HTTPSConnection if to.scheme == "https" else HTTPConnection
    connection = connect(to.netloc, timeout=POST_SECONDS)
    try:
        target = to._replace(scheme="", netloc="").geturl()
        connection.request("POST", target, notice.body, notice.headers)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def insist(notice):
    """Post a notice until it is accepted, with growing pauses."""
    for pause in RETRY_PAUSES:
        time.sleep(pause)
        if 200 <= post(notice) < 300:
            return


def send(notice):
    """Send a notice behind the customer's back: it may come before or after the customer does."""
    Thread(target=insist, args=(notice,), daemon=True).start()


# === Pages ========================================================================================

class Choice(NamedTuple):
    """A button of a checkout page: what it makes of the payment, and which way it leads back."""
    label: str
    state: int | str
    back: str


PAGE = Template("""<!doctype html>
<html lang="es-AR">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Simulador de {{ service }} — ningún pago es real</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; font: 1.125rem/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 30rem; padding: 1rem; overflow-wrap: anywhere; }
h1 { background: #ffd54a; color: #222; font-size: 1.25rem; margin: 0; padding: .75rem 1rem; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .25rem 1rem; }
dd { margin: 0; font-weight: bold; }
button { display: block; width: 100%; min-height: 3.25rem; margin: .75rem 0; font: inherit; }
</style>
</head>
<body>
<main>
<h1>Simulador de {{ service }} — ningún pago es real</h1>
<dl>
<dt>Concepto</dt><dd>{{ sale.item }}</dd>
<dt>Importe</dt><dd>{{ amount }}</dd>
<dt>Comercio</dt><dd>{{ merchant }}</dd>
<dt>Operación</dt><dd>{{ sale.reference }}</dd>
</dl>
<p>Elija cómo termina este pago. Después usted vuelve al sitio del comercio.</p>
<form method="post" action="{{ action }}">
{%- for value, choice in choices.items() %}
<button name="accion" value="{{ value }}">{{ choice.label }}</button>
{%- endfor %}
</form>
</main>
</body>
</html>
""", autoescape=True)


def page(service, sale, action, choices):
    """A checkout page: what is to be paid, and a button for each way it can end."""
    sign = {"ARS": "$", "USD": "US$"}.get(sale.currency, sale.currency)
    amount = sign + "\N{NO-BREAK SPACE}" + f"{sale.amount:,.2f}".translate({44: ".", 46: ","})
    return PAGE.render(service=service, sale=sale, amount=amount, merchant=here.merchant,
                       action=action, choices=choices)


def refuse(text, status=400):
    abort(Response(text, status, content_type="text/plain; charset=utf-8"))


def chosen(choices):
    return choices.get(request.form.get("accion")) or refuse("Elija una opción de la página.")


# === Queries ======================================================================================

FAULTS = "ok|http[45][0-9]{2}|html|hang|report:[1-8]|latin1|partial"


def answer_query(ids, answer):
    """Note a query of the merchant, then answer it, or fail as the fault in force says."""
    fault = here.fault
    here.queries.append({"path": request.path, "ids": ids, "time": now().isoformat()})
    if fault == "hang":
        time.sleep(here.hang_seconds)
    if fault == "html":
        return "<!doctype html><title>Mantenimiento</title><p>Vuelva a intentar más tarde."
    if fault.startswith("http"):
        return Response("Falla simulada.", int(fault[4:]), content_type="text/plain")
    return answer()


def those_told(found):
    return found[:1] if here.fault == "partial" else found


def buyer():
    return "Peña & Núñez" if here.fault == "latin1" else "Cliente de Prueba"


# === DineroMail ===================================================================================

dineromail = Blueprint("dineromail", __name__)

WAYS_TO_END = {
    "acreditar": Choice("Acreditar", CREDITED, "success"),
    "pendiente": Choice("Dejar pendiente", PENDING, "success"),   # there is no third address
    "cancelar": Choice("Cancelar", CANCELLED, "failure"),
}


@dineromail.route("/Shop/Shop_Ingreso.asp", methods=["GET", "POST"])
def shop():
    """The checkout. Coming back to it does not undo a payment that was credited."""
    sale = sale_of_form({name.lower(): value for name, value in request.values.items()})
    known = here.operations.get(sale.reference)
    if not known or known.state != CREDITED:
        save_operation(sale, PENDING)
    action = url_for(".end_operation", reference=sale.reference)
    return page("DineroMail", sale, action, WAYS_TO_END)


def sale_of_form(fields):
    """The sale that a form asks for, refused where it breaks a rule of the service."""
    reference, currency = fields.get("trx_id", ""), fields.get("tipomoneda")
    if fields.get("e_comercio") != here.merchant:
        refuse("El comercio (E_Comercio) no existe: va sin el último dígito de la cuenta.")
    if not re.fullmatch("[A-Za-z0-9]{1,20}", reference):
        refuse("Falta el número de operación (trx_id), o no tiene de 1 a 20 letras y números.")
    if currency not in CURRENCIES:
        refuse("La moneda (TipoMoneda) no es 1, pesos, ni 2, dólares.")
    returns = {"success": fields.get("direccionexito"), "failure": fields.get("direccionfracaso")}
    return Payment(reference, fields.get("nombreitem", ""), price(fields.get("precioitem", "")),
                   CURRENCIES[currency], returns)


def price(text):
    """PrecioItem as a Decimal: with a point it is pesos; without one it is centavos."""
    try:
        return exact_amount(text) if "." in text else exact_amount(text) / 100
    except ValueError:
        return refuse("El importe (PrecioItem) no es un número con punto y hasta dos decimales.")


@dineromail.post("/simulador/dineromail/<reference>")
def end_operation(reference):
    """A button of the checkout was pressed."""
    choice = chosen(WAYS_TO_END)
    known = here.operations.get(reference) or refuse("Esa operación no existe.", 404)
    save_operation(known, choice.state)
    send(ipn([reference]))
    return redirect(known.returns.get(choice.back) or here.notify, 303)


@dineromail.post("/Vender/Consulta_IPN.asp")
def query_operations():
    """The query of the IPN, second version."""
    query = query_in(request.get_data(as_text=True))
    ids = [] if query is None else [(one.text or "").strip() for one in query.iter("ID")]
    return answer_query(ids, lambda: report(query, ids))


def query_in(body):
    """The XML of `DATA=…`, urlencoded, or raw as most merchants sent it; None = malformed."""
    name, _, value = body.partition("=")
    text = value if value.lstrip().startswith("<") else unquote_plus(value)
    try:
        return (ElementTree.fromstring(text.strip())  # noqa: S314 - from our own portal, on loopback
                if name.lower() == "data" else None)
    except ElementTree.ParseError:
        return None


def report(query, ids):
    """The report that a query gets, or the one that the fault in force names."""
    if here.fault.startswith("report:"):
        return report_answer(here.fault[-1])
    if query is None:
        return report_answer("2")
    if (query.findtext("NROCTA"), query.findtext(".//CLAVE")) != (here.merchant, here.key):
        return report_answer("7")
    found = those_told([here.operations[one] for one in ids if one in here.operations])
    return report_answer("1" if found else "8", found)


def report_answer(state, found=()):
    root = xml("REPORTE", [
        ("ESTADOREPORTE", state),
        ("DETALLE", [("OPERACIONES", [("OPERACION", operation_xml(one)) for one in found])]),
    ])
    if here.fault != "latin1":
        return Response(ElementTree.tostring(root, "ISO-8859-1"),
                        content_type="text/xml; charset=ISO-8859-1")
    text = ElementTree.tostring(root, "unicode").replace("&amp;", "&")
    return Response(text.encode("latin-1", "xmlcharrefreplace"), content_type="text/xml")


def operation_xml(paid):
    """The children of OPERACION. MONTO is what the buyer paid, MONTONETO what is left of it."""
    amount, net, at = f"{paid.amount:.2f}", f"{paid.amount * NET:.2f}", paid.at
    return [
        ("ID", paid.reference), ("FECHA", f"{at.month}/{at.day}/{at:%Y %I:%M:%S %p}"),
        ("ESTADO", str(paid.state)), ("NUMTRANSACCION", str(paid.number or "")),
        ("COMPRADOR", [
            ("EMAIL", "cliente@example.com"), ("DIRECCION",), ("COMENTARIO",), ("NOMBRE", buyer()),
            ("TELEFONO", "44444444"), ("TIPODOC", "DNI"), ("NUMERODOC", "22222222")]),
        ("MONTO", amount), ("MONTONETO", net),
        ("METODOPAGO", "3"), ("MEDIOPAGO", "VISA"), ("CUOTAS", "1"),
        ("ITEMS", [("ITEM", [
            ("DESCRIPCION", paid.item), ("MONEDA", "2" if paid.currency == "USD" else "1"),
            ("PRECIOUNITARIO", amount), ("CANTIDAD", "1")])]),
        ("VENDEDOR", [("TIPODOC",), ("NUMERODOC",)]),
    ]


# === Mercado Pago =================================================================================

mercadopago = Blueprint("mercadopago", __name__)
mercadopago_api = Blueprint("mercadopago_api", __name__)     # apart: it asks for the token

WAYS_TO_PAY = {
    "aprobar": Choice("Aprobar", "approved", "success"),
    "pendiente": Choice("Dejar pendiente", "pending", "pending"),
    "rechazar": Choice("Rechazar", "rejected", "failure"),
}
DETAILS = {
    "approved": "accredited", "pending": "pending_waiting_payment",
    "in_process": "pending_contingency", "authorized": "pending_capture",
    "rejected": "cc_rejected_other_reason", "cancelled": "expired",
}


def problem(status, message):
    return {"status": status, "message": message}, status


@mercadopago_api.before_request
def check_token():
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not token.strip() or here.token not in ("", token):
        return problem(401, "Invalid access token")
    return None


@mercadopago_api.post("/checkout/preferences")
def create_preference():
    """A preference: the same X-Idempotency-Key always gets the same one."""
    try:
        sale = sale_of_preference(request.get_json())
    except (KeyError, TypeError, ValueError, AttributeError):
        return problem(400, "Invalid preference")
    key = request.headers.get("X-Idempotency-Key") or str(uuid4())
    preference = f"{here.merchant}-{uuid5(NAMESPACE_URL, key)}"
    sale = here.preferences.setdefault(preference, sale)
    checkout = url_for("mercadopago.checkout", preference=preference, _external=True)
    return {"id": preference, "init_point": checkout, "sandbox_init_point": checkout,
            "collector_id": int(here.merchant), "external_reference": sale.reference,
            "date_created": sale.at.isoformat(timespec="milliseconds")}, 201


def sale_of_preference(wish):
    """The sale that a preference asks for; ValueError and its kin when it lacks something."""
    items = [(one["title"], int(one["quantity"]), exact_amount(one["unit_price"]))
             for one in wish["items"]]
    total = sum(quantity * amount for _, quantity, amount in items)
    return Payment(wish.get("external_reference") or "", ", ".join(title for title, _, _ in items),
                   exact_amount(total), wish["items"][0].get("currency_id", "ARS"),
                   wish.get("back_urls") or {}, wish.get("notification_url") or "")


@mercadopago.get("/simulador/mercadopago/<preference>")
def checkout(preference):
    """The page that a preference leads to."""
    return page("Mercado Pago", preferred_sale(preference), request.path, WAYS_TO_PAY)


def preferred_sale(preference):
    return here.preferences.get(preference) or refuse("Ese pago no existe.", 404)


@mercadopago.post("/simulador/mercadopago/<preference>")
def end_checkout(preference):
    """A button of the checkout was pressed."""
    sale, choice = preferred_sale(preference), chosen(WAYS_TO_PAY)
    paid = save_payment(sale, choice.state)
    send(webhook(str(paid.number), sale.notice_url))
    back = sale.returns.get(choice.back) or here.notify
    return redirect(with_query(back, return_fields(paid, preference)), 303)


def return_fields(paid, preference):
    """What the customer's browser brings back: it proves nothing."""
    return {
        "collection_id": paid.number, "collection_status": paid.state, "payment_id": paid.number,
        "status": paid.state, "external_reference": paid.reference or "null",
        "payment_type": "credit_card", "merchant_order_id": paid.number,
        "preference_id": preference, "site_id": "MLA", "processing_mode": "aggregator",
        "merchant_account_id": "null",
    }


@mercadopago_api.get("/v1/payments/<number>")
def query_payment(number):
    """The query by number."""
    def answer():
        known = here.payments.get(number)
        return payment_json(known) if known else problem(404, "Payment not found")
    return answer_query([number], answer)


@mercadopago_api.get("/v1/payments/search")
def search_payments():
    """The query by reference."""
    def answer():
        found = [payment_json(one) for one in those_told(payments_of(reference))]
        return {"results": found, "paging": {"total": len(found), "limit": 30, "offset": 0}}
    reference = request.args.get("external_reference", "")
    return answer_query([reference], answer)


def payment_json(paid):
    amount, net = float(paid.amount), float(round(paid.amount * NET, 2))
    at = paid.at.isoformat(timespec="milliseconds")
    return {
        "id": paid.number, "status": paid.state, "live_mode": False,
        "status_detail": DETAILS.get(paid.state, paid.state),
        "external_reference": paid.reference, "description": paid.item,
        "currency_id": paid.currency, "transaction_amount": amount,
        "transaction_amount_refunded": amount if paid.state == "refunded" else 0, "refunds": [],
        "transaction_details": {"net_received_amount": net},
        "fee_details": [{"type": "mercadopago_fee", "amount": round(amount - net, 2)}],
        "payment_method_id": "visa", "payment_type_id": "credit_card",
        "order": {"id": str(paid.number), "type": "mercadopago"},
        "date_created": at, "date_last_updated": at,
        "date_approved": at if paid.state == "approved" else None,
        "payer": {"email": "cliente@example.com", "first_name": buyer()},
    }


# === Control ======================================================================================

control = Blueprint("control", __name__, url_prefix="/control")


@control.errorhandler(LookupError)
@control.errorhandler(ValueError)
def refuse_wish(error):
    return {"error": repr(error)}, 400


@control.post("/faults")
def set_fault():
    """`mode` (see FAULTS) and, to hang, `seconds`. In force for every query until the next one."""
    wish = request.get_json()
    if not re.fullmatch(FAULTS, wish["mode"]):
        raise ValueError(wish["mode"])
    here.hang_seconds = float(wish.get("seconds", 0))
    here.fault = wish["mode"]
    return {"mode": here.fault, "seconds": here.hang_seconds}


@control.post("/operations")
def set_operation():
    """Make or change a payment with no checkout and no notice."""
    wish = request.get_json()
    sale = Payment(wish["reference"], wish.get("item", "Operación de prueba"),
                   exact_amount(wish["amount"]), wish.get("currency", "ARS"))
    number = int(wish["number"]) if wish.get("number") else None
    if wish["service"] == "dineromail":
        paid = save_operation(sale, int(wish["state"]), number)
    else:
        paid = save_payment(sale, wish["state"], number)
    return {"reference": paid.reference, "number": paid.number, "state": paid.state}


@control.post("/notify")
def send_notices():
    """Send notices and wait for them: one IPN for all references, or a webhook for each payment."""
    wish = request.get_json()
    if wish["service"] == "dineromail":
        notices = [ipn(wish["references"], wish.get("spelling", 0), wish.get("case", "lower"))]
    else:
        notices = [notice for one in wish["references"] for notice in webhooks_of(one)]
    return [post(notice) for notice in notices * wish.get("times", 1)]


def webhooks_of(reference):
    """A webhook for each payment of a reference; unknown, it passes for a payment's number."""
    known = payments_of(reference)
    return [webhook(str(one.number), one.notice_url) for one in known] or [webhook(reference)]


@control.get("/log")
def log():
    return list(here.queries)


# === Program ======================================================================================

def create_standins(notify, account, key, secret, *, token=""):
    """The WSGI application: both services, for one merchant."""
    app = Flask(__name__, static_folder=None)
    app.extensions["standins"] = Standins(notify.rstrip("/"), account, key, secret, token)
    for part in (dineromail, mercadopago, mercadopago_api, control):
        app.register_blueprint(part)
    return app


def leave_with_parent():
    """Exit when the parent closes our standard input, as its death does: no orphan is left."""
    while os.read(0, 1024):     # not sys.stdin, whose lock would be held when the process ends
        pass
    os._exit(0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=0, help="0 = any free one")
    parser.add_argument("--notify", required=True, help="base address of the merchant's site")
    parser.add_argument("--account", default="11925320", help="DineroMail account, 8 digits")
    parser.add_argument("--key", default="CLAVE-IPN", help="DineroMail's IPN key")
    parser.add_argument("--secret", default="", help="signs Mercado Pago's webhooks")
    parser.add_argument("--token", default="", help="Mercado Pago's only token; default: any")
    parser.add_argument("--with-parent", action="store_true", help="exit when stdin, a pipe, ends")
    parser.add_argument("--verbose", action="store_true", help="log every request")
    return parser.parse_args()


def main():
    given = arguments()
    logging.getLogger("werkzeug").setLevel(logging.INFO if given.verbose else logging.ERROR)
    if given.with_parent:
        Thread(target=leave_with_parent, daemon=True).start()
    app = create_standins(given.notify, given.account, given.key, given.secret, token=given.token)
    server = make_server("127.0.0.1", given.port, app, threaded=True)
    print(f"http://127.0.0.1:{server.port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
