"""CAC, Centro de Atención al Cliente: the site where a company's customers look after their account.

They see what they owe, download their invoices, pay on line and keep their own data. One file, one SQLite
database, pages in Spanish. `python cac.py demo` shows it; `python cac.py --help` lists the commands.

Contents, each part using only those above it:
    Rules        what the company decided, as pure functions
    Settings     of the process (CAC_…) and of the business (table setting)
    Database     one connection a thread, short write transactions, schema and migrations
    Queries      what the pages ask
    Sessions     passwords, links, throttling, who is signed in
    Mail         the outbox and how it is emptied
    Payments     DineroMail, and how a payment becomes a receipt
    Documents    CSV and PDF
    Forms        what customers may type
    Views        the pages
    Errors       what a page says when it cannot be shown
    Commands     what the operator types
    Application  create_app, and the chores of the running service

Words: movement = a line of the statement; voucher = an invoice, a receipt, any comprobante; balance = the sum of a
customer's movements, positive when the customer owes; limit = the DineroMail limit; number = the user number.
Amounts are int, in centavos. Times are UTC text, dates are the day in Argentina.
"""

import csv
import hashlib
import html
import io
import ipaddress
import json
import logging
import os
import re
import secrets
import smtplib
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import unicodedata
from base64 import b32encode, b64encode
from collections import namedtuple
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from functools import cache
from http.client import HTTPException
from itertools import accumulate, groupby
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener
from xml.etree import ElementTree

import click
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring as parse_xml
from email_validator import EmailNotValidError, validate_email
from flask import (
    Blueprint, Flask, Response, abort, current_app, flash, g, redirect, render_template, request,
    send_file, session, url_for,
)
from flask.cli import FlaskGroup
from flask_login import (
    LoginManager, UserMixin, current_user, login_required, login_user, logout_user,
)
from flask_wtf import CSRFProtect, FlaskForm
from flask_wtf.csrf import CSRFError
from itsdangerous import BadSignature, URLSafeTimedSerializer
from stdnum.ar import cbu, cuit
from werkzeug.exceptions import HTTPException as HTTPError
from werkzeug.middleware.proxy_fix import ProxyFix
from wtforms import FieldList, PasswordField, SelectField, StringField
from wtforms.validators import AnyOf, DataRequired, Length, Optional, StopValidation

HERE = Path(__file__).parent
ARGENTINA = timezone(timedelta(hours=-3))  # no daylight saving since 2009: a fixed offset needs no tz database
log = logging.getLogger("cac")


# === Rules ========================================================================================
# Pure functions: no Flask, no database, no clock. A docstring's examples are tests.

MAX_AMOUNT = 2**63 - 1                       # centavos: what SQLite's INTEGER holds
MIN_PAYMENT = 100                            # centavos: the least advance payment
FIVE_DIGITS_SINCE = "2018-08-06"             # RG 4290: points of sale are printed with five digits
QR_SINCE = "2021-03-01"                      # RG 4892: no QR on older vouchers
AMOUNT = re.compile(r"(?:\$\s*)?(?:([0-9]{1,3}(?:\.[0-9]{3})+),([0-9]{1,2})|([0-9]+)(?:[.,]([0-9]{1,2}))?)")
AMBIGUOUS_AMOUNT = re.compile(r"(?:\$\s*)?[0-9]{1,3}(?:[.,][0-9]{3})+")
COMMON_PASSWORDS = frozenset("""
    12345678 123456789 1234567890 11111111 00000000 87654321 11223344 12341234 password contraseña contrasena
    qwertyui qwertyuiop asdfghjk argentina bocajuniors riverplate sanlorenzo quilmes independiente racingclub
    maradona messi10 libertad mariposa teamomucho teamomas princesa estrellas miclave1 claveclave clientes
    administracion netone2010 netonenetone emarketing tornadostore internet computadora soporte1 iloveyou
    """.split())


def money(amount: int) -> str:
    """An amount as read in Argentina, with a no-break space.

    >>> money(123456), money(-5), money(0)
    ('$\\xa01.234,56', '−$\\xa00,05', '$\\xa00,00')
    """
    return f"{'−' if amount < 0 else ''}$\N{NO-BREAK SPACE}{plain_money(abs(amount))}"


def plain_money(amount: int) -> str:
    """An amount in a column that already says pesos.

    >>> plain_money(123456789), plain_money(-32000)
    ('1.234.567,89', '−320,00')
    """
    pesos, centavos = divmod(abs(amount), 100)
    return f"{'−' if amount < 0 else ''}{pesos:,}".replace(",", ".") + f",{centavos:02d}"


def parse_money(text: str) -> int:
    """The centavos of what a customer typed; ValueError, in Spanish, says what to do.

    >>> [parse_money(t) for t in ("1.234,56", "1234,56", "1234.56", "$ 1500", "0,5")]
    [123456, 123456, 123456, 150000, 50]
    >>> parse_money("1.234")
    Traceback (most recent call last):
    ValueError: Escriba el importe con centavos, por ejemplo 1.234,00
    """
    typed = text.strip()
    if AMBIGUOUS_AMOUNT.fullmatch(typed):
        raise ValueError("Escriba el importe con centavos, por ejemplo 1.234,00")
    found = AMOUNT.fullmatch(typed)
    if not found:
        raise ValueError("Escriba el importe en números, por ejemplo 1500,50")
    pesos = (found[1] or found[3]).replace(".", "")
    amount = int(pesos + (found[2] or found[4] or "").ljust(2, "0")) if len(pesos) < 18 else MAX_AMOUNT + 1
    if amount > MAX_AMOUNT:
        raise ValueError("Escriba un importe menor")
    return amount


def day(iso: str | None) -> str:
    """A date as read in Argentina.

    >>> day("2026-11-30"), day(None)
    ('30/11/2026', '')
    """
    return f"{iso[8:10]}/{iso[5:7]}/{iso[:4]}" if iso else ""


def voucher_number(date: str, point_of_sale: int, number: int) -> str:
    """As printed when the voucher was made.

    >>> voucher_number("2010-04-23", 3, 94), voucher_number("2026-04-23", 3, 94)
    ('0003-00000094', '00003-00000094')
    """
    return f"{point_of_sale:0{5 if date >= FIVE_DIGITS_SINCE else 4}}-{number:08}"


def shows_dineromail(balance: int, limit: int, dm_active: bool) -> bool:
    """Manual, rule 1: the last invoice's type has DM active, and 0 < balance < limit.

    >>> shows_dineromail(125040, 500000, True), shows_dineromail(500000, 500000, True)
    (True, False)
    """
    return dm_active and 0 < balance < limit


def shows_advance_payment(balance: int, limit: int) -> bool:
    """Manual, rule 2: nothing is owed, or more than the limit.

    >>> shows_advance_payment(0, 500000), shows_advance_payment(500000, 500000)
    (True, False)
    """
    return balance <= 0 or balance > limit


def why_not_dineromail(balance: int, limit: int, dm_active: bool) -> str:
    """The first reason for not paying the balance on line, as the customer reads it; '' if there is none."""
    if balance <= 0:
        return "No tiene saldo pendiente."
    if balance > limit:
        return f"Su saldo supera el máximo para pagar en línea, {money(limit)}."
    if balance == limit:
        return f"Su saldo es igual al máximo para pagar en línea, {money(limit)}: tiene que ser menor."
    return "" if dm_active else "El tipo de comprobante de su última factura no se paga en línea."


def why_not_advance_payment(balance: int, limit: int) -> str:
    """The reason for not paying in advance, as the customer reads it; '' if there is none."""
    if shows_advance_payment(balance, limit):
        return ""
    return f"Es para quien no tiene saldo pendiente o debe más de {money(limit)}."


def is_cuit(text: str) -> bool:
    """Whether its check digit is right.

    >>> is_cuit("30-71234567-1"), is_cuit("30-71234567-6")
    (True, False)
    """
    return cuit.is_valid(text)


def is_cbu(text: str) -> bool:
    """Whether both check digits are right.

    >>> is_cbu("2850590940090418135201"), is_cbu("2850590940090418135202")
    (True, False)
    """
    return cbu.is_valid(text)


def is_local(url: str) -> bool:
    """Whether a redirect to it stays on this site, however a browser may read it.

    >>> [is_local(u) for u in ("/cuenta?pagina=2", "//evil", r"/\\evil", "https:evil", "/x\\r\\nSet-Cookie:")]
    [True, False, False, False, False]
    """
    return bool(re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", url))


def customer_number(text: str) -> int | None:
    """The user number that was typed: spaces, dots, dashes and leading zeros do not count; None if it is none.

    >>> customer_number(" 001.001 "), customer_number("１００１"), customer_number("ana")
    (1001, None, None)
    """
    digits = re.sub(r"[\s.-]", "", text)
    return int(digits) if re.fullmatch(r"[0-9]{1,20}", digits) and int(digits) < 10**9 else None


def canonical_email(text: str) -> str:
    """The form in which addresses are compared; ValueError if it is not an address.

    >>> canonical_email("Ana@Ejemplo.COM.ar")
    'ana@ejemplo.com.ar'
    """
    try:
        found = validate_email(text.strip(), check_deliverability=False)
    except EmailNotValidError as error:
        raise ValueError("Escriba un correo con el formato nombre@ejemplo.com") from error
    return f"{unicodedata.normalize('NFKC', found.local_part).casefold()}@{found.ascii_domain.lower()}"


def canonical_or_none(text: str) -> str | None:
    """As canonical_email, for looking up: what is no address is nobody's."""
    with suppress(ValueError):
        return canonical_email(text)
    return None


def address_block(address: str) -> str:
    """What counts as one place on the net: an IPv4 address, the /64 of an IPv6 one.

    >>> address_block("203.0.113.9"), address_block("2001:db8::1:2")
    ('203.0.113.9', '2001:db8::/64')
    """
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        return address
    return address if version == 4 else str(ipaddress.ip_network(f"{address}/64", strict=False))


def password_problem(password: str, number: int, minimum: int) -> str:
    """Why this may not be the customer's new password, as the customer reads it; '' if it may."""
    if len(password) < minimum:
        return f"La clave nueva debe tener {minimum} caracteres o más"
    if len(password) > 256:
        return "La clave nueva debe tener 256 caracteres o menos"
    if password.casefold() in COMMON_PASSWORDS or len(set(password)) < 3:
        return "Elija una clave menos común"
    return "La clave nueva no puede ser su número de usuario" if customer_number(password) == number else ""


def seconds_blocked(tries: int, allowed: int) -> int:
    """How long to wait after a refused try: nothing at first, then 30 s, doubled each time up to an hour.

    >>> [seconds_blocked(n, 10) for n in (9, 10, 11, 40)]
    [0, 30, 60, 3600]
    """
    return 0 if tries < allowed else min(30 * 2 ** min(tries - allowed, 7), 3600)


def next_try(age: float, first: int) -> float:
    """Seconds until something that has waited `age` seconds is tried again: the wait doubles, up to six hours.

    >>> [next_try(age, 60) for age in (0, 60, 120, 10**6)]
    [60, 60, 120, 21600]
    """
    return min(max(age, first), 6 * 3600)


def page_span(count: int, window: int, size: int, page: int) -> tuple[int, int, int]:
    """(movements before the page, movements on it, pages) of the last `window` of `count` movements, oldest first.

    >>> page_span(400, 120, 20, 1), page_span(400, 120, 20, 6), page_span(0, 120, 20, 1)
    ((280, 20, 6), (380, 20, 6), (0, 0, 1))
    """
    shown = min(count, window)
    skip = count - shown + (page - 1) * size
    return skip, min(size, count - skip), max(1, -(-shown // size))


def unpaid(debits, balance: int):
    """Yield (debit, what is still owed of it), newest first: payments cancel the oldest.

    >>> from types import SimpleNamespace as Debit
    >>> [owed for _, owed in unpaid([Debit(amount=100), Debit(amount=50), Debit(amount=30)], 120)]
    [100, 20]
    """
    for debit in debits:
        if balance <= 0:
            return
        yield debit, min(debit.amount, balance)
        balance -= debit.amount


class Operation(NamedTuple):
    """A payment as the payment service tells it."""

    reference: str          # ours
    service_payment: str    # the service's own number; '' = none yet
    state: str              # pending | credited | rejected
    amount: int | None      # centavos; None = it could not be read
    currency: str           # 'ARS', 'USD' …; '' = not told


def verdict(payment, operation: Operation) -> tuple[str, str]:
    """What an operation means for our payment: (credit | pending | rejected | nothing | review, why).

    `payment` has state, amount and service_payment; None = the reference is not ours. Only an exact match credits.
    """
    if payment is None:
        return "review", "unknown reference"
    if payment.state == "credited":
        return after_the_credit(payment, operation)
    if operation.state != "credited":
        return ("nothing" if payment.state in (operation.state, "review") else operation.state), ""
    if operation.currency != "ARS":
        return "review", f"currency is {operation.currency or 'not told'}, not ARS"
    if operation.amount != payment.amount:
        paid = "unreadable" if operation.amount is None else plain_money(operation.amount)
        return "review", f"amount is {paid}, not {plain_money(payment.amount)}"
    return ("credit", "") if operation.service_payment else ("review", "the service gave no number")


def after_the_credit(payment, operation: Operation) -> tuple[str, str]:
    """What an operation means once its payment was credited: the same again is nothing, all else is odd."""
    is_same = operation.service_payment in ("", payment.service_payment)
    if operation.state == "credited":
        return ("nothing", "") if is_same else ("review", "paid a second time")
    return ("review", f"{operation.state} after it was credited") if is_same else ("nothing", "")


# === Settings =====================================================================================
# Of the process: environment (CAC_…), else the TOML file in CAC_CONFIG, else the default. Of the business: table setting.

SETTINGS = {  # name: (default, what it is)
    "SECRET_KEY":          ("", "signs cookies and links; 32 random characters or more"),
    "SECRET_KEY_FALLBACKS": ("", "earlier secret keys, comma-separated: what they signed stays good"),
    "DATABASE":            ("cac.db", "the SQLite file"),
    "DOCUMENTS":           ("documents", "folder of the vouchers' PDFs"),
    "BASE_URL":            ("", "public address of the portal, for links in mails and the way back from a payment"),
    "PROXIES":             ("0", "how many proxies in front are trusted for X-Forwarded-…"),
    "SMTP_URL":            ("", "smtp://user:password@host:587, smtps://…, smtp+starttls://…; none = mail waits"),
    "MAIL_FROM":           ("CAC <no-responder@localhost>", "sender of the mails"),
    "DINEROMAIL_URL":      ("https://argentina.dineromail.com", "base address of DineroMail"),
    "DINEROMAIL_ACCOUNT":  ("", "the account, all 8 digits; none = DineroMail is not offered"),
    "DINEROMAIL_PASSWORD": ("", "the IPN key, with which operations are queried"),
    "CHORES":              ("on", "off = this process does not send mail nor query payments by itself"),
    "DEMO":                ("", "set by the demo alone: folder of its mails"),
}
SECRETS = {"SECRET_KEY", "SECRET_KEY_FALLBACKS", "SMTP_URL", "DINEROMAIL_PASSWORD"}


class Refused(click.ClickException):
    """A command, or the start, that is refused: nothing was changed. Exit code 1."""


def read_settings(**given) -> dict:
    """The process's settings by name; `given` (in lower case) wins over all. Refused names what cannot be read."""
    settings = {name: default for name, (default, _) in SETTINGS.items()}
    settings |= settings_file(os.environ.get("CAC_CONFIG"))
    settings |= {name: os.environ[f"CAC_{name}"] for name in SETTINGS if f"CAC_{name}" in os.environ}
    settings |= {name.upper(): value for name, value in given.items()}
    if not re.fullmatch(r"[0-9]", str(settings["PROXIES"])):
        raise Refused("CAC_PROXIES: say how many proxies, 0 to 9.")
    if settings["DINEROMAIL_ACCOUNT"] and not re.fullmatch(r"[0-9]{8}", settings["DINEROMAIL_ACCOUNT"]):
        raise Refused("CAC_DINEROMAIL_ACCOUNT: give all 8 digits, without the slash.")
    keys = settings["SECRET_KEY_FALLBACKS"]
    return settings | {"SECRET_KEY_FALLBACKS": [key for key in keys.split(",") if key]}


def settings_file(path: str | None) -> dict:
    """The settings in a TOML file, by name."""
    try:
        found = tomllib.loads(Path(path).read_text()) if path else {}
    except (OSError, ValueError) as error:
        raise Refused(f"CAC_CONFIG: {path}: {error}") from error
    settings = {name.upper().removeprefix("CAC_"): str(value) for name, value in found.items()}
    if unknown := settings.keys() - SETTINGS.keys():
        raise Refused(f"CAC_CONFIG: {path}: no such setting: {', '.join(sorted(unknown)).lower()}")
    return settings


def unsafe_settings(settings) -> list[str]:
    """What keeps the portal from serving customers, a line each."""
    problems = []
    if len(settings["SECRET_KEY"]) < 32:
        problems.append("CAC_SECRET_KEY: needs 32 characters or more; make one: "
                        "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'")
    if not re.match(r"https?://[^/]", settings["BASE_URL"]):
        problems.append("CAC_BASE_URL: the portal's public address, as https://www.example.com.ar/clientes/")
    if settings["DEMO"]:
        problems.append("CAC_DEMO: is for the demo alone")
    return problems


def business():
    """The business's settings of this request, as attributes: money and counts are int."""
    if "business" not in g:
        found = many("SELECT name, kind, value FROM setting")
        values = {s.name: int(s.value) if s.kind in ("money", "count") else s.value for s in found}
        g.business = namedtuple("Business", values)(**values)
    return g.business


def parse_setting(kind: str, text: str) -> str:
    """What `set` stores for a text of the operator; ValueError says what is expected."""
    if kind == "money":
        return str(parse_money(text))
    if kind == "count" and not re.fullmatch(r"[1-9][0-9]{0,5}", text):
        raise ValueError("a whole number from 1 to 999999")
    if kind == "cuit" and not is_cuit(text):
        raise ValueError("a CUIT, 11 digits with a right check digit")
    if kind == "mark":
        raise ValueError("is not for you to set")
    return cuit.compact(text) if kind == "cuit" else text


# === Database =====================================================================================
# A connection for each thread, kept. Reads need no transaction; writes are short, and never wait for the network.

SCHEMA_VERSION = 1
MIGRATIONS = {}  # version: the SQL that leads to it from the one before; schema.sql is always the newest


def now(seconds: float = 0) -> str:
    """The time, so many seconds from now, as the database keeps it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def age_of(time_text: str) -> float:
    """Seconds since a time of the database."""
    return (datetime.now(UTC) - datetime.fromisoformat(time_text)).total_seconds()


def today() -> str:
    """The day in Argentina."""
    return datetime.now(ARGENTINA).date().isoformat()


@cache
def row_type(columns: tuple):
    """A named tuple for these columns: in templates several times as fast as sqlite3.Row."""
    return namedtuple("Row", columns)


def as_row(cursor, values):
    """The row factory: rows whose columns are attributes."""
    return row_type(tuple(column[0] for column in cursor.description))(*values)


def connect(path) -> sqlite3.Connection:
    """A connection as all of CAC uses it. What is committed survives a power cut (synchronous=FULL)."""
    db = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    for pragma in ("busy_timeout = 5000", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        db.execute(f"PRAGMA {pragma}")
    db.row_factory = as_row
    return db


def get_db() -> sqlite3.Connection:
    """This thread's connection to the application's database."""
    kept = current_app.extensions["cac.connections"]
    if not hasattr(kept, "db"):
        path = Path(current_app.config["DATABASE"])
        if not path.is_file():
            raise Refused(f"There is no database at {path}: `python cac.py init` makes it.")
        kept.db = connect(path)
    return kept.db


def one(sql: str, *values):
    """The first row, or None."""
    return get_db().execute(sql, values).fetchone()


def many(sql: str, *values) -> list:
    """All rows."""
    return get_db().execute(sql, values).fetchall()


def one_or_404(sql: str, *values):
    """The first row, or the page that says there is none."""
    return one(sql, *values) or abort(404)


@contextmanager
def transaction(db: sqlite3.Connection | None = None, kind: str = "IMMEDIATE"):
    """All or nothing. IMMEDIATE writes; DEFERRED only reads, all from one moment."""
    db = db or get_db()
    db.execute(f"BEGIN {kind}")
    try:
        yield db
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def make_database(path, *scripts: str) -> None:
    """A new database with these SQL files, or none at all; the tables are never half there."""
    db = connect(path)
    try:
        for script in scripts:
            db.executescript((HERE / script).read_text(encoding="utf-8"))
    finally:
        db.close()


def upgrade_database(db: sqlite3.Connection) -> list[int]:
    """Bring an older database to this version, step by step; return the steps. Refused if it is a newer one."""
    version = db.execute("PRAGMA user_version").fetchone().user_version
    if version > SCHEMA_VERSION:
        raise Refused(f"The database is of version {version}, this program knows {SCHEMA_VERSION}: use a newer program.")
    steps = range(version + 1, SCHEMA_VERSION + 1)
    for step in steps:
        with transaction(db):
            for statement in MIGRATIONS[step].split(";\n"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {step}")
    return list(steps)


# === Queries ======================================================================================
# What the pages ask. Page, PDF, CSV and commands ask the same ones.

LINES = """
    WITH line AS (SELECT * FROM movement WHERE customer = ? ORDER BY date, id LIMIT ? OFFSET ?)
    SELECT line.*, voucher_type.name AS type_name, voucher_type.letter
    FROM line JOIN voucher_type ON voucher_type.code = line.type ORDER BY line.date, line.id"""
VOUCHER = """
    SELECT movement.*, voucher_type.name AS type_name, voucher_type.letter, voucher_type.kind
    FROM movement JOIN voucher_type ON voucher_type.code = movement.type WHERE movement.customer = ? AND movement.id = ?"""


class Statement(NamedTuple):
    """Some consecutive movements of a customer, each with the balance after it."""

    opening: int            # balance before the first line
    lines: list             # (movement, balance after it), oldest first
    closing: int            # balance after the last line
    balance: int            # of all movements, what the customer owes
    page: int
    pages: int


def balance_of(number: int) -> int:
    """What a customer owes: the sum of the ledger."""
    return one("SELECT coalesce(sum(amount), 0) AS balance FROM movement WHERE customer = ?", number).balance


def statement(number: int, window: int, size: int, page: int | None = None) -> Statement:
    """A page of the customer's last `window` movements; without a page, or with one that does not exist, the newest."""
    with transaction(kind="DEFERRED"):
        count = one("SELECT count(*) AS n FROM movement WHERE customer = ?", number).n
        pages = page_span(count, window, size, 1)[2]
        page = page if page and 1 <= page <= pages else pages
        skip, length, _ = page_span(count, window, size, page)
        opening = one("SELECT coalesce(sum(amount), 0) AS balance FROM (SELECT amount FROM movement"
                      " WHERE customer = ? ORDER BY date, id LIMIT ?)", number, skip).balance
        found = many(LINES, number, length, skip)
        balance = balance_of(number)
    balances = list(accumulate((line.amount for line in found), initial=opening))
    return Statement(opening, list(zip(found, balances[1:], strict=True)), balances[-1], balance, page, pages)


def whole_statement(number: int) -> Statement:
    """All the movements that the statement's pages show, at once."""
    window = business().statement_window
    return statement(number, window, window)


def next_due(number: int, balance: int) -> str | None:
    """The earliest due date among what is not paid yet; it may be past."""
    debits = get_db().execute("SELECT amount, due_date FROM movement WHERE customer = ? AND amount > 0"
                              " ORDER BY date DESC, id DESC", (number,))
    return min((debit.due_date for debit, _ in unpaid(debits, balance) if debit.due_date), default=None)


def has_pdf(movement) -> bool:
    """Whether a voucher can be downloaded: it is stored, or it is electronic, or this portal made it."""
    return bool(movement.document or movement.cae or movement.origin == "portal")


def find_voucher(number: int, voucher: int):
    """One of this customer's own vouchers that have a PDF, or 404."""
    movement = one_or_404(VOUCHER, number, voucher)
    return movement if has_pdf(movement) else abort(404)


def emails_of(number: int, *, only_confirmed: bool = False) -> list[str]:
    """A customer's addresses, the oldest first."""
    found = many("SELECT address, confirmed_at FROM email WHERE customer = ? ORDER BY id", number)
    return [email.address for email in found if email.confirmed_at or not only_confirmed]


class Offer(NamedTuple):
    """What the payment page offers a customer, and all it was decided from."""

    balance: int
    limit: int
    dm_active: bool         # of the last invoice's type; no invoice, no DM
    last_invoice: str       # its type's name, '' = none
    services: list          # (name, label) of the payment services that are configured

    def shows_balance(self) -> bool:
        """Whether the balance may be paid on line."""
        return bool(self.services) and shows_dineromail(self.balance, self.limit, self.dm_active)

    def shows_advance(self) -> bool:
        """Whether a payment in advance may be made."""
        return bool(self.services) and shows_advance_payment(self.balance, self.limit)

    def labels(self) -> str:
        """The names of the payment services."""
        return " o ".join(label for _, label in self.services)

    def why_not_balance(self) -> str:
        """Why the balance may not be paid on line."""
        return why_not_dineromail(self.balance, self.limit, self.dm_active) or "El pago en línea no está habilitado."

    def why_not_advance(self) -> str:
        """Why no payment may be made in advance."""
        return why_not_advance_payment(self.balance, self.limit) or "El pago en línea no está habilitado."


def payment_page_values() -> dict:
    """What the payment page shows the signed-in customer, whatever form is on it."""
    number = current_user.number
    return {"offer": payment_offer(number), "accounts": many("SELECT * FROM bank_account ORDER BY id"),
            "under_way": many("SELECT * FROM payment WHERE customer = ? AND state IN ('pending', 'review') ORDER BY id", number)}


def payment_offer(number: int) -> Offer:
    """What the payment page offers this customer now."""
    last = one("SELECT type_name, dineromail FROM last_invoice WHERE customer = ?", number)
    services = [("dineromail", "DineroMail")] if current_app.config["DINEROMAIL_ACCOUNT"] else []
    return Offer(balance_of(number), business().dm_limit, bool(last and last.dineromail),
                 last.type_name if last else "", services)


# === Sessions =====================================================================================
# Passwords are hashed with argon2id; the cookie's random token is known here by its hash alone.

HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)  # OWASP's minimum: 30 ms and 19 MB a try
NOBODY = HASHER.hash(secrets.token_hex())        # refusing an unknown user costs as much as refusing a known one
HASHING = threading.BoundedSemaphore(2)          # at once in each process: a flood must not eat the memory
IDLE_SECONDS = 30 * 60
SESSION_SECONDS = 8 * 3600                       # however busy
TOUCH_SECONDS = 5 * 60                           # how old the "last seen" may grow before it is written again
LINK_SECONDS = 3600                              # a password link
INVITATION_SECONDS = 7 * 24 * 3600
CONFIRMATION_SECONDS = 3 * 24 * 3600
FORGET_SECONDS = 15 * 60                         # refused tries are forgotten after so long without one
MAIL_REQUESTS = {"account": 6, "address": 60}    # password mails, until FORGET_SECONDS pass without asking
SIGN_INS = {"account": 10, "address": 100}       # refused tries

login_manager = LoginManager()
login_manager.session_protection = None          # it would tie the session to X-Forwarded-For, which anybody can write
csrf = CSRFProtect()


class TooManyTries(Exception):  # noqa: N818 - it is a state of the customer's, not a fault
    """Somebody has to wait so many seconds."""

    def __init__(self, seconds: int):
        """`seconds` until the next try counts."""
        self.seconds = seconds


@dataclass(frozen=True)
class SignedIn(UserMixin):
    """The customer of this request (a row of `customer` with the brand's name and website), and the session's token."""

    customer: tuple
    token: str

    def get_id(self) -> str:
        """What Flask-Login keeps in the cookie."""
        return self.token

    def __getattr__(self, name):
        """The customer's columns are at hand as current_user.name and so on."""
        return getattr(self.customer, name)


def sha256(text: str) -> str:
    """Of a token, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def normalized(password: str) -> str:
    """Keyboards write ñ in two ways: NIST 800-63B has both mean the same password."""
    return unicodedata.normalize("NFKC", password)


def hash_password(password: str) -> str:
    """For the column `password`."""
    with HASHING:
        return HASHER.hash(normalized(password))


def is_password(hashed: str | None, password: str) -> bool:
    """Whether it is the one; without a hash it takes as long to say no."""
    with HASHING, suppress(VerificationError):
        return HASHER.verify(hashed or NOBODY, normalized(password)) and hashed is not None
    return False


def record(db, customer: int, kind: str, actor: str = "customer", **change) -> None:
    """Write in the account's log what happened; `change` may hold field, old and new."""
    address = request.remote_addr if request else ""
    db.execute("INSERT INTO event (at, customer, kind, actor, address, field, old, new) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
               (now(), customer, kind, actor, address, *(change.get(name) for name in ("field", "old", "new"))))
    log.info("event=%s customer=%s actor=%s address=%s", kind, customer, actor, address)


def count_try(db, key: str, allowed: int) -> int:
    """Count a try before its outcome is known; return the seconds to wait, 0 if it may go on."""
    kept = db.execute("SELECT * FROM throttle WHERE key = ?", (key,)).fetchone()
    if kept and kept.blocked_until and kept.blocked_until > now():
        return int(-age_of(kept.blocked_until)) + 1
    tries = kept.tries + 1 if kept and kept.last_at > now(-max(FORGET_SECONDS, seconds_blocked(kept.tries, allowed))) else 1
    wait = seconds_blocked(tries, allowed)
    db.execute("INSERT INTO throttle VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET tries = excluded.tries,"
               " last_at = excluded.last_at, blocked_until = excluded.blocked_until",
               (key, tries, now(), now(wait) if wait else None))
    return 0


def throttle_keys(deed: str, account) -> dict[str, str]:
    """The keys under which a deed is counted, of the account and of the place on the net."""
    return {"account": f"{deed}:{account}", "address": f"{deed}:{address_block(request.remote_addr or '')}"}


def count_tries(db, deed: str, account, limits: dict) -> int:
    """Count a try under each of its keys; return the seconds to wait, 0 if it may go on."""
    return max(count_try(db, key, limits[scope]) for scope, key in throttle_keys(deed, account).items())


def throttle(deed: str, account) -> None:
    """Count a try to show a password, before any is hashed; TooManyTries if there were too many."""
    with transaction() as db:
        wait = count_tries(db, deed, account, SIGN_INS)
    if wait:
        log.warning("event=throttled deed=%s account=%s address=%s", deed, account, request.remote_addr)
        raise TooManyTries(wait)


def forgive(db, deed: str, account) -> None:
    """A try turned out to be right: the account starts afresh, the place on the net gets this one back."""
    keys = throttle_keys(deed, account)
    db.execute("DELETE FROM throttle WHERE key = ?", (keys["account"],))
    db.execute("UPDATE throttle SET tries = tries - 1, blocked_until = NULL WHERE key = ? AND tries > 0", (keys["address"],))


def may_sign_in(typed: str, password: str):
    """The customer whose number and password these are, or None: unknown, wrong, blocked and without a password alike."""
    number = customer_number(typed)
    throttle("sign-in", number)
    customer = one("SELECT * FROM customer WHERE number = ?", number)
    if is_password(customer and customer.password, password) and customer.active:
        return customer
    log.warning("event=sign-in-refused customer=%s address=%s", number, request.remote_addr)
    return None


def confirms_password(password: str) -> bool:
    """Whether the signed-in customer typed the password in use; refused tries count."""
    throttle("password", current_user.number)
    if not is_password(current_user.password, password):
        return False
    with transaction() as db:
        forgive(db, "password", current_user.number)
    return True


def open_session(number: int) -> None:
    """Sign this customer in here; whatever the visitor's cookie held before is gone."""
    token = secrets.token_urlsafe(32)
    session.clear()
    with transaction() as db:
        forgive(db, "sign-in", number)
        record(db, number, "sign-in")
        db.execute("INSERT INTO session VALUES (?, ?, ?, ?, ?, ?)",
                   (sha256(token), number, now(), now(), request.remote_addr or "", request.user_agent.string[:200]))
    login_user(SignedIn(one("SELECT * FROM customer WHERE number = ?", number), token))


@login_manager.user_loader
def signed_in(token: str) -> SignedIn | None:
    """Who holds this token; None once it was ended, grew old, or its customer was blocked."""
    found = one("SELECT customer.*, session.seen_at FROM session JOIN customer ON customer.number = session.customer"
                " WHERE token_hash = ? AND active = 1 AND seen_at > ? AND created_at > ?",
                sha256(token), now(-IDLE_SECONDS), now(-SESSION_SECONDS))
    if found and found.seen_at < now(-TOUCH_SECONDS):
        with suppress(sqlite3.OperationalError), transaction() as db:  # reading goes on when writing cannot
            db.execute("UPDATE session SET seen_at = ? WHERE token_hash = ?", (now(), sha256(token)))
    return SignedIn(found, token) if found else None


def signer(purpose: str) -> URLSafeTimedSerializer:
    """Signs the tokens of links, apart for each purpose."""
    config = current_app.config
    if not config["SECRET_KEY"]:
        raise Refused("CAC_SECRET_KEY is not set: links cannot be signed.")
    return URLSafeTimedSerializer([*config["SECRET_KEY_FALLBACKS"], config["SECRET_KEY"]], salt=f"cac.{purpose}.v1")


def read_token(purpose: str, token: str):
    """(what was signed, its age in seconds), or None if it was not signed here for this."""
    try:
        signed, made = signer(purpose).loads(token, return_timestamp=True, max_age=INVITATION_SECONDS)
    except BadSignature:
        return None
    return signed, (datetime.now(UTC) - made).total_seconds()


def new_link(db, number: int) -> int:
    """Make earlier password links of this customer useless; return the serial of the next."""
    sql = "UPDATE customer SET link_serial = link_serial + 1 WHERE number = ? RETURNING link_serial"
    return db.execute(sql, (number,)).fetchone().link_serial


def customer_of_link(token: str):
    """The customer who may choose a password by this link; None if it was used, superseded or grew old."""
    signed, age = read_token("password", token) or ((0, 0, 0), 0)
    number, serial, seconds = signed
    return one("SELECT * FROM customer WHERE number = ? AND link_serial = ? AND active = 1 AND ? < ?",
               number, serial, age, seconds)


def email_of_link(token: str):
    """The address that this link confirms; None if it is no longer on file, or the link is not good."""
    signed, age = read_token("email", token) or ((0, ""), 0)
    return one("SELECT * FROM email WHERE id = ? AND canonical = ? AND ? < ?", *signed, age, CONFIRMATION_SECONDS)


def unconfirmed_emails(number: int) -> list[str]:
    """The addresses whose owner has not confirmed them yet."""
    found = many("SELECT address FROM email WHERE customer = ? AND confirmed_at IS NULL ORDER BY id", number)
    return [email.address for email in found]


def absolute(endpoint: str, **values) -> str:
    """A link for mails and for the way back: to the configured address, whatever host was asked."""
    base = urlsplit(current_app.config["BASE_URL"])
    if not base.netloc:
        raise Refused("CAC_BASE_URL is not set: links cannot be made.")
    urls = current_app.url_map.bind(base.netloc, script_name=base.path or "/", url_scheme=base.scheme)
    return urls.build(f"cac.{endpoint}", values, force_external=True)


def password_link(number: int, serial: int, seconds: int = LINK_SECONDS) -> str:
    """A link to choose a password, good for so many seconds from now."""
    return absolute("new_password", token=signer("password").dumps([number, serial, seconds]))


# === Mail =========================================================================================
# A mail is committed to the outbox with what it speaks of, and leaves from there: a dead SMTP server loses nothing.

SMTP_SECONDS = 10
MAIL_DAYS = 3                                    # a mail that could not be sent for so long is given up, visibly


def enqueue(db, template: str, recipients: list[str], customer: int | None = None, **data) -> None:
    """Put a mail for each recipient in the outbox; `data` is what templates/mail/<template>.txt needs."""
    db.executemany("INSERT INTO outbox (template, recipient, customer, data, created_at, due_at) VALUES (?, ?, ?, ?, ?, ?)",
                   [(template, recipient, customer, json.dumps(data), now(), now()) for recipient in recipients])


def write_mail(mail) -> EmailMessage:
    """The message of a row of the outbox. Links are signed here, so that no secret is ever stored."""
    text = render_template(f"mail/{mail.template}.txt", **json.loads(mail.data), company=business(),
                           absolute=absolute, password_link=password_link, confirmation_link=confirmation_link)
    subject, _, body = text.partition("\n")
    message = EmailMessage()
    message["Subject"] = " ".join(subject.split())
    message["From"] = current_app.config["MAIL_FROM"]
    message["To"] = mail.recipient
    message["Date"] = datetime.now(ARGENTINA)
    message["Message-ID"] = f"<{mail.id}.{sha256(mail.created_at + mail.recipient)[:16]}@cac>"  # the same at each try
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body.strip() + "\n")
    return message


def confirmation_link(email_id: int, canonical: str) -> str:
    """A link that confirms an address."""
    return absolute("confirm_email", token=signer("email").dumps([email_id, canonical]))


def send(message: EmailMessage) -> None:
    """Hand a message to the SMTP server (or to the demo's folder and screen); OSError or Refused says what went wrong."""
    config, url = current_app.config, urlsplit(current_app.config["SMTP_URL"])
    if config["DEMO"] and not url.hostname:
        name = f"{now()}-{message['Message-ID'].strip('<>')}.eml"
        Path(config["DEMO"], name).write_bytes(message.as_bytes())
        return click.echo(f"\n{'─' * 70}\n{message['To']}: {message['Subject']}\n\n{message.get_content()}{'─' * 70}\n")
    if not url.hostname:
        raise Refused("CAC_SMTP_URL is not set")
    server = smtplib.SMTP_SSL if url.scheme == "smtps" else smtplib.SMTP
    with server(url.hostname, url.port or {"smtps": 465, "smtp": 25}.get(url.scheme, 587), timeout=SMTP_SECONDS) as smtp:
        if url.scheme == "smtp+starttls":
            smtp.starttls(context=ssl.create_default_context())
        if url.username:
            smtp.login(unquote(url.username), unquote(url.password or ""))
        smtp.send_message(message)
    return None


def send_one(mail) -> None:
    """Try to send a mail of the outbox. It is postponed first: a worker killed half-way delays it, and no other sends it."""
    age = age_of(mail.created_at)
    postponed = now(next_try(age, 60)) if age < MAIL_DAYS * 86400 else None
    with transaction() as db:
        db.execute("UPDATE outbox SET tries = tries + 1, due_at = ? WHERE id = ?", (postponed, mail.id))
    try:
        send(write_mail(mail))
    except (OSError, ValueError, Refused) as error:
        log.warning("event=mail-failed mail=%s error=%s", mail.id, type(error).__name__)
        outcome = "error = ?", str(error)
    else:
        outcome = "due_at = NULL, error = NULL, sent_at = ?", now()
    with transaction() as db:
        db.execute(f"UPDATE outbox SET {outcome[0]} WHERE id = ?", (outcome[1], mail.id))


def send_due_mail() -> None:
    """Empty the outbox of what is due, in order."""
    for mail in many("SELECT * FROM outbox WHERE due_at <= ? ORDER BY id LIMIT 50", now()):
        send_one(mail)


def mail_links(db, customers: list, recipients: list[str], template: str = "reset") -> None:
    """Mail each recipient a link for each customer to choose a password; earlier links die."""
    accounts = [{"number": c.number, "name": c.name, "serial": new_link(db, c.number)} for c in customers]
    enqueue(db, template, recipients, customers[0].number, accounts=accounts)
    for customer in customers:
        record(db, customer.number, f"{template}-link", "customer" if request else "operator")


def mail_forgotten(usuario: str, address: str) -> None:
    """¿Olvidó su Clave? By number: to all its confirmed addresses. By address: to it, a link for each who has it.

    Whoever asks cannot tell by the time it takes whether anybody was written to: there is one transaction in each case.
    """
    sql = "SELECT customer.*, address FROM customer JOIN email ON email.customer = number WHERE active AND confirmed_at IS NOT NULL AND"
    asked = customer_number(usuario) if usuario else canonical_or_none(address)
    found = many(f"{sql} {'number' if usuario else 'canonical'} = ? ORDER BY number, email.id", asked)
    customers = list({row.number: row for row in found}.values())
    recipients = [row.address for row in found] if usuario else [row.address for row in found[:1]]
    with transaction() as db:
        if not count_tries(db, "forgot", asked, MAIL_REQUESTS) and found:
            mail_links(db, customers, recipients)


# === Payments =====================================================================================
# A notice and the customer's return are only hints. Nothing is credited but by asking the service, once, exactly.

SERVICE_SECONDS = 4                              # a payment service that takes longer is asked again later
NOTICE_BYTES = 64 * 1024
ANSWER_BYTES = 256 * 1024
FIRST_QUERY_SECONDS = 180                        # a new payment is asked about after this, if no notice came before
GIVE_UP_SECONDS = 30 * 86400


class ServiceError(Exception):
    """A payment service could not be asked, or its answer could not be read: ask again later."""


class NoRedirect(HTTPRedirectHandler):
    """An answer from elsewhere is no answer."""

    def redirect_request(self, *_):
        """Follow nothing."""


def fetch(url: str, fields: dict) -> bytes:
    """POST a form to a payment service; the whole answer within SERVICE_SECONDS, or ServiceError."""
    deadline, answer = time.monotonic() + SERVICE_SECONDS, b""
    try:
        with build_opener(NoRedirect).open(Request(url, urlencode(fields).encode()), timeout=SERVICE_SECONDS / 2) as reply:
            while chunk := reply.read1(65536):
                answer += chunk
                if time.monotonic() > deadline or len(answer) > ANSWER_BYTES:
                    raise ServiceError("the answer is too slow or too long")
    except (OSError, HTTPException, ValueError) as error:
        raise ServiceError(f"{type(error).__name__}: {error}") from error
    return answer


def tolerant_xml(body: bytes):
    """The tree of DineroMail's XML, tags in lower case, with all the damage that was seen in the wild; ValueError."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    text = html.unescape(text) if text.lstrip().startswith("&lt;") else text
    text = re.sub(r"^\s*<\?\s*xml[^>]*>", "", text, flags=re.I)
    if "<!" in text:
        raise ValueError("declarations are refused")
    try:
        tree = parse_xml(re.sub(r"&(?!(#\d+|#x[0-9a-fA-F]+|amp|lt|gt|quot|apos);)", "&amp;", text.strip()))
    except (ElementTree.ParseError, DefusedXmlException) as error:
        raise ValueError(f"not XML: {error}") from error
    for element in tree.iter():
        element.tag = element.tag.lower()
    return tree


def pesos_of(text: str | None) -> int | None:
    """The centavos of a decimal with a point, as payment services write it; None if it is something else."""
    with suppress(InvalidOperation, ValueError):
        centavos = Decimal((text or "").strip()) * 100
        return int(centavos) if centavos == int(centavos) else None
    return None


class DineroMail:
    """Checkout of generation 1 and IPN v2, as in DineroMail's own manual of July 2011."""

    label = "DineroMail"
    states = {"1": "pending", "2": "credited", "3": "rejected"}     # ESTADO
    currencies = {"1": "ARS", "2": "USD"}                           # MONEDA

    def __init__(self, config):
        """The account is known with its check digit, and used without."""
        self.base = config["DINEROMAIL_URL"].rstrip("/")
        self.account, self.key = config["DINEROMAIL_ACCOUNT"][:-1], config["DINEROMAIL_PASSWORD"]

    def checkout(self, payment) -> tuple[str, dict]:
        """(address, fields) of the form that takes the customer to pay."""
        back = absolute("payment", reference=payment.reference, vuelta=1)
        return f"{self.base}/Shop/Shop_Ingreso.asp", {
            "NombreItem": f"{business().company_name}: usuario {payment.customer}", "TipoMoneda": "1",
            "PrecioItem": f"{payment.amount // 100}.{payment.amount % 100:02}", "E_Comercio": self.account,
            "NroItem": f"CC-{payment.customer}", "trx_id": payment.reference, "image_url": "http://",
            "DireccionExito": back, "DireccionFracaso": back, "DireccionEnvio": "0", "Mensaje": "0", "MediosPago": "",
        }

    def references(self, body: bytes) -> list[str]:
        """What a notice speaks of; ValueError if it cannot be read."""
        fields = parse_qsl(body.decode("latin-1"), encoding="latin-1")
        xml = next((value for name, value in fields if name.lower() == "notificacion"), "")
        found = tolerant_xml(xml.encode("latin-1")).iterfind("operaciones/operacion/id")
        references = list(dict.fromkeys(found_id.text.strip() for found_id in found if found_id.text))
        if not references or not all(re.fullmatch(r"[A-Za-z0-9]{1,20}", reference) for reference in references):
            raise ValueError("no operation, or one with an impossible number")
        return references

    def query(self, reference: str) -> list[Operation]:
        """What DineroMail says of a reference; nothing if it does not know it."""
        root = ElementTree.Element("REPORTE")
        ElementTree.SubElement(root, "NROCTA").text = self.account
        question = ElementTree.SubElement(ElementTree.SubElement(root, "DETALLE"), "CONSULTA")
        ElementTree.SubElement(question, "CLAVE").text = self.key
        ElementTree.SubElement(question, "TIPO").text = "1"
        ElementTree.SubElement(ElementTree.SubElement(question, "OPERACIONES"), "ID").text = reference
        answer = fetch(f"{self.base}/Vender/Consulta_IPN.asp", {"DATA": ElementTree.tostring(root, "unicode")})
        return self.read_report(answer)

    def read_report(self, answer: bytes) -> list[Operation]:
        """The operations of an answer; ServiceError if it says that the question was wrong."""
        try:
            report = tolerant_xml(answer)
        except ValueError as error:
            raise ServiceError(str(error)) from error
        state = report.findtext("estadoreporte", "none").strip()
        if state not in ("1", "8"):  # 8 = nothing found
            raise ServiceError(f"ESTADOREPORTE {state}")
        return [self.read_operation(operation) for operation in report.iterfind("detalle/operaciones/operacion")]

    def read_operation(self, operation) -> Operation:
        """An operation of a report. The customer is credited with MONTO, never with MONTONETO."""
        def text(path):
            return operation.findtext(path, "").strip()
        currencies = {self.currencies.get((item.text or "").strip(), "unknown") for item in operation.iterfind("items/item/moneda")}
        return Operation(text("id"), text("numtransaccion"), self.states.get(text("estado"), f"state {text('estado')}"),
                         pesos_of(text("monto")), currencies.pop() if len(currencies) == 1 else "")


SERVICES = {"dineromail": DineroMail}


def payment_service(name: str):
    """The payment service of this name, as it is configured."""
    return SERVICES[name](current_app.config)


def start_attempt(number: int, service: str, purpose: str, amount: int) -> str:
    """Commit a payment before the customer is sent away to make it; return its reference.

    The same payment that was begun and not made, by a second click or in another tab, is taken up again.
    """
    reference = "CAC" + b32encode(secrets.token_bytes(10)).decode()
    with transaction() as db:
        begun = db.execute(
            "INSERT INTO payment (reference, customer, service, purpose, amount, created_at, query_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (customer, service, purpose, amount) WHERE state = 'new' DO UPDATE SET query_at = excluded.query_at"
            " RETURNING reference",
            (reference, number, service, purpose, amount, now(), now(FIRST_QUERY_SECONDS))).fetchone().reference
        if begun == reference:
            record(db, number, "payment-started", field=reference, new=plain_money(amount))
    return begun


def credit(db, payment, operation: Operation) -> None:
    """Write the receipt of a payment in the ledger."""
    label = SERVICES[payment.service].label
    receipt = db.execute(
        "INSERT INTO movement (customer, date, type, point_of_sale, number, detail, amount, origin)"
        " VALUES (?, ?, 900, 0, ?, ?, ?, 'portal') RETURNING id",
        (payment.customer, today(), payment.id, f"Pago con {label}, operación {operation.service_payment}", -payment.amount),
    ).fetchone().id
    db.execute("UPDATE payment SET state = 'credited', service_payment = ?, movement = ?, query_at = NULL WHERE id = ?",
               (operation.service_payment, receipt, payment.id))
    record(db, payment.customer, "payment-credited", "service", field=payment.reference, new=plain_money(payment.amount))


def put_in_review(db, service: str, operation: Operation, reason: str) -> None:
    """Leave it to a person, once per reason."""
    db.execute("INSERT OR IGNORE INTO review (at, service, reference, service_payment, reason) VALUES (?, ?, ?, ?, ?)",
               (now(), service, operation.reference, operation.service_payment, reason))
    db.execute("UPDATE payment SET state = 'review' WHERE service = ? AND reference = ? AND state <> 'credited'",
               (service, operation.reference))
    log.warning("event=review service=%s reference=%r reason=%r", service, operation.reference, reason)


def act_on(db, service: str, operation: Operation, asked: str) -> str:
    """Do what the verdict on an operation says; return it."""
    payment = db.execute("SELECT * FROM payment WHERE service = ? AND reference = ?", (service, operation.reference)).fetchone()
    deed, why = verdict(payment, operation)
    if operation.reference.upper() != asked.upper():
        deed, why = "review", f"the answer to {asked} was about another operation"
    if deed == "credit" and db.execute("SELECT 1 FROM payment WHERE service = ? AND service_payment = ?",
                                       (service, operation.service_payment)).fetchone():
        deed, why = "review", "the service's payment was credited to another reference"
    if deed == "credit":
        credit(db, payment, operation)
    elif deed == "review":
        put_in_review(db, service, operation, why)
    elif deed != "nothing":
        db.execute("UPDATE payment SET state = ? WHERE id = ?", (deed, payment.id))
    return deed


def settle(service: str, reference: str) -> list[str]:
    """Ask the service about a reference and act on what it says; return the verdicts. ServiceError: nothing changed."""
    try:
        operations = payment_service(service).query(reference)
    finally:
        with transaction() as db:
            postpone(db, service, reference)
    with transaction() as db:
        return [act_on(db, service, operation, reference) for operation in operations]


def postpone(db, service: str, reference: str) -> None:
    """Plan the next query of a payment that is not settled: later and later, and no more after 30 days."""
    payment = db.execute("SELECT * FROM payment WHERE service = ? AND reference = ? AND query_at IS NOT NULL",
                         (service, reference)).fetchone()
    if payment:
        age = age_of(payment.created_at)
        again = now(next_try(age, FIRST_QUERY_SECONDS)) if age < GIVE_UP_SECONDS else None
        db.execute("UPDATE payment SET queried_at = ?, query_at = ? WHERE id = ?", (now(), again, payment.id))


def settle_due_payments() -> None:
    """The sweep: ask about payments that nobody told us of; give up after 30 days."""
    for payment in many("SELECT service, reference FROM payment WHERE query_at <= ? ORDER BY query_at LIMIT 20", now()):
        with suppress(ServiceError):
            settle(payment.service, payment.reference)
    with transaction() as db:
        db.execute("UPDATE payment SET state = 'expired', query_at = NULL WHERE state IN ('new', 'pending') AND created_at < ?",
                   (now(-GIVE_UP_SECONDS),))


def store_notice(service: str, body: bytes) -> int:
    """Keep what a payment service sent, before it is read; return its id."""
    with transaction() as db:
        return db.execute("INSERT INTO notice (service, received_at, address, query, body, query_at) VALUES (?, ?, ?, ?, ?, ?)",
                          (service, now(), request.remote_addr or "", request.query_string.decode("latin-1"), body, now())).lastrowid


def close_notice(notice: int, outcome: str, query_at: str | None = None) -> None:
    """Write what came of a notice, and when to look again; None = it is done with."""
    with transaction() as db:
        db.execute("UPDATE notice SET outcome = ?, query_at = ? WHERE id = ?", (outcome, query_at, notice))


def settle_notice(notice: int) -> None:
    """Settle what a stored notice speaks of; if the service cannot be asked now, later."""
    kept = one("SELECT * FROM notice WHERE id = ?", notice)
    age = age_of(kept.received_at)
    try:
        for reference in payment_service(kept.service).references(kept.body):
            settle(kept.service, reference)
    except ServiceError as error:
        close_notice(notice, str(error), now(next_try(age, 15)) if age < GIVE_UP_SECONDS else None)
    except ValueError as error:
        close_notice(notice, f"refused: {error}")
    else:
        close_notice(notice, "settled")


def settle_due_notices() -> None:
    """Settle the notices that wait for it."""
    for notice in many("SELECT id FROM notice WHERE query_at <= ? ORDER BY id LIMIT 50", now()):
        settle_notice(notice.id)


SETTLING = threading.Lock()                      # one notice of each process is settled while its sender waits


def may_be_asked_about(payment, *, is_back: bool) -> bool:
    """Whether the page of a payment asks the service first: the customer came back from it, and nobody asked just now."""
    return (is_back or payment.state == "pending") and (not payment.queried_at or age_of(payment.queried_at) > 5)


# === Documents ====================================================================================
# What is downloaded. PDFs are written with fpdf2, imported only here and only when needed: it costs 300 ms and 22 MB.

PDF_FONT = "helvetica"                           # a core font, Windows-1252: all of Spanish and no file to embed


def csv_text(text: str) -> str:
    """A text that a spreadsheet will not take for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r\0" and text else text


def csv_money(amount: int) -> str:
    """An amount as es-AR spreadsheets read numbers: 1234,56."""
    return plain_money(amount).replace(".", "").replace("−", "-")


def statement_csv(found: Statement) -> bytes:
    """The statement for a spreadsheet: UTF-8 with BOM, semicolons, decimal commas."""
    file = io.StringIO()
    table = csv.writer(file, delimiter=";")
    table.writerow(["Fecha", "Comprobante", "Número", "Detalle", "Debe", "Haber", "Saldo"])
    table.writerow(["", "Saldo anterior", "", "", "", "", csv_money(found.opening)])
    for line, balance in found.lines:
        debit, credited = (csv_money(line.amount), "") if line.amount >= 0 else ("", csv_money(-line.amount))
        table.writerow([day(line.date), line.type_name, voucher_number(line.date, line.point_of_sale, line.number),
                        csv_text(line.detail), debit, credited, csv_money(balance)])
    table.writerow(["", "Saldo", "", "", "", "", csv_money(found.closing)])
    return file.getvalue().encode("utf-8-sig")


def latin(text: str) -> str:
    """What the PDF's font can show of a text."""
    return text.replace("−", "-").encode("cp1252", "replace").decode("cp1252")


def new_pdf(title: str, colour: str):
    """An A4 page with the company's head, ready to be written on."""
    from fpdf import FPDF
    pdf = FPDF()
    pdf.set_title(title)
    pdf.set_author(business().company_legal_name)
    pdf.set_lang("es-AR")
    pdf.set_core_fonts_encoding("cp1252")
    pdf.set_margin(15)
    pdf.set_auto_page_break(True, 18)
    pdf.add_page()
    pdf.set_fill_color(colour)
    pdf.rect(0, 0, 210, 4, style="F")
    return pdf


def write_at(pdf, x: float, y: float, *lines: tuple[str, int, str]) -> None:
    """Write lines (text, size, 'B' or '') one under the other from a point; leave the pen below them."""
    pdf.set_xy(x, y)
    for text, size, style in lines:
        pdf.set_font(PDF_FONT, style, size)
        pdf.set_x(x)
        pdf.multi_cell(200 - 15 - x + 10 if x > 100 else 80, size * 0.45, latin(text), align="L", new_x="LEFT", new_y="NEXT")


def write_table(pdf, widths: tuple, rows: list, *, size: int = 9) -> None:
    """Write rows of texts in columns; the last three are figures and stand to the right, the first row is the head."""
    from fpdf.fonts import FontFace
    aligns = ["L"] * (len(widths) - 3) + ["R"] * 3 if len(widths) > 3 else ["L"] * (len(widths) - 1) + ["R"]
    pdf.set_font(PDF_FONT, "", size)
    with pdf.table(col_widths=widths, text_align=aligns, line_height=size * 0.55, borders_layout="HORIZONTAL_LINES",
                   headings_style=FontFace(emphasis="BOLD")) as table:
        for row in rows:
            table.row([latin(cell) for cell in row])


def statement_pdf(customer, found: Statement) -> bytes:
    """The statement on paper."""
    pdf = new_pdf("Cuenta corriente", customer.colour)
    write_at(pdf, 15, 14, (business().company_name, 14, "B"), ("Cuenta corriente", 12, ""))
    write_at(pdf, 110, 14, (customer.name, 11, "B"), (f"Usuario {customer.number}", 9, ""), (f"Al {day(today())}. Importes en pesos.", 9, ""))
    rows = [("Fecha", "Comprobante", "Detalle", "Debe", "Haber", "Saldo"), ("", "Saldo anterior", "", "", "", plain_money(found.opening))]
    for line, balance in found.lines:
        amounts = (plain_money(line.amount), "") if line.amount >= 0 else ("", plain_money(-line.amount))
        number = voucher_number(line.date, line.point_of_sale, line.number)
        rows.append((day(line.date), f"{line.type_name} {number}", line.detail, *amounts, plain_money(balance)))
    rows.append(("", "Saldo", "", "", "", plain_money(found.closing)))
    pdf.set_xy(15, 38)
    write_table(pdf, (19, 48, 50, 21, 21, 21), rows, size=8)
    return bytes(pdf.output())


def qr_address(customer, voucher) -> str:
    """The address that AFIP's QR holds: RG 4892, the JSON in base64, numbers as numbers."""
    def number(amount):
        return amount // 100 if amount % 100 == 0 else amount / 100
    fields = {"ver": 1, "fecha": voucher.date, "cuit": int(business().company_cuit), "ptoVta": voucher.point_of_sale,
              "tipoCmp": voucher.type, "nroCmp": voucher.number, "importe": number(abs(voucher.amount)), "moneda": "PES", "ctz": 1}
    if customer.cuit:
        fields |= {"tipoDocRec": 80, "nroDocRec": int(customer.cuit)}
    fields |= {"tipoCodAut": "E", "codAut": int(voucher.cae)}
    return "https://www.afip.gob.ar/fe/qr/?p=" + b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode()


def draw_qr(pdf, address: str, x: float, y: float, side: float) -> None:
    """Draw a QR, row by row; a fixed mask, since looking for the best of eight takes as long as all the rest."""
    import segno
    modules = list(segno.make(address, error="m", mask=2, boost_error=False).matrix)
    size = side / len(modules)
    pdf.set_fill_color(0)
    for row, bits in enumerate(modules):
        for is_dark, run in groupby(enumerate(bits), key=lambda bit: bit[1]):
            columns = [column for column, _ in run]
            if is_dark:
                pdf.rect(x + columns[0] * size, y + row * size, len(columns) * size, size, style="F")


def voucher_pdf(customer, voucher) -> bytes:
    """A copy of a voucher that is not stored as a file: an electronic one, or a receipt of this portal."""
    us, title = business(), voucher.type_name.removesuffix(f" {voucher.letter}")
    number = voucher_number(voucher.date, voucher.point_of_sale, voucher.number)
    pdf = new_pdf(f"{voucher.type_name} {number}", customer.colour)
    write_at(pdf, 15, 16, (us.company_legal_name, 14, "B"), (us.company_address, 9, ""), (us.company_tax_condition, 9, ""))
    write_at(pdf, 120, 16, (title, 14, "B"), (f"N° {number}", 11, "B"), (f"Fecha: {day(voucher.date)}", 10, ""),
             (f"CUIT: {cuit.format(us.company_cuit)}", 9, ""), (f"Ingresos Brutos: {us.company_gross_income}", 9, ""),
             (f"Inicio de actividades: {us.company_since}", 9, ""))
    pdf.rect(98, 14, 14, 16)
    write_at(pdf, 102, 15, (voucher.letter, 20, "B"))
    write_at(pdf, 99, 25, (f"COD. {voucher.type:02}" if voucher.cae else "", 7, ""))
    write_receiver(pdf, customer, voucher)
    pdf.set_xy(15, 88)
    total = money(abs(voucher.amount))
    write_table(pdf, (140, 40), [("Detalle", "Importe"), (voucher.detail or voucher.type_name, total), ("Total", total)], size=10)
    write_foot(pdf, customer, voucher)
    return bytes(pdf.output())


def write_receiver(pdf, customer, voucher) -> None:
    """Whom a voucher is for, and until when it is to be paid."""
    place = ", ".join(part for part in (customer.address, customer.city, customer.province) if part)
    pdf.line(15, 54, 195, 54)
    write_at(pdf, 15, 57, (customer.name, 11, "B"), (place, 9, ""), (customer.tax_condition, 9, ""))
    identity = f"CUIT: {cuit.format(customer.cuit)}" if customer.cuit else ""
    due = f"Vencimiento del pago: {day(voucher.due_date)}" if voucher.due_date else ""
    write_at(pdf, 120, 57, (f"Usuario: {customer.number}", 9, ""), (identity, 9, ""), (due, 9, "B"))


def write_foot(pdf, customer, voucher) -> None:
    """AFIP's authorization with its QR; or what a receipt of the portal is."""
    if not voucher.cae:
        return write_at(pdf, 15, 255, ("Recibo emitido por el Centro de Atención al Cliente.", 9, ""))
    if voucher.date >= QR_SINCE:
        draw_qr(pdf, qr_address(customer, voucher), 15, 235, 34)
    return write_at(pdf, 120, 250, (f"CAE N° {voucher.cae}", 10, "B"),
                    (f"Fecha de Vto. de CAE: {day(voucher.cae_due_date)}", 10, ""), ("Copia para el cliente", 8, ""))


def stored_document(name: str) -> bytes:
    """A voucher's PDF as it is stored; 404 with a page of its own, and a line in the log, if it is missing or damaged."""
    folder = Path(current_app.config["DOCUMENTS"]).resolve()
    with suppress(OSError):
        content = (folder / Path(name).name).read_bytes()
        if content.startswith(b"%PDF-"):
            return content
    log.error("event=document-missing name=%r folder=%s", name, folder)
    return abort(404, "document")


# === Forms ========================================================================================
# The names of the fields are Spanish: they are seen from outside. Each error says what to do.

PROVINCES = """Buenos Aires|Ciudad Autónoma de Buenos Aires|Catamarca|Chaco|Chubut|Córdoba|Corrientes|Entre Ríos|Formosa|Jujuy
|La Pampa|La Rioja|Mendoza|Misiones|Neuquén|Río Negro|Salta|San Juan|San Luis|Santa Cruz|Santa Fe|Santiago del Estero
|Tierra del Fuego|Tucumán""".replace("\n", "").split("|")


def asked(message: str):
    """The field has to be filled in; the browser is not told, the page says it better."""
    return DataRequired(message)


def stripped(text: str | None) -> str:
    """Without the spaces around."""
    return (text or "").strip()


def at_most(length: int):
    """A text of reasonable length."""
    return Length(max=length, message=f"Escriba {length} caracteres o menos")


class Form(FlaskForm):
    """What all forms share."""

    class Meta(FlaskForm.Meta):
        """What no message of ours covers is said in Spanish."""

        locales = ["es"]

    def problems(self) -> list[tuple[str, str]]:
        """(id of the field, what to do) for the summary over the form."""
        parts = [part for field in self for part in (field.entries if isinstance(field, FieldList) else [field])]
        return [(part.id, error) for part in parts for error in part.errors] + [
            (f"{field.id}-0", error) for field in self if isinstance(field, FieldList)
            for error in field.errors if isinstance(error, str)]


class SignInForm(Form):
    """Ingrese a su Cuenta."""

    usuario = StringField("Usuario", [asked("Escriba su usuario"), at_most(60)], filters=[stripped])
    clave = PasswordField("Clave", [asked("Escriba su clave"), at_most(256)])


class ForgotForm(Form):
    """¿Olvidó su Clave?"""

    usuario = StringField("Usuario", [at_most(60)], filters=[stripped])
    email = StringField("Correo electrónico", [at_most(254)], filters=[stripped])

    def validate_usuario(self, field):
        """One of both is enough."""
        if not field.data and not self.email.data:
            raise StopValidation("Escriba su usuario o uno de sus correos")


class NewPasswordForm(Form):
    """A password chosen by a link."""

    clave_nueva = PasswordField("Clave nueva", [asked("Escriba una clave nueva")])

    def __init__(self, number: int):
        """For the customer of this number."""
        super().__init__()
        self.number = number

    def validate_clave_nueva(self, field):
        """Long enough, and not easily guessed."""
        if problem := password_problem(normalized(field.data), self.number, max(8, business().password_min)):
            raise StopValidation(problem)


class PasswordForm(NewPasswordForm):
    """Cambiar Clave."""

    clave_actual = PasswordField("Clave actual", [asked("Escriba su clave actual"), at_most(256)])
    field_order = ("clave_actual", "clave_nueva")

    def validate_clave_actual(self, field):
        """The one in use, and not the new one."""
        if not confirms_password(field.data):
            raise StopValidation("La clave actual no coincide")
        if field.data == self.clave_nueva.data:
            raise StopValidation("La clave nueva debe ser distinta de la actual")


class ProfileForm(Form):
    """Modificar Datos."""

    emails = FieldList(StringField("Correo", [at_most(254)], filters=[stripped]), min_entries=1, max_entries=8)
    telefonos = FieldList(StringField("Teléfono", [at_most(40)], filters=[stripped]), min_entries=1, max_entries=8)
    contacto = StringField("Persona de contacto", [at_most(80)], filters=[stripped])
    domicilio = StringField("Calle y número", [at_most(120)], filters=[stripped])
    localidad = StringField("Localidad", [at_most(80)], filters=[stripped])
    provincia = SelectField("Provincia", choices=[("", "Elija una provincia"), *((name, name) for name in PROVINCES)])
    codigo_postal = StringField("Código postal", [at_most(8)], filters=[stripped])
    clave_actual = PasswordField("Clave actual", [at_most(256)])

    def typed_emails(self) -> dict[str, str]:
        """Each address by its canonical form."""
        return {canonical_email(text): text for text in self.emails.data if text}

    def validate_emails(self, field):
        """Addresses, each once, and at least one where there was one."""
        seen = set()
        for entry in (entry for entry in field if entry.data):
            try:
                canonical = canonical_email(entry.data)
            except ValueError as error:
                entry.errors = [*entry.errors, str(error)]
                raise StopValidation from error
            if canonical in seen:
                entry.errors = [*entry.errors, "Ese correo ya está en la lista"]
                raise StopValidation
            seen.add(canonical)
        if not seen and emails_of(current_user.number):
            raise StopValidation("Deje al menos un correo")

    def validate_telefonos(self, field):
        """In any format, but with digits enough to be called."""
        for entry in (entry for entry in field if entry.data):
            if not 6 <= len(re.sub(r"\D", "", entry.data)) <= 20 or re.search(r"[^\d\s()+./-]", entry.data):
                entry.errors = ["Escriba el teléfono con código de área y número, por ejemplo 11 4567-8901"]
                raise StopValidation

    def validate_codigo_postal(self, field):
        """Four digits, or the eight characters of the CPA."""
        if field.data and not re.fullmatch(r"[0-9]{4}|[A-Za-z][0-9]{4}[A-Za-z]{3}", field.data):
            raise StopValidation("Escriba el código postal como 1650 o B1650ABC")

    def validate_clave_actual(self, field):
        """Asked for when the addresses change: whoever changes them can take the account over."""
        try:
            is_changed = self.typed_emails().keys() != {canonical_email(address) for address in emails_of(current_user.number)}
        except ValueError:
            return
        if is_changed and not field.data:
            raise StopValidation("Para cambiar sus correos, escriba su clave actual")
        if is_changed and not confirms_password(field.data):
            raise StopValidation("La clave actual no coincide")


class PaymentForm(Form):
    """PAGO ONLINE."""

    concepto = StringField(validators=[AnyOf(["saldo", "adelanto"], message="Elija qué quiere pagar")])
    medio = StringField(validators=[AnyOf(list(SERVICES), message="Elija con qué quiere pagar")])
    importe = StringField("Importe a pagar", [Optional(), at_most(30)], filters=[stripped])

    def amount(self) -> int:
        """The centavos that were typed."""
        return parse_money(self.importe.data or "")

    def validate_concepto(self, field):
        """An advance payment has an amount between one peso and the limit."""
        if field.data != "adelanto":
            return
        try:
            amount, most = self.amount(), business().dm_limit
        except ValueError as error:
            problem = str(error) if self.importe.data else "Escriba el importe a pagar"
        else:
            problem = "" if MIN_PAYMENT <= amount <= most else f"Escriba un importe de {money(MIN_PAYMENT)} a {money(most)}"
        if problem:
            self.importe.errors = [problem]
            raise StopValidation


def save_password(customer, password: str) -> bool:
    """Save it, end all sessions, tell every address; False if the link that was shown was used up meanwhile."""
    hashed = hash_password(password)
    with transaction() as db:
        changed = db.execute("UPDATE customer SET password = ?, link_serial = link_serial + 1 WHERE number = ? AND link_serial = ?",
                             (hashed, customer.number, customer.link_serial)).rowcount
        if changed:
            db.execute("DELETE FROM session WHERE customer = ?", (customer.number,))
            forgive(db, "sign-in", customer.number)
            enqueue(db, "password_changed", emails_of(customer.number), customer.number, name=customer.name)
            record(db, customer.number, "password")
    return bool(changed)


PROFILE_COLUMNS = {"contacto": "contact", "domicilio": "address", "localidad": "city", "provincia": "province",
                   "codigo_postal": "postal_code"}


def save_profile(customer, form: ProfileForm) -> bool:
    """Save what was changed, each change in the log; tell old and new addresses. True if there is one to confirm."""
    with transaction() as db:
        for field, column in PROFILE_COLUMNS.items():
            save_change(db, customer.number, column, getattr(customer, column), form[field].data)
        phones = {phone.number for phone in many("SELECT number FROM phone WHERE customer = ?", customer.number)}
        save_list(db, customer.number, "phone", phones, {number: number for number in form.telefonos.data if number})
        emails = {canonical_email(address): address for address in emails_of(customer.number)}
        typed = form.typed_emails()
        save_list(db, customer.number, "email", emails, typed)
        if emails.keys() != typed.keys():
            new_link(db, customer.number)
            enqueue(db, "emails_changed", [*{**typed, **emails}.values()], customer.number, name=customer.name)
        for canonical in typed.keys() - emails.keys():
            found = db.execute("SELECT id FROM email WHERE customer = ? AND canonical = ?", (customer.number, canonical)).fetchone()
            enqueue(db, "confirm_email", [typed[canonical]], customer.number, email=found.id, canonical=canonical, name=customer.name)
    return bool(typed.keys() - emails.keys())


def save_change(db, number: int, column: str, old: str, new: str) -> None:
    """Save a column of `customer`, one of PROFILE_COLUMNS, if it was changed."""
    if old != new:
        db.execute(f"UPDATE customer SET {column} = ? WHERE number = ?", (new, number))
        record(db, number, "data", field=column, old=old, new=new)


def save_list(db, number: int, table: str, old, new: dict) -> None:
    """Save a customer's phones or e-mails: `old` the keys on file, `new` what to keep, by key."""
    key = {"phone": "number", "email": "canonical"}[table]
    for gone in set(old) - new.keys():
        db.execute(f"DELETE FROM {table} WHERE customer = ? AND {key} = ?", (number, gone))
        record(db, number, "data", field=table, old=gone)
    for added in [key for key in new if key not in old]:
        columns, values = ("number", [added]) if table == "phone" else ("canonical, address", [added, new[added]])
        db.execute(f"INSERT INTO {table} (customer, {columns}) VALUES ({', '.join('?' * (1 + len(values)))})", [number, *values])
        record(db, number, "data", field=table, new=new[added])


# === Views ========================================================================================
# Guard, ask, decide, answer. A form that is not right is shown again, with 422.

bp = Blueprint("cac", __name__, cli_group=None)


def form_page(template: str, form: Form, **values):
    """A page with a form: 200 when it is new, 422 when it was not right."""
    return render_template(template, form=form, **values), 422 if form.problems() else 200


def download(content: bytes, mimetype: str, name: str) -> Response:
    """A file for the customer's disk."""
    return send_file(io.BytesIO(content), mimetype, as_attachment=True, download_name=name)


@bp.get("/")
@login_required
def home():
    """Bienvenido/a: balance, next due date, the last movements, the two groups of the manual, news."""
    recent = statement(current_user.number, 5, 5)
    news = many("SELECT * FROM news ORDER BY date DESC, id DESC LIMIT 3")
    due = next_due(current_user.number, recent.balance)
    return render_template("home.html", found=recent, news=news, due=due, is_overdue=bool(due and due < today()))


@bp.route("/ingresar", methods=["GET", "POST"])
def sign_in():
    """Ingrese a su Cuenta."""
    if request.method == "GET" and current_user.is_authenticated:
        return redirect(url_for(".home"))
    form = SignInForm()
    if not form.validate_on_submit():
        return form_page("sign_in.html", form)
    customer = may_sign_in(form.usuario.data, form.clave.data)
    if not customer:
        return render_template("sign_in.html", form=form, refused=True), 401
    open_session(customer.number)
    target = request.args.get("next", "")
    return redirect(target if is_local(target) else url_for(".home"), 303)


@bp.post("/salir")
@login_required
def sign_out():
    """Salir: the session ends here and for every copy of the cookie."""
    with transaction() as db:
        db.execute("DELETE FROM session WHERE token_hash = ?", (sha256(current_user.token),))
        record(db, current_user.number, "sign-out")
    logout_user()
    session.clear()
    flash("Salió de su cuenta.")
    answer = redirect(url_for(".sign_in"), 303)
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


@bp.route("/olvido", methods=["GET", "POST"])
def forgot():
    """¿Olvidó su Clave?"""
    form = ForgotForm()
    if not form.validate_on_submit():
        return form_page("forgot.html", form)
    mail_forgotten(form.usuario.data, form.email.data)
    return render_template("forgot_sent.html")


@bp.route("/clave/<token>", methods=["GET", "POST"])
def new_password(token):
    """A password chosen by a link: looking at it changes nothing, choosing uses it up."""
    customer = customer_of_link(token) or abort(410)
    form = NewPasswordForm(customer.number)
    if not form.validate_on_submit():
        return form_page("new_password.html", form, customer=customer)
    if not save_password(customer, form.clave_nueva.data):
        abort(410)  # another tab was faster
    flash("Cambió su clave. Ya puede ingresar.")
    return redirect(url_for(".sign_in"), 303)


@bp.route("/clave", methods=["GET", "POST"])
@login_required
def password():
    """Cambiar Clave."""
    form = PasswordForm(current_user.number)
    if not form.validate_on_submit():
        return form_page("password.html", form)
    save_password(current_user.customer, form.clave_nueva.data)
    open_session(current_user.number)
    flash("Cambió su clave. Cerramos sus otras sesiones.")
    return redirect(url_for(".home"), 303)


@bp.route("/datos", methods=["GET", "POST"])
@login_required
def profile():
    """Modificar Datos."""
    number, phones = current_user.number, many("SELECT number FROM phone WHERE customer = ? ORDER BY id", current_user.number)
    form = ProfileForm(data={field: getattr(current_user, column) for field, column in PROFILE_COLUMNS.items()}
                       | {"emails": [*emails_of(number), ""], "telefonos": [*(phone.number for phone in phones), ""]})
    if not form.validate_on_submit():
        return form_page("profile.html", form, unconfirmed=unconfirmed_emails(number))
    has_new_email = save_profile(current_user.customer, form)
    flash("Guardamos sus datos." + (" Le enviamos un enlace para confirmar el correo nuevo." if has_new_email else ""))
    return redirect(url_for(".profile"), 303)


@bp.route("/confirmar/<token>", methods=["GET", "POST"])
def confirm_email(token):
    """Confirm a new address, by the link that was sent to it."""
    email = email_of_link(token) or abort(410)
    form = Form()
    if not form.validate_on_submit():
        return form_page("confirm_email.html", form, email=email)
    with transaction() as db:
        db.execute("UPDATE email SET confirmed_at = ? WHERE id = ?", (now(), email.id))
        record(db, email.customer, "email-confirmed", new=email.address)
    flash("Confirmó su correo.")
    return redirect(url_for(".home"), 303)


@bp.get("/cuenta")
@login_required
def account():
    """Mi cuenta corriente: a page of the last movements, oldest first; the newest page unless asked."""
    asked = request.args.get("pagina")
    page = int(asked) if re.fullmatch(r"[0-9]{1,9}", asked or "") else None
    found = statement(current_user.number, business().statement_window, business().page_size, page)
    if asked is not None and page != found.page:
        return redirect(url_for(".account"))
    return render_template("account.html", found=found)


@bp.get("/cuenta.csv")
@login_required
def account_csv():
    """The same movements for a spreadsheet."""
    name = f"cuenta-corriente-{current_user.number}.csv"
    return download(statement_csv(whole_statement(current_user.number)), "text/csv; charset=utf-8", name)


@bp.get("/cuenta.pdf")
@login_required
def account_pdf():
    """The same movements on paper."""
    content = statement_pdf(current_user, whole_statement(current_user.number))
    return download(content, "application/pdf", f"cuenta-corriente-{current_user.number}.pdf")


@bp.get("/comprobantes/<int:voucher>.pdf")
@login_required
def voucher(voucher):
    """One of the customer's own vouchers: as it is stored, else a copy."""
    movement = find_voucher(current_user.number, voucher)
    content = stored_document(movement.document) if movement.document else voucher_pdf(current_user, movement)
    number = voucher_number(movement.date, movement.point_of_sale, movement.number)
    return download(content, "application/pdf", f"{movement.type_name.replace(' ', '-')}-{number}.pdf")


@bp.get("/pago")
@login_required
def pay():
    """PAGO ONLINE: the balance, where to deposit it, and the buttons that the rules allow."""
    return render_template("pay.html", form=PaymentForm(), **payment_page_values())


@bp.post("/pago")
@login_required
def start_payment():
    """Begin a payment, if the rules allow it now."""
    form, offer = PaymentForm(), payment_offer(current_user.number)
    is_advance = form.concepto.data == "adelanto"
    if form.concepto.data and not (offer.shows_advance() if is_advance else offer.shows_balance()):
        abort(403)
    if not form.validate():
        return form_page("pay.html", form, **payment_page_values())
    amount = form.amount() if is_advance else offer.balance
    purpose = "advance" if is_advance else "balance"
    reference = start_attempt(current_user.number, form.medio.data, purpose, amount)
    return redirect(url_for(".payment", reference=reference), 303)


@bp.get("/pago/<reference>")
@login_required
def payment(reference):
    """A payment: the form that leads to the service while it is new, then what became of it."""
    sql = "SELECT * FROM payment WHERE reference = ? AND customer = ?"
    found = one_or_404(sql, reference, current_user.number)
    is_back = "vuelta" in request.args
    if found.query_at and may_be_asked_about(found, is_back=is_back):
        with suppress(ServiceError):
            settle(found.service, found.reference)
        found = one(sql, reference, current_user.number)
    is_outdated = found.purpose == "balance" and found.amount != balance_of(current_user.number)
    service = payment_service(found.service)
    return render_template("payment.html", payment=found, service=service, is_back=is_back,
                           checkout=service.checkout(found) if found.state == "new" and not is_outdated else None)


@bp.post("/aviso/<any(dineromail):service>")
@csrf.exempt
def receive_notice(service):
    """A payment service tells of a payment: kept as it came, then the service itself is asked."""
    body = request.get_data(cache=False)[:NOTICE_BYTES + 1]
    notice = store_notice(service, body)
    try:
        if len(body) > NOTICE_BYTES:
            raise ValueError("too long")
        payment_service(service).references(body)
    except ValueError as error:
        close_notice(notice, f"refused: {error}")
        log.warning("event=notice-refused notice=%s address=%s", notice, request.remote_addr)
        abort(400)
    if SETTLING.acquire(blocking=False):  # else the chores will, in a moment
        try:
            settle_notice(notice)
        finally:
            SETTLING.release()
    return "OK", 200, {"Content-Type": "text/plain; charset=utf-8"}


@bp.get("/noticias")
@login_required
def news():
    """Noticias, the newest first."""
    return render_template("news.html", news=many("SELECT * FROM news ORDER BY date DESC, id DESC"))


@bp.get("/servicios")
@login_required
def services():
    """Servicios: what the customer has contracted."""
    found = many("SELECT * FROM service WHERE customer = ? ORDER BY name", current_user.number)
    return render_template("services.html", services=found)


@bp.get("/preguntas")
def questions():
    """Preguntas frecuentes: the manual's five, answered for this portal."""
    return render_template("questions.html")


@bp.get("/contacto")
def contact():
    """Contáctenos."""
    return render_template("contact.html")


@bp.get("/salud")
def health():
    """For monitors: whether the database answers."""
    try:
        one("SELECT 1 AS ok")
    except (sqlite3.Error, Refused):
        return {"status": "unavailable"}, 503
    return {"status": "ok"}


@bp.get("/demo/correo")
def demo_mail():
    """The mails of the demo; in a portal that serves customers there is no such page."""
    folder = current_app.config["DEMO"] or abort(404)
    mails = [message_from_bytes(file.read_bytes(), policy=default_policy) for file in sorted(Path(folder).glob("*.eml"), reverse=True)]
    return render_template("demo_mail.html", mails=mails)


# === Errors =======================================================================================
# What a page says when it cannot be shown. No codes, no traces; what to do, and where to ask.

ERRORS = {  # status: (title, what to do)
    400: ("No entendimos el pedido", "Vuelva a la página anterior e intente de nuevo."),
    403: ("Ese pago no está disponible", "No se registró nada. En PAGO ONLINE puede ver de qué formas puede pagar hoy."),
    404: ("No encontramos esa página", "Revise la dirección o vuelva al inicio."),
    405: ("Esa página no se usa así", "Vuelva al inicio."),
    410: ("El enlace ya no sirve", "Venció, ya se usó o se pidió otro más nuevo."),
    413: ("El envío es demasiado grande", "No se guardó nada. Envíe menos texto."),
    429: ("Demasiados intentos", "Espere y vuelva a probar, o use «¿Olvidó su Clave?»."),
    500: ("Hay un problema con el sitio", "Pruebe de nuevo en unos minutos. Si recién hizo un pago, no lo repita:"
          " fíjese primero en su cuenta corriente."),
    503: ("El sitio está ocupado", "No se guardó nada. Pruebe de nuevo en un minuto."),
}
MISSING_DOCUMENT = ("No encontramos el archivo de este comprobante", "Escríbanos y se lo enviamos.")
OLD_FORM = ("El formulario venció", "No se guardó nada. Vuelva a abrir la página e intente de nuevo.")


def error_page(status: int, texts: tuple[str, str] | None = None, **headers):
    """The page of an error."""
    title, advice = texts or ERRORS.get(status, ERRORS[500 if status >= 500 else 400])
    return render_template("error.html", title=title, advice=advice, status=status), status, headers


@bp.app_errorhandler(HTTPError)
def http_error(error):
    """What Flask, Werkzeug or a view refused."""
    if error.response:  # a redirect of Werkzeug's own
        return error.response
    missing = MISSING_DOCUMENT if error.description == "document" else None
    page = error_page(error.code, OLD_FORM if isinstance(error, CSRFError) else missing)
    return (*page[:2], dict(error.get_headers()) | {"Content-Type": "text/html; charset=utf-8"} if error.code == 405 else {})


@bp.app_errorhandler(TooManyTries)
def too_many_tries(error):
    """The customer has to wait."""
    minutes = -(-error.seconds // 60)
    wait = "un minuto" if minutes == 1 else f"{minutes} minutos"
    texts = (ERRORS[429][0], f"Hizo demasiados intentos. Espere {wait} o use «¿Olvidó su Clave?».")
    return error_page(429, texts, **{"Retry-After": str(error.seconds)})


@bp.app_errorhandler(sqlite3.OperationalError)
def database_busy(error):
    """The database cannot be written now: locked, full or read-only."""
    log.error("event=database-error error=%s path=%s", error, request.path)
    g.pop("business", None)
    return error_page(503, **{"Retry-After": "60"})


@bp.app_errorhandler(Exception)
def unexpected(error):
    """A fault of ours: the trace goes to the log, the customer gets a page."""
    log.exception("event=fault path=%s", request.path)
    return error_page(500)


# === Commands =====================================================================================
# What the operator types: `python cac.py COMMAND`, or `flask --app cac COMMAND`. Results on standard output.


def command(name: str, example: str):
    """A command, whose help ends with an example."""
    def decorate(function):
        function.__doc__ += f"\n\nExample: python cac.py {example}"
        return bp.cli.command(name)(function)
    return decorate


def known_customer(number: int):
    """The customer, or Refused."""
    customer = one("SELECT * FROM customer WHERE number = ?", number)
    if not customer:
        raise Refused(f"There is no customer {number}. Nothing was changed.")
    return customer


@command("init", "init")
def init():
    """Make the database, or bring an older one up to date."""
    path = Path(current_app.config["DATABASE"])
    if not path.is_file():
        make_database(path, "schema.sql")
        return click.echo(f"Made {path}.")
    steps = upgrade_database(get_db())
    return click.echo(f"{path}: upgraded by steps {steps}." if steps else f"{path} is up to date.")


@command("settings", "settings")
def settings():
    """List all settings: of the process (secrets masked) and of the business."""
    for name, (_, about) in SETTINGS.items():
        value = current_app.config[name]
        shown = ("(set)" if value else "(not set)") if name in SECRETS else value
        click.echo(f"CAC_{name:22} {shown!s:32} {about}")
    for setting in many("SELECT * FROM setting WHERE kind <> 'mark' ORDER BY name"):
        value = plain_money(int(setting.value)) if setting.kind == "money" else setting.value
        click.echo(f"{setting.name:26} {value:32} {setting.about}")


@command("set", "set dm_limit 5000,00")
@click.argument("name")
@click.argument("value")
def set_setting(name, value):
    """Change a setting of the business."""
    setting = one("SELECT * FROM setting WHERE name = ?", name)
    if not setting:
        raise Refused(f"There is no setting {name}: `python cac.py settings` lists them. Nothing was changed.")
    try:
        parsed = parse_setting(setting.kind, value)
    except ValueError as error:
        raise Refused(f"{name}: {value!r}: {error}. Nothing was changed.") from error
    with transaction() as db:
        db.execute("UPDATE setting SET value = ? WHERE name = ?", (parsed, name))
    click.echo(f"{name}: {value} (before: {plain_money(int(setting.value)) if setting.kind == 'money' else setting.value})")


@command("voucher-type", "voucher-type 6 --dineromail on")
@click.argument("code", type=int)
@click.option("--dineromail", type=click.Choice(["on", "off"]), required=True, help="Whether these vouchers may be paid on line.")
def voucher_type(code, dineromail):
    """Switch DineroMail on or off for a type of voucher, by its AFIP code."""
    with transaction() as db:
        found = db.execute("UPDATE voucher_type SET dineromail = ? WHERE code = ? RETURNING name", (dineromail == "on", code)).fetchone()
    if not found:
        raise Refused(f"There is no voucher type {code}. Nothing was changed.")
    click.echo(f"{code} {found.name}: DineroMail {dineromail}")


@command("customer", "customer 1004")
@click.argument("number", type=int)
def customer(number):
    """Show a customer, and why each payment button shows or not."""
    found, offer = known_customer(number), payment_offer(number)
    click.echo(f"{found.number} {found.name}" + ("" if found.active else "  BLOCKED") + ("" if found.password else "  no password yet"))
    click.echo(f"brand {found.brand} · CUIT {found.cuit or '-'} · e-mails {', '.join(emails_of(number)) or '-'}")
    click.echo(f"balance {money(offer.balance)}")
    configured = f"payment services configured: {offer.labels() or 'none'}"
    click.echo(f"DineroMail button: {'shown' if offer.shows_balance() else 'not shown'}")
    dm_state = f"{offer.last_invoice or 'there is none'}: DineroMail {'on' if offer.dm_active else 'off'}"
    explain([(offer.balance > 0, f"balance {money(offer.balance)} > 0"),
             (offer.balance < offer.limit, f"balance {money(offer.balance)} < limit {money(offer.limit)}"),
             (offer.dm_active, f"last invoice is {dm_state}"), (bool(offer.services), configured)])
    click.echo(f"Advance payment: {'shown' if offer.shows_advance() else 'not shown'}")
    explain([(shows_advance_payment(offer.balance, offer.limit),
              f"balance {money(offer.balance)} <= 0, or > limit {money(offer.limit)}"), (bool(offer.services), configured)])


def explain(conditions: list[tuple[bool, str]]) -> None:
    """Print each condition of a button, all of which must hold."""
    for holds, condition in conditions:
        click.echo(f"  {'yes' if holds else 'NO '}  {condition}")


@command("invite", "invite --new")
@click.argument("numbers", type=int, nargs=-1)
@click.option("--new", is_flag=True, help="All active customers that have an e-mail, no password, and were not invited yet.")
def invite(numbers, new):
    """Mail customers their user number and a link to choose a password, good for 7 days."""
    if new == bool(numbers):
        raise click.UsageError("give user numbers, or --new")
    sql = ("SELECT number FROM customer WHERE active AND password IS NULL AND link_serial = 0"
           " AND EXISTS (SELECT 1 FROM email WHERE customer = number AND confirmed_at IS NOT NULL)")
    chosen = [known_customer(number) for number in (numbers or [row.number for row in many(sql)])]
    for customer in chosen:
        if not customer.active or not emails_of(customer.number, only_confirmed=True):
            raise Refused(f"Customer {customer.number} is blocked or has no e-mail. Nobody was invited.")
    with transaction() as db:
        for customer in chosen:
            mail_links(db, [customer], emails_of(customer.number, only_confirmed=True), "invite")
    click.echo(f"Invited: {len(chosen)}. The mails leave from the running service.")


@command("password", "password 1001 --mail")
@click.argument("number", type=int)
@click.option("--mail", is_flag=True, help="Mail it to the customer instead of printing it.")
def password_command(number, mail):
    """Print a link with which the customer chooses a new password, good for 60 minutes."""
    customer, recipients = known_customer(number), emails_of(number, only_confirmed=True)
    if not customer.active or (mail and not recipients):
        raise Refused(f"Customer {number} is blocked or has no e-mail. Nothing was changed.")
    absolute("home"), signer("password")  # refused here, if it cannot be made, before earlier links die
    with transaction() as db:
        if mail:
            mail_links(db, [customer], recipients)
            return click.echo(f"Mailed to {', '.join(recipients)}, by the running service.")
        serial = new_link(db, number)
        record(db, number, "reset-link", "operator")
    return click.echo(password_link(number, serial))


@command("unlock", "unlock 1001")
@click.argument("number", type=int)
def unlock(number):
    """Let a customer who tried too often try again at once."""
    known_customer(number)
    with transaction() as db:
        db.executemany("DELETE FROM throttle WHERE key = ?", [(f"{deed}:{number}",) for deed in ("sign-in", "password", "forgot")])
        record(db, number, "unlock", "operator")
    click.echo(f"{number}: may try again.")


COUNTED_CHECKS = [  # (level if any are found, what is looked for, SQL that counts them)
    ("BAD", "rows that refer to nothing", "SELECT count(*) FROM pragma_foreign_key_check"),
    ("BAD", "receipts that differ from their payment", "SELECT count(*) FROM payment JOIN movement ON movement.id = payment.movement"
     " WHERE movement.amount <> -payment.amount OR movement.customer <> payment.customer"),
    ("BAD", "receipts of this portal without a payment",
     "SELECT count(*) FROM movement WHERE origin = 'portal' AND id NOT IN (SELECT movement FROM payment WHERE movement IS NOT NULL)"),
    ("WARN", "payments for a person to review", "SELECT count(*) FROM review"),
    ("WARN", "notices not settled for an hour", "SELECT count(*) FROM notice WHERE query_at IS NOT NULL AND received_at < ?1"),
    ("WARN", "mails not sent for an hour", "SELECT count(*) FROM outbox WHERE sent_at IS NULL AND created_at < ?1"),
    ("WARN", "active customers without a confirmed e-mail", "SELECT count(*) FROM customer WHERE active AND number NOT IN"
     " (SELECT customer FROM email WHERE confirmed_at IS NOT NULL)"),
]


def check_results() -> list[tuple[str, str]]:
    """(ok | WARN | BAD, what was found) of settings, database, ledger, payments, mail and documents."""
    unsafe = [("BAD", problem) for problem in unsafe_settings(current_app.config)]
    integrity = one("PRAGMA integrity_check").integrity_check
    results = unsafe or [("ok", "settings are safe")]
    results.append(("ok" if integrity == "ok" else "BAD", f"database integrity: {integrity}"))
    for level, what, sql in COUNTED_CHECKS:
        count = get_db().execute(sql, (now(-3600),) if "?1" in sql else ()).fetchone()[0]
        results.append((level if count else "ok", f"{what}: {count}"))
    folder = Path(current_app.config["DOCUMENTS"])
    missing = sum(not (folder / row.document).is_file() for row in many("SELECT document FROM movement WHERE document IS NOT NULL"))
    results.append(("BAD" if missing else "ok", f"documents missing in {folder}: {missing}"))
    total = one("SELECT coalesce(sum(amount), 0) AS total, count(*) AS n FROM movement")
    return [*results, ("ok", f"ledger: {total.n} movements, total balance {plain_money(total.total)}"),
            ("ok", f"SQLite {sqlite3.sqlite_version}, time {now()}")]


@command("check", "check --json")
@click.option("--json", "as_json", is_flag=True, help="For a monitor.")
def check(as_json):
    """Look at everything that may be wrong; exit code 1 if something is BAD."""
    results = check_results()
    if as_json:
        click.echo(json.dumps([{"level": level, "what": what} for level, what in results], ensure_ascii=False, indent=1))
    else:
        for level, what in results:
            click.echo(f"{level:5} {what}")
    sys.exit(any(level == "BAD" for level, _ in results))


def run_server(host: str, port: int, workers: int) -> None:
    """Serve with granian until it is told to stop."""
    from granian import Granian
    from granian.constants import Interfaces
    Granian("cac:serving_app", host, port, interface=Interfaces.WSGI, factory=True, workers=workers, blocking_threads=2,
            working_dir=HERE, respawn_failed_workers=True, log_level="warning").serve()


def is_demo_data(db) -> bool:
    """Whether the database holds the demo's cast."""
    return db.execute("SELECT 1 FROM setting WHERE name = 'demo'").fetchone() is not None


@command("serve", "serve --port 8000 --workers 2")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option("--workers", default=2, show_default=True, help="Processes.")
def serve(host, port, workers):
    """Serve customers; refuses while a setting is missing or unsafe."""
    problems = unsafe_settings(current_app.config)
    if not problems and is_demo_data(get_db()):
        problems = [f"{current_app.config['DATABASE']}: holds the demo's data; make another with `python cac.py init`"]
    if problems:
        raise Refused("not started.\n" + "\n".join(f"  {problem}" for problem in problems))
    upgrade_database(get_db())
    click.echo(f"Serving {current_app.config['BASE_URL']} on http://{host}:{port}", err=True)
    run_server(host, port, workers)


def demo_database(path: Path) -> None:
    """A fresh database with the cast; an earlier demo's is replaced, any other is refused."""
    if path.exists():
        with suppress(sqlite3.DatabaseError), closing(connect(path)) as db:
            if is_demo_data(db):
                for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
                    file.unlink(missing_ok=True)
    if path.exists():
        raise Refused(f"{path} is not a demo's database. Nothing was changed.")
    make_database(path, "schema.sql", "seed_data.sql")


@contextmanager
def demo_payment_services(base_url: str):
    """The stand-ins of the payment services, in a process of their own that ends with this one; yields their settings."""
    settings = {"DINEROMAIL_ACCOUNT": "11925320", "DINEROMAIL_PASSWORD": "demo-ipn-key"}
    command = [sys.executable, str(HERE / "tests" / "standins.py"), "--port", "0", "--with-parent", "--notify", base_url,
               "--account", settings["DINEROMAIL_ACCOUNT"], "--key", settings["DINEROMAIL_PASSWORD"]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as standins:
        address = standins.stdout.readline().strip()
        yield settings | {"DINEROMAIL_URL": address}
        standins.terminate()


@command("demo", "demo --port 8000")
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback only.")
@click.option("--port", default=8000, show_default=True)
@click.option("--database", type=click.Path(path_type=Path), help="Where to make the demo's database; a temporary file unless given.")
def demo(host, port, database):
    """Show the portal with made-up customers, payment services and mail; nothing real is touched."""
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise Refused(f"--host {host}: the demo listens on this machine only.")
    with tempfile.TemporaryDirectory(prefix="cac-demo-") as folder:
        path = (database or Path(folder, "cac.db")).absolute()
        demo_database(path)
        base_url = f"http://{host}:{port}"
        with demo_payment_services(base_url) as services:
            defaults = {"SECRET_KEY": secrets.token_urlsafe(48), "BASE_URL": base_url, "DOCUMENTS": folder, **services}
            for name, value in defaults.items():
                os.environ.setdefault(f"CAC_{name}", value)
            os.environ |= {"CAC_DATABASE": str(path), "CAC_DEMO": folder}
            click.echo(f"CAC demo: {base_url}  (mail: {base_url}/demo/correo)\nusuario 1001 to 1013, clave demo-2010:")
            with closing(connect(path)) as db:
                for found in db.execute("SELECT number, name FROM customer ORDER BY number"):
                    click.echo(f"  {found.number}  {found.name}")
            run_server(host, port, 1)


# === Application ==================================================================================
# create_app has no side effect: nothing is opened, started or written before the first request, or the server.

CHORES = {  # what the running service does by itself: (each in one worker at a time)
    "mail": send_due_mail, "payments": settle_due_payments, "notices": settle_due_notices,
}
CHORE_SECONDS = 1                                # between two rounds of a chore
LEASE_SECONDS = 60                               # a dead worker's chores are taken over after this; a round takes less


def holds_lease(chore: str, holder: str) -> bool:
    """Whether this worker does the chore: nobody else does, or whoever did has not renewed it."""
    found = one("SELECT holder, ends_at FROM lease WHERE chore = ?", chore)
    if found and found.holder != holder and found.ends_at > now():
        return False
    if found and found.holder == holder and found.ends_at > now(LEASE_SECONDS / 2):
        return True
    with transaction() as db:
        return db.execute("INSERT INTO lease VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET holder = excluded.holder,"
                          " ends_at = excluded.ends_at WHERE holder = excluded.holder OR ends_at <= ?",
                          (chore, holder, now(LEASE_SECONDS), now())).rowcount == 1


def do_chore(app: Flask, chore: str, stop: threading.Event) -> None:
    """Do a chore, round after round, whenever this worker holds its lease."""
    holder = secrets.token_hex(8)
    while not stop.wait(CHORE_SECONDS):
        with app.app_context():
            try:
                if holds_lease(chore, holder):
                    CHORES[chore]()
            except (sqlite3.Error, OSError, Refused) as error:
                log.error("event=chore-failed chore=%s error=%s", chore, error)


def start_chores(app: Flask) -> None:
    """Start this worker's chores, once."""
    with app.extensions["cac.starting"]:
        if app.config["CHORES"] != "on":
            return
        app.config["CHORES"] = "started"
    for chore in CHORES:
        threading.Thread(target=do_chore, args=(app, chore, threading.Event()), name=f"chore-{chore}", daemon=True).start()


def asset(name: str) -> str:
    """The address of a file in static/, which changes with its content: browsers may keep it for a year."""
    return url_for("static", filename=name, v=file_version(HERE / "static" / name))


@cache
def file_version(path: Path) -> str:
    """A few characters that change with a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]


def page_values() -> dict:
    """What every page has at hand."""
    brands = many("SELECT * FROM brand ORDER BY position")
    code = current_user.brand if current_user.is_authenticated else "netone"
    return {"company": business(), "brands": brands, "brand": next(brand for brand in brands if brand.code == code),
            "asset": asset, "has_pdf": has_pdf, "today": today()}


def content_policy(config) -> str:
    """The Content-Security-Policy: only this site, and forms also to the payment services that are configured."""
    forms = " ".join(["'self'", *(config[f"{name}_URL"] for name in ("DINEROMAIL",) if config[f"{name}_ACCOUNT"])])
    return (f"default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; form-action {forms};"
            " base-uri 'none'; object-src 'none'; frame-ancestors 'none'")


def add_headers(answer: Response) -> Response:
    """What every answer carries, whatever it is."""
    config = current_app.config
    answer.headers["Content-Security-Policy"] = content_policy(config)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "same-origin"
    answer.headers["Cross-Origin-Opener-Policy"] = answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    answer.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), payment=()"
    if config["SESSION_COOKIE_SECURE"]:
        answer.headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    if request.endpoint != "static":
        answer.headers["Cache-Control"] = "no-store"
    return answer


def refuse_strangers() -> None:
    """A form sent from another site is refused, even with a token; so the check of the Referer is not needed."""
    is_notice = request.endpoint == "cac.receive_notice"
    if request.method == "POST" and not is_notice and request.headers.get("Sec-Fetch-Site") == "cross-site":
        abort(400)


def create_app(**settings) -> Flask:
    """The WSGI application. Settings in lower case, as `database="…"`, win over the environment's."""
    app = Flask(__name__, root_path=str(HERE))
    app.config.from_mapping(read_settings(**settings))
    is_https = app.config["BASE_URL"].startswith("https://")
    app.config.update(
        SESSION_COOKIE_NAME="__Host-cac" if is_https else "cac", SESSION_COOKIE_SECURE=is_https, SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=2**20, SEND_FILE_MAX_AGE_DEFAULT=365 * 86400,
        WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_SSL_STRICT=False)  # the token lives as long as the session; refuse_strangers
    app.extensions |= {"cac.connections": threading.local(), "cac.starting": threading.Lock()}
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters |= {"money": money, "plain_money": plain_money, "day": day, "cuit": cuit.format, "cbu": cbu.format}
    app.jinja_env.globals |= {"voucher_number": voucher_number}
    app.context_processor(page_values)
    app.before_request(refuse_strangers)
    app.after_request(add_headers)
    login_manager.init_app(app)
    csrf.init_app(app)
    app.register_blueprint(bp)
    if hops := int(app.config["PROXIES"]):
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_prefix=hops)
    return app


@bp.before_app_request
def chores_run_where_requests_come() -> None:
    """Under another server than ours, the first request starts the chores."""
    if current_app.config["CHORES"] == "on":
        start_chores(current_app._get_current_object())


def serving_app() -> Flask:
    """The application in a worker of `serve` and `demo`: its chores start with it."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(message)s")
    app = create_app()
    start_chores(app)
    return app


@login_manager.unauthorized_handler
def ask_to_sign_in():
    """Nobody is signed in: to Ingrese a su Cuenta, and back afterwards."""
    if "_user_id" in session:
        session.clear()
        flash("Su sesión venció. Ingrese de nuevo.")
    is_page = request.method == "GET" and request.endpoint != "cac.home"
    return redirect(url_for("cac.sign_in", next=request.full_path.rstrip("?") if is_page else None))


cli = FlaskGroup(create_app=create_app, add_default_commands=False, add_version_option=False, help="The operator's commands.")

if __name__ == "__main__":
    cli()
